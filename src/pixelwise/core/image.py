"""Read photographs right and safely, and write id maps.

EXIF orientation is applied; 16 bits stay 16 bits; grey stays one band; a palette or CMYK becomes RGB; an alpha band is
dropped (as OpenCV and torchvision do) so that a model sees the same colours everywhere. A picture with more pixels than
``max_pixels()`` is refused before it is decoded; the environment variable ``PIXELWISE_MAX_PIXELS`` raises the limit.
"""

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

from pixelwise.core import tiff
from pixelwise.core.arrays import AnyArray, ByteArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, TooLarge, UnreadableFile
from pixelwise.core.files import replacing
from pixelwise.core.jpeg import plain_size
from pixelwise.core.png import encode_ids

RGB = ("red", "green", "blue")
GREY = ("grey",)
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".jp2"})
DEFAULT_MAX_PIXELS = 178_956_970  # a quarter GiB of 24-bit pixels, twice: where Pillow too begins to refuse
FULL_SCALES = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def max_pixels() -> int:
    """Give the largest number of pixels an image may have: ``PIXELWISE_MAX_PIXELS``, or about 179 million."""
    stated = os.environ.get("PIXELWISE_MAX_PIXELS", "")
    if not stated:
        return DEFAULT_MAX_PIXELS
    try:
        limit = int(float(stated))
    except (ValueError, OverflowError):
        limit = 0
    if limit < 1:
        raise OptionError(f"PIXELWISE_MAX_PIXELS: expected a number of pixels from 1 up, got {stated!r}")
    return limit


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels (H, W, C), uint8, uint16 or float32 in [0, 1], with one name a band."""

    pixels: AnyArray
    bands: tuple[str, ...] = RGB

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != len(self.bands):
            raise DataError(f"expected pixels (H, W, {len(self.bands)}) for bands {self.bands}, got {self.pixels.shape}")
        if self.pixels.dtype.name not in FULL_SCALES:
            raise DataError(f"expected uint8, uint16 or float32 pixels, got {self.pixels.dtype}")

    @property
    def size(self) -> Size:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.pixels, dtype=dtype, copy=copy)

    def to_bands(self, bands: tuple[str, ...]) -> "Image":
        """Give the bands asked for: grey is repeated to colours, colours are weighted to grey (ITU-R 601-2).

        Raises:
            DataError: a band is asked for that this image does not have.
        """
        if bands == self.bands:
            return self
        if self.bands == GREY and set(bands) <= set(RGB):
            return Image(np.repeat(self.pixels, len(bands), axis=2), bands)
        if bands == GREY and self.bands == RGB:
            if self.pixels.dtype == np.uint8:
                return Image(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)[:, :, None], bands)
            grey = self.pixels @ np.array([0.299, 0.587, 0.114])
            return Image(
                np.rint(grey).astype(self.pixels.dtype)[:, :, None]
                if self.pixels.dtype.kind == "u"
                else grey.astype(np.float32)[:, :, None],
                bands,
            )
        if missing := [band for band in bands if band not in self.bands]:
            raise DataError(
                f"the model wants bands {', '.join(bands)}; this image has {', '.join(self.bands)}, "
                f"so {', '.join(missing)} cannot be had"
            )
        return Image(self.pixels[:, :, [self.bands.index(band) for band in bands]], bands)

    def unit(self) -> FloatArray:
        """Give the pixels as float32 in [0, 1]: integers are divided by the highest value of their type."""
        if self.pixels.dtype == np.float32:
            return self.pixels
        return self.pixels.astype(np.float32) / np.float32(FULL_SCALES[self.pixels.dtype.name])

    def bytes(self) -> ByteArray:
        """Give the pixels as uint8, for drawing and for methods that count grey levels; 16 bits are scaled down."""
        if self.pixels.dtype == np.uint8:
            return self.pixels
        if self.pixels.dtype == np.uint16:
            return np.asarray(np.rint(self.pixels / 257.0), np.uint8)
        return np.asarray(np.rint(np.clip(np.nan_to_num(self.pixels), 0, 1) * 255), np.uint8)


def as_image(value: "Image | AnyArray") -> Image:
    """Take an array (H, W) or (H, W, C) as an image; bool becomes 0 and 255.

    >>> as_image(np.zeros((2, 3), np.uint8)).bands
    ('grey',)

    Raises:
        DataError: the shape or the type is no image's, or floats go beyond [0, 1], as those of 0 to 255 do.
    """
    if isinstance(value, Image):
        return value
    pixels = np.asarray(value)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind == "f":
        finite = pixels[np.isfinite(pixels)]
        low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
        if low < -0.001 or high > 1.001:
            raise DataError(f"floats of an image lie in [0, 1], found {low:g} to {high:g}; divide them by their full scale")
        pixels = np.clip(pixels, 0, 1).astype(np.float32, copy=False)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3:
        raise DataError(f"expected an image (H, W) or (H, W, C), got shape {pixels.shape}")
    return Image(pixels, _bands(pixels.shape[2]))


def read_size(path: Path) -> Size:
    """Read (H, W) from the header alone, as the image will be once its EXIF orientation is applied.

    Raises:
        MissingFile, UnreadableFile, TooLarge: as ``read_image``.
    """
    if (size := plain_size(Path(path))) is not None:
        _refuse_if_large(path, size)
        return size
    path = _checked(path)
    if tiff.is_tiff(path):
        header = _tiff_header(path)
        height, width, orientation = *header.size, header.orientation
    else:
        with _opened(path) as image:
            height, width, orientation = image.height, image.width, _orientation(image)
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def read_image(path: Path) -> Image:
    """Read an image file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, truncated or no image.
        TooLarge: it has more than ``max_pixels()`` pixels.
    """
    path = _checked(path)
    if tiff.is_tiff(path) and (header := _tiff_header(path)).is_plain:
        return _from_tiff(path, header)
    with _opened(path) as image, _decoding(path):
        image.load()  # a TIFF is turned upright by this, and then says so
        pixels, bands = _deep(path, image) or _from_pillow(path, image)
        return Image(np.ascontiguousarray(tiff.turned(pixels, _orientation(image))), bands)


def read_ids(path: Path) -> tuple[IntArray, bool]:
    """Read a mask file as stored: (H, W) integer values, and whether they are packed RGB colours.

    A palette mask gives its indices, not its colours. Nothing is resized, scaled or rounded. Grey stored as RGB with three
    equal bands is read as its grey values; alpha is dropped.

    Raises:
        MissingFile, UnreadableFile, TooLarge: as ``read_image``.
    """
    path = _checked(path)
    if tiff.is_tiff(path) and ((header := _tiff_header(path)).is_plain or header.photometric == tiff.PALETTE):
        stored = tiff.read_stored(path, header)
        return _as_ids(path, stored[:, :, :-1] if header.has_alpha and header.bands in (2, 4) else stored)
    with _opened(path) as image, _decoding(path):
        if image.mode in ("P", "L", "1", "LA", "PA"):
            stored = np.array(image)
            stored = tiff.turned(stored if stored.ndim == 3 else stored[:, :, None], _orientation(image))
            return _as_ids(path, stored[:, :, :1])
    return _as_ids(path, read_image(path).pixels)


def _as_ids(path: Path, stored: AnyArray) -> tuple[IntArray, bool]:
    if stored.dtype == bool:
        stored = stored.astype(np.uint8)
    if stored.dtype.kind == "f":
        if not (np.isfinite(stored) & (stored == np.rint(stored))).all():
            raise UnreadableFile(f"{path}: expected integer mask values, found fractions; save the mask as integers")
        stored = stored.astype(np.int64)
    if stored.shape[2] == 1 or (stored.shape[2] == 3 and _is_grey(stored)):
        return np.ascontiguousarray(stored[:, :, 0]), False
    if stored.shape[2] != 3 or stored.dtype != np.uint8:
        raise UnreadableFile(
            f"{path}: expected a mask of one band or 8-bit RGB, found {stored.shape[2]} bands of {stored.dtype}"
        )
    wide = stored.astype(np.int32)
    return wide[:, :, 0] << 16 | wide[:, :, 1] << 8 | wide[:, :, 2], True


def write_ids(path: Path, ids: IntArray, colours: IntArray | None = None) -> None:
    """Write ids (H, W) as a lossless PNG: 8 bits with a colour table where they fit, else 16 bits.

    ``colours`` (K, 3) colour ids 0..K-1; 255 is black unless K is 256.

    Raises:
        DataError: an id is negative or above 65535.
        StorageError: the file cannot be written.
    """
    content = encode_id_map(ids, colours, str(path))
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def encode_id_map(ids: IntArray, colours: IntArray | None = None, where: str = "id map") -> bytes:
    """Give the bytes that ``write_ids`` writes; a message begins with ``where``.

    Raises:
        DataError: an id is negative or above 65535.
    """
    if ids.ndim != 2 or ids.dtype.kind not in "iub":
        raise DataError(f"{where}: expected integer ids (H, W), got {ids.shape} {ids.dtype}")
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    if low < 0 or high > 65535:
        raise DataError(f"{where}: a PNG holds ids 0..65535, found {low}..{high}")
    return encode_ids(np.asarray(ids, np.uint8 if high < 256 else np.uint16), colours)


def write_image(path: Path, pixels: AnyArray, quality: int = 95) -> None:
    """Write pixels (H, W, 3) or (H, W) uint8; the suffix chooses JPEG, PNG or WebP."""
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    form = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(path).suffix.lower(), "PNG")
    options = {"compress_level": 1} if form == "PNG" else {"quality": quality}
    with replacing(Path(path)) as temporary:
        picture.save(temporary, format=form, **options)


def _checked(path: Path | str) -> Path:
    """Check at the door: there is a file, and something in it."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UnreadableFile(f"{path}: expected an image, found a folder")
        if not path.exists():
            found = "a link to nothing" if path.is_symlink() else "nothing there"
            raise MissingFile(f"{path}: expected an image, found {found}")
        if path.stat().st_size == 0:
            raise UnreadableFile(f"{path}: expected an image, found an empty file (0 bytes); copy it again")
        with path.open("rb"):
            return path
    except PermissionError:
        raise UnreadableFile(f"{path}: cannot be read: permission denied; change its permissions or copy it") from None


