"""The format ``yolo``: outlines as text, a file an image, as Ultralytics, Darknet, CVAT, Roboflow and Label Studio lay it out.

Every row is one object, its points fractions of the image's sides; parts and holes are read by the convention of ``yolo_rows``.
Names come from ``data.yaml`` (``dataset.yaml``), ``obj.names`` or ``classes.txt``, splits from what these state, else from
folders. An image without a label file has no objects: that is what YOLO takes it for. A box among outlines is wrong and spoils
its image, as an object left out would be taught as background. A set of boxes alone is read without truths, with
``meta["boxes"]``, and ``notes`` say so. Outlines that all have four points may be oriented boxes, which are written alike; that
too is said.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import DataError, PixelwiseError, UnknownLayout, UnreadableFile
from pixelwise.core.image import read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, LostLabels, Sample, Source
from pixelwise.formats.boxed import Boxed, BoxedImages, boxed_dataset
from pixelwise.formats.claim import Claim
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.names import sample_names
from pixelwise.formats.objects import ObjectTruth, things
from pixelwise.formats.yolo.find import Pair, beside_labels, crowds_of, find_pairs, find_splits, is_list, key_of
from pixelwise.formats.yolo.names import Config, is_config, read_config
from pixelwise.formats.yolo.rows import LabelText, Row, read_rows
from pixelwise.formats.yolo.write import write

__all__ = ["LAYOUTS", "read", "sniff", "write"]

LAYOUTS = (
    "YOLO: images/ + labels/ (train, val) with data.yaml, or .txt beside each image with obj.data, obj.names or classes.txt",
)
_LOOKED_AT = 8  # label files that are looked into to recognise a folder
_YAML = (".yaml", ".yml")


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a folder of YOLO's label files, or the YAML file of one."""
    path = Path(path)
    if path.is_file():
        if path.suffix.lower() not in _YAML or not is_config(path):
            return None
        inside = sniff(path.parent)
        return None if inside is None else Claim(inside.dialect, f"{path.name} names classes and splits; {inside.why}")
    if not path.is_dir():
        return None
    listing = list_folder(path)
    pairs, _ = find_pairs(listing)
    files = [pair.label for pair in pairs if pair.label is not None]
    if not files:
        return None
    near = (one for one in listing.others if one.suffix.lower() in _YAML and len(one.parts) <= 2)
    good, bad = _looked_at(listing, files)
    if len(bad) > len(good) or not good:  # broken files spoil their own images alone, if it is sure that this is YOLO
        is_sure = any(is_config(path / one) for one in near)
        return Claim("YOLO text", f"{len(files)} images have a text file, and a data.yaml is there") if is_sure else None
    dialect = "segmentation" if any(row.outline is not None for row in good) else "boxes alone"
    return Claim(f"YOLO text: {dialect}", f"{len(files)} images have a text file of class numbers and fractions")


