"""Reading photographs and masks right and safely, and writing id maps."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.core import image as image_module
from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import DataError, MissingFile, OptionError, StorageError, TooLarge, UnreadableFile
from pixelwise.core.image import (
    GREY,
    RGB,
    Image,
    as_image,
    encode_jpeg,
    max_pixels,
    read_ids,
    read_image,
    read_size,
    write_ids,
    write_image,
)

RED = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[9, 9, 9], [10, 20, 30], [255, 255, 255]]], np.uint8)
GREYS = np.array([[0, 1, 2], [100, 200, 255]], np.uint8)

# what each EXIF orientation makes of the stored rows ((1, 2, 3), (4, 5, 6)), written out
ORIENTATIONS = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


def exif(orientation: int) -> PIL.Image.Exif:
    block = PIL.Image.Exif()
    block[0x0112] = orientation
    return block


def blocks(values: list[list[int]]) -> AnyArray:
    """Grey blocks of 16 pixels a side, so that JPEG keeps each flat: value k is drawn as 40 * k."""
    return np.kron(np.array(values, np.uint8) * np.uint8(40), np.ones((16, 16), np.uint8))


def png(path: Path, width: int, height: int, depth: int, kind: int, rows: bytes) -> Path:
    """Write a PNG by hand: what no library here would write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("orientation", "expected"), ORIENTATIONS.items())
def test_a_jpeg_is_turned_as_its_exif_says(tmp_path: Path, orientation: int, expected: list[list[int]]) -> None:
    path = tmp_path / "photo.jpg"
    PIL.Image.fromarray(np.stack([blocks([[1, 2, 3], [4, 5, 6]])] * 3, axis=2)).save(path, quality=95, exif=exif(orientation))
    found = read_image(path)
    assert found.bands == RGB
    assert np.rint(found.pixels[8::16, 8::16, 0] / 40).astype(int).tolist() == expected
    assert read_size(path) == found.size == (16 * len(expected), 16 * len(expected[0]))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("orientation", "expected"), ORIENTATIONS.items())
def test_a_png_image_and_a_png_mask_are_turned_alike(
    tmp_path: Path, depth: int, orientation: int, expected: list[list[int]]
) -> None:
    path = tmp_path / "scan.png"
    PIL.Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], f"uint{depth}")).save(path, exif=exif(orientation))
    assert read_image(path).pixels[:, :, 0].tolist() == expected
    assert read_image(path).pixels.dtype == f"uint{depth}"
    assert read_ids(path)[0].tolist() == expected
    assert read_size(path) == read_image(path).size


def test_a_damaged_exif_block_does_not_cost_the_picture(tmp_path: Path) -> None:
    PIL.Image.fromarray(RED).save(tmp_path / "photo.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read_size(tmp_path / "photo.jpg") == read_image(tmp_path / "photo.jpg").size == (2, 3)


@pytest.mark.parametrize(
    ("mode", "bands", "first"),
    [
        ("L", GREY, [76]),
        ("LA", GREY, [76]),
        ("1", GREY, [0]),
        ("RGB", RGB, [255, 0, 0]),
        ("RGBA", RGB, [255, 0, 0]),
    ],
)
def test_modes_of_pillow_become_grey_or_rgb(tmp_path: Path, mode: str, bands: tuple[str, ...], first: list[int]) -> None:
    plain = PIL.Image.fromarray(RED)
    picture = plain.convert(mode, dither=PIL.Image.Dither.NONE) if mode == "1" else plain.convert(mode)
    picture.save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.bands == bands
    assert found.pixels.dtype == np.uint8
    assert found.pixels[0, 0].tolist() == first


def test_alpha_is_dropped_and_colours_under_it_are_kept(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.dstack([RED, np.zeros((2, 3), np.uint8)])).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png").pixels == RED).all()


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 128])])
def test_a_palette_becomes_its_colours_transparent_or_not(tmp_path: Path, transparency: int | bytes | None) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([250, 10, 10, 10, 250, 10])
    picture.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
    assert read_image(tmp_path / "a.png").pixels.tolist() == [[[250, 10, 10], [10, 250, 10]]]
    ids, packed = read_ids(tmp_path / "a.png")
    assert (ids.tolist(), packed) == ([[0, 1]], False)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:, :, 1:3] = 255  # magenta and yellow make red
    PIL.Image.fromarray(ink, "CMYK").save(tmp_path / "a.jpg", quality=95)
    found = read_image(tmp_path / "a.jpg")
    assert found.bands == RGB
    assert np.abs(found.pixels[8, 8].astype(int) - [255, 0, 0]).max() <= 4


