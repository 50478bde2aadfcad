"""The classes of one or more COCO files: joined by name, in the order of their ids, which may have gaps."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.labels import Label, LabelSet, colour_of
from pixelwise.formats.coco.file import Category, CocoFile


@dataclass(frozen=True, eq=False)
class Classes:
    """The label set of several files, and for each file the class (C,) of each of its categories; -1 for none."""

    labels: LabelSet
    tables: tuple[IntArray, ...]
    notes: tuple[str, ...]


def classes_of(files: Sequence[CocoFile]) -> Classes:
    """Join the categories of files that belong together.

    Files made one a split may number one name differently; the name decides. A name that one file gives to two categories
    gets their ids added. The value map holds the ids of the file that names a class first.
    """
    own = [_distinct(file) for file in files]
    idle = _placeholder(files)
    first: dict[str, Category] = {}
    for categories in own:
        for one in categories:
            if one.name != idle:
                first.setdefault(one.name, one)
    ordered = sorted(first.values(), key=lambda one: one.id)
    names = {one.name: index for index, one in enumerate(ordered)}
    taken: dict[int, int] = {}
    for index, one in enumerate(ordered):
        if one.id not in taken and -(2**63) <= one.id < 2**63:
            taken[one.id] = index
    labels = LabelSet(tuple(_label(one, index) for index, one in enumerate(ordered)), taken)
    tables = tuple(np.array([names.get(one.name, -1) for one in categories], np.int64) for categories in own)
    return Classes(labels, tables, tuple(_notes(files, own)))


def _label(one: Category, index: int) -> Label:
    """Make a label; what a COCO file outlines are things, unless it says otherwise."""
    return Label(one.name, one.is_thing is not False, one.colour or colour_of(index))


def _distinct(file: CocoFile) -> list[Category]:
    """Name every category, and no two alike."""
    named = [replace(one, name=one.name or f"category {one.id}") for one in file.categories]
    while twice := {name for name, count in Counter(one.name for one in named).items() if count > 1}:
        named = [replace(one, name=f"{one.name} {one.id}") if one.name in twice else one for one in named]
    return named


def _placeholder(files: Sequence[CocoFile]) -> str | None:
    """Find Roboflow's category 0: nothing but the parent of all others, and used in no file."""
    for file in files:
        zero = next((one for one in file.categories if one.id == 0 and one.parent in ("", "none")), None)
        others = [one for one in file.categories if one is not zero]
        if zero is not None and others and all(one.parent == zero.name for one in others):
            return None if any(_is_used(each, zero.name) for each in files) else zero.name
    return None


def _is_used(file: CocoFile, name: str) -> bool:
    """Tell whether a file has annotations of a category."""
    rows = [row for row, one in enumerate(file.categories) if one.name == name]
    return bool(np.isin(file.rows.categories, rows).any())


def _notes(files: Sequence[CocoFile], own: Sequence[Sequence[Category]]) -> list[str]:
    notes = []
    ids: dict[int, tuple[str, CocoFile]] = {}
    for file, categories in zip(files, own, strict=True):
        if renamed := [one.name for one, stated in zip(categories, file.categories, strict=True) if one.name != stated.name]:
            notes.append(f"{file.path}: categories without a name of their own are called {', '.join(renamed[:5])}")
        for one in categories:
            name, other = ids.setdefault(one.id, (one.name, file))
            if name != one.name:
                notes.append(
                    f"{file.path}: category {one.id} is '{one.name}' here and '{name}' in {other.path}; the names decide"
                )
    return notes
