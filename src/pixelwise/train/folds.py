"""Divide a data set into folds for cross-validation: sequences stay whole, and every fold gets its share of every class.

Images of one sequence or scene are alike, so a model tested on some of those it has seen others of looks better than it is.
Which images belong together is told by ``meta`` (``sequence``, else ``scene``), else by names of the form ``sequence_number``.
A sequence longer than a fold is cut into blocks of neighbours, and no model is trained on an image next to a cut.
"""

import math
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset, Sample
from pixelwise.train.balance import class_presence

META = ("sequence", "scene")  # what says in ``meta`` which images belong together
LEAST = 3  # images a name's first part must have in the mean to be that of a sequence


@dataclass(frozen=True)
class Fold:
    """The rows of a data set that a model is scored on, and those it is trained on."""

    held: tuple[int, ...]
    trained: tuple[int, ...]


@dataclass(frozen=True)
class Folds:
    """A data set's folds.

    Attributes:
        folds: their rows; every row is held by exactly one.
        rule: how they were made, in words.
        notes: what is missing in which fold, one sentence each.
    """

    folds: tuple[Fold, ...]
    rule: str
    notes: tuple[str, ...] = ()

    def of(self, dataset: Dataset, number: int) -> tuple[Dataset, Dataset]:
        """Give what fold ``number``, from 1, is trained and scored on."""
        fold = self.folds[number - 1]
        return dataset.take(fold.trained), dataset.take(fold.held)


def make_folds(dataset: Dataset, count: int, seed: int = 0) -> Folds:
    """Divide ``dataset`` into ``count`` folds; the same data and seed give the same ones.

    Raises:
        OptionError: there are fewer images than folds, or fewer than two folds are asked for.
    """
    if count < 2:
        raise OptionError(f"expected at least 2 folds, got {count}")
    if len(dataset) < count:
        way = f"use --folds {len(dataset)}" if len(dataset) > 1 else "add images"
        raise OptionError(f"{dataset.name}: {len(dataset)} images cannot make {count} folds; {way}")
    sequences, told_by = sequences_of(dataset)
    blocks, next_to = _blocks(dataset, sequences, math.ceil(len(dataset) / count))
    while len(blocks) < count:  # few long sequences, which rounding cut into too few
        longest = max(range(len(blocks)), key=lambda place: len(blocks[place]))
        block = blocks.pop(longest)
        middle = len(block) // 2
        blocks += [block[:middle], block[middle:]]
        next_to += [(block[middle - 1], block[middle])]
    presence = class_presence(dataset)
    held = _spread(blocks, presence, count, np.random.default_rng([seed, 7]))
    apart = _apart(held, next_to)
    everything = set(range(len(dataset)))
    folds = tuple(
        Fold(tuple(sorted(rows)), tuple(sorted(everything - set(rows) - left_out)))
        for rows, left_out in zip(held, apart, strict=True)
    )
    return Folds(folds, _rule(told_by, sequences, blocks, seed), tuple(_notes(folds, presence, dataset)))


def sequences_of(dataset: Dataset) -> tuple[list[Hashable], str]:
    """Tell each sample's sequence, and by what: ``meta``'s key, ``name``, or "" where each sample is its own."""
    for key in META:
        if all(key in sample.meta for sample in dataset):
            return [str(sample.meta[key]) for sample in dataset], key
    parts = [re.fullmatch(r"(.*?)[\W_]*\d+", sample.name) for sample in dataset]
    stems = [part[1] if part else "" for part in parts]
    if all(stems) and 2 <= len(set(stems)) <= len(stems) / LEAST:
        return list(stems), "name"
    return list(range(len(dataset))), ""