def test_16_bit_png_stays_16_bit(tmp_path: Path) -> None:
    deep = np.array([[[1, 256, 65535], [300, 2, 7]]], np.uint16)
    cv2.imwrite(str(tmp_path / "rgb.png"), deep[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), deep[:, :, 0])
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([deep[:, :, ::-1], deep[:, :, :1]]))
    assert read_image(tmp_path / "rgb.png").pixels.tolist() == deep.tolist()
    assert read_image(tmp_path / "rgba.png").pixels.tolist() == deep.tolist()
    grey = read_image(tmp_path / "grey.png")
    assert (grey.bands, grey.pixels.tolist()) == (GREY, deep[:, :, :1].tolist())
    assert read_ids(tmp_path / "grey.png")[0].tolist() == [[1, 300]]
    assert read_ids(tmp_path / "grey.png")[0].dtype == np.uint16


def test_16_bit_grey_with_alpha_is_one_band(tmp_path: Path) -> None:
    path = png(tmp_path / "la.png", 2, 1, 16, 4, b"\0" + struct.pack(">HHHH", 1000, 65535, 5, 0))
    assert read_image(path).bands == GREY
    assert read_image(path).pixels[:, :, 0].tolist() == [[1000, 5]]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".tif", ".jp2"])
def test_one_pixel_is_an_image(tmp_path: Path, suffix: str) -> None:
    PIL.Image.fromarray(np.full((1, 1, 3), 128, np.uint8)).save(tmp_path / f"dot{suffix}")
    assert read_image(tmp_path / f"dot{suffix}").size == read_size(tmp_path / f"dot{suffix}") == (1, 1)


@pytest.mark.parametrize("size", [(20000, 1), (1, 20000)])
def test_a_picture_of_20000_by_1_is_read(tmp_path: Path, size: tuple[int, int]) -> None:
    PIL.Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / "long.png")
    assert read_image(tmp_path / "long.png").size == size
    assert read_ids(tmp_path / "long.png")[0].shape == size


def test_the_content_counts_and_not_the_suffix(tmp_path: Path) -> None:
    PIL.Image.fromarray(RED).save(tmp_path / "really.png")
    for name in ("really.jpg", "really.tif", "no suffix", "Größe 大小.PNG"):
        (tmp_path / name).write_bytes((tmp_path / "really.png").read_bytes())
        assert (read_image(tmp_path / name).pixels == RED).all()
        assert read_size(tmp_path / name) == (2, 3)


READERS = pytest.mark.parametrize("read", [read_image, read_ids, read_size])


@READERS
def test_bad_paths_are_named_with_what_is_there(tmp_path: Path, read: object) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "link.png").symlink_to("nowhere.png")
    for path, kind, said in [
        (tmp_path / "gone.png", MissingFile, "found nothing there"),
        (tmp_path / "gone.tif", MissingFile, "found nothing there"),
        (tmp_path / "link.png", MissingFile, "found a link to nothing"),
        (tmp_path, UnreadableFile, "found a folder"),
        (tmp_path / "empty.png", UnreadableFile, "0 bytes"),
        (tmp_path / "empty.tif", UnreadableFile, "0 bytes"),
        (tmp_path / "text.png", UnreadableFile, "no known kind .*not a pictur"),
    ]:
        with pytest.raises(kind, match=said) as caught:
            read(path)  # type: ignore[operator]
        assert str(caught.value).startswith(f"{path}: ")


