"""Rasters are read by windows as they are read whole, with their place, and what is wrong with one is said in a sentence."""

import numpy as np
import pytest
import tifffile

from pixelwise.core.errors import DataError, MissingExtra, MissingFile, UnreadableFile
from pixelwise.core.image import read_image, write_image
from pixelwise.core.rasters import files as raster_files
from pixelwise.core.rasters.files import open_raster
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.rasters.salvaged import Salvaged
from pixelwise.core.rasters.values import Coding, check_coding

WINDOWS = [(slice(0, 70), slice(0, 90)), (slice(13, 57), slice(31, 88)), (slice(69, 70), slice(0, 1))]


@pytest.fixture(params=["rasterio", "tifffile"])
def way(request, monkeypatch):
    """Read with GDAL, and without."""
    if request.param == "rasterio":
        pytest.importorskip("rasterio")
    else:
        monkeypatch.setattr(raster_files, "has_gdal", lambda: False)
    return request.param


def pixels(bands, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random((70, 90, bands)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (70, 90, bands), dtype, endpoint=True)


LAYOUTS = {
    "tiles": {"tile": (32, 48), "compression": "zlib"},
    "strips": {"rowsperstrip": 9, "compression": "zlib"},
    "plain": {},
    "one strip": {"rowsperstrip": 70, "compression": "zlib"},
    "big": {"bigtiff": True, "tile": (16, 16), "compression": "zlib"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (3, "uint8"), (5, "uint16"), (2, "float32")])
def test_windows_are_those_of_the_whole_image(tmp_path, way, layout, bands, dtype):
    stored = pixels(bands, dtype)
    path = tmp_path / "a.tif"
    apart = {"planarconfig": "contig"} if bands > 1 else {}
    photometric = "rgb" if bands == 3 else "minisblack"
    tifffile.imwrite(path, stored if bands > 1 else stored[:, :, 0], photometric=photometric, **apart, **LAYOUTS[layout])
    with open_raster(path) as raster:
        assert raster.size == (70, 90)
        assert raster.bands == read_image(path).bands
        for rows, columns in WINDOWS:
            found = raster.read(rows, columns)
            assert found.pixels.dtype == stored.dtype
            assert (found.pixels == read_image(path).pixels[rows, columns]).all()
            assert raster.valid(rows, columns) is None


def test_bands_stored_apart_are_put_together(tmp_path, way):
    stored = pixels(6, "uint16")
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.moveaxis(stored, -1, 0),
        planarconfig="separate",
        photometric="minisblack",
        rowsperstrip=20,
        compression="zlib",
    )
    with open_raster(tmp_path / "a.tif") as raster:
        assert len(raster.bands) == 6
        assert (raster.read(*WINDOWS[1]).pixels == stored[WINDOWS[1]]).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_are_decoded_once(tmp_path, way, suffix):
    write_image(tmp_path / f"a{suffix}", pixels(3, "uint8"))
    with open_raster(tmp_path / f"a{suffix}") as raster:
        assert (raster.read(*WINDOWS[1]).pixels == read_image(raster.path).pixels[WINDOWS[1]]).all()
        assert not raster.place.is_placed


def test_pictures_above_the_limit_are_read_by_windows_or_the_extra_is_named(tmp_path, way, monkeypatch):
    write_image(tmp_path / "a.png", pixels(3, "uint8"))
    whole = read_image(tmp_path / "a.png").pixels
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "100")
    if way == "rasterio":
        with open_raster(tmp_path / "a.png") as raster:
            assert (raster.read(*WINDOWS[1]).pixels == whole[WINDOWS[1]]).all()
    else:
        with pytest.raises(MissingExtra, match=r"pixelwise\[geo\]"):
            open_raster(tmp_path / "a.png")


def geotiff(path, stored, **options):
    """Write a GeoTIFF in UTM zone 33 of 2 m pixels."""
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=stored.shape[0],
        width=stored.shape[1],
        count=stored.shape[2],
        dtype=stored.dtype,
        crs="EPSG:32633",
        transform=rasterio.transform.from_origin(500000, 5000000, 2, 2),
        tiled=True,
        blockxsize=32,
        blockysize=32,
        compress="deflate",
        **options,
    ) as file:
        file.write(np.moveaxis(stored, -1, 0))


