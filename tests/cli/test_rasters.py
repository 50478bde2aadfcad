"""``pixelwise predict`` takes rasters the way of rasters, beside pictures, and says how to go on."""

import csv
import json

import numpy as np
import pytest
import tifffile

from pixelwise.cli import main
from pixelwise.core.image import write_image
from pixelwise.predict.rasters import raster as raster_module


@pytest.fixture
def inputs(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    y, x = np.mgrid[:60, :80]
    stored = np.where((x - 40) ** 2 + (y - 30) ** 2 < 300, 220, 40).astype(np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    with rasterio.open(
        folder / "map.tif",
        "w",
        driver="GTiff",
        height=60,
        width=80,
        count=1,
        dtype="uint8",
        crs="EPSG:32633",
        transform=rasterio.transform.from_origin(500000, 5000000, 2, 2),
    ) as file:
        file.write(stored[None])
    write_image(folder / "photo.png", stored)
    return folder


def test_rasters_and_pictures_go_their_own_ways_into_one_list(inputs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", "otsu", str(inputs), "--out", str(out), "--vectors", "gpkg", "--simplify", "0.9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["count"], len(told["rasters"])) == (2, 1)
    assert {path.name for path in out.iterdir()} >= {"map.tif", "map.gpkg", "photo.png", "photo_overlay.jpg"}
    listed = json.loads((out / "segments.json").read_text())
    assert sorted(entry["mask"] for entry in listed) == ["map.tif", "photo.png"]
    areas = [[one["area"] for one in entry["segments"]] for entry in listed]
    assert areas[0] == areas[1]
    with open(out / "segments.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert json.loads((out / "failures.json").read_text()) == []


def test_a_second_run_keeps_both(inputs, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["predict", "otsu", str(inputs), "--out", str(out), "--json"]
    assert main(command) == 0
    before = (out / "segments.json").read_bytes()
    capsys.readouterr()
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 2
    assert (out / "segments.json").read_bytes() == before


def test_a_raster_alone_is_listed_too(inputs, tmp_path, capsys):
    assert main(["predict", "otsu", str(inputs / "map.tif"), "--out", str(tmp_path / "out")]) == 0
    assert "80 x 60 pixels, 2 segments" in capsys.readouterr().out
    assert [one["mask"] for one in json.loads((tmp_path / "out" / "segments.json").read_text())] == ["map.tif"]


def test_a_damaged_block_makes_the_exit_code_1(inputs, tmp_path, capsys):
    with tifffile.TiffFile(inputs / "map.tif") as file:
        ends = file.pages[0].dataoffsets[-1]
    data = (inputs / "map.tif").read_bytes()
    (inputs / "map.tif").write_bytes(data[: ends + 3])
    assert main(["predict", "otsu", str(inputs), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "map.tif: rows " in error
    assert "it is void in the result" in error
    assert (tmp_path / "out" / "photo.png").is_file()
    assert (tmp_path / "out" / "map.tif").is_file()
    assert len(json.loads((tmp_path / "out" / "failures.json").read_text())) == 1


def test_a_raster_with_other_bands_is_listed_and_the_rest_goes_on(inputs, tmp_path, capsys):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(inputs / "map.tif") as file:
        profile = file.profile | {"count": 5}
    with rasterio.open(inputs / "more.tif", "w", **profile) as file:
        file.write(np.zeros((5, 60, 80), np.uint8))
    assert main(["predict", "otsu", str(inputs), "--out", str(tmp_path / "out")]) == 1
    assert "more.tif: 5 bands: the model wants bands" in capsys.readouterr().err
    assert (tmp_path / "out" / "map.tif").is_file()


def test_polygons_of_pictures_are_refused(inputs, tmp_path, capsys):
    assert main(["predict", "otsu", str(inputs / "photo.png"), "--out", str(tmp_path / "out"), "--vectors", "gpkg"]) == 2
    assert "none of the inputs is one" in capsys.readouterr().err


def test_binary_masks_are_pictures(inputs, tmp_path):
    assert main(["predict", "otsu", str(inputs / "map.tif"), "--out", str(tmp_path / "out"), "--binary"]) == 0
    assert (tmp_path / "out" / "map.png").is_file()


def test_large_pictures_go_the_way_of_rasters(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("pixelwise.cli.rasters.LARGE", 1000)
    assert main(["predict", "otsu", str(inputs / "photo.png"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "photo.tif").is_file()


def test_an_interrupt_says_how_to_go_on(inputs, tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(raster_module, "write_classes", stop)
    assert main(["predict", "otsu", str(inputs / "map.tif"), "--out", str(tmp_path / "out")]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_a_dry_run_tells_the_tiles(inputs, tmp_path, capsys):
    command = ["predict", "otsu", str(inputs / "map.tif"), "--out", str(tmp_path / "out"), "--tile", "32", "--dry-run"]
    assert main(command) == 0
    assert "a raster of 80 x 60 pixels, in 9 tiles of 32 x 32" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