@READERS
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    PIL.Image.fromarray(RED).save(tmp_path / "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match="permission denied"):
        read(tmp_path / "a.png")  # type: ignore[operator]


@pytest.mark.parametrize(("suffix", "depth"), [(".jpg", 8), (".png", 8), (".png", 16), (".webp", 8), (".bmp", 8)])
def test_half_a_picture_is_refused(tmp_path: Path, suffix: str, depth: int) -> None:
    noise = np.random.default_rng(0).integers(0, 2**depth, (64, 64, 3), f"uint{depth}")
    path = tmp_path / f"half{suffix}"
    cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for read in (read_image, read_ids):
        with pytest.raises(UnreadableFile, match="truncated or damaged"):
            read(path)


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", 4, 1, 8, 0, b"\0abcd")
    data = bytearray(path.read_bytes())
    data[45] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFile, match="truncated or damaged"):
        read_image(path)


@READERS
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    bomb = png(tmp_path / "bomb.png", 60000, 60000, 8, 0, b"\0")
    with pytest.raises(TooLarge, match=r"3,?600,?000,?000 pixels; at most 178,956,970 .*PIXELWISE_MAX_PIXELS"):
        read(bomb)  # type: ignore[operator]
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "5")
    with pytest.raises(TooLarge, match="3 x 2 = 6 pixels; at most 5 "):
        read(png(tmp_path / "six.png", 3, 2, 8, 0, b"\0abc\0def"))  # type: ignore[operator]


def test_the_variable_raises_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = png(tmp_path / "bomb.png", 60000, 60000, 8, 0, b"\0")
    monkeypatch.setenv("PIXELWISE_MAX_PIXELS", "4e9")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", PIL.Image.MAX_IMAGE_PIXELS)
    assert read_size(bomb) == (60000, 60000)


def test_who_has_taken_pillows_limit_away_does_not_get_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(TooLarge, match="60000 x 60000"):
        read_size(png(tmp_path / "bomb.png", 60000, 60000, 8, 0, b"\0"))
    assert PIL.Image.MAX_IMAGE_PIXELS is None


def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("many", "nan", "inf", "-5", "0"):
        monkeypatch.setenv("PIXELWISE_MAX_PIXELS", wrong)
        with pytest.raises(OptionError, match="PIXELWISE_MAX_PIXELS"):
            max_pixels()


def save(path: Path, pixels: AnyArray, mode: str | None = None) -> Path:
    picture = PIL.Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_grey_ids_are_read_as_stored_in_any_mode(tmp_path: Path, mode: str) -> None:
    ids, packed = read_ids(save(tmp_path / "m.png", GREYS, mode))
    assert (ids.tolist(), packed) == (GREYS.tolist(), False)
    ids[0, 0] = 7  # and can be changed


def test_one_bit_ids_are_0_and_1(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.array([[True, False]])).save(tmp_path / "m.png")
    ids, packed = read_ids(tmp_path / "m.png")
    assert (ids.tolist(), ids.dtype, packed) == ([[1, 0]], np.uint8, False)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_ids_are_packed(tmp_path: Path, mode: str) -> None:
    ids, packed = read_ids(save(tmp_path / "m.png", RED, mode))
    assert packed
    assert ids.tolist() == [[0xFF0000, 0x00FF00, 0x0000FF], [0x090909, 0x0A141E, 0xFFFFFF]]


def test_colours_of_16_bits_are_no_ids(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.array([[[1, 2, 3]]], np.uint16))
    with pytest.raises(UnreadableFile, match="one band or 8-bit RGB, found 3 bands of uint16"):
        read_ids(tmp_path / "m.png")


@pytest.mark.parametrize(("highest", "dtype"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16)])
def test_ids_survive_writing_in_8_or_16_bits(tmp_path: Path, highest: int, dtype: type[np.generic]) -> None:
    ids = np.array([[0, 1], [highest, 3]], np.int64)
    write_ids(tmp_path / "sub folder" / "m 1.png", ids, np.array([[0, 0, 0], [250, 1, 2]]))
    back, packed = read_ids(tmp_path / "sub folder" / "m 1.png")
    assert (back.tolist(), back.dtype, packed) == (ids.tolist(), dtype, False)


