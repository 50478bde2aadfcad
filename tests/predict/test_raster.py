"""Rasters become GeoTIFFs of ids: in their place, void where there is no data, and whatever ends a run, the next goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, StorageError, TooLarge
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.rasters import files as raster_files
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.rasters import written as raster_written
from pixelwise.predict.rasters.raster import predict_raster, tiling_for
from pixelwise.predict.rasters.store import Store
from pixelwise.predict.tiles.tiling import Tiling

LABELS = LabelSet.of(["dark", "middle", "bright"])
TILING = Tiling((32, 32), 8)


class Levels:
    """Split the first band at two levels of its range: what a pixel is follows from that pixel alone."""

    def __init__(self, bands=("red", "green", "blue"), stop_at=None):
        self.card = Card("levels", "semantic", LABELS, bands=bands, mean=(0.5,) * len(bands), deviation=(0.5,) * len(bands))
        self.count, self._stop_at = 0, stop_at

    def __call__(self, images, request=PLAIN):
        found = []
        for image in images:
            self.count += 1
            if self.count == self._stop_at:
                raise KeyboardInterrupt
            grey = image.to_bands(self.card.bands).unit()[:, :, 0]
            classes = np.digitize(grey, [1 / 3, 2 / 3]).astype(np.uint8)
            found.append(Segmentation.from_class_map(classes, LABELS, np.array([0.5, 0.6, 0.7])))
        return found


def drawn(size=(100, 130), bands=3, dtype="uint8", seed=0):
    """Smooth hills, different in each band."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(x / rng.uniform(6, 20) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(6, 20)) for _ in range(bands)]
    unit = (np.stack(waves, axis=2) + 1) / 2
    return unit.astype(np.float32) if dtype == "float32" else (unit * np.iinfo(dtype).max).astype(dtype)


def classes_of(stored):
    unit = stored[:, :, 0] / (np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1)
    return np.digitize(unit.astype(np.float32), [1 / 3, 2 / 3])


def geotiff(path, stored, **options):
    rasterio = pytest.importorskip("rasterio")
    described = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(500000, 5000000, 2, 2)} | options
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=stored.shape[0],
        width=stored.shape[1],
        count=stored.shape[2],
        dtype=stored.dtype,
        tiled=True,
        blockxsize=32,
        blockysize=32,
        compress="deflate",
        **described,
    ) as file:
        file.write(np.moveaxis(stored, -1, 0))
    return path


def plain(path, stored):
    tifffile.imwrite(path, stored, photometric="rgb", tile=(32, 32), compression="zlib")
    return path


def ids_in(path):
    with tifffile.TiffFile(path) as file:
        return file.pages[0].asarray()


def break_block(path, index):
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].dataoffsets[index]
    with open(path, "r+b") as file:
        file.seek(place + 20)
        file.write(b"\xff" * 200)


