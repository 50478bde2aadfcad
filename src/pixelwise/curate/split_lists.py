"""Splits as list files: ``train.txt`` and so on with one image a line, and ``split.json`` that says how they were made.

The paths are relative to the data's root, so the folder with the lists may lie anywhere, and the data set is never touched.
They are found again by their trailing parts, so lists hold for a copy of the data elsewhere. Where no path of a list is there
as it stands, names alone tell, so that lists hold for a converted or prepared set, too.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, PlaceTaken
from pixelwise.core.files import make_folder, read_json, write_json, write_text
from pixelwise.core.sample import Dataset
from pixelwise.formats import only_split, read
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.lists import Entry, read_lists
from pixelwise.formats.splits import ordered

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
        DataError: the name is one that no list can hold, such as one with a line break in it.
    """
    sample = dataset[row]
    image = sample.source.image
    text = sample.name if image is None else image.relative_to(root).as_posix()
    if len(text.splitlines()) != 1 or text != text.strip() or text.encode(errors="replace").decode() != text:
        why = "with a line break, with spaces at its ends, or not in UTF-8"
        raise DataError(f"{text!r}: a name {why}, cannot stand in a list; rename it")
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


def read_with_lists(
    path: Path,
    lists: Path | None,
    *,
    format: str | None = None,
    void: str | None = None,
    classes: str | None = None,
    split: str | None = None,
) -> Dataset:
    """Read a data set as ``formats.read`` does, with the splits of list files where a folder of them is given.

    Raises:
        MissingFile, UnknownLayout: there is no data set, or there are no lists.
        DataError: the lists are of other data.
        OptionError: ``void``, ``classes`` or ``split`` does not fit.
    """
    dataset = read(path, format=format, void=void, classes=classes)
    if lists is not None:
        dataset = with_lists(dataset, lists)
    return dataset if split is None else only_split(dataset, split)


def with_lists(dataset: Dataset, folder: Path) -> Dataset:
    """Give a data set the splits that the list files of a folder say, in the place of its own.

    Raises:
        MissingFile: there is no such folder.
        DataError: no list in it names images of the data set.
    """
    folder = Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.is_file() else "nothing there"
        raise MissingFile(f"{folder}: expected a folder of list files such as train.txt, found {found}")
    folder = folder.resolve()
    rows: dict[PurePosixPath, list[int]] = {}
    for row, sample in enumerate(dataset):
        path = PurePosixPath(f"{sample.name}.png") if sample.source.image is None else sample.source.image.absolute()
        rows.setdefault(PurePosixPath(path.as_posix()), []).append(row)
    listing = list_folder(folder)
    lists = read_lists(Listing(folder, tuple(rows), listing.texts, (), ()))
    splits: dict[str, list[int]] = {}
    notes = [*dataset.notes, *_unread(listing, [one.path for one in lists], dataset)]
    for one in lists:
        files, missing = _found(one.entries)
        splits.setdefault(one.split, []).extend(row for file in files for row in rows[file])
        if missing:
            count = f"{len(missing)} of {len(one.entries)}"
            notes.append(f"{folder / one.path}: {count} entries name no image of {dataset.name}, the first: {missing[0]!r}")
    if not any(splits.values()):
        raise DataError(f"{folder}: no list file in it names images of {dataset.name}; make some with 'pixelwise data split'")
    return Dataset(dataset.samples, dataset.labels, dataset.kind, ordered(splits), dataset.name, notes)


def _found(entries: Sequence[Entry]) -> tuple[list[PurePosixPath], list[str]]:
    """Give the images that entries mean, and those that mean none: where any is there as it stands, all must be."""
    meant = [entry.files[0] if entry.files else () for entry in entries]
    whole = [tuple(file for file in files if _is_whole(entry, file)) for entry, files in zip(entries, meant, strict=True)]
    meant = whole if any(whole) else meant
    missing = [entry.text for entry, files in zip(entries, meant, strict=True) if len(files) != 1]
    return [files[0] for files in meant if len(files) == 1], missing


def _is_whole(entry: Entry, file: PurePosixPath) -> bool:
    """Tell whether the folders that an entry names are those that the file lies in."""
    text = entry.text if len(entry.files) == 1 else entry.text.replace(",", " ").split()[0]  # an image and its mask
    parents = [part.casefold() for part in text.replace("\\", "/").split("/")[:-1] if part not in ("", ".")]
    return not parents or [part.casefold() for part in file.parts[:-1]][-len(parents) :] == parents


def _unread(listing: Listing, read: Sequence[PurePosixPath], dataset: Dataset) -> list[str]:
    """Say which texts that look like lists were passed over."""
    texts = (one for one in listing.texts if one.suffix.lower() in (".txt", ".lst") and one not in read)
    return [f"{listing.root / one}: most of its lines name no image of {dataset.name}; it is not read" for one in texts]
