"""What comes between the lens and the scene: shadow, fog, and rectangles painted over (cut-out)."""

from typing import TypeAlias

import cv2
import numpy as np

from pixelwise.augment.colour import top_of
from pixelwise.augment.layers import by_layers
from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.masks import DisjointMasks, Masks

Hole: TypeAlias = tuple[int, int, int, int]  # top, left, bottom, right in pixels, the latter two exclusive
_COARSE = 128  # pixels a side of the map a shadow is drawn on: its edge is soft anyway
FOG_LIGHT = 0.9  # of full brightness


def shadow_light(size: Size, corners: FloatArray, darkness: float) -> FloatArray:
    """Give the share of light (h, w) left where a polygon ``corners`` (K, 2), x and y in shares, casts a soft shadow."""
    core = np.zeros((_COARSE, _COARSE), np.float32)
    cv2.fillPoly(core, [np.rint(corners * _COARSE).astype(np.int32)], 1.0)
    soft = cv2.GaussianBlur(core, (0, 0), _COARSE / 40)
    return np.asarray(1 - np.float32(darkness) * cv2.resize(soft, (size[1], size[0]), interpolation=cv2.INTER_LINEAR))


def fog_density(size: Size, knots: FloatArray, density: float) -> FloatArray:
    """Give the share (h, w) of the light that is fog: ``density`` times a smooth field through ``knots`` in [0, 1]."""
    field = cv2.resize(knots.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(field, 0, 1) * np.float32(density))


def lit(pixels: AnyArray, light: FloatArray | None, fog: FloatArray | None) -> AnyArray:
    """Multiply pixels (H, W, C) by ``light`` (H, W), then mix in ``fog`` (H, W)."""
    values = pixels.astype(np.float32)
    if light is not None:
        values *= light[:, :, None]
    if fog is not None:
        values += (np.float32(FOG_LIGHT * top_of(pixels)) - values) * fog[:, :, None]
    return np.rint(values).astype(pixels.dtype) if pixels.dtype.kind == "u" else values


def painted_over(pixels: AnyArray, holes: tuple[Hole, ...], colour: FloatArray) -> AnyArray:
    """Paint rectangles over pixels with one colour (C,)."""
    found = pixels.copy()
    for top, left, bottom, right in holes:
        found[top:bottom, left:right] = colour.astype(pixels.dtype)
    return found


def erased(masks: Masks, holes: tuple[Hole, ...]) -> Masks:
    """Take rectangles out of every mask."""
    if isinstance(masks, DisjointMasks):
        return DisjointMasks(_emptied(masks.ids, holes), masks.count)
    return by_layers(masks, masks.size, lambda ids: _emptied(ids, holes))


def _emptied(ids: IntArray, holes: tuple[Hole, ...]) -> IntArray:
    found = ids.copy()
    for top, left, bottom, right in holes:
        found[top:bottom, left:right] = 0
    return found
