"""Say why no format claims a path, or why several do: what it is recognised as all the same, or what is there."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath

from msgspec import Raw

from pixelwise.core.errors import PixelwiseError
from pixelwise.formats.claim import Claim
from pixelwise.formats.coco.form import Form, form_of
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.json_file import decoded, keys_of
from pixelwise.formats.masks.pairs import find_pairs

_MASKLESS: dict[Form, str] = {
    "labels": "COCO with classes of whole images, without outlines and boxes",
    "info": "COCO that lists images alone, without annotations",
    "box results": "COCO results that are boxes alone",
    "panoptic": "COCO panoptic whose PNGs are not there",
}
_LABEL_FILES = (".json", ".ndjson", ".jsonl", ".xml")
_ADVICE = "export polygons or masks, or draw the outlines"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SHOWN = 8  # keys of an unknown JSON that are told
_LAYOUTS = 6  # of those tried that are told: all of them would fill a screen
_MOST_FILES = 64  # files of a folder that are looked into
_DEEPEST = 3  # folders in folders that are asked one by one


def why_unknown(path: Path, layouts: Iterable[str]) -> str:
    """Say, for a person, why a path is no data set; ``layouts`` are those that were tried, the usual ones first."""
    if not path.is_dir():
        if path.suffix.lower() == ".json":
            return f"{path}: {_why_not_json(path)}"
        return f"{path}: expected a data set's folder or a label file, found a file of no known make; give its folder"
    listing = list_folder(path)
    if not (listing.pictures or listing.texts or listing.others or listing.refused):
        return f"{path}: the folder is empty; expected images and masks in it"
    refused = "".join(f"; {note}" for note in listing.refused[:3])
    notes = "".join(f"; {note}" for note in find_pairs(listing).notes[:2]) if listing.pictures else "; no image is among them"
    known = next(_recognised(listing), "")
    if known:
        known = f" It is {known}: no masks can be read from it; {_ADVICE}."
    found = f"{path}: no known layout.{known} Found: {listing.describe()}{notes}{refused}."
    tried = list(layouts)
    shown = "; ".join(tried[:_LAYOUTS])
    return f"{found} Tried: {shown}; and {len(tried) - _LAYOUTS} more, which 'pixelwise list formats' names"


def why_several(path: Path, claims: Mapping[str, Claim], ask: Callable[[Path], Mapping[str, Claim]]) -> str:
    """Say which formats claim a path, and which parts of it one format alone claims, as where exports lie side by side.

    Args:
        path: the folder or file.
        claims: those on it, by format.
        ask: gives the claims on a part of it.
    """
    seen = "; ".join(f"{name} ({claim.dialect})" for name, claim in claims.items())
    parts = list(islice(_parts(path, ask), _SHOWN)) if path.is_dir() else []
    if len({name for _, name in parts}) > 1:
        shown = ", ".join(f"{part.relative_to(path)} ({name})" for part, name in parts)
        return f"{path}: more than one format fits: {seen}; give a part of it that is of one: {shown}"
    return f"{path}: more than one format fits: {seen}; say which one, as in --format {next(iter(claims))}"


def _parts(path: Path, ask: Callable[[Path], Mapping[str, Claim]], depth: int = 0) -> Iterator[tuple[Path, str]]:
    """Give the folders and label files in a folder that one format claims, with its name."""
    for part in sorted(path.iterdir())[:_MOST_FILES]:
        if part.name.startswith(".") or part.is_symlink() or not (part.is_dir() or part.suffix.lower() in _LABEL_FILES):
            continue
        claims = ask(part)
        if len(claims) == 1:
            yield part, next(iter(claims))
        elif claims and part.is_dir() and depth < _DEEPEST:
            yield from _parts(part, ask, depth + 1)


def _why_not_json(path: Path) -> str:
    form = form_of(path)
    if form in _MASKLESS:
        return f"this is {_MASKLESS[form]}: no masks can be read from it; {_ADVICE}"
    keys = keys_of(path)
    if keys is None:
        try:
            decoded(path, Raw, "JSON")
        except PixelwiseError as error:
            return str(error).removeprefix(f"{path}: ")
        return "expected the JSON of a labelling tool, found neither an object nor a list of them"
    names = sorted(keys - {"[]", "\n"})
    shown = f"{', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}" if names else "none"
    what = "a list of objects with" if "[]" in keys else "an object with"
    return (
        f"expected the JSON of a labelling tool (COCO: images, annotations, categories), found {what} the keys {shown}; give "
        f"the folder of the data set, or name the format"
    )


def _recognised(listing: Listing) -> Iterator[str]:
    """Name what a folder holds that is labelled, but not with masks."""
    for file in [one for one in listing.texts if one.suffix.lower() == ".json"][:_MOST_FILES]:
        if (form := form_of(listing.root / file)) in _MASKLESS:
            yield f"{_MASKLESS[form]} ({file})"
    for file in [one for one in listing.texts if one.suffix.lower() == ".csv"][:_MOST_FILES]:
        columns = _columns(listing.root / file)
        if columns[:1] == ["filename"] and "xmin" in columns:
            yield f"boxes as a table ({file})"
        elif columns[:1] == ["filename"]:
            yield f"classes of whole images as a table, as Roboflow's multi-label export has them ({file})"
    for file in [one for one in listing.texts if one.parent.name == "label_2" and one.suffix.lower() == ".txt"][:_MOST_FILES]:
        if _is_kitti(listing.root / file):
            yield f"KITTI's detection or 3D benchmark, boxes as text ({file})"
    if boxes := [one for one in listing.others if one.suffix.lower() in (".tfrecord", ".xml")]:
        yield _of_other(listing.root, boxes[0])


def _of_other(root: Path, file: PurePosixPath) -> str:
    if file.suffix.lower() == ".tfrecord":
        return f"boxes as TFRecord ({file})"
    if file.name == "tracklet_labels.xml" and "<!DOCTYPE boost_serialization>" in _start(root / file):
        return f"KITTI's raw data, whose tracklets are boxes in 3D ({file})"
    return f"labels as XML of no known make ({file})"


def _is_kitti(path: Path) -> bool:
    """Tell KITTI's text by its first line: a class, 14 numbers of its boxes in 2D and 3D, and a score in results."""
    parts = _start(path).partition("\n")[0].split()
    return len(parts) in (15, 16) and all(_NUMBER.fullmatch(one) for one in parts[1:])


def _columns(path: Path) -> list[str]:
    """Read the first line of a table."""
    return [one.strip().casefold() for one in _start(path).partition("\n")[0].split(",")]


def _start(path: Path) -> str:
    """Read the beginning of a text; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""