def _refuse_if_large(path: Path, size: Size) -> None:
    height, width = size
    if height * width > (limit := max_pixels()):
        raise TooLarge(
            f"{path}: {width} x {height} = {width * height:,} pixels; at most {limit:,} are read (a decompression bomb?); "
            f"set PIXELWISE_MAX_PIXELS to raise the limit"
        )


def _opened(path: Path) -> PIL.Image.Image:
    if PIL.Image.MAX_IMAGE_PIXELS is not None:  # Pillow's own limit makes way: ours, below, decides
        PIL.Image.MAX_IMAGE_PIXELS = max(PIL.Image.MAX_IMAGE_PIXELS, max_pixels())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = PIL.Image.open(path)
    except PIL.UnidentifiedImageError:
        with path.open("rb") as file:
            start = file.read(12)
        raise UnreadableFile(
            f"{path}: expected an image, but the content is of no known kind (it starts with {start!r})"
        ) from None
    except PIL.Image.DecompressionBombError as error:
        found = "".join(re.findall(r"\((\d+) pixels\)", str(error))) or "too many"
        raise TooLarge(
            f"{path}: {found} pixels; at most {max_pixels():,} are read (a decompression bomb?); "
            f"set PIXELWISE_MAX_PIXELS to raise the limit"
        ) from None
    except Exception as error:  # Pillow raises whatever damaged bytes lead to
        raise _broken(path, error) from error
    try:
        _refuse_if_large(path, (image.height, image.width))
    except TooLarge:
        image.close()
        raise
    return image


