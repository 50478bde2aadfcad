"""Read photographs right and safely, and write id maps.

EXIF orientation is applied; 16 bits stay 16 bits; grey stays one band; a palette or CMYK becomes RGB; an alpha band is
dropped (as OpenCV and torchvision do) so that a model sees the same colours everywhere. A picture with more pixels than
``max_pixels()`` is refused before it is decoded; the environment variable ``PIXELWISE_MAX_PIXELS`` raises the limit.
"""

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps

from pixelwise.core.arrays import AnyArray, ByteArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError, MissingFile, OptionError, TooLarge, UnreadableFile
from pixelwise.core.files import replacing

RGB = ("red", "green", "blue")
GREY = ("grey",)
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".jp2"})
DEFAULT_MAX_PIXELS = 178_956_970  # a quarter GiB of 24-bit pixels, twice: where Pillow too begins to refuse
_SCALES = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def max_pixels() -> int:
    """Give the largest number of pixels an image may have: ``PIXELWISE_MAX_PIXELS``, or about 179 million."""
    stated = os.environ.get("PIXELWISE_MAX_PIXELS", "")
    try:
        return int(float(stated)) if stated else DEFAULT_MAX_PIXELS
    except ValueError:
        raise OptionError(f"PIXELWISE_MAX_PIXELS: expected a number of pixels, got {stated!r}") from None


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels (H, W, C), uint8, uint16 or float32 in [0, 1], with one name a band."""

    pixels: AnyArray
    bands: tuple[str, ...] = RGB

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != len(self.bands):
            raise DataError(f"expected pixels (H, W, {len(self.bands)}) for bands {self.bands}, got {self.pixels.shape}")
        if self.pixels.dtype.name not in _SCALES:
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
        return self.pixels.astype(np.float32) / np.float32(_SCALES[self.pixels.dtype.name])

    def bytes(self) -> ByteArray:
        """Give the pixels as uint8, for drawing and for methods that count grey levels; 16 bits are scaled down."""
        if self.pixels.dtype == np.uint8:
            return self.pixels
        if self.pixels.dtype == np.uint16:
            return np.rint(self.pixels / 257.0).astype(np.uint8)
        return np.rint(np.clip(np.nan_to_num(self.pixels), 0, 1) * 255).astype(np.uint8)


def as_image(value: "Image | AnyArray") -> Image:
    """Take an array (H, W) or (H, W, C) as an image; floats are clipped to [0, 1], bool becomes 0 and 255.

    >>> as_image(np.zeros((2, 3), np.uint8)).bands
    ('grey',)
    """
    if isinstance(value, Image):
        return value
    pixels = np.asarray(value)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind == "f":
        pixels = np.clip(pixels, 0, 1).astype(np.float32, copy=False)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3:
        raise DataError(f"expected an image (H, W) or (H, W, C), got shape {pixels.shape}")
    count = pixels.shape[2]
    bands = GREY if count == 1 else RGB if count == 3 else tuple(f"band {index + 1}" for index in range(count))
    return Image(pixels, bands)


def read_size(path: Path) -> Size:
    """Read (H, W) from the header alone, as the image will be once its EXIF orientation is applied.

    Raises:
        MissingFile, UnreadableFile, TooLarge: as ``read_image``.
    """
    with _opened(Path(path)) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)


def read_image(path: Path) -> Image:
    """Read an image file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it is empty, truncated or no image.
        TooLarge: it has more than ``max_pixels()`` pixels.
    """
    path = Path(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        return _read_tiff(path)
    with _opened(path) as image:
        if image.format == "PNG" and _png_depth(path) == 16 and image.mode != "1":
            return _read_deep_png(path)
        try:
            return _from_pillow(PIL.ImageOps.exif_transpose(image))
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            raise _broken(path, error) from None


def read_ids(path: Path) -> tuple[IntArray, bool]:
    """Read a mask file as stored: (H, W) integer values, and whether they are packed RGB colours.

    A palette mask gives its indices, not its colours. Nothing is resized, scaled or rounded. Grey stored as RGB with three
    equal bands is read as its grey values.

    Raises:
        MissingFile, UnreadableFile, TooLarge: as ``read_image``.
    """
    path = Path(path)
    with _opened(path) as image:
        try:
            if image.mode in ("P", "L", "1"):
                stored = np.asarray(image)
                return (stored.astype(np.uint8) if stored.dtype == bool else stored), False
            if image.mode in ("LA", "PA"):
                return np.asarray(image)[:, :, 0], False
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            raise _broken(path, error) from None
    pixels = read_image(path).pixels
    if pixels.dtype == np.float32:
        if not (pixels == np.rint(pixels)).all():
            raise UnreadableFile(f"{path}: expected integer mask values, found fractions; save the mask as integers")
        pixels = pixels.astype(np.int64)
    if pixels.shape[2] == 1 or (pixels.shape[2] == 3 and _is_grey(pixels)):
        return np.ascontiguousarray(pixels[:, :, 0]), False
    if pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UnreadableFile(
            f"{path}: expected a mask of one band or 8-bit RGB, found {pixels.shape[2]} bands of {pixels.dtype}"
        )
    wide = pixels.astype(np.int32)
    return wide[:, :, 0] << 16 | wide[:, :, 1] << 8 | wide[:, :, 2], True


def write_ids(path: Path, ids: IntArray, colours: IntArray | None = None) -> None:
    """Write ids (H, W) as a lossless PNG: 8 bits with a colour table where they fit, else 16 bits.

    ``colours`` (K, 3) colour ids 0..K-1; 255 is black unless K is 256.

    Raises:
        DataError: an id is negative or above 65535.
        StorageError: the file cannot be written.
    """
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    if low < 0 or high > 65535:
        raise DataError(f"{path}: a PNG holds ids 0..65535, found {low}..{high}")
    if high < 256:
        picture = PIL.Image.fromarray(np.ascontiguousarray(ids, np.uint8))
        if colours is not None:
            picture.putpalette(np.asarray(colours, np.uint8)[:256].tobytes().ljust(768, b"\0"))
    else:
        picture = PIL.Image.fromarray(np.ascontiguousarray(ids, np.uint16))
    with replacing(Path(path)) as temporary:
        picture.save(temporary, format="PNG", compress_level=1)  # level 9 takes 14 times as long for 10 % fewer bytes


def write_image(path: Path, pixels: AnyArray, quality: int = 95) -> None:
    """Write pixels (H, W, 3) or (H, W) uint8; the suffix chooses JPEG, PNG or WebP."""
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    form = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(path).suffix.lower(), "PNG")
    options = {"compress_level": 1} if form == "PNG" else {"quality": quality}
    with replacing(Path(path)) as temporary:
        picture.save(temporary, format=form, **options)


def _opened(path: Path) -> PIL.Image.Image:
    if not path.exists():
        raise MissingFile(f"{path}: expected an image, found nothing there")
    if path.is_dir():
        raise UnreadableFile(f"{path}: expected an image, found a folder")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path}: expected an image, found an empty file (0 bytes); copy it again")
    limit = max_pixels()
    PIL.Image.MAX_IMAGE_PIXELS = max(PIL.Image.MAX_IMAGE_PIXELS or 0, limit)  # our own limit below decides
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = PIL.Image.open(path)
    except PIL.UnidentifiedImageError:
        start = path.open("rb").read(12)
        raise UnreadableFile(
            f"{path}: expected an image, but the content is of no known kind (it starts with {start!r})"
        ) from None
    except PIL.Image.DecompressionBombError as error:
        raise TooLarge(f"{path}: {error}; set PIXELWISE_MAX_PIXELS to raise the limit of {limit:,}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise _broken(path, error) from None
    if image.width * image.height > limit:
        image.close()
        raise TooLarge(
            f"{path}: {image.width} x {image.height} = {image.width * image.height:,} pixels; at most {limit:,} are "
            f"read (a decompression bomb?); set PIXELWISE_MAX_PIXELS to raise the limit"
        )
    return image


def _broken(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{path}: the image is truncated or damaged ({error}); copy or export it again")


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        header = file.read(26)
    return header[24] if len(header) == 26 else 0


def _read_deep_png(path: Path) -> Image:
    """Read a 16-bit PNG with OpenCV: Pillow opens 16-bit RGB as 8 bit without a word."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise _broken(path, ValueError("OpenCV cannot decode it"))
    if pixels.ndim == 2:
        return Image(pixels[:, :, None], GREY)
    if pixels.shape[2] == 2:
        return Image(np.ascontiguousarray(pixels[:, :, :1]), GREY)
    return Image(np.ascontiguousarray(pixels[:, :, 2::-1]), RGB)


