"""Masks of 0 and 255 where methods are tried: both values are classes, and it is said."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.core.sample import Dataset


def read_to_try(data: Path, void: str | None, classes: str | None) -> "tuple[Dataset, str | None]":
    """Read data that methods are tried on; give what ``void`` stands for in the end, too.

    Where masks hold 0 and 255 alone and nobody said what they mean, 255 is no void: one class would be left, nothing to tell
    apart. Training, whose result outlives the command, asks all the same.
    """
    from pixelwise.curate.split_lists import read_with_lists

    dataset = read_with_lists(data, None, void=void, classes=classes)
    labels = dataset.labels
    if void is not None or classes is not None or labels.settled or set(labels.values) != {0, 255}:
        return dataset, void
    print("note: the masks hold 0 and 255, and both are taken for classes; --void or --classes says otherwise", file=sys.stderr)
    return read_with_lists(data, None, void="none", classes=None), "none"
