"""Divide a data set into splits: each its share of images and of every class's pixels, and nothing that belongs together apart.

What belongs together is told by ``split_groups``, dealt out by ``split_balance``, written by ``split_lists``. What was made is
looked at for leaks again: between the splits there must be no copies, no tiles of one scene, and no shared pixels.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset
from pixelwise.curate.duplicates import Copy, find_copies
from pixelwise.curate.leaks import find_leaks, overlap_leak
from pixelwise.curate.leaks_content import Overlap, cell_side, find_overlaps
from pixelwise.curate.looks import Look, Looked, look_at_all
from pixelwise.curate.problem import Problem
from pixelwise.curate.progress import Progress
from pixelwise.curate.split_balance import deal_out
from pixelwise.curate.split_groups import Groups, groups_of
from pixelwise.curate.stats import names_of
from pixelwise.curate.stats_image import Counts
from pixelwise.curate.stats_pass import count_all

FRACTIONS = {"train": 0.7, "val": 0.2, "test": 0.1}
_NAMES = ("train", "val", "test")
_OFF = 0.02  # of all images, from which on it is told that a split's share is not what was asked
_LISTED = 8  # classes named in one warning


@dataclass(frozen=True)
class Share:
    """What a split holds of a class: its pixels, their share of all the class has, their share of the split, its images."""

    pixels: int
    of_class: float
    of_split: float
    images: int


@dataclass(frozen=True, eq=False)
class Split:
    """A division of a data set.

    Attributes:
        dataset: what was divided.
        rows: by split, the rows it got, in the order of the data set.
        fractions: that were asked for.
        groups: what is kept together.
        seed: of the draw.
        stratified: whether classes were heeded.
        classes: by split and class, what it got.
        warnings: classes that a split lacks, and shares that are not what was asked.
        leaks: between the splits.
        problems: items that are in no split because they cannot be read, and segments that are wrong.
        looked: whether pixels were compared for leaks.
    """

    dataset: Dataset
    rows: Mapping[str, tuple[int, ...]]
    fractions: Mapping[str, float]
    groups: Groups
    seed: int
    stratified: bool
    classes: Mapping[str, Mapping[str, Share]]
    warnings: tuple[str, ...]
    leaks: tuple[Problem, ...]
    problems: tuple[str, ...]
    looked: bool

    @property
    def images(self) -> int:
        """The number of images in all splits."""
        return sum(len(rows) for rows in self.rows.values())

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values; no list of images, as those are files of their own."""
        return {
            "name": self.dataset.name,
            "images": self.images,
            "seed": self.seed,
            "fractions": dict(self.fractions),
            "rule": self.groups.rule,
            "groups": len(self.groups),
            "stratified": self.stratified,
            "splits": {
                name: {
                    "images": len(rows),
                    "groups": len({self.groups.of[row] for row in rows}),
                    "asked": self.fractions[name],
                    "got": round(len(rows) / max(self.images, 1), 6),
                    "classes": {label: dict(vars(share)) for label, share in self.classes[name].items()},
                }
                for name, rows in self.rows.items()
            },
            "notes": list(self.groups.notes),
            "warnings": list(self.warnings),
            "compared_pixels": self.looked,
            "leaks": [one.to_json() for one in self.leaks],
            "problems": list(self.problems),
        }