def _blocks(dataset: Dataset, sequences: Sequence[Hashable], most: int) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Give the rows that stay together, and the pairs of neighbours that a cut has parted."""
    members: dict[Hashable, list[int]] = {}
    for row, sequence in enumerate(sequences):
        members.setdefault(sequence, []).append(row)
    blocks: list[list[int]] = []
    parted: list[tuple[int, int]] = []
    for rows in members.values():
        rows = sorted(rows, key=lambda row: _time(dataset[row], row))
        edges = np.linspace(0, len(rows), math.ceil(len(rows) / most) + 1).round().astype(int)
        blocks += [rows[low:high] for low, high in pairwise(edges)]
        parted += [(rows[edge - 1], rows[edge]) for edge in edges[1:-1]]
    return blocks, parted


def _time(sample: Sample, row: int) -> tuple[float, int]:
    """Order the samples of a sequence: by what ``meta`` says of time, else by the last number of the name."""
    for key in ("time", "frame"):
        if isinstance(sample.meta.get(key), int | float):
            return float(sample.meta[key]), row
    number = re.search(r"(\d+)$", sample.name)
    return (float(number[1]) if number else 0.0), row


def _spread(blocks: Sequence[list[int]], presence: BoolArray, count: int, rng: np.random.Generator) -> list[list[int]]:
    """Deal blocks out to folds, the rarest class first, each to the fold that lacks that class most [1].

    [1] Sechidis, Tsoumakas, Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1.
    """
    order = rng.permutation(len(blocks))
    holds = np.array([presence[blocks[place]].sum(axis=0) for place in order])  # (blocks, L) images with the class
    sizes = np.array([len(blocks[place]) for place in order])
    lacks: FloatArray = np.tile(holds.sum(axis=0) / count, (count, 1))
    room: FloatArray = np.full(count, sizes.sum() / count)
    folds: list[list[int]] = [[] for _ in range(count)]
    left = np.ones(len(blocks), bool)
    while left.any():
        totals = np.where((remaining := holds[left].sum(axis=0)) > 0, remaining, np.inf)
        rarest = int(np.argmin(totals)) if np.isfinite(totals).any() else None
        waiting = np.flatnonzero(left if rarest is None else left & (holds[:, rarest] > 0))
        for place in sorted(waiting, key=lambda one: -sizes[one]):
            need = room if rarest is None else lacks[:, rarest]
            fold = max(range(count), key=lambda one: (round(float(need[one]), 9), round(float(room[one]), 9), -one))
            folds[fold].append(int(order[place]))
            lacks[fold] -= holds[place]
            room[fold] -= sizes[place]
            left[place] = False
    _fill_empty(folds, blocks)
    return [[row for place in fold for row in blocks[place]] for fold in folds]


def _fill_empty(folds: list[list[int]], blocks: Sequence[list[int]]) -> None:
    """Give a fold that got nothing the smallest block of the fold with most of them."""
    while empty := [fold for fold in folds if not fold]:
        giver = max(folds, key=len)
        smallest = min(giver, key=lambda place: len(blocks[place]))
        giver.remove(smallest)
        empty[0].append(smallest)


def _apart(held: Sequence[Sequence[int]], parted: Sequence[tuple[int, int]]) -> list[set[int]]:
    """Give, for each fold, the neighbours of what it holds that it does not hold itself."""
    owner = {row: fold for fold, rows in enumerate(held) for row in rows}
    apart: list[set[int]] = [set() for _ in held]
    for before, after in parted:
        if owner[before] != owner[after]:
            apart[owner[before]].add(after)
            apart[owner[after]].add(before)
    return apart


def _rule(told_by: str, sequences: Sequence[Hashable], blocks: Sequence[Sequence[int]], seed: int) -> str:
    if not told_by:
        return f"single images, dealt out by class with seed {seed}: neither names nor meta tell which belong together"
    count = len(set(sequences))
    told = "the first part of names" if told_by == "name" else f"'{told_by}'"
    cut = f", cut into {len(blocks)} blocks; images next to a cut are not trained on" if len(blocks) > count else ""
    return f"{count} sequences, told by {told}{cut}; dealt out by class with seed {seed}"


def _notes(folds: Sequence[Fold], presence: BoolArray, dataset: Dataset) -> list[str]:
    """Say which classes a fold is not scored on, or cannot learn."""
    notes = []
    for number, fold in enumerate(folds, start=1):
        for index, name in enumerate(dataset.labels.names):
            total = int(presence[:, index].sum())
            if not total:
                continue
            if not presence[list(fold.held), index].any():
                notes.append(f"fold {number} is not scored on '{name}': none of its images hold it ({total} of all do)")
            if not presence[list(fold.trained), index].any():
                notes.append(
                    f"fold {number} cannot learn '{name}': the {total} images that hold it are in the fold or next to it"
                )
    absent = Counter(bool(found) for found in presence.any(axis=0))[False]
    return [*notes, *([f"{absent} classes are in no image"] if absent else [])]