def test_small_ids_get_the_colour_table(tmp_path: Path) -> None:
    write_ids(tmp_path / "m.png", np.array([[0, 1, 255]]), np.array([[5, 6, 7], [250, 1, 2]]))
    assert read_image(tmp_path / "m.png").pixels.tolist() == [[[5, 6, 7], [250, 1, 2], [0, 0, 0]]]
    table = np.arange(256 * 3).reshape(-1, 3) % 256
    write_ids(tmp_path / "m.png", np.array([[255]]), table)
    assert read_image(tmp_path / "m.png").pixels.tolist() == [[table[255].tolist()]]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.array([[-1, 0]]), "0..65535, found -1..0"),
        (np.array([[65536]]), "found 65536..65536"),
        (np.array([[0.5]]), "integer ids"),
        (np.array([1, 2]), r"ids \(H, W\), got \(2,\)"),
    ],
)
def test_ids_that_a_png_cannot_hold_are_refused(tmp_path: Path, ids: AnyArray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        write_ids(tmp_path / "m.png", ids)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_mask_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ids(tmp_path / "m.png", GREYS)

    def full(target: Path, *_: object) -> None:
        with open(target, "wb") as file:
            file.write(b"half a pict")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PIL.Image.Image, "save", lambda self, target, **_: full(target))
    monkeypatch.setattr(Path, "write_bytes", full)
    for write in (write_ids, write_image):
        with pytest.raises(StorageError, match=r"m\.png: cannot be written: no space is left"):
            write(tmp_path / "m.png", GREYS)
    assert [path.name for path in tmp_path.iterdir()] == ["m.png"]
    assert read_ids(tmp_path / "m.png")[0].tolist() == GREYS.tolist()


@pytest.mark.parametrize(
    ("suffix", "form"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".png", "PNG"), (".webp", "WEBP"), (".any", "PNG")]
)
def test_the_suffix_chooses_the_form_of_a_picture(tmp_path: Path, suffix: str, form: str) -> None:
    write_image(tmp_path / f"a{suffix}", RED)
    with PIL.Image.open(tmp_path / f"a{suffix}") as picture:
        assert picture.format == form
        assert picture.size == (3, 2)
    assert PIL.Image.open(io.BytesIO(encode_jpeg(RED))).format == "JPEG"


def test_arrays_become_images() -> None:
    assert as_image(GREYS).bands == GREY
    assert as_image(RED).bands == RGB
    assert as_image(np.zeros((1, 1, 5), np.uint16)).bands == ("band 1", "band 2", "band 3", "band 4", "band 5")
    assert as_image(np.array([[True, False]])).pixels[:, :, 0].tolist() == [[255, 0]]
    assert as_image(np.array([[0.0, 0.5, 1.0]])).pixels[:, :, 0].tolist() == [[0.0, 0.5, 1.0]]
    assert as_image(image := Image(RED)) is image
    for wrong in (np.zeros(3, np.uint8), np.zeros((1, 1, 1, 1), np.uint8), np.zeros((2, 2), np.int64)):
        with pytest.raises(DataError, match="expected"):
            as_image(wrong)


@pytest.mark.parametrize("values", [[0.0, 255.0], [-1.0, 1.0]])
def test_floats_beyond_nought_and_one_are_refused_not_clipped(values: list[float]) -> None:
    with pytest.raises(DataError, match=r"lie in \[0, 1\], found"):
        as_image(np.array([values]))


def test_bands_that_do_not_fit_the_pixels_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected pixels \(H, W, 1\) for bands \('grey',\), got \(2, 3, 3\)"):
        Image(RED, GREY)


