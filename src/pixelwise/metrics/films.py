"""Which images are frames of one film, and what of a film's frames is drawn together."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from pixelwise.core.sample import Dataset
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.views import Families

_LARGEST_STEP = 100  # from one frame to the next; numbers farther apart are those of a catalogue
_NUMBER = re.compile(r"(.*?)[\W_]*(\d+)")
BY_NAME = "the data does not say which images are of one film: those whose names differ in a number that runs on are its frames"


def is_film(dataset: Dataset) -> bool:
    """Tell whether the samples say of which films they are frames."""
    return bool(len(dataset)) and all("sequence" in sample.meta and "frame" in sample.meta for sample in dataset)


def of_films(families: Families) -> bool:
    """Tell whether a family scores films."""
    return any(getattr(module, "UNIT", "image") == "clip" for module in families.values())


def in_films(dataset: Dataset) -> Dataset:
    """Say of samples whose names differ in their last number alone that they are frames of one film.

    The numbers must run on: in small steps of one size, with at most half of them missing. Where a sample says of itself that
    it is of a film, the data set stays as it is.
    """
    if any("sequence" in sample.meta for sample in dataset):
        return dataset
    numbered: dict[str, dict[int, int]] = defaultdict(dict)  # by film: the frame's number, and the row of its sample
    for row, sample in enumerate(dataset):
        if found := _NUMBER.fullmatch(sample.name):
            numbered[found[1]].setdefault(int(found[2]), row)
    said = {
        row: {"sequence": film or dataset.name, "frame": number}
        for film, rows in numbered.items()
        if _runs_on(rows)
        for number, row in rows.items()
    }
    if not said:
        return dataset
    samples = [replace(sample, meta={**sample.meta, **said.get(row, {})}) for row, sample in enumerate(dataset)]
    return Dataset(samples, dataset.labels, dataset.kind, dataset.splits, dataset.name, dataset.notes)


def _runs_on(rows: Mapping[int, int]) -> bool:
    numbers = sorted(rows)
    steps = {after - before for before, after in pairwise(numbers)}
    if not steps:
        return False
    step = min(steps)
    if step > _LARGEST_STEP or any(one % step for one in steps):
        return False
    return (numbers[-1] - numbers[0]) // step + 1 <= 2 * len(numbers)


def drawn_as(bootstrap: Bootstrap | None, families: Families, dataset: Dataset) -> Bootstrap | None:
    """Draw whole films where films are scored, unless somebody has said what is drawn together."""
    if bootstrap is None or bootstrap.group is not None or not of_films(families) or not is_film(dataset):
        return bootstrap
    return replace(bootstrap, group="sequence")
