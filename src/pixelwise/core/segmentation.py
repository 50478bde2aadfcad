"""The one result type, for truth and prediction alike, of every kind of segmentation."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import lookup, present_in
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, Masks, as_disjoint, from_dense, paint, smallest_dtype

Kind: TypeAlias = Literal["semantic", "multilabel", "instance", "panoptic", "regions"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PAINTED = (  # the rule of ``Segmentation.semantic`` for instances, as it is told to people
    "objects are painted as classes: 'background' where there is none, void under crowds, and smaller objects over larger ones"
)
_ROWS: dict[str, type[np.generic] | None] = {  # the fields with a row a segment
    "class_ids": np.int64,
    "scores": None,
    "crowd": np.bool_,
    "boxes": None,
    "areas": None,
    "source_ids": np.int64,
    "track_ids": np.int64,
}


@dataclass(frozen=True, eq=False)
class Segmentation:
    """S segments over an (H, W) grid.

    Attributes:
        kind: what the segments are. ``semantic``: one a class, disjoint. ``multilabel``: one a class, may overlap.
            ``instance``: any number a class, may overlap. ``panoptic``: one an object or stuff class, disjoint.
            ``regions``: a partition without classes (``class_ids`` are all 0).
        masks: the S masks.
        class_ids: (S,) indices into ``labels``.
        scores: (S,) in [0, 1], or None for truth.
        crowd: (S,) True where a segment stands for a group; it keeps its class, and scores ignore it.
        boxes, areas: (S, 4) and (S,) as the source stated them; None where they follow from the masks.
        source_ids, track_ids: (S,) the source's own numbers.
        attributes: one mapping a segment, or empty.
        probabilities: (L, H, W), only when asked for.
        notes: what to know of how it was made, as that a method worked on a smaller image.

    Pixels under no segment are void in semantic and panoptic truth, background in instance truth.
    """

    kind: Kind
    masks: Masks
    class_ids: IntArray
    labels: LabelSet
    scores: FloatArray | None = None
    crowd: BoolArray | None = None
    boxes: FloatArray | None = None
    areas: FloatArray | None = None
    source_ids: IntArray | None = None
    track_ids: IntArray | None = None
    attributes: tuple[dict[str, Any], ...] = field(default=())
    probabilities: FloatArray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"expected a kind of {', '.join(KINDS)}, got {self.kind!r}")
        count = len(self.masks)
        for name, dtype in _ROWS.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _rows(name, value, dtype, count))
        object.__setattr__(self, "attributes", tuple(self.attributes))
        if self.attributes and len(self.attributes) != count:
            raise DataError(f"attributes has {len(self.attributes)} rows, expected one for each of {count} segments")
        if count and self.kind != "regions" and not (self.class_ids.min() >= 0 and self.class_ids.max() < len(self.labels)):
            raise DataError(f"class ids must lie in 0..{len(self.labels) - 1}, found {np.unique(self.class_ids).tolist()}")
        if self.kind == "regions" and self.class_ids.any():
            raise DataError(f"regions have no classes: expected class ids of 0, found {np.unique(self.class_ids).tolist()}")
        if self.kind in ("semantic", "multilabel") and len(np.unique(self.class_ids)) != count:
            raise DataError(f"a {self.kind} segmentation has one segment a class; some class has two")
        if self.kind in ("semantic", "panoptic", "regions") and not isinstance(self.masks, DisjointMasks):
            object.__setattr__(self, "masks", as_disjoint(self.masks))
        if self.probabilities is not None and self.probabilities.shape[1:] != self.masks.size:
            raise DataError(f"expected probabilities (L, {self.size[0]}, {self.size[1]}), got {self.probabilities.shape}")

    @classmethod
    def from_class_map(
        cls, classes: IntArray, labels: LabelSet, scores: FloatArray | None = None, probabilities: FloatArray | None = None
    ) -> "Segmentation":
        """Take a class map (H, W) in which ``labels.void`` is void; ``scores`` (L,) are a class's.

        >>> one = Segmentation.from_class_map(np.array([[1, 255]]), LabelSet.of(["sky", "car"]))
        >>> one.class_ids.tolist(), one.class_map().tolist()
        ([1], [[1, 255]])

        Raises:
            DataError: it is no (H, W) array of integers, or a value is neither a class nor void.
        """
        classes = np.asarray(classes)
        if classes.ndim != 2 or classes.dtype.kind not in "uib":
            raise DataError(f"expected a class map (H, W) of integers, got {classes.shape} {classes.dtype}")
        if classes.dtype == bool:  # a mask: False is class 0, True is class 1
            classes = classes.astype(np.uint8)
        present = present_in(classes)
        if (strange := present[(present < 0) | (present >= len(labels)) & (present != labels.void)]).size:
            raise DataError(
                f"class {strange[0]} is not one of the {len(labels)} classes (0..{len(labels) - 1}, void {labels.void})"
            )
        present = present[present < len(labels)]
        table = np.zeros(max(labels.void, int(classes.max(initial=0))) + 1, smallest_dtype(len(present)))
        table[present] = np.arange(1, len(present) + 1)
        masks = DisjointMasks(lookup(table, classes), len(present))
        return cls("semantic", masks, present, labels, None if scores is None else scores[present], probabilities=probabilities)

    @classmethod
    def from_masks(
        cls,
        kind: Kind,
        masks: AnyArray | Sequence[BoolArray],
        class_ids: Sequence[int] | IntArray,
        labels: LabelSet,
        **rows: Any,
    ) -> "Segmentation":
        """Take a stack of masks (S, H, W); ``rows`` are the other per-segment fields."""
        return cls(kind, from_dense(np.asarray(masks)), np.asarray(class_ids), labels, **rows)

    @property
    def size(self) -> Size:
        """(H, W) of the grid."""
        return self.masks.size

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, key: int | slice | Sequence[int] | AnyArray) -> "Segmentation":
        """Keep some segments: by index, slice, index array or bool array (S,)."""
        indices = np.atleast_1d(np.arange(len(self))[list(key) if isinstance(key, tuple) else key])
        rows: dict[str, Any] = {name: None if (value := getattr(self, name)) is None else value[indices] for name in _ROWS}
        attributes = tuple(self.attributes[int(index)] for index in indices) if self.attributes else ()
        return replace(self, masks=self.masks.select(indices), attributes=attributes, **rows)

    def __eq__(self, other: object) -> bool:
        """Same kind, size, classes by name, crowd marks, masks and order; scores and stated boxes do not count."""
        if not isinstance(other, Segmentation):
            return NotImplemented
        return (
            self.kind == other.kind
            and self.names == other.names
            and bool((self.is_crowd == other.is_crowd).all())
            and self.masks == other.masks
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_crowd(self) -> BoolArray:
        """(S,) crowd marks, all False where none are given."""
        return np.zeros(len(self), bool) if self.crowd is None else np.asarray(self.crowd, bool)

    @property
    def names(self) -> list[str]:
        """The class name of each segment; regions, which have no class, are called ``region``."""
        if self.kind == "regions":
            return ["region"] * len(self)
        names = self.labels.names
        return [names[index] for index in self.class_ids.tolist()]

    def class_map(self) -> IntArray:
        """Give the class map (H, W): ``labels.void`` under no segment, and under crowds alone.

        Where instances overlap, the smaller one is on top: it would vanish under the larger.
        """
        return lookup(_table(self.labels, self.labels.void, self.class_ids, self.is_crowd), self._disjoint().ids)

    def panoptic_ids(self) -> IntArray:
        """Give the segment ids (H, W): 0 under none, k for segment k - 1, as ``predict`` writes them."""
        return self._disjoint().ids

    def instances(self) -> "Segmentation":
        """Keep the things of a panoptic segmentation, as instances."""
        kept = self[np.isin(self.class_ids, self.labels.things)]
        return replace(kept, kind="instance")

    def semantic(self) -> "Segmentation":
        """Forget which object is which: the classes alone.

        Instances are painted by one rule. All pixels start as ``background``, a class that is added in front unless there is
        one. Crowds are painted first, as void. Then come the objects, larger ones before smaller ones, so that the smaller
        one is on top; of equal ones the later is. Segments of other kinds keep their pixels, and void stays void.

        >>> labels = LabelSet.of(["cat"], things=["cat"])
        >>> one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], labels).semantic()
        >>> one.labels.names, one.class_map().tolist()
        (('background', 'cat'), [[1, 0]])
        """
        if self.kind == "instance":
            return self._painted()
        return Segmentation.from_class_map(self.class_map(), self.labels, probabilities=self.probabilities)

    def painting(self) -> tuple[LabelSet, IntArray]:
        """Give the labels of ``semantic()``, and the class there (S + 1,) of each id of ``panoptic_ids()``.

        >>> labels = LabelSet.of(["cat"], things=["cat"])
        >>> one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], labels)
        >>> one.painting()[1][one.panoptic_ids()].tolist() == one.semantic().class_map().tolist()
        True
        """
        if self.kind != "instance":
            return self.labels, _table(self.labels, self.labels.void, self.class_ids, self.is_crowd)
        labels = self.labels.with_background()
        around = next(index for index, name in enumerate(labels.names) if name.casefold() == "background")
        return labels, _table(labels, around, self.class_ids + len(labels) - len(self.labels), self.is_crowd)

    def _painted(self) -> "Segmentation":
        labels, table = self.painting()
        return Segmentation.from_class_map(lookup(table, self._disjoint().ids), labels)

    def stated_boxes(self) -> FloatArray:
        """The boxes (S, 4) the source stated, else those of the masks; the caller's own to change."""
        return np.array(self.masks.boxes() if self.boxes is None else self.boxes, np.float64)

    def stated_areas(self) -> FloatArray:
        """The areas (S,) the source stated, else those of the masks; the caller's own to change."""
        return np.array(self.masks.areas() if self.areas is None else self.areas, np.float64)

    def _disjoint(self) -> DisjointMasks:
        if isinstance(self.masks, DisjointMasks):
            return self.masks
        return paint(self.masks, np.lexsort((-self.masks.areas(), ~self.is_crowd)))  # crowds first, then by falling area


def _table(labels: LabelSet, around: int, class_ids: IntArray, crowd: BoolArray) -> IntArray:
    """Give the class of each segment id: of 0 ``around``, of crowds void."""
    table: IntArray = np.full(len(class_ids) + 1, around, np.uint8 if labels.void == 255 else np.uint16)
    table[1:] = np.where(crowd, labels.void, class_ids)
    return table


def _rows(name: str, value: Any, dtype: type[np.generic] | None, count: int) -> AnyArray:
    """Take one field as an array of S rows; ids and marks get their own type, scores and boxes keep theirs."""
    rows = np.asarray(value) if dtype is None else np.asarray(value, dtype)
    if name == "boxes":
        rows = rows.reshape(-1, 4) if rows.size == 0 else rows
        if rows.ndim != 2 or rows.shape[1] != 4:
            raise DataError(f"expected boxes (S, 4) of left, top, right, bottom, got {rows.shape}")
    elif rows.ndim != 1:
        raise DataError(f"expected {name} (S,), got {rows.shape}")
    if len(rows) != count:
        raise DataError(f"{name} has {len(rows)} rows, expected one for each of {count} segments")
    return rows