def test_the_result_lies_where_the_source_does_with_colours_and_no_data(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    stored = drawn()
    found = predict_raster(Levels(), geotiff(tmp_path / "a.tif", stored), tmp_path / "out", tiling=TILING)
    assert found.raster == tmp_path / "out" / "a.tif"
    with rasterio.open(tmp_path / "a.tif") as source, rasterio.open(found.raster) as file:
        assert (file.read(1) == classes_of(stored)).all()
        assert (file.transform, file.crs) == (source.transform, source.crs)
        assert (file.nodata, file.dtypes[0]) == (255, "uint8")
        assert [file.colormap(1)[index][:3] for index in range(3)] == [tuple(one) for one in LABELS.colours.tolist()]
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert json.loads(file.tags()["classes"]) == ["dark", "middle", "bright"]


def test_large_results_have_smaller_copies(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    stored = np.kron(drawn((80, 90)), np.ones((8, 8, 1), np.uint8))
    found = predict_raster(Levels(), plain(tmp_path / "a.tif", stored), tmp_path / "out", tiling=Tiling((320, 320), 16))
    with rasterio.open(found.raster) as file:
        assert file.overviews(1)
        assert set(np.unique(file.read(1, out_shape=(80, 90)))) <= {0, 1, 2}


def test_without_rasterio_the_same_ids_lie_in_the_same_place(tmp_path, monkeypatch):
    stored = np.kron(drawn((80, 90)), np.ones((8, 8, 1), np.uint8))
    geotiff(tmp_path / "a.tif", stored)
    for one in (raster_files, raster_written):
        monkeypatch.setattr(one, "has_gdal", lambda: False)
    found = predict_raster(
        Levels(), tmp_path / "a.tif", tmp_path / "out", tiling=Tiling((320, 320), 16), vectors="gpkg", simplify=0.9
    )
    assert (ids_in(found.raster) == classes_of(stored)).all()
    assert found.polygons > 3
    import rasterio

    with rasterio.open(found.raster) as file, rasterio.open(tmp_path / "a.tif") as source:
        assert (file.transform, file.crs, file.nodata) == (source.transform, source.crs, 255)
        assert file.overviews(1) == [2]
        assert file.colormap(1)[1][:3] == tuple(LABELS.colours[1].tolist())


def test_the_entry_has_what_the_map_has(tmp_path):
    stored = drawn()
    found = predict_raster(Levels(), geotiff(tmp_path / "a.tif", stored), tmp_path / "out", tiling=TILING)
    classes = classes_of(stored)
    assert [one["class"] for one in found.entry["segments"]] == ["dark", "middle", "bright"]
    for one in found.entry["segments"]:
        y, x = np.nonzero(classes == one["id"])
        assert one["area"] == len(y)
        assert one["area_m2"] == 4.0 * len(y)
        assert one["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert np.allclose(one["centroid"], [x.mean(), y.mean()], atol=1e-4)
        assert one["score"] == pytest.approx(0.5 + 0.1 * one["id"])
    assert found.entry["epsg"] == 32633
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels["stored"]["values"] == {"0": 0, "1": 1, "2": 2, "255": -1}


def test_no_data_becomes_void_and_blocks_of_it_alone_are_not_predicted(tmp_path):
    stored = drawn((128, 96))
    stored[:64] = 0
    stored[70:75, 10:20] = 0
    geotiff(tmp_path / "a.tif", stored, nodata=0)
    predictor = Levels()
    found = predict_raster(predictor, tmp_path / "a.tif", tmp_path / "out", tiling=Tiling((32, 32), 0))
    expected = np.where((stored == 0).all(axis=2), 255, classes_of(stored))
    assert (ids_in(found.raster) == expected).all()
    assert predictor.count == 2 * 3  # of four rows of three tiles


def test_a_raster_without_a_place_works_and_says_so(tmp_path):
    stored = drawn()
    found = predict_raster(Levels(), plain(tmp_path / "a.tif", stored), tmp_path / "out", tiling=TILING, vectors="geojson")
    assert (ids_in(found.raster) == classes_of(stored)).all()
    assert found.notes == ("the raster states no place: areas and polygons are in pixels",)
    written = json.loads((tmp_path / "out" / "a.geojson").read_text())
    assert "in pixels" in written["coordinates"]
    corners = np.concatenate([np.array(ring) for one in written["features"] for ring in one["geometry"]["coordinates"]])
    assert corners.max(axis=0).tolist() == [130, 100]


def test_a_damaged_block_becomes_void_and_is_named(tmp_path):
    stored = drawn()
    plain(tmp_path / "a.tif", stored)
    break_block(tmp_path / "a.tif", 6)  # second row, second column
    found = predict_raster(Levels(), tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    expected = classes_of(stored)
    expected[32:64, 32:64] = 255
    assert (ids_in(found.raster) == expected).all()
    assert len(found.lost) == 1
    assert "a.tif: rows 32..63, columns 32..63 are damaged" in found.lost[0]


def stopped_and_resumed(tmp_path, stop_at):
    with pytest.raises(KeyboardInterrupt):
        predict_raster(Levels(stop_at=stop_at), tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    assert not (tmp_path / "out" / "a.tif").exists()
    predictor = Levels()
    return predictor, predict_raster(predictor, tmp_path / "a.tif", tmp_path / "out", tiling=TILING)


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(tmp_path):
    plain(tmp_path / "a.tif", drawn())
    break_block(tmp_path / "a.tif", 6)
    whole = Levels()
    at_once = predict_raster(whole, tmp_path / "a.tif", tmp_path / "at once", tiling=TILING)
    predictor, found = stopped_and_resumed(tmp_path, whole.count // 2)
    assert 0 < predictor.count < whole.count
    assert 0 < found.kept < 1
    assert found.raster.read_bytes() == at_once.raster.read_bytes()
    assert found.entry == at_once.entry
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.raster.json", "a.tif", "labels.json"]


def test_a_killed_run_goes_on(tmp_path):
    plain(tmp_path / "a.tif", drawn())
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import os, signal, test_raster as t\n"
        "class Killed(t.Levels):\n"
        "    def __call__(self, images, request=t.PLAIN):\n"
        "        if self.count > 8: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().__call__(images, request)\n"
        "t.predict_raster(Killed(), sys.argv[2], sys.argv[3], tiling=t.TILING)\n"
    )
    places = [str(Path(__file__).parent), str(tmp_path / "a.tif"), str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-c", program, *places], env=os.environ, timeout=100)
    assert ended.returncode == -signal.SIGKILL
    with open(tmp_path / "out" / ".a.parts" / "ledger.jsonl", "ab") as file:
        file.write(b'{"block": [0, 0, ')  # a line that a power cut left
    predictor = Levels()
    found = predict_raster(predictor, tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    assert found.kept > 0
    assert (ids_in(found.raster) == classes_of(drawn())).all()


def test_a_second_run_does_nothing_and_another_predictor_or_file_does_all(tmp_path):
    plain(tmp_path / "a.tif", drawn())
    first = predict_raster(Levels(), tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    time = first.raster.stat().st_mtime_ns
    again = Levels()
    second = predict_raster(again, tmp_path / "a.tif", tmp_path / "out", tiling=TILING, vectors="gpkg")
    assert (again.count, second.kept, second.entry) == (0, 1.0, first.entry)
    assert second.raster.stat().st_mtime_ns == time
    assert second.polygons > 0
    for options in ({"tiling": Tiling((48, 48), 8)}, {"tiling": TILING, "again": True}):
        predictor = Levels()
        assert predict_raster(predictor, tmp_path / "a.tif", tmp_path / "out", **options).kept == 0
        assert predictor.count > 0
    plain(tmp_path / "a.tif", drawn(seed=1))
    assert predict_raster(again, tmp_path / "a.tif", tmp_path / "out", tiling=TILING).kept == 0


def test_bands_that_the_model_does_not_know_are_said(tmp_path):
    geotiff(tmp_path / "a.tif", drawn(bands=5, dtype="uint16"))
    with pytest.raises(DataError, match=r"a\.tif: 5 bands: the model wants bands red, green, blue; this image has band 1"):
        predict_raster(Levels(), tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_said_before_the_work(tmp_path, monkeypatch):
    plain(tmp_path / "a.tif", drawn())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10_000))
    predictor = Levels()
    with pytest.raises(
        StorageError, match=r"130 x 100 pixels need about 0\.0 MB while they are made, and the disk has 0\.0 MB"
    ):
        predict_raster(predictor, tmp_path / "a.tif", tmp_path / "out", tiling=TILING)
    assert predictor.count == 0


def test_the_result_never_falls_on_the_source(tmp_path):
    plain(tmp_path / "a.tif", drawn())
    with pytest.raises(OptionError, match="the result would fall on"):
        predict_raster(Levels(), tmp_path / "a.tif", tmp_path, tiling=TILING)


def test_what_was_not_trained_on_crops_sees_a_raster_whole_or_refuses(monkeypatch):
    assert tiling_for(Levels(), (100, 130)).tile == (100, 130)
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "1000")
    with pytest.raises(TooLarge, match="give tiles, as with --tile 1024"):
        tiling_for(Levels(), (100, 130))
    assert tiling_for(Levels(), (100, 130), (64, 64), 8).tile == (64, 64)


def test_progress_ends_at_the_whole(tmp_path):
    stored = np.kron(drawn((50, 50)), np.ones((21, 21, 1), np.uint8))
    told = []
    predict_raster(
        Levels(),
        plain(tmp_path / "a.tif", stored),
        tmp_path / "out",
        tiling=Tiling((512, 512), 0),
        progress=lambda *done: told.append(done),
    )
    assert told[0] == (0.0, 1)
    assert told[-1] == (1.1, 1)


class Blobs(Levels):
    """Give each bright region as an object: of those that overlap, none."""

    def __init__(self):
        super().__init__()
        labels = LabelSet.of(["blob"], things=["blob"])
        self.card = Card("blobs", "instance", labels, mean=(0.5,) * 3, deviation=(0.5,) * 3)

    def __call__(self, images, request=PLAIN):
        from scipy import ndimage

        found = []
        for image in images:
            parts, count = ndimage.label(image.pixels[:, :, 0] > 170)
            masks = [parts == index for index in range(1, count + 1)]
            stack = np.array(masks).reshape(-1, *image.size)
            found.append(Segmentation.from_masks("instance", stack, [0] * count, self.card.labels, scores=np.full(count, 0.9)))
        return found


def test_objects_are_joined_over_tiles_and_painted(tmp_path):
    from scipy import ndimage

    stored = drawn()
    found = predict_raster(Blobs(), geotiff(tmp_path / "a.tif", stored), tmp_path / "out", tiling=TILING, vectors="gpkg")
    parts, count = ndimage.label(stored[:, :, 0] > 170)
    ids = ids_in(found.raster)
    assert ((ids > 0) == (parts > 0)).all()
    pairs = np.unique(np.stack([ids.ravel(), parts.ravel()]), axis=1)
    assert pairs.shape[1] == count + 1  # one id an object, and none
    assert found.segments == count == found.polygons
    assert sorted(one["area"] for one in found.entry["segments"]) == sorted(np.bincount(parts.ravel())[1:].tolist())


@pytest.mark.parametrize(
    ("name", "value", "message"), [("vectors", "shp", "expected one of gpkg, geojson"), ("simplify", 0.9, "of polygons")]
)
def test_options_that_do_not_fit_are_refused(tmp_path, name, value, message):
    with pytest.raises(OptionError, match=message):
        predict_raster(Levels(), plain(tmp_path / "a.tif", drawn()), tmp_path / "out", **{name: value})


def test_the_store_keeps_what_is_finished_alone(tmp_path):
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with Store(tmp_path / "s", (3, 4), np.dtype(np.uint8), "one") as store:
        store.put(0, 0, ids[:2])
        store.finish((0, 0, 2, 4), {"told": 1})
        store.put(2, 1, ids[2:, 1:])
    with Store(tmp_path / "s", (3, 4), np.dtype(np.uint8), "one") as store:
        assert list(store.done) == [(0, 0, 2, 4)]
        assert (store.rows(0, 2) == ids[:2]).all()
    with Store(tmp_path / "s", (3, 4), np.dtype(np.uint8), "two") as store:
        assert store.done == {}
        assert not store.rows(0, 3).any()
