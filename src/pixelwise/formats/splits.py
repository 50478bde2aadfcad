"""The splits of a folder's pictures: from list files, else from the folders they lie in; and lists, to keep them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pixelwise.core.files import write_text
from pixelwise.core.sample import Dataset
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.lists import read_lists
from pixelwise.formats.names import place_of

_ORDER = {"train": 0, "val": 1, "test": 2}


def find_splits(listing: Listing, pictures: Sequence[PurePosixPath]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Find the splits of ``pictures``, as indices into them, and say what the lists name that is not there.

    A picture that no list names is in the split its folder is named after, unless there is a list of that split.

    Raises:
        UnreadableFile: a list is no text in UTF-8.
    """
    places = {picture: row for row, picture in enumerate(pictures)}
    found: dict[str, list[int]] = defaultdict(list)
    notes = []
    for one in read_lists(listing):
        missing = []
        for entry in one.entries:
            rows = {places[file] for files in entry.files for file in files if file in places}
            if len(rows) == 1:
                found[one.split].append(rows.pop())
            else:
                missing.append(entry.text)
        if missing:
            notes.append(
                f"{one.path}: {len(missing)} of {len(one.entries)} entries name no image here, the first: {missing[0]!r}"
            )
    listed, lists = {row for rows in found.values() for row in rows}, set(found)
    for row, picture in enumerate(pictures):
        split = place_of(picture.parent).split
        if row not in listed and split is not None and split not in lists:
            found[split].append(row)
    return ordered(found), notes


def ordered(splits: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Put splits in the order train, val, test, others by name, and their rows in order and once.

    >>> ordered({"test": [1], "train": [2, 0, 2]})
    {'train': (0, 2), 'test': (1,)}
    """
    names = sorted(splits, key=lambda name: (_ORDER.get(name, 3), natural(name)))
    return {name: tuple(sorted(set(splits[name]))) for name in names if splits[name]}


def write_lists(dataset: Dataset, folder: Path, images: Sequence[str | None]) -> None:
    """Write one ``<split>.txt`` a split, an image a line; ``images`` are their paths, None for those that failed.

    Raises:
        StorageError: one cannot be written.
    """
    for name, rows in dataset.splits.items():
        write_text(folder / f"{name}.txt", "".join(f"{images[row]}\n" for row in rows if images[row] is not None))
