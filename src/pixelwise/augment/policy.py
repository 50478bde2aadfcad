"""Which augmentations, how strong, and the one draw that is applied to an image and its masks.

Six kinds: flip, scale, crop or pad, affine (rotation and shear), brightness / contrast / hue, noise and blur. ``draw`` is
seeded by the caller from (seed, epoch, index), so a worker holds no state and a resumed run draws the same.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from pixelwise.augment import colour, geometry
from pixelwise.core.arrays import AnyArray, FloatArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation


@dataclass(frozen=True)
class AugmentOptions:
    """The table ``[augment]`` of a run file.

    Attributes:
        flip, flip_vertically: probability of mirroring.
        scale: smallest and largest factor; drawn log-uniformly, so that halving is as likely as doubling.
        stretch: largest change of the aspect ratio, as a share.
        rotate, shear: largest angle in degrees, either way.
        brightness, contrast, gain: largest change, as a share; gain is a channel's own.
        hue: largest turn in degrees.
        noise: largest standard deviation as a share of the range; drawn for one image in four.
        blur: largest sigma in pixels; drawn for one image in four.
    """

    flip: float = 0.5
    flip_vertically: float = 0.0
    scale: tuple[float, float] = (0.6, 1.8)
    stretch: float = 0.1
    rotate: float = 0.0
    shear: float = 0.0
    brightness: float = 0.25
    contrast: float = 0.25
    gain: float = 0.06
    hue: float = 8.0
    noise: float = 0.02
    blur: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise OptionError(f"[augment] scale: expected two factors, 0 < smallest <= largest, got {self.scale}")
        for name in ("flip", "flip_vertically"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[augment] {name}: expected a probability from 0 to 1, got {getattr(self, name)}")


NONE = AugmentOptions(0, 0, (1, 1), 0, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Draw:
    """One draw: where pixels of the image go, and how they look there."""

    matrix: FloatArray
    size: Size
    brightness: float = 1.0
    contrast: float = 1.0
    gains: tuple[float, ...] = (1.0, 1.0, 1.0)
    hue: float = 0.0
    noise: float = 0.0
    noise_seed: int = 0
    blur: float = 0.0


def draw(options: AugmentOptions, rng: np.random.Generator, size: Size, crop: Size, bands: int = 3) -> Draw:
    """Draw once for an image of (H, W), to be cropped or padded to ``crop``."""
    factor = math.exp(rng.uniform(math.log(options.scale[0]), math.log(options.scale[1])))
    stretch = math.exp(rng.uniform(-options.stretch, options.stretch) / 2)
    vertical, horizontal = factor * stretch, factor / stretch
    matrix = geometry.affine(size, rng.uniform(-options.rotate, options.rotate), rng.uniform(-options.shear, options.shear))
    matrix = geometry.scale(vertical, horizontal) @ matrix
    scaled = (size[0] * vertical, size[1] * horizontal)
    down, right = (_place(rng, length, window) for length, window in zip(scaled, crop, strict=True))
    matrix = geometry.shift(right, down) @ matrix
    if rng.random() < options.flip:
        matrix = geometry.flip(crop[1]) @ matrix
    if rng.random() < options.flip_vertically:
        matrix = geometry.flip_vertically(crop[0]) @ matrix
    return Draw(
        matrix,
        crop,
        brightness=1 + rng.uniform(-options.brightness, options.brightness),
        contrast=1 + rng.uniform(-options.contrast, options.contrast),
        gains=tuple((1 + rng.uniform(-options.gain, options.gain, bands)).tolist()),
        hue=rng.uniform(-options.hue, options.hue),
        noise=rng.uniform(0, options.noise) * (rng.random() < 0.25),
        noise_seed=int(rng.integers(2**31)),
        blur=rng.uniform(0, options.blur) * (rng.random() < 0.25),
    )


def _place(rng: np.random.Generator, length: float, window: int) -> float:
    """Choose by how much to move: a crop anywhere inside a larger image, a smaller one anywhere inside the crop."""
    return float(rng.uniform(*sorted((0.0, window - length))))


def apply(image: Image, truth: Segmentation, drawn: Draw) -> tuple[Image, Segmentation]:
    """Apply one draw to an image and its truth; what was outside the image becomes void (no segment) and mean grey."""
    return apply_image(image, drawn), apply_truth(truth, drawn)


def apply_image(image: Image, drawn: Draw) -> Image:
    """Apply one draw to an image."""
    pixels = _looked(image.pixels, drawn)
    pixels = geometry.warp_image(pixels, drawn.matrix, drawn.size, _fill(pixels))
    if drawn.blur > 0.3:
        pixels = colour.blur(pixels, drawn.blur)
    if drawn.noise > 0:
        pixels = colour.add_noise(pixels, drawn.noise, drawn.noise_seed)
    return Image(pixels, image.bands)


def _looked(pixels: AnyArray, drawn: Draw) -> AnyArray:
    if drawn.hue:
        pixels = colour.turn_hue(pixels, drawn.hue)
    if (drawn.brightness, drawn.contrast) == (1.0, 1.0) and set(drawn.gains) == {1.0}:
        return pixels
    gains = np.ones(pixels.shape[2])  # bands beyond those drawn for keep theirs
    gains[: len(drawn.gains)] = drawn.gains[: len(gains)]
    return colour.jitter(pixels, drawn.brightness, drawn.contrast, gains)


def _fill(pixels: AnyArray) -> FloatArray:
    """Fill what lies outside with the image's mean: neither an edge to learn nor a colour that says "outside"."""
    step = max(1, min(pixels.shape[:2]) // 32)
    return pixels[::step, ::step].reshape(-1, pixels.shape[2]).mean(axis=0, dtype=np.float64)


def apply_truth(truth: Segmentation, drawn: Draw) -> Segmentation:
    """Apply one draw to a truth: masks move, stated boxes and areas no longer hold and are dropped."""
    masks = geometry.warp_masks(truth.masks, drawn.matrix, drawn.size)
    return replace(truth, masks=masks, boxes=None, areas=None, probabilities=None)
