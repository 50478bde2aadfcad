"""What the audit keeps of each image: its size, a digest, a perceptual hash, a thumbnail and its colours: two kB an image.

Copies, outliers and blank images are found from these records, so that memory does not grow with the photographs, and what
did not change since the last time is taken from the cache.

The perceptual hash is the sign, against their median, of the 64 lowest DCT coefficients of the 32 x 32 grey image [1]:
brightness does not change it at all, and re-encoding or resizing few of its bits. A mirrored image has the same coefficients
with the odd columns negated, so its hash comes for nothing.

[1] Zauner, Implementation and benchmarking of perceptual image hash functions, 2010.
"""

import base64
import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, ByteArray, FloatArray, Size
from pixelwise.core.errors import DataError, MissingFile
from pixelwise.core.image import RGB, Image
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.curate.progress import Progress
from pixelwise.formats.cache import Cache

THUMB = (30, 40)  # (H, W) of the thumbnail, whatever the image's shape
_LEAST_PIXELS = 256  # of an image, for its looks to tell it from another's
Looked: TypeAlias = "Look | str"


@dataclass(frozen=True)
class Look:
    """What is kept of an image.

    Attributes:
        size: (H, W).
        bands: how many.
        digest: of all pixels: equal for equal images, however they are stored.
        hashes: the perceptual hash of the image and of its mirror image.
        thumb: grey thumbnail, base64 of 30 x 40 bytes, stretched to the full range.
        colour: mean of red, green and blue, and the spread of grey, in [0, 1].
        levels: how many grey levels there are between darkest and brightest in the thumbnail, of 255.
    """

    size: Size
    bands: int
    digest: str
    hashes: tuple[int, int]
    thumb: str
    colour: tuple[float, float, float, float]
    levels: float

    @property
    def is_blank(self) -> bool:
        """Tell whether there is next to nothing to see."""
        return self.levels < 1.0

    @property
    def tells(self) -> bool:
        """Tell whether looks can tell this image from another: it is no blank and no icon."""
        return not self.is_blank and self.size[0] * self.size[1] >= _LEAST_PIXELS

    def thumbnail(self) -> FloatArray:
        """Give the thumbnail (30, 40) as float32 from 0 to 255."""
        return np.frombuffer(base64.b64decode(self.thumb), np.uint8).reshape(THUMB).astype(np.float32)


def grey_of(image: Image) -> FloatArray:
    """Give an image as one band (H, W), float32 in [0, 1], from its first three bands; NaN counts as 0."""
    if image.pixels.dtype == np.uint8 and image.pixels.shape[2] == 3:  # a tenth of the time of the general way
        return np.asarray(cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY) * np.float32(1 / 255))
    unit = image.unit()[:, :, :3]
    grey = unit[:, :, 0] if unit.shape[2] == 1 else unit.mean(axis=2)
    return np.nan_to_num(np.ascontiguousarray(grey, np.float32))


def look(image: Image) -> Look:
    """Measure an image."""
    colours = _small_colours(image)
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey_of(image), THUMB[::-1], interpolation=cv2.INTER_AREA)
    low, high = float(thumb.min()), float(thumb.max())
    stretched = np.rint((thumb - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    red, green, blue = (round(float(each), 5) for each in colours.reshape(-1, 3).mean(axis=0))
    return Look(
        size=image.size,
        bands=image.pixels.shape[2],
        digest=_digest(image.pixels),
        hashes=perceptual_hashes(grey),
        thumb=base64.b64encode(stretched.tobytes()).decode("ascii"),
        colour=(red, green, blue, round(float(grey.std()), 5)),
        levels=round(255 * (high - low), 3),
    )


def _small_colours(image: Image) -> FloatArray:
    """Give an image as (64, 64, 3) float32 in [0, 1]."""
    pixels = image.pixels[:, :, :3]
    if pixels.shape[2] != 3:
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    small = cv2.resize(np.ascontiguousarray(pixels), (64, 64), interpolation=cv2.INTER_AREA)
    unit = Image(small, RGB).unit()
    return np.nan_to_num(np.clip(unit, 0, 1))


def _digest(pixels: AnyArray) -> str:
    found = hashlib.blake2b(f"{pixels.shape} {pixels.dtype}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(pixels).data)
    return found.hexdigest()


def perceptual_hashes(grey: FloatArray) -> tuple[int, int]:
    """Hash a grey image (H, W) and its mirror image into 64 bits each."""
    low = cv2.dct(cv2.resize(grey.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA))[:8, :8].copy()
    low[0, 0] = 0  # the mean: brightness alone
    mirrored = low * np.where(np.arange(8) % 2, -1, 1).astype(np.float32)
    return _bits(low), _bits(mirrored)


def _bits(low: ByteArray | FloatArray) -> int:
    above = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(above).tobytes(), "big")


def look_at_all(dataset: Dataset, root: Path, progress: Progress | None = None) -> list[Looked]:
    """Decode every image: its look, or what is wrong with it; a header alone does not show that a file is cut short."""
    cache = Cache("looks", root)
    found: list[Looked] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # decoding releases the interpreter lock
        for result in pool.map(lambda sample: _look_at(sample, cache), dataset):
            found.append(result)
            if progress is not None:
                progress("images", len(found), len(dataset))
    cache.save()
    return found


def _look_at(sample: Sample, cache: Cache) -> Looked:
    path = sample.pixels.path if isinstance(sample.pixels, ImageFile) else None
    kept = None if path is None else _from_json(cache.get(path))
    if kept is not None:
        return kept
    try:
        image = sample.pixels.read()
        if not image.pixels.size:
            return f"{path or sample.name}: the image has no pixels"
        found = look(image)
    except (DataError, MissingFile) as error:
        return str(error)
    except OSError as error:
        return f"{path or sample.name}: the image cannot be read: {error.strerror or error}; check its permissions"
    if path is not None:
        cache.put(path, {**asdict(found), "hashes": [f"{one:016x}" for one in found.hashes]})
    return found


def _from_json(data: Any) -> Look | None:
    """Take a cached record; anything that does not fit is as good as none."""
    try:
        height, width = data["size"]
        first, second = (int(one, 16) for one in data["hashes"])
        red, green, blue, spread = (float(one) for one in data["colour"])
        thumb, levels = str(data["thumb"]), float(data["levels"])
        if len(base64.b64decode(thumb, validate=True)) != math.prod(THUMB) or max(first, second) >= 2**64:
            return None
        size, colour = (int(height), int(width)), (red, green, blue, spread)
        return Look(size, int(data["bands"]), str(data["digest"]), (first, second), thumb, colour, levels)
    except (TypeError, KeyError, ValueError):
        return None


def known(looks: Sequence[Looked]) -> list[tuple[int, Look]]:
    """Give the images that could be read, each with its place."""
    return [(row, one) for row, one in enumerate(looks) if isinstance(one, Look)]
