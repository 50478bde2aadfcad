"""Noise of four kinds: Gaussian, of photons (shot), in proportion to the value (speckle), and salt and pepper.

Normal numbers are drawn once for the process, from a fixed seed, into a tile of bytes; an image takes windows of it, each at
a place and with a sign drawn from the image's own seed. That costs one pass over the pixels where drawing anew costs twenty.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.augment.colour import top_of
from pixelwise.core.arrays import AnyArray, ByteArray, FloatArray

Noise: TypeAlias = Literal["noise", "shot", "speckle", "salt_pepper"]
NOISES: tuple[Noise, ...] = get_args(Noise)
_ZERO, _STEPS = 128, 32  # a byte b stands for (b - 128) / 32 deviations: up to 4, in steps that rounding hides
_TILE, _WINDOW = 2**21, 2**17


def add_noise(pixels: AnyArray, kind: Noise, amount: float, seed: int) -> AnyArray:
    """Add noise of a strength given as a share: of the range, or for ``speckle`` of the value; a seed gives the same noise."""
    kinds = {"noise": _gaussian, "shot": _shot, "speckle": _speckle, "salt_pepper": _salt_pepper}
    return kinds[kind](pixels, amount, np.random.default_rng(seed))


@lru_cache(maxsize=1)
def _tile() -> ByteArray:
    normal = np.random.default_rng(20_240).standard_normal(_TILE, np.float32)
    tile = np.clip(np.rint(normal * _STEPS) + _ZERO, 0, 255).astype(np.uint8)
    tile.setflags(write=False)
    return np.asarray(tile, np.uint8)


def _windows(count: int, rng: np.random.Generator) -> Iterator[tuple[slice, ByteArray, float]]:
    """Give windows of the tile that cover ``count`` values: where, bytes, sign."""
    tile = _tile()
    for start in range(0, count, _WINDOW):
        stop = min(start + _WINDOW, count)
        place = int(rng.integers(_TILE - _WINDOW))
        yield slice(start, stop), tile[place : place + stop - start], 1.0 if rng.random() < 0.5 else -1.0


def _gaussian(pixels: AnyArray, amount: float, rng: np.random.Generator) -> AnyArray:
    flat = np.ascontiguousarray(pixels).reshape(1, -1)
    found = np.empty_like(flat)
    for where, window, sign in _windows(flat.shape[1], rng):
        weight = sign * amount * top_of(pixels) / _STEPS
        noise = window.astype(pixels.dtype, copy=False)[None]
        cv2.addWeighted(flat[:, where], 1.0, noise, weight, -_ZERO * weight, dst=found[:, where])
    return _bounded(found.reshape(pixels.shape))


def _normal(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    found = np.empty(int(np.prod(shape)), np.float32)
    for where, window, sign in _windows(found.size, rng):
        found[where] = (window.astype(np.float32) - _ZERO) * np.float32(sign / _STEPS)
    return found.reshape(shape)


def _shot(pixels: AnyArray, amount: float, rng: np.random.Generator) -> AnyArray:
    """Count photons: full brightness is 1 / amount^2 of them. By Anscombe's root, whose noise is the same at every level."""
    photons = np.float32(1 / amount**2)
    root = np.sqrt(pixels * (photons / np.float32(top_of(pixels))), dtype=np.float32)
    counted = np.maximum(root + _normal(pixels.shape, rng) / 2, 0) ** 2 - np.float32(0.25)
    return _stored(counted * (np.float32(top_of(pixels)) / photons), pixels)


def _speckle(pixels: AnyArray, amount: float, rng: np.random.Generator) -> AnyArray:
    return _stored(pixels * (1 + np.float32(amount) * _normal(pixels.shape, rng)), pixels)


def _salt_pepper(pixels: AnyArray, amount: float, rng: np.random.Generator) -> AnyArray:
    found = np.array(pixels, order="C")
    count = int(rng.binomial(pixels.shape[0] * pixels.shape[1], amount))
    places = rng.integers(0, pixels.shape[0] * pixels.shape[1], count)
    found.reshape(-1, pixels.shape[2])[places] = (rng.integers(0, 2, (count, 1)) * top_of(pixels)).astype(pixels.dtype)
    return found


def _stored(values: FloatArray, like: AnyArray) -> AnyArray:
    """Put values back into the type they came from."""
    if like.dtype == np.float32:
        return np.clip(values, 0, 1).astype(np.float32, copy=False)
    return np.clip(np.rint(values), 0, top_of(like)).astype(like.dtype)


def _bounded(pixels: AnyArray) -> AnyArray:
    return np.clip(pixels, 0, 1) if pixels.dtype == np.float32 else pixels