@contextlib.contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Name the file in whatever a decoder raises: on damaged bytes that may be any exception."""
    try:
        yield
    except PixelwiseError:
        raise
    except Exception as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{path}: the image is truncated or damaged ({error}); copy or export it again")


def _orientation(image: PIL.Image.Image) -> int:
    """Read the EXIF orientation; a picture whose EXIF block is damaged counts as upright, as viewers show it."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF raises anything; the pixels are whole all the same
        return 1


def _deep(path: Path, image: PIL.Image.Image) -> tuple[AnyArray, tuple[str, ...]] | None:
    """Read 16 bits a band with OpenCV, as Pillow opens 16-bit RGB as 8 bit without a word; None for other depths."""
    with path.open("rb") as file:
        header = file.read(26)
    is_deep_png = image.format == "PNG" and header[24] == 16
    if not (is_deep_png or (image.format in ("PPM", "JPEG2000") and image.mode in ("RGB", "RGBA"))):
        return None
    if is_deep_png:
        _refuse_endless_chunks(path)
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        if is_deep_png:
            raise _broken(path, ValueError("OpenCV cannot decode it"))
        return None
    if is_deep_png and header[25] in (0, 4):  # grey, without and with alpha
        return (pixels if pixels.ndim == 3 else pixels[:, :, None])[:, :, :1], GREY
    return pixels[:, :, 2::-1], RGB