def read_fractions(text: str) -> dict[str, float]:
    """Read ``train=0.7,val=0.2,test=0.1``, or ``70/20/10`` for train, val and test.

    >>> read_fractions("70/20/10"), read_fractions("fit=0.5,held=0.5")
    ({'train': 0.7, 'val': 0.2, 'test': 0.1}, {'fit': 0.5, 'held': 0.5})

    Raises:
        OptionError: it is neither, a number is not positive, or they do not add up to 1 or 100.
    """
    parts = [part.strip() for part in re.split(r"[/,;]", text) if part.strip()]
    pairs = [part.split("=", 1) if "=" in part else [name, part] for name, part in zip([*_NAMES, *parts], parts, strict=False)]
    wrong = f"--fractions {text}: expected train=0.7,val=0.2,test=0.1 or 70/20/10"
    try:
        found = {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise OptionError(wrong) from None
    total = sum(found.values())
    if len(found) != len(parts) or len(parts) < 2 or ("=" not in text and len(parts) > len(_NAMES)):
        raise OptionError(f"{wrong}; two or three numbers, or names that differ")
    if bad := [name for name in found if not re.fullmatch(r"\w[\w.-]*", name) or name.casefold() in ("all", "split")]:
        raise OptionError(f"{wrong}; '{bad[0]}' cannot be a split's name")
    if not all(math.isfinite(value) and value > 0 for value in found.values()) or min(abs(total - 1), abs(total - 100)) > 1e-6:
        raise OptionError(f"{wrong}; fractions are positive and add up to 1 or 100, these add up to {total:g}")
    return {name: round(value / total, 9) for name, value in found.items()}


def make_split(
    dataset: Dataset,
    fractions: Mapping[str, float] | None = None,
    *,
    group: str = "auto",
    stratify: bool = True,
    seed: int = 0,
    look: bool = True,
    root: Path | None = None,
    progress: Progress | None = None,
) -> Split:
    """Divide a data set; the same data, options and seed give the same splits, in whatever order the files are listed.

    Args:
        dataset: of any kind; its own splits do not matter.
        fractions: of the images, by split; 0.7, 0.2 and 0.1 for train, val and test.
        group: what is kept together: see ``split_groups.groups_of``.
        stratify: give each split its share of every class's pixels, too.
        seed: of the draw.
        look: decode the images, to keep copies and overlapping tiles together and to find leaks.
        root: of the data, for the cache.
        progress: told how far the work is.

    Raises:
        OptionError: fewer groups than splits, or the groups cannot be told.
    """
    fractions = dict(fractions or FRACTIONS)
    counts = count_all(dataset, progress)
    if group == "similarity" and not look:
        raise OptionError("--group similarity compares images, so it cannot go with --no-look")
    looks: list[Looked] = look_at_all(dataset, root or Path(dataset.name), progress) if look else []
    problems = [*dataset.lost, *(text for _, text in counts.problems)]
    unread = [(row, one) for row, one in enumerate(looks) if isinstance(one, str)]
    problems += [text for row, text in unread if row in counts.held]
    bad = {row for row, _ in unread} | (set(range(len(dataset))) - counts.held.keys())
    kept = [row for row in range(len(dataset)) if row not in bad]
    part = dataset.take(kept)
    looks = [looks[row] for row in kept] if looks else []
    copies = find_copies(part, looks, progress) if look else []
    overlaps = find_overlaps(part, np.arange(len(part)), progress) if look else []
    alike = [*((one.row, one.of) for one in copies), *((one.row, one.of) for one in overlaps)]
    groups = groups_of(part, group, len(fractions), looks, alike)
    if len(groups) < len(fractions):
        raise OptionError(
            f"{dataset.name}: expected a group of images for each of {len(fractions)} splits, found {len(groups)} "
            f"({groups.rule}); add images or ask for fewer splits"
        )
    pixels = _by_group(part, counts, kept, groups, stratify)
    sizes = np.bincount(groups.of, minlength=len(groups))
    owners = deal_out(pixels, sizes, np.array(list(fractions.values())), seed)
    rows = {name: tuple(np.flatnonzero(owners[list(groups.of)] == k).tolist()) for k, name in enumerate(fractions)}
    whole = Groups(_spread_over(groups, kept, len(dataset)), groups.rule, groups.notes)
    leaks = _leaks(part, rows, looks, copies, overlaps)
    placed = {name: tuple(kept[row] for row in inside) for name, inside in rows.items()}
    classes = _shares(counts, placed, names_of(dataset)[:-1])
    warnings = (*_off(placed, fractions, sizes), *_absent(classes), *_not_looked(part, look))
    stratified = bool(pixels.shape[1])
    return Split(dataset, placed, fractions, whole, seed, stratified, classes, warnings, leaks, tuple(problems), look)


def _by_group(part: Dataset, counts: Counts, kept: Sequence[int], groups: Groups, stratify: bool) -> IntArray:
    """Add up the pixels (G, L) of each class in each group; without classes, or if they do not matter, L is 0."""
    if not stratify or part.kind == "regions":
        return np.zeros((len(groups), 0), np.int64)
    number = len(names_of(part)) - 1
    found = np.zeros((len(groups), number), np.int64)
    for place, row in enumerate(kept):
        for index, count in counts.held[row].items():
            if index < number:
                found[groups.of[place], index] += count
    return found


def _spread_over(groups: Groups, kept: Sequence[int], count: int) -> tuple[int, ...]:
    """Number the groups of all samples; those that were left out are in none (-1)."""
    found = [-1] * count
    for place, row in enumerate(kept):
        found[row] = groups.of[place]
    return tuple(found)


def _leaks(
    part: Dataset,
    rows: Mapping[str, Sequence[int]],
    looks: Sequence[Looked],
    copies: Iterable[Copy],
    overlaps: Iterable[Overlap],
) -> tuple[Problem, ...]:
    """Look whether anything is in two splits that should not be; with the groups kept, nothing is."""
    owner = {row: name for name, inside in rows.items() for row in inside}
    members = [frozenset({owner[row]}) for row in range(len(part))]
    sizes: list[Size | None] = [one.size if isinstance(one, Look) else None for one in looks] or [None] * len(part)
    found = list(find_leaks(part, members, sizes, by_content=False))
    found += [overlap_leak(part, one, members) for one in overlaps if members[one.row] != members[one.of]]
    for copy in copies:
        if owner[copy.row] != owner[copy.of]:
            file, other = (str(part[row].source.image or part[row].name) for row in (copy.row, copy.of))
            alike = "the same image as" if copy.exact else "nearly the same image as"
            text = f"{file}: LEAK: it is {alike} {other}, but one is in '{owner[copy.row]}' and the other in '{owner[copy.of]}'"
            found.append(Problem("leak", file, text, severity="error", others=(other,), rows=(copy.row, copy.of)))
    return tuple(found)


def _shares(counts: Counts, placed: Mapping[str, Sequence[int]], names: Sequence[str]) -> dict[str, dict[str, Share]]:
    pixels = {name: np.zeros(len(names), np.int64) for name in placed}
    images = {name: np.zeros(len(names), np.int64) for name in placed}
    for name, rows in placed.items():
        for row in rows:
            for index, count in counts.held[row].items():
                if index < len(names):
                    pixels[name][index] += count
                    images[name][index] += 1
    total = np.maximum(sum(pixels.values()), 1)
    return {
        name: {
            label: Share(
                int(own[k]),
                round(float(own[k] / total[k]), 6),
                round(float(own[k] / max(own.sum(), 1)), 6),
                int(images[name][k]),
            )
            for k, label in enumerate(names)
        }
        for name, own in pixels.items()
    }


def _off(placed: Mapping[str, Sequence[int]], fractions: Mapping[str, float], sizes: IntArray) -> Iterable[str]:
    """Say which splits have not the share that was asked, because groups are kept whole."""
    total = sum(len(rows) for rows in placed.values())
    for name, rows in placed.items():
        got = len(rows) / max(total, 1)
        if abs(got - fractions[name]) > max(_OFF, 1 / max(total, 1)):
            yield (
                f"'{name}' got {100 * got:.1f} % of the images where {100 * fractions[name]:.1f} % were asked: groups are kept "
                f"whole, and the largest has {int(sizes.max())} images"
            )


def _not_looked(part: Dataset, look: bool) -> Iterable[str]:
    if look and cell_side(part, range(len(part))) is None:
        yield "too many images to look, by their pixels, for tiles that overlap; copies and scenes were looked for"


def _absent(classes: Mapping[str, Mapping[str, Share]]) -> Iterable[str]:
    """Say which classes a split lacks that others have."""
    for name, shares in classes.items():
        absent = [
            (label, sum(other[label].images for other in classes.values()))
            for label, share in shares.items()
            if not share.pixels and any(other[label].pixels for other in classes.values())
        ]
        if absent:
            shown = ", ".join(f"'{label}' (in {images} image{'s' * (images > 1)})" for label, images in absent[:_LISTED])
            more = f" and {len(absent) - _LISTED} more classes" if len(absent) > _LISTED else ""
            yield f"'{name}' has no pixel of {shown}{more}"
