"""Label files in and out: one file a format, each with ``sniff``, ``read`` and ``write``."""

from pathlib import Path

from pixelwise.catalog import Catalog
from pixelwise.core.errors import MissingFile, OptionError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import remembering

FORMATS = Catalog("format", {"masks": "pixelwise.formats.masks", "coco": "pixelwise.formats.coco"})

__all__ = ["FORMATS", "Claim", "read", "recognise", "settled"]


def read(
    path: str | Path,
    *,
    format: str | None = None,
    labels: LabelSet | None = None,
    void: str | int | None = None,
    classes: str | Path | None = None,
    split: str | None = None,
) -> Dataset:
    """Read a labelled data set of any known format.

    Args:
        path: the folder (or file) of the data set.
        format: its format's name; None sniffs it.
        labels: a label set to read it under, such as a model card's; it is used as it is.
        void: stored values that mean "not labelled": ``"11"``, ``"0,255"``, ``"none"``, or ``"rest"``.
        classes: a file of class names, names in value order, or ``value=name`` pairs.
        split: give only this split.

    The data set's ``labels.settled`` is False while its value -> class map is ambiguous; ``void`` and ``classes`` settle it.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: no format claims it, or more than one does.
        OptionError: ``void``, ``classes`` or ``split`` does not fit.
    """
    path = Path(path)
    if labels is not None and (void is not None or classes is not None):
        raise OptionError("labels are given, so void and classes cannot be; leave one of them out")
    name = format if format is not None else recognise(path)[0]
    if format is not None and not path.exists():
        raise MissingFile(f"{path}: expected a data set, found nothing there; check the path")
    dataset: Dataset = FORMATS[name].read(path, labels=labels)
    if void is not None or classes is not None:
        dataset = dataset.under(settled(dataset, None if void is None else str(void), classes))
    return dataset if split is None else _split(dataset, split)


def settled(dataset: Dataset, void: str | None = None, classes: str | Path | None = None) -> LabelSet:
    """Settle the value -> class map of a data set by what a person says.

    Raises:
        OptionError: the words do not fit the values, or the data set's labels are not coded by values.
    """
    from pixelwise.formats import masks
    from pixelwise.formats.settle import settle

    scan = masks.scan(dataset)
    if scan is None:
        raise OptionError(f"{dataset.name}: its labels name their classes themselves, so --void and --classes do not apply")
    return settle(scan, void, classes).labels


def recognise(path: Path) -> tuple[str, Claim]:
    """Find the one format that claims ``path``.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: none claims it, or more than one.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected a data set, found nothing there; check the path")
    with remembering():
        claims = {name: claim for name, module in FORMATS.items() if (claim := module.sniff(path)) is not None}
    if len(claims) > 1:
        seen = "; ".join(f"{name} ({claim.dialect})" for name, claim in claims.items())
        raise UnknownLayout(f"{path}: more than one format fits: {seen}; say which one")
    if not claims:
        raise UnknownLayout(_unknown(path))
    return next(iter(claims.items()))


def _unknown(path: Path) -> str:
    from pixelwise.formats.folder import list_folder
    from pixelwise.formats.pairs import find_pairs

    if path.suffix.lower() == ".json":
        return f"{path}: {_why_not(path)}"
    if not path.is_dir():
        return f"{path}: expected a folder of images and masks, found a file; give the folder it lies in"
    listing = list_folder(path)
    refused = "".join(f"; {note}" for note in listing.refused[:3])
    if not (listing.pictures or listing.texts or listing.others or listing.refused):
        return f"{path}: the folder is empty; expected images and masks in it"
    tried = "; ".join(layout for module in FORMATS.values() for layout in getattr(module, "LAYOUTS", ()))
    notes = "".join(f"; {note}" for note in find_pairs(listing).notes[:2]) if listing.pictures else "; no image is among them"
    return f"{path}: no known layout. Found: {listing.describe()}{notes or refused}. Tried: {tried}"


def _why_not(path: Path) -> str:
    """Say why a JSON file is no data set."""
    from pixelwise.core.errors import DataError
    from pixelwise.formats.coco_file import read_coco

    try:
        read_coco(path)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")
    return "a COCO file without outlines (captions, panoptic or sizes alone); expected instances"


def _split(dataset: Dataset, name: str) -> Dataset:
    from pixelwise.formats.names import SPLITS

    alias = SPLITS.get(name.casefold(), name)
    return dataset.split(alias if name not in dataset.splits and alias in dataset.splits else name)
