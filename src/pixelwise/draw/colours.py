"""Which colour a class or a segment is drawn in, and an image as the bytes to draw on."""

from typing import TypeAlias

import numpy as np

from pixelwise.core.arrays import AnyArray, ByteArray, IntArray
from pixelwise.core.image import GREY, RGB, Image, as_image
from pixelwise.core.labels import LabelSet, colour_of
from pixelwise.core.segmentation import Segmentation

Picture: TypeAlias = Image | AnyArray
_BACKGROUNDS = frozenset({"background", "_background_", "bg"})
_SHADES = (0.0, 0.4, -0.3, 0.2, -0.45, 0.6)  # towards white, or black where negative: neighbours in number differ most


def rgb_bytes(image: Picture) -> ByteArray:
    """Give any image as (H, W, 3) uint8: grey is repeated; of other bands the first three stand for red, green and blue."""
    image = as_image(image)
    if image.bands == GREY or set(RGB) <= set(image.bands):
        return image.to_bands(RGB).bytes()
    pixels = image.bytes()[:, :, :3]
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)


def class_colours(labels: LabelSet) -> ByteArray:
    """Give the colours (L, 3) classes are drawn in: their own, unless several are black because none was ever stated."""
    colours = labels.colours.astype(np.uint8)
    black = ~colours.any(axis=1)
    if black.sum() > 1:
        colours[black] = [colour_of(int(index)) for index in np.flatnonzero(black)]
    return colours


def background_classes(labels: LabelSet) -> IntArray:
    """Find the classes that are the lack of any other, by name: they are left unpainted."""
    return np.array([i for i, name in enumerate(labels.names) if name.casefold() in _BACKGROUNDS and len(labels) > 1], np.int64)


def segment_colours(segmentation: Segmentation) -> ByteArray:
    """Choose a colour for each segment (S, 3).

    Classes have their own colours. Objects of one class are shades of it, or differ in hue where only one class has objects;
    an object with a track id keeps its colour through a film. Regions differ in hue.
    """
    kind, labels, ids = segmentation.kind, segmentation.labels, segmentation.class_ids
    numbers = np.arange(len(ids)) if segmentation.track_ids is None else np.asarray(segmentation.track_ids, np.int64)
    if kind == "regions":
        return np.array([colour_of(int(number)) for number in numbers], np.uint8).reshape(-1, 3)
    colours = class_colours(labels)[ids].reshape(-1, 3)
    if kind in ("semantic", "multilabel"):
        return colours
    is_object = np.isin(ids, labels.things) if kind == "panoptic" else np.ones(len(ids), bool)
    rows = np.flatnonzero(is_object)
    if len(np.unique(ids[rows])) == 1:
        colours[rows] = [colour_of(int(numbers[row])) for row in rows]
        return colours
    counted: dict[int, int] = {}
    for row in rows:
        nth = int(numbers[row]) if segmentation.track_ids is not None else counted.setdefault(int(ids[row]), 0)
        counted[int(ids[row])] = nth + 1
        colours[row] = _shade(colours[row], _SHADES[nth % len(_SHADES)])
    return colours


def _shade(colour: AnyArray, amount: float) -> AnyArray:
    goal = 255.0 if amount > 0 else 0.0
    return np.rint(colour + (goal - colour.astype(np.float64)) * abs(amount)).astype(np.uint8)
