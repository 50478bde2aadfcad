"""The round-trip proof: what was written is read again and compared with its source, image by image and mask by mask.

Segments are paired in order where both sides have the same classes in the same order, and by the best IoU in each class where
that fits better or the sides differ; a segment without a partner counts as an IoU of 0. Only one image is held at a time.
"""

import filecmp
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError
from pixelwise.core.runs import Runs, intersection_over_union
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.writing import Progress, unheard

CLAIMS = ("kind", "classes", "crowd marks", "order", "splits", "images")  # what a proof tells whether it was kept
STORED = "are stored, but in no label file, and so not read back"  # what may become of images without labels
EMPTY = "are read back as if they were labelled and nothing were on them"
_SHOWN = 20  # problems, a sentence each; the rest are counted


@dataclass(frozen=True)
class Match:
    """How the segments of one truth come back.

    Attributes:
        overlaps: (S,) the IoU of each segment with its partner, 0 without one.
        lost, added: segments without a partner, in the source and in what was written.
        classes, crowd, order: whether each is kept by those that are there.
    """

    overlaps: FloatArray
    lost: int
    added: int
    classes: bool
    crowd: bool
    order: bool


@dataclass(frozen=True)
class Proof:
    """What comes back of a data set that was written.

    Attributes:
        images: that were compared.
        segments: of those images in the source, and how many of them (``lost``) or beyond them (``added``) have no partner.
        worst, mean: the IoU of the segments; 1 where there are none.
        kept: for each of ``CLAIMS``, whether it came back as it was.
        exact: whether every image and every truth is equal bit for bit, and all claims hold.
        problems: what is wrong beyond that, such as an image that is gone or cannot be read.
        unkept: what the source says of images beside their truths (``Sample.meta``) and of how many it is not read back.
        bare: what became of images without labels, which are not among those compared, and of how many; nothing of those that
            come back so.
    """

    images: int
    segments: int
    lost: int
    added: int
    worst: float
    mean: float
    kept: Mapping[str, bool]
    exact: bool
    problems: tuple[str, ...] = ()
    unkept: Mapping[str, int] = field(default_factory=dict)
    bare: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "images": self.images,
            "segments": self.segments,
            "lost": self.lost,
            "added": self.added,
            "worst": self.worst,
            "mean": self.mean,
            "kept": dict(self.kept),
            "exact": self.exact,
            "problems": list(self.problems),
            "unkept": dict(self.unkept),
            "bare": dict(self.bare),
        }


@dataclass
class _Tally:
    """What has been compared so far."""

    images: int = 0
    segments: int = 0
    lost: int = 0
    added: int = 0
    worst: float = 1.0
    total: float = 0.0
    kept: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(CLAIMS, True))
    is_exact: bool = True
    problems: list[str] = field(default_factory=list)
    untold: int = 0
    gone: list[str] = field(default_factory=list)
    unkept: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)

    def add(self, match: Match) -> None:
        self.segments += len(match.overlaps)
        self.lost += match.lost
        self.added += match.added
        self.worst = min(self.worst, float(match.overlaps.min(initial=1.0)))
        self.total += float(match.overlaps.sum())
        self.note({"classes": match.classes, "crowd marks": match.crowd, "order": match.order})

    def note(self, claims: Mapping[str, bool]) -> None:
        for name, holds in claims.items():
            self.kept[name] &= holds

    def say(self, problem: str) -> None:
        self.is_exact = False
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)
        else:
            self.untold += 1


def prove(source: Dataset, back: Dataset, progress: Progress = unheard, left_out: int = 0) -> Proof:
    """Compare a data set with what was read back of it; images of the source whose labels are wrong do not count.

    Samples are paired by name, or in order where not one name of what is left over fits and their numbers do. So many images
    as the writer said it left out may be gone without another word; their segments are lost all the same.
    """
    tally = _Tally()
    partners = _partners(source, back)
    for row, sample in enumerate(source):
        progress("comparing", row, len(source))
        partner = partners[row]
        other = None if partner is None else back[partner]
        if other is not None:
            tally.unkept.update(key for key in sample.meta if _plain(sample.meta[key]) != _plain(other.meta.get(key)))
        if sample.truth_source is not None:
            _compare(tally, sample, other)
        elif other is None:
            tally.bare[STORED] += 1
        elif other.truth_source is not None:
            tally.bare[EMPTY] += 1
    _compare_splits(tally, source, back, partners)
    if strange := len(back) - sum(one is not None for one in partners):
        tally.say(f"{strange} image{'s' * (strange > 1)} read back that the source does not have")
    if len(tally.gone) > left_out:
        for name in tally.gone:
            tally.say(f"{name}: the image is not among what was read back")
    if tally.untold:
        tally.problems.append(f"{tally.untold} more images differ like these")
    return Proof(
        tally.images,
        tally.segments,
        tally.lost,
        tally.added,
        tally.worst,
        tally.total / tally.segments if tally.segments else 1.0,
        tally.kept,
        tally.is_exact and all(tally.kept.values()),
        tuple(tally.problems),
        dict(tally.unkept),
        dict(tally.bare),
    )


def _plain(value: object) -> str:
    """Write an entry of ``meta`` so that a tuple and the list it is stored as are the same."""
    return json.dumps(value, default=str, skipkeys=True)


