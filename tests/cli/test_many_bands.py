"""Twelve bands of 16 bits go the whole road: read, train, predict, GeoTIFF and GeoPackage."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pixelwise.cli import main
from pixelwise.core.image import write_ids

TINY = ["--encoder", "plain", "--set", "model.width=8", "--set", "model.depth=2", "--set", "train.threads=1"]
SPECTRA = np.linspace(0.2, 0.8, 12), np.linspace(0.8, 0.2, 12)  # the classes have the same mean: one band alone tells little


def drawn(seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw a disc on a ground, of which the bands rise and fall; and its classes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    classes = np.zeros(size, np.uint8)
    for _ in range(max(1, size[0] * size[1] // 2000)):
        top, left = rng.integers(0, size[0]), rng.integers(0, size[1])
        classes[(y - top) ** 2 + (x - left) ** 2 < rng.integers(60, 200)] = 1
    unit = np.stack([np.where(classes == 1, on, off) for off, on in zip(*SPECTRA, strict=True)], axis=2)
    return np.rint((unit + rng.normal(0, 0.02, unit.shape)).clip(0, 1) * 65535).astype(np.uint16), classes


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for index in range(8):
        pixels, classes = drawn(index, (64, 64))
        (tmp_path / "data" / "images").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / "data" / "images" / f"{index}.tif", pixels, photometric="minisblack", planarconfig="contig")
        write_ids(tmp_path / "data" / "masks" / f"{index}.png", classes)
    return tmp_path / "data"


@pytest.mark.slow
def test_twelve_bands_of_16_bits_become_a_map_and_polygons_in_place(data: Path, tmp_path: Path) -> None:
    rasterio, geopandas = pytest.importorskip("rasterio"), pytest.importorskip("geopandas")
    pixels, classes = drawn(99, (150, 190))
    place = rasterio.transform.from_origin(500000, 5000000, 10, 10)
    with rasterio.open(
        tmp_path / "scene.tif",
        "w",
        driver="GTiff",
        height=150,
        width=190,
        count=12,
        dtype="uint16",
        crs="EPSG:32633",
        transform=place,
        nodata=0,
    ) as file:
        pixels[:20, :30] = 0
        file.write(np.moveaxis(pixels, -1, 0))
    run, out = tmp_path / "run", tmp_path / "out"
    settings = ["--set", "train.steps=60", "--void", "none", "--split", "0.25"]
    assert main(["train", "--data", str(data), "--out", str(run), "--quiet", *settings, *TINY]) == 0
    command = ["predict", str(run), str(tmp_path / "scene.tif"), "--out", str(out), "--tile", "64,64", "--vectors", "gpkg"]
    assert main(command) == 0
    with rasterio.open(out / "scene.tif") as file:
        found = file.read(1)
        assert (file.transform, file.crs.to_epsg(), file.nodata) == (place, 32633, 255)
    assert (found[:20, :30] == 255).all()
    seen = found != 255
    assert (found == classes)[seen].mean() > 0.85  # a floor for so few steps
    frame = geopandas.read_file(out / "scene.gpkg")
    assert frame.crs.to_epsg() == 32633
    assert frame["area"].sum() == seen.sum()
    assert np.allclose(frame.area, frame["area_m2"])
    left, bottom, right, top = frame.total_bounds
    assert (left, top) == (500000, 5000000)
    assert (right, bottom) == (500000 + 1900, 5000000 - 1500)