def _refuse_endless_chunks(path: Path) -> None:
    """Refuse a PNG of which a part claims to be longer than the file: OpenCV would first make room for all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if file.seek(length + 4, os.SEEK_CUR) > size:
                raise _broken(
                    path, ValueError(f"its part {head[4:]!r} is to be {length:,} bytes long, and the file has {size:,}")
                )


def _from_pillow(path: Path, image: PIL.Image.Image) -> tuple[AnyArray, tuple[str, ...]]:
    if image.mode in ("L", "1", "LA", "La"):
        return np.array(image.convert("L"))[:, :, None], GREY
    if image.mode.startswith("I;16"):
        return np.array(image).astype(np.uint16)[:, :, None], GREY
    if image.mode == "I":
        return _in_16_bits(path, np.array(image))[:, :, None], GREY
    if image.mode == "F":
        return np.array(image, np.float32)[:, :, None], GREY
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # straight to RGB, Pillow warns of the transparency that is meant to go
    return np.array(image if image.mode == "RGB" else image.convert("RGB")), RGB


def _in_16_bits(path: Path, values: AnyArray) -> AnyArray:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise UnreadableFile(
            f"{path}: values {values.min()}..{values.max()} of {values.dtype} do not fit 16 bits; save the image as "
            f"8 or 16 bits or as floats"
        )
    return values.astype(np.uint16)


def _tiff_header(path: Path) -> tiff.TiffHeader:
    header = tiff.read_header(path)
    _refuse_if_large(path, header.size)
    return header


def _from_tiff(path: Path, header: tiff.TiffHeader) -> Image:
    """Read a TIFF of any depth and number of bands, the first page; 32-bit integers must fit 16 bits."""
    pixels = tiff.read_stored(path, header)
    if header.has_alpha and header.bands in (2, 4):
        pixels = pixels[:, :, :-1]
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if header.photometric == tiff.WHITE_IS_ZERO and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    elif pixels.dtype not in (np.uint8, np.uint16):
        pixels = _in_16_bits(path, pixels)
    return Image(np.ascontiguousarray(pixels), _bands(pixels.shape[2]))


def _bands(count: int) -> tuple[str, ...]:
    return GREY if count == 1 else RGB if count == 3 else tuple(f"band {index + 1}" for index in range(count))


def _is_grey(pixels: AnyArray) -> bool:
    return bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 1] == pixels[:, :, 2]).all())


def encode_jpeg(pixels: ByteArray, quality: int = 88) -> bytes:
    """Encode pixels (H, W, 3) uint8 as JPEG bytes, for pages that carry their pictures inside."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