def test_the_place_is_read(tmp_path, way):
    geotiff(tmp_path / "a.tif", pixels(3, "uint8"))
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.place.affine == (2.0, 0.0, 500000.0, 0.0, -2.0, 5000000.0)
        assert raster.place.epsg == 32633
        assert raster.place.pixel_area == 4.0


def test_no_data_is_where_all_bands_say_so(tmp_path, way):
    stored = pixels(3, "uint16")
    stored[:10] = 7
    stored[20, 20, 0] = 7
    geotiff(tmp_path / "a.tif", stored, nodata=7)
    with open_raster(tmp_path / "a.tif") as raster:
        valid = raster.valid(*WINDOWS[0])
        assert (raster.read(*WINDOWS[0]).pixels == stored).all()
    assert (valid == (stored != 7).any(axis=2)).all()
    assert not valid[:10].any()


def test_floats_without_data_are_read_as_0(tmp_path, way):
    stored = pixels(2, "float32")
    stored[3, 4] = -9999
    stored[5, 6, 1] = np.nan
    geotiff(tmp_path / "a.tif", stored, nodata=-9999)
    with open_raster(tmp_path / "a.tif") as raster:
        read, valid = raster.read(*WINDOWS[0]).pixels, raster.valid(*WINDOWS[0])
    assert np.argwhere(~valid).tolist() == [[3, 4], [5, 6]]
    assert (read[3, 4] == 0).all()
    assert np.isfinite(read).all()


def test_alpha_is_dropped_and_says_where_there_is_data(tmp_path, way):
    stored = pixels(4, "uint8")
    stored[:, :, 3] = 255
    stored[:, :5, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["unassalpha"])
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.bands == ("red", "green", "blue")
        assert (raster.read(*WINDOWS[0]).pixels == stored[:, :, :3]).all()
        assert (raster.valid(*WINDOWS[0]) == (stored[:, :, 3] > 0)).all()


def test_a_palette_becomes_colours(tmp_path, way):
    stored = pixels(1, "uint8")[:, :, 0] % 4
    table = np.zeros((3, 256), np.uint16)
    table[:, :4] = np.arange(12).reshape(3, 4) * 257
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="palette", colormap=table)
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.bands == ("red", "green", "blue")
        assert (raster.read(*WINDOWS[0]).pixels == table[:, stored].transpose(1, 2, 0) // 257).all()


def test_a_damaged_block_is_named_and_the_rest_is_read(tmp_path, way):
    stored = pixels(3, "uint8")
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].dataoffsets[4]  # of 3 x 3: the middle one
    with open(tmp_path / "a.tif", "r+b") as file:
        file.seek(place + 20)
        file.write(b"\xff" * 300)
    with open_raster(tmp_path / "a.tif") as raster:
        with pytest.raises(UnreadableFile, match=r"a\.tif: rows 3[02]\.\.\d+, columns 3[02]\.\.\d+ are damaged"):
            raster.read(slice(30, 40), slice(30, 40))
        salvaged = Salvaged(raster)
        read = salvaged.read(slice(10, 70), slice(5, 90)).pixels
        valid = salvaged.valid(slice(10, 70), slice(5, 90))
        assert list(salvaged.lost) == [(32, 32, 64, 64)]
        assert "rows 32..63, columns 32..63 are damaged" in salvaged.lost[32, 32, 64, 64]
        assert salvaged.lost_in(slice(0, 33), slice(0, 33)) == [(32, 32, 64, 64)]
        assert salvaged.valid(slice(0, 32), slice(0, 90)) is None
    lost = np.zeros((70, 90), bool)
    lost[32:64, 32:64] = True
    assert (valid == ~lost[10:, 5:]).all()
    assert (read == np.where(lost[:, :, None], 0, stored)[10:, 5:]).all()


def test_a_file_that_ends_too_early_is_read_as_far_as_it_goes(tmp_path, way):
    stored = pixels(1, "uint8")
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", rowsperstrip=10, compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        ends = file.pages[0].dataoffsets[5]
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[: ends + 5])
    with open_raster(tmp_path / "a.tif") as raster:
        salvaged = Salvaged(raster)
        assert (salvaged.read(slice(0, 70), slice(0, 90)).pixels[:50] == stored[:50]).all()
        assert sorted(salvaged.lost) == [(50, 0, 60, 90), (60, 0, 70, 90)]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"dtype": "uint16", "nbits": 12}, "found 12 bits; convert it"),
        ({"dtype": "complex64"}, "found complex64 numbers"),
    ],
)
def test_bands_that_no_picture_has_are_refused(tmp_path, written, message):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", height=4, width=4, count=1, **written) as file:
        file.write(np.ones((1, 4, 4), written["dtype"]))
    with pytest.raises(DataError, match=message):
        open_raster(tmp_path / "a.tif")


