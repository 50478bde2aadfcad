"""TIFF files of every depth, layout and compression that people have."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import TooLarge, UnreadableFile
from pixelwise.core.image import GREY, RGB, read_ids, read_image, read_size
from pixelwise.core.tiff import is_tiff, turned

RNG = np.random.default_rng(0)
FIVE = RNG.integers(0, 256, (4, 6, 5), np.uint8)
COLOUR = RNG.integers(0, 256, (4, 6, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (4, 6, 3), np.uint16)
BLOCK = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)

# what each orientation makes of BLOCK, written out
TURNED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


def write(path: Path, pixels: AnyArray, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


def with_opencv(path: Path, pixels: AnyArray, compression: int) -> Path:
    swapped = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]] if pixels.ndim == 3 else pixels
    assert cv2.imwrite(str(path), swapped, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    return path


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_image_size_and_mask_are_turned_alike(tmp_path: Path, orientation: int, compression: str | None) -> None:
    path = write(tmp_path / "a.tif", BLOCK, compression=compression, extratags=[(274, "H", 1, orientation, True)])
    assert read_image(path).pixels[:, :, 0].tolist() == TURNED[orientation]
    assert read_ids(path)[0].tolist() == TURNED[orientation]
    assert read_size(path) == np.shape(TURNED[orientation])


@pytest.mark.parametrize("orientation", TURNED)
def test_what_another_decoder_turns_is_not_turned_twice(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.tif"
    PIL.Image.fromarray(BLOCK).save(path, compression="tiff_lzw", tiffinfo={274: orientation})
    assert read_image(path).pixels[:, :, 0].tolist() == TURNED[orientation]
    assert read_ids(path)[0].tolist() == TURNED[orientation]
    assert read_size(path) == np.shape(TURNED[orientation])


def test_an_unknown_orientation_is_upright() -> None:
    assert turned(BLOCK, 0) is BLOCK
    assert turned(BLOCK, 99) is BLOCK


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {"bigtiff": True}]
)
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_five_bands_are_read_from_any_layout(tmp_path: Path, options: dict[str, Any], tile: tuple[int, int] | None) -> None:
    chunky = write(tmp_path / "chunky.tif", FIVE, photometric="minisblack", planarconfig="contig", tile=tile, **options)
    layers = np.ascontiguousarray(np.moveaxis(FIVE, 2, 0))
    planar = write(tmp_path / "planar.tif", layers, photometric="minisblack", planarconfig="separate", tile=tile, **options)
    for path in (chunky, planar):
        found = read_image(path)
        assert found.bands == ("band 1", "band 2", "band 3", "band 4", "band 5")
        assert (found.pixels == FIVE).all()
        assert read_size(path) == (4, 6)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_depth_is_kept(tmp_path: Path, dtype: type[np.generic], byteorder: str) -> None:
    pixels = DEEP.astype(dtype)
    found = read_image(write(tmp_path / "a.tif", pixels, photometric="rgb", byteorder=byteorder))
    assert (found.bands, found.pixels.dtype) == (RGB, dtype)
    assert (found.pixels == pixels).all()


@pytest.mark.parametrize("compression", [5, 8, 32773], ids=["lzw", "deflate", "packbits"])
@pytest.mark.parametrize("pixels", [COLOUR, DEEP, np.dstack([COLOUR, COLOUR[:, :, :1]]), DEEP[:, :, 0], COLOUR[:, :, 0]])
def test_compressed_pictures_keep_depth_and_bands(tmp_path: Path, pixels: AnyArray, compression: int) -> None:
    found = read_image(with_opencv(tmp_path / "a.tif", pixels, compression)).pixels
    assert found.dtype == pixels.dtype
    assert (
        np.squeeze(found).tolist()[0] == pixels.tolist()[0]
        if found.shape[2] == 1
        else (found[:, :, :3] == pixels[:, :, :3]).all()
    )


def test_five_bands_in_a_codec_that_is_missing_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.tif", FIVE, photometric="minisblack", planarconfig="contig")

    def lacking(self: object) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", lacking)
    with pytest.raises(UnreadableFile, match=r"a\.tif: 5 bands of 8 bits in a compression .* pip install imagecodecs"):
        read_image(path)


def test_colour_that_no_decoder_here_can_check_is_refused(tmp_path: Path) -> None:
    path = with_opencv(tmp_path / "a.tif", DEEP.astype(np.float32), 5)
    with pytest.raises(UnreadableFile, match=r"a\.tif: 3 bands of 32 bits in a compression .* pip install imagecodecs"):
        read_image(path)


def test_floats_keep_their_values_and_doubles_become_floats(tmp_path: Path) -> None:
    values = np.array([[-0.5, 0.25, 7.0]])
    found = read_image(write(tmp_path / "a.tif", values.astype(np.float64)))
    assert (found.bands, found.pixels.dtype) == (GREY, np.float32)
    assert found.pixels[:, :, 0].tolist() == values.tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.int64])
def test_wide_integers_are_read_as_16_bits_where_they_fit(tmp_path: Path, dtype: type[np.generic]) -> None:
    found = read_image(write(tmp_path / "a.tif", np.array([[0, 30000]], dtype)))
    assert (found.pixels.dtype, found.pixels[:, :, 0].tolist()) == (np.uint16, [[0, 30000]])
    negative_or_high = -5 if np.iinfo(dtype).min < 0 else 70000
    with pytest.raises(UnreadableFile, match=r"b\.tif: .*do not fit 16 bits"):
        read_image(write(tmp_path / "b.tif", np.array([[0, negative_or_high]], dtype)))


def test_white_is_zero_is_shown_inverted_but_masks_are_read_as_stored(tmp_path: Path) -> None:
    for name, compression in (("plain.tif", None), ("deflate.tif", "zlib")):
        path = write(tmp_path / name, BLOCK, photometric="miniswhite", compression=compression)
        assert read_image(path).pixels[:, :, 0].tolist() == (255 - BLOCK).tolist()
        assert read_ids(path)[0].tolist() == BLOCK.tolist()


def test_one_bit_is_black_and_white_as_an_image_and_0_and_1_as_a_mask(tmp_path: Path) -> None:
    bits = np.array([[True, False, True]])
    path = write(tmp_path / "a.tif", bits, photometric="minisblack")
    assert read_image(path).pixels[:, :, 0].tolist() == [[255, 0, 255]]
    ids, packed = read_ids(path)
    assert (ids.tolist(), ids.dtype, packed) == ([[1, 0, 1]], np.uint8, False)
    PIL.Image.fromarray(bits).save(tmp_path / "fax.tif", compression="group4")
    assert read_image(tmp_path / "fax.tif").pixels[:, :, 0].tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate"])
def test_a_palette_gives_colours_as_an_image_and_indices_as_a_mask(tmp_path: Path, compression: str | None) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.tif", compression=compression)
    assert read_image(tmp_path / "a.tif").pixels.tolist() == [[[0, 0, 0], [255, 0, 0], [0, 255, 0]]]
    assert read_ids(tmp_path / "a.tif")[0].tolist() == [[0, 1, 2]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    ink = np.zeros((2, 2, 4), np.uint8)
    ink[:, :, 1:3] = 255
    PIL.Image.fromarray(ink, "CMYK").save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").bands == RGB
    assert read_image(tmp_path / "a.tif").pixels[0, 0].tolist() == [255, 0, 0]


def test_jpeg_inside_a_tiff_is_read(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8)).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    assert np.abs(read_image(tmp_path / "a.tif").pixels[8, 8].astype(int) - [200, 100, 50]).max() <= 4


@pytest.mark.parametrize(("extra", "bands"), [("unassalpha", RGB), ("assocalpha", RGB), ("unspecified", None)])
def test_alpha_is_dropped_and_a_fourth_band_is_kept(tmp_path: Path, extra: str, bands: tuple[str, ...] | None) -> None:
    four = np.dstack([COLOUR, COLOUR[:, :, :1]])
    found = read_image(write(tmp_path / "a.tif", four, photometric="rgb", extrasamples=[extra]))
    assert found.bands == (bands or ("band 1", "band 2", "band 3", "band 4"))
    assert (found.pixels == four[:, :, : len(found.bands)]).all()


def test_grey_with_alpha_is_one_band(tmp_path: Path) -> None:
    both = np.dstack([BLOCK, BLOCK])
    path = write(tmp_path / "a.tif", both, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    assert read_image(path).bands == GREY
    assert read_ids(path)[0].tolist() == BLOCK.tolist()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64])
def test_masks_of_any_integer_are_read_as_stored(tmp_path: Path, dtype: type[np.generic]) -> None:
    ids, packed = read_ids(write(tmp_path / "m.tif", np.array([[0, 7], [np.iinfo(dtype).max, 1]], dtype)))
    assert (ids.tolist(), packed) == ([[0, 7], [np.iinfo(dtype).max, 1]], False)


def test_whole_floats_are_ids_and_fractions_are_not(tmp_path: Path) -> None:
    assert read_ids(write(tmp_path / "m.tif", np.array([[0.0, 3.0]], np.float32)))[0].tolist() == [[0, 3]]
    for strange in (0.5, np.nan, np.inf):
        with pytest.raises(UnreadableFile, match=r"n\.tif: expected integer mask values"):
            read_ids(write(tmp_path / "n.tif", np.array([[strange]], np.float32)))


def test_a_mask_of_five_bands_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.tif", FIVE, photometric="minisblack", planarconfig="contig")
    with pytest.raises(UnreadableFile, match="found 5 bands of uint8"):
        read_ids(path)


@pytest.mark.parametrize("compression", [None, 5, 8])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_tiff_is_refused(tmp_path: Path, compression: int | None, share: float) -> None:
    noise = RNG.integers(0, 65536, (90, 90, 3), np.uint16)
    path = tmp_path / "half.tif"
    if compression is None:
        write(path, noise, photometric="rgb")
    else:
        with_opencv(path, noise, compression)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    for read in (read_image, read_ids, read_size):
        with pytest.raises(UnreadableFile, match=r"half\.tif: the TIFF is truncated or damaged"):
            read(path)


@pytest.mark.parametrize("compression", [5, 8])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(90, 90), (90, 90, 3)])
def test_garbage_in_the_middle_is_refused(
    tmp_path: Path, shape: tuple[int, ...], dtype: type[np.unsignedinteger[Any]], compression: int
) -> None:
    path = with_opencv(tmp_path / "bad.tif", RNG.integers(0, 255, shape, dtype), compression)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFile, match=r"bad\.tif"):
        read_image(path)


def test_a_tiff_bomb_is_refused_and_the_variable_raises_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.tif", np.zeros((20, 30, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "599")
    for read in (read_image, read_ids, read_size):
        with pytest.raises(TooLarge, match=r"a\.tif: 30 x 20 = 600 pixels; at most 599 .*PIXELWISE_MAX_PIXELS"):
            read(path)
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "600")
    assert read_size(path) == (20, 30)


def test_a_volume_is_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif", np.zeros((4, 32, 32), np.uint8), volumetric=True, tile=(4, 32, 32), photometric="minisblack"
    )
    with pytest.raises(UnreadableFile, match="a volume of 4 layers"):
        read_image(path)


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    pages = np.stack([BLOCK, BLOCK + 10])
    path = write(tmp_path / "a.tif", pages, photometric="minisblack")
    assert read_image(path).pixels[:, :, 0].tolist() == BLOCK.tolist()


def test_a_tiff_is_known_by_its_content(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", FIVE, photometric="minisblack", planarconfig="contig").rename(tmp_path / "a.png")
    assert is_tiff(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").size == read_size(tmp_path / "a.png") == (4, 6)
    (tmp_path / "text.tif").write_text("no picture")
    assert not is_tiff(tmp_path / "text.tif")
    with pytest.raises(UnreadableFile, match="no known kind"):
        read_image(tmp_path / "text.tif")


def test_a_depth_that_the_pixels_do_not_have_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.zeros((2, 4), np.uint16))
    data = bytearray(path.read_bytes())
    at = data.index(b"\x02\x01\x03\x00\x01\x00\x00\x00") + 8  # the tag of bits a sample
    data[at : at + 2] = (21264).to_bytes(2, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFile, match=r"a\.tif: the TIFF is truncated or damaged"):
        read_ids(path)