def _looked_at(listing: Listing, files: Sequence[PurePosixPath]) -> tuple[list[Row], list[str]]:
    """Give the first row of the first label files that hold some: the good ones, and what is wrong with the others."""
    good: list[Row] = []
    bad: list[str] = []
    for one in files:
        try:
            rows = read_rows(listing.root / one)[:1]
        except PixelwiseError as error:
            rows = [str(error)]
        good += [row for row in rows if isinstance(row, Row)]
        bad += [row for row in rows if isinstance(row, str)]
        if len(good) + len(bad) == _LOOKED_AT:
            break
    return good, bad


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a folder, or the folder of a ``data.yaml``; ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: no image in it has a label file.
        UnreadableFile: the file of names, or of a split, is broken.
    """
    path = Path(path)
    listing = list_folder(path.parent if path.is_file() else path)
    pairs, left = find_pairs(listing)
    if not any(pair.label for pair in pairs):
        raise UnknownLayout(f"{path}: no image has a label file of its name. Tried: {'; '.join(LAYOUTS)}")
    config = read_config(listing, path if path.is_file() else None)
    notes = [*listing.refused]
    pairs, others = beside_labels(pairs)
    if others:
        names = ", ".join(str(pair.image) for pair in others[:3]) + (" …" if len(others) > 3 else "")
        notes.append(f"{listing.root}: {len(others):,} images ({names}) are in folders without a label file; left out")
    config = _with_numbers(listing, pairs, config, notes)
    splits = find_splits(listing, pairs, config.splits, notes, by_folder=config.labels is None)
    for one in left:
        if not is_list(listing, one):
            sort = LostLabels if "labels" in one.parts else str  # elsewhere it may be a text of another sort
            notes.append(sort(f"{listing.root / one}: no image has its name; left out"))
    counts = _counted(listing, pairs, config)
    if counts["box"] and not counts["outline"]:
        return _boxes(listing, pairs, config, splits, notes)
    if counts["outline"] == counts["quadrangle"] > 0:
        notes.append(f"{listing.root}: the outlines looked at all have four points: they may be oriented boxes, not masks")
    return _dataset(listing, pairs, config, splits, notes, labels)


def _dataset(
    listing: Listing,
    pairs: Sequence[Pair],
    config: Config,
    splits: dict[str, list[int]],
    notes: list[str],
    labels: LabelSet | None,
) -> Dataset:
    root, own = listing.root, config.label_set()
    names = dict(config.names) if config.labels is None else dict(enumerate(own.names))
    crowds = crowds_of(listing)
    samples = []
    for pair, name in zip(pairs, sample_names([pair.image for pair in pairs]), strict=True):
        image = root / pair.image
        crowd = crowds.get(key_of(pair.image)) if config.labels is not None else None
        file = image.with_suffix(".txt") if pair.label is None else root / pair.label
        drawing = LabelText(file, names, config.has_keypoints, None if crowd is None else root / crowd, pair.label is None)
        truth = ObjectTruth(drawing, image, own, config.kind)
        files = () if pair.label is None else (file,)
        samples.append(Sample(name, ImageFile(image), truth, labels or own, Source(image, files, "yolo")))
    if missing := sum(1 for pair in pairs if pair.label is None):
        notes.append(
            f"{root}: {missing:,} images have no label file; YOLO takes them as images without objects, and so they are read"
        )
    return Dataset(samples, labels or own, config.kind, splits, root.resolve().name or "data", notes)


def _counted(listing: Listing, pairs: Sequence[Pair], config: Config) -> Counter[str]:
    """Count boxes, outlines and outlines of four points: in all files of a set of boxes, in the first ones of others."""
    found: Counter[str] = Counter()
    files = 0
    for pair in pairs if config.labels is None else ():
        rows = [] if pair.label is None else _rows(listing.root / pair.label, config)
        outlines = [row.outline for row in rows if isinstance(row, Row) and row.outline is not None]
        found["outline"] += len(outlines)
        found["quadrangle"] += sum(len(outline) == 4 for outline in outlines)
        found["box"] += sum(isinstance(row, Row) and row.outline is None for row in rows)
        files += bool(outlines)
        if files == _LOOKED_AT:
            break
    return found


def _rows(path: Path, config: Config) -> list[Row | str]:
    try:
        return read_rows(path, config.has_keypoints)
    except PixelwiseError:
        return []  # told when the image is read


def _with_numbers(listing: Listing, pairs: Sequence[Pair], config: Config, notes: list[str]) -> Config:
    """Name classes after their numbers where no file names them."""
    if config.names:
        return config
    rows = [row for pair in pairs if pair.label is not None for row in _rows(listing.root / pair.label, config)]
    numbers = sorted({row.number for row in rows if isinstance(row, Row) and row.number >= 0})
    if numbers:
        notes.append(
            f"{listing.root}: no data.yaml, obj.names or classes.txt names the classes; they are called by their numbers"
        )
    return Config(config.path, {number: f"class {number}" for number in numbers}, config.splits)


def _boxes(listing: Listing, pairs: Sequence[Pair], config: Config, splits: dict[str, list[int]], notes: list[str]) -> Dataset:
    """Read a set of boxes: images without truths."""
    found = BoxedImages(notes=notes)
    for pair in pairs:
        image = listing.root / pair.image
        file = image.with_suffix(".txt") if pair.label is None else listing.root / pair.label
        boxes = []
        for row in [] if pair.label is None else _rows(file, config):
            try:
                boxes.append(_boxed(row, image, config))
            except DataError as error:
                notes.append(f"{file}: {error}; left out")
        found.add(pair.image, file, boxes)
    names = {one.name for boxes in found.boxes for one in boxes} - set(config.names.values())
    labels = things([*config.names.values(), *sorted(names)])
    return boxed_dataset(listing, found, labels, "yolo", splits)


def _boxed(row: Row | str, image: Path, config: Config) -> Boxed:
    if isinstance(row, str):
        raise UnreadableFile(row)
    if row.corners is not None:
        left, top = row.corners.min(axis=0).tolist()
        right, bottom = row.corners.max(axis=0).tolist()
        return Boxed(row.name, (left, top, right, bottom), {**row.extra, "corners": row.corners.tolist()})
    if row.box is None or row.number not in config.names:
        raise UnreadableFile(f"line {row.line}: the class {row.number} is none of the set's")
    height, width = read_size(image)
    x, y, wide, high = row.box
    box = ((x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height)
    return Boxed(config.names[row.number], box, row.extra)
