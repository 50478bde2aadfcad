"""What the writers of the platforms' formats share: the checks at the door, and which entries a label file gets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pixelwise.core.errors import DataError
from pixelwise.core.sample import Dataset
from pixelwise.formats.exports.note import is_ours
from pixelwise.formats.output import require_names
from pixelwise.formats.writing import Stage, Writing, staged

_T = TypeVar("_T")


@contextmanager
def export_staged(
    dataset: Dataset, path: Path, form: str, tool: str, own: Callable[[str], bool], writing: Writing | None
) -> Iterator[Stage]:
    """Give a stage to the writer ``form``, as ``staged`` does, for a data set that it can write; ``tool`` names its tool.

    Raises:
        DataError: the data set holds regions, or a name cannot be a file's.
        StorageError: as ``staged``.
    """
    if dataset.kind == "regions":
        raise DataError(
            f"{path}: {tool} names a class for each object, and regions have none: what makes them regions would be lost. "
            f"Match them with classes first"
        )
    require_names(dataset)
    with staged(path, own, is_ours(form), writing) as stage:
        yield stage


def entries_by_file(dataset: Dataset, entries: Sequence[_T | None], rest: str) -> dict[str, list[_T]]:
    """Share the entries of all images out among label files: one a split, and one called ``rest`` for what is in none.

    An image without an entry is in none of them.
    """
    taken = {row for rows in dataset.splits.values() for row in rows}
    others = [row for row in range(len(dataset)) if row not in taken]
    files: dict[str, Sequence[int]] = dict(dataset.splits)
    while rest in files:
        rest += "_"
    if others or not files:
        files[rest] = others
    return {name: [one for row in rows if (one := entries[row]) is not None] for name, rows in files.items()}