def _from_pillow(image: PIL.Image.Image) -> Image:
    if image.mode in ("L", "1", "LA", "La"):
        return Image(np.array(image.convert("L"))[:, :, None], GREY)
    if image.mode.startswith("I;16"):
        return Image(np.array(image).astype(np.uint16)[:, :, None], GREY)
    if image.mode == "I":
        values = np.array(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"32-bit values {values.min()}..{values.max()} do not fit 16 bits")
        return Image(values.astype(np.uint16)[:, :, None], GREY)
    if image.mode == "F":
        return Image(np.array(image, np.float32)[:, :, None], GREY)
    return Image(np.array(image.convert("RGB")), RGB)


def _read_tiff(path: Path) -> Image:
    """Read a TIFF of any depth and number of bands, the first page; 32-bit integers must fit 16 bits."""
    import tifffile  # on first use: most data is JPEG and PNG

    with _opened_tiff(path) as header:
        if header is None:
            with _opened(path) as image:
                return _from_pillow(PIL.ImageOps.exif_transpose(image))
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            pixels = page.asarray()
            planar_first = pixels.ndim == 3 and int(page.planarconfig) == 2
            minimum_is_white = int(page.photometric) == 0
            palette = int(page.photometric) == 3
            orientation = int(getattr(page.tags.get("Orientation"), "value", 1))
    except Exception as error:  # tifffile raises what its codecs raise: struct.error, zlib.error, IndexError …
        try:
            with _opened(path) as image:
                return _from_pillow(PIL.ImageOps.exif_transpose(image))
        except (OSError, SyntaxError, ValueError, EOFError, UnreadableFile):
            raise _broken(path, error) from None
    if palette:
        with _opened(path) as image:
            return _from_pillow(image)
    if planar_first:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if minimum_is_white and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    elif pixels.dtype not in (np.uint8, np.uint16):
        if pixels.size and (pixels.min() < 0 or pixels.max() > 65535):
            raise UnreadableFile(f"{path}: values {pixels.min()}..{pixels.max()} of {pixels.dtype} do not fit 16 bits")
        pixels = pixels.astype(np.uint16)
    pixels = _turned(pixels if pixels.ndim == 3 else pixels[:, :, None], orientation)
    if pixels.shape[2] in (2, 4) and _has_alpha(path):
        pixels = pixels[:, :, :-1]
    count = pixels.shape[2]
    bands = GREY if count == 1 else RGB if count == 3 else tuple(f"band {index + 1}" for index in range(count))
    return Image(np.ascontiguousarray(pixels), bands)


