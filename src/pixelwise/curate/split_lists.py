"""Splits as list files: ``train.txt`` and so on with one image a line, and ``split.json`` that says how they were made.

The paths are relative to the data's root, so the folder with the lists may lie anywhere, and the data set is never touched.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, PlaceTaken
from pixelwise.core.files import make_folder, read_json, write_json, write_text
from pixelwise.core.sample import Dataset
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.lists import read_lists

MARK = "pixelwise split 1"  # in split.json: the lists are ours and may be replaced


def root_of(dataset: Dataset, path: Path) -> Path:
    """Give the folder that the paths of a data set's images are told from: that of the data, or one around all images."""
    root = path if path.is_dir() else path.parent
    images = [sample.source.image for sample in dataset if sample.source.image is not None]
    if not all(image.is_relative_to(root) for image in images):
        return Path(os.path.commonpath([image.parent for image in images]))
    return root


def entry_of(dataset: Dataset, row: int, root: Path) -> str:
    """Write a sample as a line of a list: its image's path from the root, or its name where it is in no file.

    Raises:
        DataError: the name has a line break in it, which no list can hold.
    """
    sample = dataset[row]
    image = sample.source.image
    text = sample.name if image is None else image.relative_to(root).as_posix()
    if len(text.splitlines()) != 1 or text != text.strip():
        raise DataError(f"{text!r}: a name with a line break, or with spaces at its ends, cannot stand in a list; rename it")
    return f"./{text}" if text.startswith("#") else text  # else it would be a comment


def check_out(out: Path, data: Path) -> None:
    """Refuse a folder for lists that is in the data, or that holds lists of someone else.

    Raises:
        OptionError: it is in the data.
        PlaceTaken: it holds other files of these names.
    """
    inside = (data if data.is_dir() else data.parent).resolve()
    if out.resolve().is_relative_to(inside):
        raise OptionError(f"--out {out}: expected a place outside the data {data}, which is never touched")
    if out.is_file():
        raise PlaceTaken(f"--out {out}: expected a folder, found a file; choose another --out")
    if out.is_dir() and not _is_ours(out) and any(one.suffix == ".txt" or one.name == "split.json" for one in out.iterdir()):
        raise PlaceTaken(f"--out {out}: it holds lists that this command did not make; choose another folder")


def _is_ours(folder: Path) -> bool:
    try:
        data = read_json(folder / "split.json")
    except PixelwiseError:
        return False
    return isinstance(data, Mapping) and data.get("format") == MARK


def write_lists(dataset: Dataset, splits: Mapping[str, Sequence[int]], out: Path, root: Path, about: Mapping[str, Any]) -> None:
    """Write a list a split, then ``split.json`` with ``about``; lists of an earlier split of other names are removed.

    Raises:
        DataError: a name cannot stand in a list.
        StorageError: the folder cannot be written.
    """
    texts = {name: "".join(f"{entry_of(dataset, row, root)}\n" for row in rows) for name, rows in splits.items()}
    make_folder(out)
    earlier = read_json(out / "split.json").get("splits", {}) if _is_ours(out) else {}
    for name, text in texts.items():
        write_text(out / f"{name}.txt", text)
    write_json(out / "split.json", {"format": MARK, **about})
    for name in earlier if isinstance(earlier, Mapping) else ():
        if name not in texts and PurePosixPath(name).name == name:
            (out / f"{name}.txt").unlink(missing_ok=True)


def with_lists(dataset: Dataset, folder: Path) -> Dataset:
    """Give a data set the splits that the list files of a folder say, in the place of its own.

    Raises:
        MissingFile: there is no such folder.
        DataError: no list in it names images of the data set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFile(f"{folder}: expected a folder of list files such as train.txt, found nothing there")
    rows: dict[PurePosixPath, list[int]] = {}
    for row, sample in enumerate(dataset):
        path = PurePosixPath(f"{sample.name}.png") if sample.source.image is None else sample.source.image.absolute()
        rows.setdefault(PurePosixPath(path.as_posix()), []).append(row)
    listing = list_folder(folder)
    lists = read_lists(Listing(folder, tuple(rows), listing.texts, (), ()))
    splits, notes = {}, list(dataset.notes)
    for one in lists:
        found = [entry.files[0] if entry.files else () for entry in one.entries]
        chosen = [row for files in found if len(files) == 1 for row in rows[files[0]]]
        splits[one.split] = list(dict.fromkeys(chosen))
        if missing := [entry.text for entry, files in zip(one.entries, found, strict=True) if len(files) != 1]:
            notes.append(f"{folder / one.path}: {len(missing)} of its entries name no image of {dataset.name}, as {missing[0]}")
    if not splits:
        raise DataError(f"{folder}: no list file in it names images of {dataset.name}; make some with 'pixelwise data split'")
    return Dataset(dataset.samples, dataset.labels, dataset.kind, splits, dataset.name, notes)
