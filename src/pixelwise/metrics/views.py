"""Read predictions and truths as the kind of segmentation a score is made for.

What each becomes, and what cannot be made:

- ``semantic``: panoptic segments as their classes; instances painted by one rule (``core.segmentation.PAINTED``).
- ``instance``: the things of panoptic segments. Classes alone do not tell objects apart and are refused.
- ``panoptic``: classes alone where none of them is a thing, each one segment. Instances, which may overlap and leave the stuff
  out, are refused.
- ``regions``: every connected part (eight neighbours) of a class; every thing, and every connected part of stuff. Instances
  are painted, and what is left around them becomes regions too. What is void is under no region.
- ``tracks``, what film scores want: instances; and of classes alone, each thing class as one object that is followed through
  the film, or each class but background where no class is marked as a thing (``as_tracks``).

Predicted objects carry scores down to nothing, which belongs into average precision and nowhere else: of predictions that
become another kind, the objects with a score of at least ``CONFIDENT`` are kept.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Literal, TypeAlias

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import lookup
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Kind, Segmentation

Families = Mapping[str, ModuleType]
View: TypeAlias = Kind | Literal["tracks"]
CONFIDENT = 0.5
REGIONS = LabelSet.of(["region"])
SURELY = f"of predicted objects, those with a score of at least {CONFIDENT} are painted"


def view_of(module: ModuleType) -> View:
    """Tell as what a family wants to be handed segments."""
    if module.KIND == "instance" and getattr(module, "UNIT", "image") == "clip":
        return "tracks"
    kind: Kind = module.KIND
    return kind


def as_kind(one: Segmentation, kind: Kind) -> Segmentation:
    """Read ``one`` as another kind, by the rules above.

    >>> labels = LabelSet.of(["sky", "tree"])
    >>> as_kind(Segmentation.from_class_map(np.array([[0, 1, 0]]), labels), "regions").panoptic_ids().tolist()
    [[1, 3, 2]]

    Raises:
        DataError: it cannot be read so.
    """
    if one.kind == kind:
        return one
    if one.kind not in _READABLE.get(kind, ()):
        raise DataError(f"{one.kind} segments cannot be scored as {kind}: {_why(one.kind, kind)}")
    if kind == "semantic":
        return _surely(one).semantic()
    if kind == "instance":
        return one.instances()
    if kind == "regions":
        return _regions(_surely(one))
    if things := [one.labels.names[index] for index in one.labels.things if index in one.class_ids]:
        raise DataError(f"classes alone do not tell the objects of {', '.join(things)} apart; score them as semantic")
    return replace(one, kind="panoptic")


def as_tracks(one: Segmentation, numbers: LabelSet | None = None, is_truth: bool = False) -> Segmentation:
    """Read a frame's objects as they are followed through a film.

    Classes alone become one object each, numbered in the order of ``numbers``, by name, so that truth and prediction number
    alike; None leaves them without numbers. What is void in the truth is put under a crowd.

    >>> labels = LabelSet.of(["background", "car"])
    >>> found = as_tracks(Segmentation.from_class_map(np.array([[0, 1]]), labels), labels)
    >>> found.names, found.track_ids.tolist()
    (['car'], [2])

    Raises:
        DataError: it cannot be read so.
    """
    if one.kind != "semantic":
        return as_kind(one, "instance")
    rows = np.flatnonzero(np.isin(one.class_ids, followed(one.labels)))
    ids, classes = one.panoptic_ids(), one.class_ids[rows]
    has_void = is_truth and bool((ids == 0).any())
    count = len(rows) + has_void
    table = np.zeros(len(one) + 1, smallest_dtype(count))
    table[rows + 1] = np.arange(1, len(rows) + 1)
    table[0] = count if has_void else 0
    crowd = np.arange(count) >= len(rows)
    tracks = None
    if numbers is not None:
        places = one.labels.map_to(numbers)[classes]
        tracks = np.append(np.where(places < 0, len(numbers) + classes, places) + 1, [0] * has_void)
    classes = np.append(classes, [0] * has_void)
    return Segmentation(
        "instance", DisjointMasks(lookup(table, ids), count), classes, one.labels, crowd=crowd, track_ids=tracks
    )


def followed(labels: LabelSet) -> tuple[int, ...]:
    """Name the classes that are objects of a film where there are classes alone: things, or all but background."""
    every = tuple(index for index, name in enumerate(labels.names) if name.casefold() != "background")
    return labels.things or every


def readable(kind: Kind, wanted: View) -> bool:
    """Tell whether segments of ``kind`` can be read as ``wanted``."""
    return kind == wanted or kind in _READABLE.get(wanted, ())


_READABLE: dict[View, tuple[Kind, ...]] = {
    "semantic": ("instance", "panoptic"),
    "instance": ("panoptic",),
    "panoptic": ("semantic",),
    "regions": ("semantic", "instance", "panoptic"),
    "tracks": ("semantic", "instance", "panoptic"),
}


def _why(kind: Kind, wanted: Kind) -> str:
    if kind == "regions":
        return "they have no classes; match them to classes first"
    if kind == "multilabel":
        return "their classes may overlap"
    if wanted == "instance":
        return "classes alone do not tell objects apart"
    return "objects may overlap, and leave out what is around them"


def _surely(one: Segmentation) -> Segmentation:
    if one.kind != "instance" or one.scores is None:
        return one
    return one[one.scores >= CONFIDENT]


def _regions(one: Segmentation) -> Segmentation:
    painted, ids = one.semantic(), one.panoptic_ids()
    void = painted.labels.void
    is_seen = np.bincount(ids.ravel(), minlength=len(one) + 1)[1:] > 0
    is_whole = _is_object(one) & is_seen & ~one.is_crowd
    numbers = np.append(0, np.cumsum(is_whole) * is_whole)
    found = numbers[ids]
    rest = np.where(found > 0, void, painted.class_map())
    count = int(is_whole.sum())
    for index in np.unique(rest[rest != void]).tolist():
        parts, of_class = cv2.connectedComponents((rest == index).astype(np.uint8), connectivity=8)
        np.copyto(found, of_class + count, where=of_class > 0)
        count += parts - 1
    return Segmentation(
        "regions", DisjointMasks(found.astype(smallest_dtype(count)), count), np.zeros(count, np.int64), REGIONS
    )


def _is_object(one: Segmentation) -> BoolArray:
    """Tell which segments (S,) are one object each."""
    if one.kind == "panoptic":
        return np.isin(one.class_ids, one.labels.things)
    return np.full(len(one), one.kind == "instance")