def test_bands_are_converted_where_that_is_possible() -> None:
    grey, rgb = as_image(GREYS), Image(RED)
    assert rgb.to_bands(RGB) is rgb
    assert (grey.to_bands(RGB).pixels == GREYS[:, :, None]).all()
    assert rgb.to_bands(("blue", "red")).pixels[0].tolist() == [[0, 255], [0, 0], [255, 0]]
    assert rgb.to_bands(GREY).pixels[:, :, 0].tolist() == [[76, 150, 29], [9, 18, 255]]
    deep = Image(RED.astype(np.uint16) * np.uint16(257)).to_bands(GREY).pixels
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - rgb.to_bands(GREY).pixels).max() <= 0.5
    share = Image((RED / 255).astype(np.float32)).to_bands(GREY).pixels
    assert share[0, 0, 0] == np.float32(0.299)
    with pytest.raises(DataError, match=r"the model wants bands red, near infrared; this image has .* so near infrared cannot"):
        rgb.to_bands(("red", "near infrared"))


def test_units_and_bytes_of_each_depth() -> None:
    deep = Image(np.array([[[0], [257], [65535]]], np.uint16), GREY)
    assert deep.unit()[0, :, 0].tolist() == [0.0, np.float32(257) / np.float32(65535), 1.0]
    assert deep.bytes()[0, :, 0].tolist() == [0, 1, 255]
    assert (Image(RED).bytes() == RED).all()
    floats = Image(np.array([[[-1.0], [0.5], [np.nan]]], np.float32), GREY)
    assert floats.bytes()[0, :, 0].tolist() == [0, 128, 0]
    assert floats.unit() is floats.pixels
    assert Image(RED).unit()[0, 0].tolist() == [1.0, 0.0, 0.0]


def test_an_image_is_an_array_to_numpy() -> None:
    assert np.asarray(Image(RED)).tolist() == RED.tolist()
    assert np.asarray(Image(RED), dtype=np.float64).dtype == np.float64


def test_the_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in image_module.SUFFIXES)


def test_other_deep_formats_keep_their_depth_too(tmp_path: Path) -> None:
    deep = np.array([[[1, 300, 65535], [7, 8, 9]]], np.uint16)
    (tmp_path / "rgb.ppm").write_bytes(b"P6 2 1 65535\n" + deep.astype(">u2").tobytes())
    (tmp_path / "grey.pgm").write_bytes(b"P5 2 1 65535\n" + deep[:, :, 0].astype(">u2").tobytes())
    PIL.Image.fromarray(deep[:, :, 0]).save(tmp_path / "grey.jp2")
    assert read_image(tmp_path / "rgb.ppm").pixels.tolist() == deep.tolist()
    assert read_image(tmp_path / "grey.pgm").pixels[:, :, 0].tolist() == [[1, 7]]
    assert read_image(tmp_path / "grey.jp2").pixels.dtype == np.uint16
    assert read_ids(tmp_path / "grey.jp2")[0].tolist() == [[1, 7]]
    (tmp_path / "small.ppm").write_bytes(b"P6 1 1 255\n\1\2\3")
    assert read_image(tmp_path / "small.ppm").pixels.tolist() == [[[1, 2, 3]]]
    (tmp_path / "float.pfm").write_bytes(b"Pf\n2 1\n-1.0\n" + np.array([0.5, 7], "<f4").tobytes())
    assert read_image(tmp_path / "float.pfm").pixels[:, :, 0].tolist() == [[0.5, 7.0]]


def test_values_beyond_16_bits_are_refused_with_what_to_do(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.array([[1, 70000]], np.int32)).save(tmp_path / "a.im")
    with pytest.raises(UnreadableFile, match=r"a\.im: values 1\.\.70000 of int32 do not fit 16 bits; save the image as"):
        read_image(tmp_path / "a.im")


def test_a_link_to_an_image_is_an_image(tmp_path: Path) -> None:
    save(tmp_path / "real.png", RED)
    (tmp_path / "link.jpg").symlink_to("real.png")
    assert (read_image(tmp_path / "link.jpg").pixels == RED).all()


def test_a_part_of_a_png_that_claims_more_than_the_file_has_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(np.full((2, 4), 300, np.uint16)).save(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") - 4] = 0x80  # 2 GiB, which OpenCV would make room for
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFile, match=r"a\.png: .*its part b'IDAT' is to be 2,147,"):
        read_ids(path)
