"""TIFF files: any depth, number of bands, layout and compression that tifffile, OpenCV or Pillow can decode.

Pillow alone would open 16-bit colour as 8 bit and refuse five bands; tifffile alone needs a large package for LZW. So
tifffile reads what it can, and what it cannot goes to OpenCV (colour, any depth) or Pillow (one band).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import UnreadableFile

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # classic and big TIFF, both byte orders
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)  # photometric interpretations of the standard


@dataclass(frozen=True)
class TiffHeader:
    """What the first page says about itself; ``size`` is (H, W) as stored, before ``orientation`` is applied."""

    size: Size
    bands: int
    bits: int
    photometric: int
    orientation: int
    has_alpha: bool
    is_planar: bool

    @property
    def is_plain(self) -> bool:
        """Whether the stored numbers are grey levels, colours or band values in whole bytes: nothing to convert."""
        return self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, 32803, 34892) and (self.bits % 8 == 0 or self.bits == 1)


def is_tiff(path: Path) -> bool:
    """Tell by its first bytes, whatever its name, whether ``path`` is a TIFF."""
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def read_header(path: Path) -> TiffHeader:
    """Read the header of the first page, and check that its data is all there.

    Raises:
        UnreadableFile: it is damaged, ends too early, or is a volume.
    """
    import tifffile  # on first use: most data is JPEG and PNG

    try:
        with path.open("rb") as opened, tifffile.TiffFile(opened) as file:  # by its path it would not find a nameless file
            page: Any = file.pages[0]
            ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
            found = TiffHeader(
                (int(page.imagelength), int(page.imagewidth)),
                int(page.samplesperpixel),
                int(page.bitspersample),
                int(page.photometric),
                int(getattr(page.tags.get("Orientation"), "value", 1)),
                tuple(map(int, page.extrasamples))[-1:] in ((1,), (2,)),
                int(page.planarconfig) == 2,
            )
            depth, length = int(page.imagedepth), path.stat().st_size
    except Exception as error:  # tifffile raises whatever damaged bytes lead to: struct.error, IndexError, KeyError …
        raise _damaged(path, error) from error
    if not ends or 0 in found.size:
        raise _damaged(path, ValueError("its first page holds no pixels"))
    if max(ends) > length:
        raise _damaged(path, ValueError(f"its pixels would end at byte {max(ends):,}, the file at {length:,}"))
    if depth != 1:
        raise UnreadableFile(f"{path}: expected a flat picture, found a volume of {depth} layers; save the layers apart")
    return found


def read_stored(path: Path, header: TiffHeader) -> AnyArray:
    """Read the first page as stored, upright: (H, W, C); palette indices stay indices, bits become bool.

    Raises:
        UnreadableFile: it cannot be decoded.
    """
    import tifffile

    try:
        with path.open("rb") as opened, tifffile.TiffFile(opened) as file:
            stored = np.asarray(file.pages[0].asarray())
    except Exception as error:
        if "imagecodecs" in str(error):  # the data may be whole, but tifffile alone cannot decode it
            return _read_elsewhere(path, header, error)
        raise _damaged(path, error) from error
    if header.is_planar and stored.ndim == 3:
        stored = np.moveaxis(stored, 0, -1)
    if stored.ndim not in (2, 3) or stored.shape[:2] != header.size:
        raise _damaged(path, ValueError(f"its header states {header.size}, its pixels are {stored.shape}"))
    return turned(stored if stored.ndim == 3 else stored[:, :, None], header.orientation)


def _read_elsewhere(path: Path, header: TiffHeader, error: Exception) -> AnyArray:
    """Read what tifffile lacks the codec for: one band with Pillow, colour of any depth with OpenCV.

    OpenCV gives damaged data back without a word, so Pillow, which does not, decodes colour first.
    """
    shown = _by_pillow(path) if header.bands in (1, 3, 4) else None
    if shown is not None and header.bands == 1:
        is_inverted = header.photometric == WHITE_IS_ZERO and shown.dtype in (np.bool_, np.uint8)
        return (~shown if is_inverted else shown)[:, :, None]
    if shown is not None:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.shape == (*header.size, header.bands):
            return turned(pixels[:, :, [2, 1, 0, 3][: header.bands]], header.orientation)
    raise UnreadableFile(
        f"{path}: {header.bands} bands of {header.bits} bits in a compression that needs one more package: "
        f"pip install imagecodecs, or save the file with deflate or no compression"
    ) from error


def _by_pillow(path: Path) -> AnyArray | None:
    """Decode with Pillow, which turns TIFFs upright itself and shows white-is-zero inverted; None if it knows no such kind."""
    try:
        with PIL.Image.open(path) as image:
            return np.array(image)
    except PIL.UnidentifiedImageError:
        return None
    except Exception as error:
        raise _damaged(path, error) from error


def turned(pixels: AnyArray, orientation: int) -> AnyArray:
    """Apply a TIFF or EXIF orientation tag (1 to 8; anything else is taken for upright)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _damaged(path: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{path}: the TIFF is truncated or damaged ({error}); copy or export it again")