class _opened_tiff:
    """Check a TIFF's size before it is decoded; the block gets None where only Pillow knows the file's kind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> object | None:
        import tifffile

        if not self.path.is_file() or self.path.stat().st_size == 0:
            _opened(self.path)
        try:
            with tifffile.TiffFile(self.path) as file:
                shape = file.pages[0].shape
        except Exception:  # not a TIFF inside: a renamed JPEG, say
            _opened(self.path).close()
            return None
        pixels, limit = int(np.prod([side for side in sorted(shape)[-2:]])), max_pixels()
        if pixels > limit or int(np.prod(shape)) > 64 * limit:
            raise TooLarge(
                f"{self.path}: {' x '.join(map(str, shape))} values; at most {limit:,} pixels are read; "
                f"set PIXELWISE_MAX_PIXELS to raise the limit"
            )
        return shape

    def __exit__(self, *_: object) -> None:
        return None


def _has_alpha(path: Path) -> bool:
    import tifffile

    with tifffile.TiffFile(path) as file:
        extra = tuple(int(kind) for kind in file.pages[0].extrasamples)
    return extra[-1:] in ((1,), (2,))


def _turned(pixels: AnyArray, orientation: int) -> AnyArray:
    """Apply a TIFF or EXIF orientation tag (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _is_grey(pixels: AnyArray) -> bool:
    return bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 1] == pixels[:, :, 2]).all())


def encode_jpeg(pixels: ByteArray, quality: int = 88) -> bytes:
    """Encode pixels (H, W, 3) uint8 as JPEG bytes, for pages that carry their pictures inside."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
