"""Say why no format claims a path: what it is recognised as all the same, or what is there and what would be understood."""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from msgspec import Raw

from pixelwise.core.errors import PixelwiseError
from pixelwise.formats.coco_form import Form, form_of
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.json_file import decoded, keys_of
from pixelwise.formats.pairs import find_pairs

_MASKLESS: dict[Form, str] = {
    "labels": "COCO with classes of whole images, without outlines and boxes",
    "info": "COCO that lists images alone, without annotations",
    "box results": "COCO results that are boxes alone",
    "panoptic": "COCO panoptic whose PNGs are not there",
}
_ADVICE = "export polygons or masks, or draw the outlines"
_SHOWN = 8  # keys of an unknown JSON that are told
_MOST_FILES = 64  # files of a folder that are looked into


def why_unknown(path: Path, layouts: Iterable[str]) -> str:
    """Say, for a person, why a path is no data set; ``layouts`` are those that were tried."""
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
    return f"{path}: no known layout.{known} Found: {listing.describe()}{notes or refused}. Tried: {'; '.join(layouts)}"


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
    if boxes := [one for one in listing.others if one.suffix.lower() in (".tfrecord", ".xml")]:
        yield _of_other(boxes[0])


def _of_other(file: PurePosixPath) -> str:
    what = "boxes as TFRecord" if file.suffix.lower() == ".tfrecord" else "labels as XML of no known make"
    return f"{what} ({file})"


def _columns(path: Path) -> list[str]:
    """Read the first line of a table."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return [one.strip().casefold() for one in file.readline(4096).split(",")]
    except OSError:
        return []
