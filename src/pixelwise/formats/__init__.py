"""Label files in and out: one file a format, each with ``sniff``, ``read`` and ``write``."""

from pathlib import Path

from pixelwise.catalog import Catalog
from pixelwise.core.errors import MissingFile, OptionError, UnknownLayout
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import remembering
from pixelwise.formats.json_file import remembering_keys
from pixelwise.formats.prepared.parts import is_prepared

FORMATS = Catalog(
    "format",
    {
        "masks": "pixelwise.formats.masks",
        "prepared": "pixelwise.formats.prepared",
        "coco": "pixelwise.formats.coco",
        "coco_panoptic": "pixelwise.formats.coco_panoptic",
        "coco_results": "pixelwise.formats.coco_results",
        "object_masks": "pixelwise.formats.object_masks",
        "bsds": "pixelwise.formats.bsds",
        "davis": "pixelwise.formats.davis",
        "voc": "pixelwise.formats.voc",
        "yolo": "pixelwise.formats.yolo",
        "cityscapes": "pixelwise.formats.cityscapes",
        "createml": "pixelwise.formats.createml",
        "labelme": "pixelwise.formats.labelme",
        "via": "pixelwise.formats.via",
        "cvat": "pixelwise.formats.cvat",
        "label_studio": "pixelwise.formats.label_studio",
        "labelbox": "pixelwise.formats.labelbox",
        "supervisely": "pixelwise.formats.supervisely",
        "darwin": "pixelwise.formats.darwin",
        "encord": "pixelwise.formats.encord",
        "id_maps": "pixelwise.formats.id_maps",
        "numpy": "pixelwise.formats.numpy_masks",
        "geojson": "pixelwise.formats.geojson",
        "ade20k": "pixelwise.formats.ade20k",
        "mapillary": "pixelwise.formats.mapillary",
        "kitti": "pixelwise.formats.kitti",
        "mots": "pixelwise.formats.mots",
        "sa1b": "pixelwise.formats.sa1b",
    },
)

__all__ = ["FORMATS", "Claim", "only_split", "read", "recognise", "settled"]


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
    return dataset if split is None else only_split(dataset, split)


def settled(dataset: Dataset, void: str | None = None, classes: str | Path | None = None) -> LabelSet:
    """Settle the value -> class map of a data set by what a person says.

    Raises:
        OptionError: the words do not fit the values, or the data set's labels are not coded by values.
    """
    from pixelwise.formats import masks
    from pixelwise.formats.masks.settle import settle

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
    claims = _claims(path)
    if len(claims) > 1:
        from pixelwise.formats.unknown import why_several

        raise UnknownLayout(why_several(path, claims, _claims))
    if not claims:
        from pixelwise.formats.unknown import why_unknown

        raise UnknownLayout(why_unknown(path, [one for module in FORMATS.values() for one in getattr(module, "LAYOUTS", ())]))
    return next(iter(claims.items()))


def _claims(path: Path) -> dict[str, Claim]:
    """Ask every format for its claim on a path."""
    asked = ["prepared"] if is_prepared(path) else list(FORMATS)  # its marker decides: no other need list a million files
    with remembering(), remembering_keys():
        return {name: claim for name in asked if (claim := FORMATS[name].sniff(path)) is not None}


def only_split(dataset: Dataset, name: str) -> Dataset:
    """Give one split of a data set, which may be called by another usual name: ``validation`` for ``val``.

    Raises:
        OptionError: there is none of that name; the message lists those there are.
    """
    from pixelwise.formats.names import SPLITS

    alias = SPLITS.get(name.casefold(), name)
    return dataset.split(alias if name not in dataset.splits and alias in dataset.splits else name)
