"""The format ``geojson``: polygons with holes over pictures, on the earth or in pixels.

A picture goes with the GeoJSON file of its name; one file alone goes with every picture of the folder that lies on the earth.
Where a picture lies is read from a GeoTIFF's tags or from a world file (``.tfw``, ``.jgw``, ``.pgw``, ``.wld``) beside it.
Coordinates are longitude and latitude unless the file has a ``crs``; where that is not the picture's own system, rasterio
converts them (the extra ``geo``). On pictures that lie nowhere, and in what QuPath and Pixelwise write, they are pixels.

Each feature is one object; parts of a MultiPolygon belong together, and a hole is cut out of its own part. The class is
QuPath's ``classification``, else the property ``class``, ``label``, ``category`` or ``type``; the other properties are
attributes. Features that lie in no picture, points and lines are counted in the notes.

``write`` makes ``images/``, ``geojson/a.geojson`` in pixels as QuPath opens it, ``classes.json`` and one list a split. Outlines
run along the sides of pixels, so every kind is read back bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.core.errors import DataError, MissingFile, UnknownLayout
from pixelwise.core.image import read_size
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.core.segmentation import Kind
from pixelwise.formats.claim import Claim
from pixelwise.formats.geojson.file import CLASS, Layer, read_layer
from pixelwise.formats.geojson.find import LAYOUTS, Pair, find_layers
from pixelwise.formats.geojson.place import find_place
from pixelwise.formats.geojson.truth import Features
from pixelwise.formats.geojson.write import FORMAT, write
from pixelwise.formats.names import sample_names
from pixelwise.formats.objects import ObjectTruth, left_out, things
from pixelwise.formats.splits import find_splits
from pixelwise.formats.stated import NAME, form_in, stated_in

__all__ = ["LAYOUTS", "read", "sniff", "write"]


def sniff(path: Path) -> Claim | None:
    """Tell whether ``path`` is a GeoJSON file beside a picture, or a folder of such."""
    path = Path(path)
    if not path.exists():
        return None
    if path.is_dir() and (form := form_in(path)) is not None:
        return Claim("GeoJSON in pixels, as Pixelwise writes it", f"{NAME} says so") if form == FORMAT else None
    _, pairs = find_layers(path)
    if not pairs:
        return None
    try:
        is_pixels = read_layer(pairs[0].file).is_pixels
    except (DataError, MissingFile):
        is_pixels = False
    dialect = "GeoJSON in pixels (QuPath)" if is_pixels else "GeoJSON over pictures"
    return Claim(dialect, f"{pairs[0].file.name} holds features, and there is a picture for it")


def read(path: Path, labels: LabelSet | None = None) -> Dataset:
    """Read a GeoJSON file, or a folder of them; ``labels`` are joined by name.

    Raises:
        MissingFile: there is nothing at ``path``.
        UnknownLayout: there is no GeoJSON file with a picture.
        MissingExtra: coordinates must be converted, and rasterio is not installed.
    """
    path = Path(path)
    listing, pairs = find_layers(path)
    root = listing.root
    ours = stated_in(root, FORMAT)
    if not pairs and ours is None:
        raise UnknownLayout(f"{path}: no GeoJSON file with a picture; found {listing.describe()}. Tried: {'; '.join(LAYOUTS)}")
    work = _Work({}, {}, [])
    for pair in pairs:
        work.add(root, pair)
    own = _labels(list(work.layers.values())) if ours is None else ours.labels
    kind: Kind = "instance" if ours is None else ours.kind
    images = [pair.picture for pair in pairs]
    if ours is not None:
        images += [one for one in listing.pictures if one not in set(images)]
    samples = []
    for image, name in zip(images, sample_names(images), strict=True):
        truth, source = None, Source(root / image)
        if (drawing := work.drawings.get(root / image)) is not None:
            truth = ObjectTruth(drawing, root / image, own, kind)
            source = Source(root / image, (drawing.path,), "json")
        samples.append(Sample(name, ImageFile(root / image), truth, labels or own, source))
    splits, notes = find_splits(listing, images)
    notes = [*listing.refused, *work.notes, *_strays(work), *notes]
    return Dataset(samples, labels or own, kind, splits, root.resolve().name or "data", notes)


@dataclass
class _Work:
    """What reading has found so far: the layers by file, and what is drawn on each picture."""

    layers: dict[Path, Layer]
    drawings: dict[Path, Features]
    notes: list[str]

    def add(self, root: Path, pair: Pair) -> None:
        """Take one picture and its file; what is wrong with the file is said when the picture's truth is read."""
        picture = root / pair.picture
        try:
            if pair.file not in self.layers:
                self.layers[pair.file] = read_layer(pair.file)
                self.notes += left_out(pair.file, self.layers[pair.file].skipped)
            layer, place = self.layers[pair.file], None
            if not layer.is_pixels:
                place = find_place(picture, None if pair.world is None else root / pair.world)
            self.drawings[picture] = Features(pair.file, layer.crs, place)
        except DataError as error:
            self.drawings[picture] = Features(pair.file, "", None, str(error))


def _labels(layers: Sequence[Layer]) -> LabelSet:
    colours: dict[str, tuple[int, int, int]] = {}
    for layer in reversed(layers):
        colours.update(layer.colours)
    return things(sorted({name for layer in layers for name in layer.names}) or [CLASS], colours)


def _strays(work: _Work) -> list[str]:
    """Tell of features that lie in none of the pictures their file goes with, as those of a wrong reference system do."""
    notes = []
    for file, layer in work.layers.items():
        seen: set[int] = set()
        pictures = [(picture, one) for picture, one in work.drawings.items() if one.path == file and one.place is not None]
        count = 0
        for picture, one in pictures:
            try:
                inside = one.inside(read_size(picture))
            except (DataError, MissingFile):  # said when that picture is read
                continue
            count = len(inside)
            seen |= set(np.flatnonzero(inside).tolist())
        if count > len(seen):
            notes.append(
                f"{file}: {count - len(seen)} of {count} features lie in none of the pictures; left out "
                f"(coordinates in {layer.crs}; is that so?)"
            )
    return notes