def _partners(source: Dataset, back: Dataset) -> list[int | None]:
    """Find for each sample the row of the one that was read back of it."""
    rows = {sample.name: row for row, sample in enumerate(back)}
    found = [rows.get(sample.name) for sample in source]
    alone = [row for row, one in enumerate(found) if one is None]
    free = sorted(set(range(len(back))) - {one for one in found if one is not None})
    if alone and len(alone) == len(free):  # the format has names of its own, such as numbers
        for row, one in zip(alone, free, strict=True):
            found[row] = one
    return found


def _compare(tally: _Tally, sample: Sample, back: Sample | None) -> None:
    """Compare one image and its truths; a source that is wrong itself is no loss."""
    try:
        truths, _ = sample.salvaged()
    except (DataError, MissingFile):
        return
    tally.images += 1
    found: tuple[Segmentation, ...] = ()
    if back is None:
        tally.gone.append(sample.name)
        tally.is_exact = False
    else:
        try:
            found = back.truths
        except PixelwiseError as error:
            tally.say(f"{sample.name}: cannot be read back: {error}")
        tally.note({"images": _same_image(sample, back)})
    if back is not None and len(found) != len(truths):
        tally.say(f"{sample.name}: {len(truths)} truths were written, {len(found)} read back")
    for row, one in enumerate(truths):
        if row < len(found):
            tally.add(match(one, found[row]))
            tally.note({"kind": one.kind == found[row].kind})
            tally.is_exact &= one == found[row]
        else:
            tally.add(Match(np.zeros(len(one)), len(one), 0, classes=True, crowd=True, order=True))
            tally.is_exact = False


def _same_image(sample: Sample, back: Sample) -> bool:
    one, other = sample.pixels, back.pixels
    try:
        if isinstance(one, ImageFile) and isinstance(other, ImageFile) and filecmp.cmp(one.path, other.path, shallow=False):
            return True
        before, after = sample.image, back.image
    except (OSError, PixelwiseError):
        return False
    same_type = before.pixels.dtype == after.pixels.dtype
    return same_type and before.bands == after.bands and np.array_equal(before.pixels, after.pixels)


def _compare_splits(tally: _Tally, source: Dataset, back: Dataset, partners: Sequence[int | None]) -> None:
    there = set(partners)
    before = {name: {partners[row] for row in rows} - {None} for name, rows in source.splits.items()}
    after = {name: set(rows) & there for name, rows in back.splits.items()}
    tally.note({"splits": {k: v for k, v in before.items() if v} == {k: v for k, v in after.items() if v}})


def match(source: Segmentation, back: Segmentation) -> Match:
    """Pair the segments of a truth with those that were read back."""
    if source.size != back.size:
        return Match(np.zeros(len(source)), len(source), len(back), classes=True, crowd=True, order=True)
    before, after = source.masks.run_lengths(), back.masks.run_lengths()
    names = source.names, back.names
    if names[0] == names[1]:
        overlaps: FloatArray = np.array([_overlap(one, other) for one, other in zip(before, after, strict=True)], np.float64)
        partners: IntArray = np.where(overlaps > 0, np.arange(len(before)), -1)
        if (overlaps < 1).any():
            best, paired = _best(before, after, *names)
            if paired.sum() > overlaps.sum() + 1e-9:
                partners, overlaps = best, paired
    else:
        partners, overlaps = _best(before, after, *names)
    kept = partners >= 0
    lost = int((~kept).sum())
    return Match(
        overlaps,
        lost,
        added=len(back) - int(kept.sum()),
        classes=not Counter(names[1]) - Counter(names[0]),
        crowd=bool((source.is_crowd[kept] == back.is_crowd[partners[kept]]).all()),
        order=bool((np.diff(partners[kept]) > 0).all()),
    )


def _overlap(one: Runs, other: Runs) -> float:
    return 1.0 if one == other else float(np.nan_to_num(intersection_over_union([one], [other])[0, 0]))


def _best(
    before: Sequence[Runs], after: Sequence[Runs], before_names: Sequence[str], after_names: Sequence[str]
) -> tuple[IntArray, FloatArray]:
    """Pair segments within each class so that the sum of their IoU is highest; -1 for one that touches none that is free."""
    from scipy.optimize import linear_sum_assignment  # on first use: `import pixelwise` stays light

    partners = np.full(len(before), -1, np.int64)
    overlaps = np.zeros(len(before))
    for rows, columns in _of_one_class(before_names, after_names):
        table = intersection_over_union([before[row] for row in rows], [after[column] for column in columns])
        bare = [np.array([masks[one].area == 0 for one in some]) for masks, some in ((before, rows), (after, columns))]
        table = np.where(bare[0][:, None] & bare[1], 1.0, np.nan_to_num(table))  # nothing equals nothing
        for row, column in zip(*linear_sum_assignment(table, maximize=True), strict=True):
            if table[row, column] > 0:
                partners[rows[row]] = columns[column]
                overlaps[rows[row]] = table[row, column]
    return partners, overlaps


def _of_one_class(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    for name in dict.fromkeys(before):
        columns = [column for column, one in enumerate(after) if one == name]
        if columns:
            yield [row for row, one in enumerate(before) if one == name], columns
