"""Merge data sets with different label sets through an explicit map of their classes.

Nothing is joined by guess: classes become one if they have the very same name, or if the map says so. Classes that only one
set has are told, and so are names that look alike but are kept apart. The data sets themselves are never changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import VOID, Label, LabelSet, colour_of
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind
from pixelwise.curate.merge_map import DROP, VOID_WORD, ClassMap
from pixelwise.formats.convert.classes import ClassTruth
from pixelwise.formats.convert.kind import as_kind


@dataclass(frozen=True)
class Merged:
    """Several data sets as one.

    Attributes:
        dataset: all samples under one label set.
        origins: for each class of it, the sets and their classes that became it.
        left_out: the sets' classes that became void or were dropped.
        only: classes that one set alone has, with its name.
        alike: pairs of classes that are kept apart though their names differ in case, spaces or a final s alone.
        renamed: samples that got the name of their set in front, with the name they had.
        notes: of how classes were joined.
    """

    dataset: Dataset
    origins: Mapping[str, tuple[tuple[str, str], ...]]
    left_out: tuple[tuple[str, str, str], ...]
    only: Mapping[str, str]
    alike: tuple[tuple[str, str], ...]
    renamed: Mapping[str, str]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "classes": {name: [{"set": one, "class": old} for one, old in olds] for name, olds in self.origins.items()},
            "left_out": [{"set": one, "class": old, "as": word} for one, old, word in self.left_out],
            "only_in_one": dict(self.only),
            "alike": [list(pair) for pair in self.alike],
            "renamed": dict(self.renamed),
            "notes": list(self.notes),
        }


def merge(sets: Mapping[str, Dataset], classes: ClassMap | None = None, kind: Kind | None = None) -> Merged:
    """Put data sets together: first the samples of the first one, then those of the next.

    Args:
        sets: two or more, each with a name.
        classes: which classes become which; all others keep their names.
        kind: read all of them as this kind first.

    Splits of the same name are joined. Samples whose names clash get their set's name in front.

    Raises:
        OptionError: there are fewer than two, the kinds differ, or the map does not fit them.
    """
    if len(sets) < 2:
        raise OptionError(f"expected two or more data sets to merge, got {len(sets)}")
    turned = {name: one if kind is None else as_kind(one, kind) for name, one in sets.items()}
    kinds = {name: one.kind for name, one in turned.items()}
    if len(set(kinds.values())) > 1:
        shown = ", ".join(f"{name} is {one}" for name, one in kinds.items())
        raise OptionError(f"data sets of one kind can be merged, but {shown}; say what all are to be, as in --as semantic")
    classes = classes or ClassMap({}, {})
    classes.require_fit({name: one.labels.names for name, one in turned.items()}, next(iter(kinds.values())))
    labels, notes = _labels(turned, classes)
    names = _sample_names(turned)
    samples: list[Sample] = []
    splits: dict[str, list[int]] = {}
    for name, one in turned.items():
        for split, rows in one.splits.items():
            splits.setdefault(split, []).extend(row + len(samples) for row in rows)
        table = _table(name, one.labels, classes, labels)
        samples += [_sample(sample, names[name, sample.name], one.labels, table, labels) for sample in one]
    reading = [type(note)(f"{name}: {note}") for name, one in turned.items() for note in one.notes]  # lost labels stay so
    dataset = Dataset(samples, labels, next(iter(kinds.values())), splits, "+".join(sets), reading)
    return _told(dataset, turned, classes, names, notes)


def _labels(sets: Mapping[str, Dataset], classes: ClassMap) -> tuple[LabelSet, list[str]]:
    """Make the label set of all: classes in the order in which they first come up, as they are there."""
    found: dict[str, Label] = {}
    notes = []
    for name, one in sets.items():
        for label in one.labels.labels:
            new = classes.target(name, label.name)
            if new in (VOID_WORD, DROP):
                continue
            known = found.setdefault(new, replace(label, name=new))
            if known.is_thing != label.is_thing:
                words = ("a thing", "stuff") if known.is_thing else ("stuff", "a thing")
                notes.append(f"'{new}' is {words[0]}, though '{label.name}' of {name} is {words[1]}")
    if not found:
        raise OptionError("the map leaves no class; map fewer of them to void or drop")
    taken: set[tuple[int, int, int]] = set()
    labels: list[Label] = []
    for label in found.values():
        spare = (colour_of(index) for index in range(len(labels), 10**6))
        colour = label.colour if label.colour not in taken else next(one for one in spare if one not in taken)
        taken.add(colour)
        labels.append(replace(label, colour=colour))
    return LabelSet(tuple(labels), {index: index for index in range(len(labels))}), notes


def _table(name: str, own: LabelSet, classes: ClassMap, labels: LabelSet) -> IntArray:
    """Give the class of each of a set's classes in the label set of all, ``VOID`` for those left out: (L,)."""
    targets = [classes.target(name, one) for one in own.names]
    return np.array([VOID if one in (VOID_WORD, DROP) else labels.index(one) for one in targets], np.int64)


def _sample(sample: Sample, name: str, own: LabelSet, table: IntArray, labels: LabelSet) -> Sample:
    source = None if sample.truth_source is None else ClassTruth(sample.truth_source, own, table, labels)
    meta = {key: value for key, value in sample.meta.items() if key != "image_id"}  # two sets number from 1
    return replace(sample, name=name, truth_source=source, labels=labels, meta=meta)


def _sample_names(sets: Mapping[str, Dataset]) -> dict[tuple[str, str], str]:
    """Name all samples: as they are, with their set's name in front where two sets have the same."""
    counts = Counter(sample.name.casefold() for one in sets.values() for sample in one)
    names = {}
    for name, one in sets.items():
        for sample in one:
            names[name, sample.name] = f"{name}_{sample.name}" if counts[sample.name.casefold()] > 1 else sample.name
    again = Counter(one.casefold() for one in names.values())
    if twice := [key for key, one in names.items() if again[one.casefold()] > 1]:
        raise DataError(
            f"{twice[0][0]}: the sample {twice[0][1]} would be called {names[twice[0]]}, as another one is; "
            f"give the data set another name, as in NAME=PATH"
        )
    return names


def _told(
    dataset: Dataset,
    sets: Mapping[str, Dataset],
    classes: ClassMap,
    names: Mapping[tuple[str, str], str],
    notes: Sequence[str],
) -> Merged:
    origins: dict[str, list[tuple[str, str]]] = {name: [] for name in dataset.labels.names}
    left_out = []
    for name, one in sets.items():
        for old in one.labels.names:
            new = classes.target(name, old)
            if new in (VOID_WORD, DROP):
                left_out.append((name, old, new))
            else:
                origins[new].append((name, old))
    only = {new: olds[0][0] for new, olds in origins.items() if len({name for name, _ in olds}) == 1}
    return Merged(
        dataset,
        {new: tuple(olds) for new, olds in origins.items()},
        tuple(left_out),
        only,
        tuple(_alike(list(origins))),
        {new: old for (_, old), new in names.items() if old != new},
        tuple(notes),
    )


def _alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Find names that may mean the same.

    >>> _alike(["Car", "cars", "traffic light", "traffic_light"])
    [('Car', 'cars'), ('traffic light', 'traffic_light')]
    """
    first: dict[str, str] = {}
    found = []
    for name in names:
        plain = "".join(one for one in name.casefold() if one.isalnum())
        plain = plain.removesuffix("s") or plain
        if plain in first:
            found.append((first[plain], name))
        else:
            first[plain] = name
    return found