def test_numbers_beyond_16_bits_are_refused_where_they_are_read(tmp_path, way):
    tifffile.imwrite(tmp_path / "a.tif", np.full((70, 90), 70_000, np.uint32), photometric="minisblack")
    with open_raster(tmp_path / "a.tif") as raster, pytest.raises(DataError, match="do not fit 16 bits"):
        raster.read(*WINDOWS[0])


def test_a_raster_of_no_bands_is_refused(tmp_path, way):
    with pytest.raises(DataError, match=r"a\.nc: expected a raster of at least one band, found 0"):
        check_coding(tmp_path / "a.nc", Coding(0), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", pixels(1, "uint8")[:, :, 0])
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        place = file.pages[0].tags["SamplesPerPixel"].valueoffset
    with open(tmp_path / "a.tif", "r+b") as file:
        file.seek(place)
        file.write(b"\0\0")
    with pytest.raises(DataError, match=r"a\.tif"):
        open_raster(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_is_zero_is_turned_round(tmp_path, way, dtype):
    tifffile.imwrite(tmp_path / "a.tif", pixels(1, dtype)[:, :, 0], photometric="miniswhite")
    with open_raster(tmp_path / "a.tif") as raster:
        assert (raster.read(*WINDOWS[0]).pixels == read_image(tmp_path / "a.tif").pixels).all()


def test_what_is_not_there_or_no_raster_is_said(tmp_path, way):
    with pytest.raises(MissingFile, match="nothing there"):
        open_raster(tmp_path / "none.tif")
    (tmp_path / "empty.tif").touch()
    with pytest.raises(UnreadableFile, match="an empty file"):
        open_raster(tmp_path / "empty.tif")
    (tmp_path / "text.tif").write_text("no picture at all, however long this text may be")
    with pytest.raises(UnreadableFile, match=r"text\.tif"):
        open_raster(tmp_path / "text.tif")
    (tmp_path / "header.tif").write_bytes(b"II*\0\x08\0\0\0\x01")
    with pytest.raises(UnreadableFile, match=r"header\.tif"):
        open_raster(tmp_path / "header.tif")


def test_a_turned_tiff_without_a_place_is_turned(tmp_path, way):
    stored = pixels(1, "uint8")[:, :, 0]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", extratags=[(274, "H", 1, 6, True)])
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.size == (90, 70)
        assert (raster.read(slice(0, 90), slice(0, 70)).pixels[:, :, 0] == np.rot90(stored, -1)).all()


def test_is_placed_tells_by_the_tags(tmp_path):
    geotiff(tmp_path / "a.tif", pixels(1, "uint8"))
    tifffile.imwrite(tmp_path / "b.tif", pixels(1, "uint8")[:, :, 0])
    (tmp_path / "c.tif").write_bytes(b"II*\0")
    write_image(tmp_path / "d.png", pixels(3, "uint8"))
    assert [raster_files.is_placed(tmp_path / name) for name in ("a.tif", "b.tif", "c.tif", "d.png")] == [
        True,
        False,
        False,
        False,
    ]


def test_control_points_are_read(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    points = [
        rasterio.control.GroundControlPoint(row, column, 10 + 2 * column, 50 - 2 * row, 0)
        for row, column in ((0, 0), (0, 9), (9, 0), (9, 9))
    ]
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", height=9, width=9, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 9, 9), np.uint8))
        file.gcps = (points, rasterio.crs.CRS.from_epsg(4326))
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.place.affine is None
        assert raster.place.epsg == 4326
        assert np.allclose(raster.place.fitted(), (2, 0, 10, 0, -2, 50))


def test_without_a_place_the_map_is_that_of_pixels():
    assert GeoReference().to_map(np.array([[3.0, 4.0]])).tolist() == [[3.0, 4.0]]
