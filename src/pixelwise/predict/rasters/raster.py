"""Predict a raster of any size into a GeoTIFF of ids, and polygons if wanted, in memory that its size does not decide.

Semantic predictors work block by block (``strips.blocks``); what is finished goes to the disk at once, so a run that is
stopped, by whatever, goes on at the next block, and the result is the same bit for bit. Held are the blocks in the making
(bounded by ``Tiling.memory``), 128 MiB of decoded source, 128 MiB while the result is written, and for polygons the corners of
unfinished regions. Objects are joined over tiles as run lengths, in one go: a stopped run of those starts anew.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, TooLarge
from pixelwise.core.files import locked, make_folder, read_json, write_json
from pixelwise.core.image import Image, max_pixels
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.rasters.files import RasterFile, open_raster
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.rasters.salvaged import Salvaged
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.pictures import stored_labels
from pixelwise.predict.rasters.classes import write_classes
from pixelwise.predict.rasters.segments import write_segments
from pixelwise.predict.rasters.store import Store
from pixelwise.predict.rasters.summary import RasterSummary
from pixelwise.predict.rasters.tally import class_entries
from pixelwise.predict.rasters.written import read_rows, write_raster
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles.choice import JoinOption, choose
from pixelwise.predict.tiles.joined import KINDS, Joined
from pixelwise.predict.tiles.tiling import Tiling
from pixelwise.predict.vectors.vectors import VectorFormat, check_vectors, write_vectors

_WRITER = "raster 1"  # results of another form than this program's are made again


def predict_raster(
    predictor: Predictor,
    source: str | Path,
    out: str | Path,
    *,
    tiling: Tiling | None = None,
    threshold: float | None = None,
    vectors: VectorFormat | None = None,
    simplify: float | None = None,
    name: str | None = None,
    again: bool = False,
    progress: Callable[[float, int], None] | None = None,
) -> RasterSummary:
    """Segment a raster and write ``<stem>.tif`` to ``out``, with ``<stem>.gpkg`` or ``<stem>.geojson`` if polygons are wanted.

    The GeoTIFF has the place of the source, class ids with their colours (of other kinds than semantic: ids of segments), and
    void as no data: also where the source has no data, and where a block of it is damaged.

    Args:
        predictor: of any kind but regions; of ``Tiled`` and ``Joined`` the tiles are taken too.
        tiling: the tiles; chosen if not given, by ``tiling_for``.
        threshold: see ``Request``.
        vectors: ``gpkg``, in the reference system of the source, or ``geojson``, in longitude and latitude.
        simplify: make polygons simpler, as long as each keeps this intersection over union with what it stands for.
        name: of the results, in the place of the stem of ``source``.
        again: begin anew, whatever is there.
        progress: called with (megapixels done, megapixels in all).

    Raises:
        OptionError: the predictor, the tiles or an option do not fit each other.
        DataError: the raster has other bands than the predictor wants, or cannot be read.
        StorageError: the disk has no room for the results, or cannot be written.
        RunInUse: another process writes to ``out``.
    """
    check_vectors(vectors, simplify)
    source, out = Path(source), Path(out)
    inner, given = _unwrapped(predictor)
    with open_raster(source) as file:
        tiling = tiling or given or tiling_for(inner, file.size)
        _check_bands(inner.card, file)
        place = _Place(out, name or source.stem, _stamp(inner, source, tiling, threshold))
        if place.raster.exists() and place.raster.samefile(source):
            raise OptionError(f"--out {out}: the result would fall on {source}; choose another folder")
        make_folder(out)
        with locked(out):
            write_json(out / "labels.json", _labels(inner.card))
            entry, kept = place.finished(again), 1.0
            if entry is None:
                request = Request(threshold=threshold)
                entry, kept = _made(inner, file, tiling, request, place, again, progress)
            drawn, count = _drawn(entry, inner.card, file.place, place, vectors, simplify)
    lost = tuple(entry["lost"])
    return RasterSummary(
        source, place.raster, drawn, count, file.size, len(entry["segments"]), lost, kept, tuple(entry["notes"]), entry
    )


def tiling_for(
    predictor: Predictor,
    size: Size,
    tile: Size | None = None,
    overlap: int | None = None,
    join: JoinOption = "auto",
    memory: int | None = None,
) -> Tiling:
    """Choose the tiles for a raster (H, W), as ``Tiled`` does; what does not say that it was trained on crops sees it whole.

    Raises:
        OptionError: the tiles do not fit each other or the memory limit.
        TooLarge: the raster must be seen whole, and has more than ``max_pixels()`` pixels.
    """
    card = predictor.card
    if tile is None and memory is None and "crop" not in card.training:
        if size[0] * size[1] > (limit := max_pixels()):
            raise TooLarge(
                f"'{card.name}' does not say that it may see parts of an image, and {size[1]} x {size[0]} pixels are more than "
                f"the {limit:,} that are read whole; give tiles, as with --tile 1024"
            )
        return Tiling(size, min(1, min(size) - 1))
    choice = choose(card, tile, overlap, memory).evened(size)
    return choice.tiling(choice.join(join, Request())[0])


@dataclass(frozen=True)
class _Place:
    """Where the results go."""

    out: Path
    stem: str
    stamp: str

    @property
    def raster(self) -> Path:
        return self.out / f"{self.stem}.tif"

    @property
    def about(self) -> Path:
        return self.out / f"{self.stem}.raster.json"

    @property
    def parts(self) -> Path:
        return self.out / f".{self.stem}.parts"

    def finished(self, again: bool) -> dict[str, Any] | None:
        """Give what an earlier run told of the same raster, if it came to its end."""
        if again or not (self.raster.is_file() and self.about.is_file()):
            return None
        try:
            found = read_json(self.about)
        except DataError:
            return None
        return found["entry"] if isinstance(found, dict) and found.get("stamp") == self.stamp else None


def _unwrapped(predictor: Predictor) -> tuple[Predictor, Tiling | None]:
    if isinstance(predictor, Tiled):
        return predictor.predictor, predictor.tiling()
    if isinstance(predictor, Joined):
        return predictor.predictor, predictor.tiling
    if predictor.card.kind != "semantic" and predictor.card.kind not in KINDS:
        raise OptionError(f"'{predictor.card.name}' gives {predictor.card.kind}, which are not joined over tiles of a raster")
    return predictor, None


def _check_bands(card: Card, file: RasterFile) -> None:
    try:
        Image(np.zeros((1, 1, len(file.bands)), np.uint8), file.bands).to_bands(card.bands)
    except DataError as error:
        raise DataError(f"{file.path}: {len(file.bands)} bands: {error}") from None


def _stamp(predictor: Predictor, source: Path, tiling: Tiling, threshold: float | None) -> str:
    state = source.stat()
    settings = [
        _WRITER,
        fingerprint(predictor),
        repr(tiling),
        threshold,
        str(source.resolve()),
        state.st_size,
        state.st_mtime_ns,
    ]
    return hashlib.sha256(json.dumps(settings).encode("utf-8", "backslashreplace")).hexdigest()


def _labels(card: Card) -> dict[str, Any]:
    stored = stored_labels(card.labels, binary=False)
    return {"model": card.name, "kind": card.kind, "labels": card.labels.to_json(), "stored": stored.to_json()}


def _made(
    predictor: Predictor,
    file: RasterFile,
    tiling: Tiling,
    request: Request,
    place: _Place,
    again: bool,
    progress: Callable[[float, int], None] | None,
) -> tuple[dict[str, Any], float]:
    """Predict the raster and write it; give its entry, and the share of it that was done before."""
    card, raster = predictor.card, Salvaged(file)
    if card.kind == "semantic":
        dtype, nodata = np.dtype(np.uint8 if card.labels.void <= 255 else np.uint16), card.labels.void
    else:
        dtype, nodata = np.dtype(np.uint32), 0
    with Store(place.parts, file.size, dtype, place.stamp, again) as store:
        kept = sum((bottom - top) * (right - left) for top, left, bottom, right in store.done)
        if card.kind == "semantic":
            write_classes(predictor, raster, tiling, request, store, progress)
            tallies = [one["classes"] for _, one in sorted(store.done.items())]
            has_scores = all(one["has_scores"] for one in store.done.values())
            segments, notes = class_entries(tallies, card.labels, has_scores, file.place.pixel_area), []
        else:
            segments, notes = write_segments(Joined(predictor, tiling), raster, request, store, file.place.pixel_area, progress)
        write_raster(place.raster, store, file.place, nodata, card.labels if card.kind == "semantic" else None)
        lost = sorted({one for line in store.done.values() for one in line["lost"]})
        entry = _entry(file, card, place, segments, lost, notes)
        write_json(place.about, {"stamp": place.stamp, "entry": entry})
        store.drop()
    return entry, kept / (file.size[0] * file.size[1])


def _entry(
    file: RasterFile, card: Card, place: _Place, segments: list[dict[str, Any]], lost: list[str], notes: list[str]
) -> dict[str, Any]:
    """Say of a raster what ``segments.json`` says of an image."""
    if not file.place.is_placed:
        notes = [*notes, "the raster states no place: areas and polygons are in pixels"]
    return {
        "file": str(file.path),
        "mask": place.raster.name,
        "overlay": None,
        "size": list(file.size),
        "kind": card.kind,
        "epsg": file.place.epsg,
        "transform": None if file.place.affine is None else list(file.place.affine),
        "notes": notes,
        "lost": lost,
        "segments": segments,
    }


def _drawn(
    entry: dict[str, Any],
    card: Card,
    where: GeoReference,
    place: _Place,
    vectors: VectorFormat | None,
    simplify: float | None,
) -> tuple[Path | None, int]:
    """Draw the polygons, if they are wanted and not there already as they are wanted."""
    if vectors is None:
        return None, 0
    path, told = place.out / f"{place.stem}.{vectors}", read_json(place.about)
    settings = [vectors, simplify]
    if path.is_file() and told.get("vectors") == settings:
        return path, int(told["polygons"])
    columns = {one["id"]: {name: one[name] for name in ("class", "class_id", "score")} for one in entry["segments"]}
    is_semantic = card.kind == "semantic"
    size, rows, close = read_rows(place.raster)
    try:
        void = card.labels.void if is_semantic else 0
        count = write_vectors(path, rows, size, where, void, columns, simplify, together=not is_semantic)
    finally:
        close()
    write_json(place.about, {**told, "vectors": settings, "polygons": count})
    return path, count
