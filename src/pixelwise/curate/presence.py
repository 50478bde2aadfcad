"""Find classes that a model cannot learn, or a split cannot judge, because next to nothing of them is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.curate.problem import Problem, Severity

_RARE_SHARE = 0.0005  # of the labelled pixels
_RARE_IMAGES = 2  # a class in so few images, of at least ten times as many, is learnt by heart at best
_NAMED = 12  # classes named in one sentence
_TRAINS = ("train", "training")


@dataclass(frozen=True, eq=False)
class Presence:
    """Pixels of each class in each sample, (N, L)."""

    pixels: IntArray
    labels: LabelSet

    def in_rows(self, rows: Sequence[int]) -> IntArray:
        """Add up the pixels (L,) of some samples."""
        return np.asarray(self.pixels[list(rows)].sum(axis=0))


def presence(counts: Sequence[Mapping[int, int]], labels: LabelSet) -> Presence:
    """Count from each sample's stored values; values that mean void, or nothing, do not count."""
    pixels = np.zeros((len(counts), len(labels)), np.int64)
    for row, held in enumerate(counts):
        for value, count in held.items():
            index = labels.values.get(value, -1)
            if index >= 0:
                pixels[row, index] += count
    return Presence(pixels, labels)


def find_absent(dataset: Dataset, present: Presence) -> list[Problem]:
    """Name classes without a pixel in the whole set or in a split, and those with next to none, a sentence each kind."""
    where = dataset.name
    total = present.in_rows(range(len(dataset)))
    nowhere = [index for index, count in enumerate(total) if not count]
    found = []
    if nowhere and len(nowhere) < len(total):
        text = (
            f"{where}: no pixel of {_names(present.labels, nowhere)} anywhere in the set; a model cannot learn "
            f"{'it' if len(nowhere) == 1 else 'them'}, and scores leave {'it' if len(nowhere) == 1 else 'them'} out"
        )
        found.append(Problem("absent class", where, text, severity="note"))
    trained = next((name for name in _TRAINS if name in dataset.splits), None)
    for name, rows in dataset.splits.items():
        held = present.in_rows(rows)
        absent = [index for index in np.flatnonzero(total) if not held[index]]
        if absent and rows:
            found.append(_absent(where, name, _names(present.labels, absent), is_train=name == trained))
    return found + _rare(where, present, total)


def _absent(where: str, split: str, names: str, is_train: bool) -> Problem:
    severity: Severity = "warning" if is_train else "note"
    if is_train:
        text = f"{where}: the split '{split}' has no pixel of {names}, but others have; move some of those images into it"
    else:
        text = f"{where}: the split '{split}' has no pixel of {names}, so it cannot say how well that is found"
    return Problem("absent class", where, text, severity=severity)


def _rare(where: str, present: Presence, total: IntArray) -> list[Problem]:
    images = (present.pixels > 0).sum(axis=0)
    labelled = max(int(total.sum()), 1)
    rare = [
        index
        for index in np.flatnonzero(total)
        if total[index] < _RARE_SHARE * labelled or (images[index] <= _RARE_IMAGES and len(present.pixels) >= 10 * _RARE_IMAGES)
    ]
    if not rare:
        return []
    shown = [_amount(present.labels.names[index], total[index], images[index]) for index in sorted(rare, key=total.__getitem__)]
    more = f" and {len(rare) - _NAMED} more classes" if len(rare) > _NAMED else ""
    advice = "add images of it, weigh it in the loss, or merge it with another class"
    text = f"{where}: very little of {', '.join(shown[:_NAMED])}{more}; {advice}"
    return [Problem("rare class", where, text, severity="note")]


def _amount(name: str, pixels: int, images: int) -> str:
    return f"'{name}' ({pixels:,} pixel{'s' if pixels > 1 else ''} in {images} image{'s' if images > 1 else ''})"


def _names(labels: LabelSet, indices: Sequence[int]) -> str:
    shown = ", ".join(f"'{labels.names[index]}'" for index in indices[:_NAMED])
    return shown + (f" and {len(indices) - _NAMED} more classes" if len(indices) > _NAMED else "")
