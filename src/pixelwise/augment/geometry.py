"""Where pixels go: matrices on pixel indices (x, y, 1), multiplied into one; what is not linear is one field of moves.

So an image is resampled once, and so are its masks: images bilinearly, ids by the nearest neighbour, so that none is invented;
both look at the same places.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pixelwise.augment.layers import by_layers
from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.masks import DisjointMasks, Masks

IDENTITY = np.eye(3)
_MOST_LOOKED_UP = 32_766
FOLD = 0.25  # of a cell: the furthest each knot of a field may go in x and in y before the image may fold


def flip(width: int) -> FloatArray:
    """Mirror left and right, as a matrix on pixel indices (x, y, 1).

    >>> (flip(4) @ [0, 0, 1]).tolist()
    [3.0, 0.0, 1.0]
    """
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def flip_vertically(height: int) -> FloatArray:
    """Mirror top and bottom."""
    return np.array([[1.0, 0, 0], [0, -1, height - 1], [0, 0, 1]])


def quarter_turns(size: Size, count: int) -> tuple[FloatArray, Size]:
    """Turn (H, W) counter-clockwise by ``count`` times 90 degrees, exactly; give the matrix and the new (height, width).

    >>> quarter_turns((2, 5), 1)[1]
    (5, 2)
    """
    matrix, (height, width) = IDENTITY, size
    for _ in range(count % 4):
        matrix = np.array([[0.0, 1, 0], [-1, 0, width - 1], [0, 0, 1]]) @ matrix
        height, width = width, height
    return matrix, (height, width)


def scale(vertical: float, horizontal: float) -> FloatArray:
    """Scale about the top left corner of the image; pixel centres move as if pixels were squares."""
    return np.array([[horizontal, 0, (horizontal - 1) / 2], [0, vertical, (vertical - 1) / 2], [0, 0, 1]])


def affine(size: Size, degrees: float, shear: float) -> FloatArray:
    """Rotate (counter-clockwise, degrees) and shear (degrees) about the centre of (H, W)."""
    angle, slant = math.radians(degrees), math.tan(math.radians(shear))
    turn = np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    centre = shift((size[1] - 1) / 2, (size[0] - 1) / 2)
    return np.asarray(centre @ turn @ np.array([[1, slant, 0], [0, 1, 0], [0, 0, 1]]) @ np.linalg.inv(centre))


def shift(right: float, down: float) -> FloatArray:
    """Move by pixels."""
    return np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])


def perspective(size: Size, moves: FloatArray) -> FloatArray:
    """Move the corners of (H, W), clockwise from the top left, by ``moves`` (4, 2): shares of the width and of the height."""
    height, width = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    moved = corners + moves * [width, height]
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32)), np.float64)


def is_affine(matrix: FloatArray) -> bool:
    """Tell whether parallel lines stay parallel."""
    return bool((matrix[2, :2] == 0).all())


def moved(matrix: FloatArray, x: float, y: float) -> tuple[float, float]:
    """Give where the pixel (x, y) goes."""
    right, down, depth = matrix @ [x, y, 1.0]
    return float(right / depth), float(down / depth)


def shrink_of(matrix: FloatArray, size: Size) -> float:
    """Give by which factor lengths grow (below 1: shrink) in the middle of the output (h, w)."""
    if is_affine(matrix):
        return math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
    x, y = moved(np.linalg.inv(matrix), (size[1] - 1) / 2, (size[0] - 1) / 2)
    depth = float(matrix[2] @ [x, y, 1.0])
    return math.sqrt(abs(float(np.linalg.det(matrix) / depth**3)))


@dataclass(frozen=True, eq=False)
class Field:
    """Moves that are not linear: where each output pixel looks, as knots (rows, columns, 2) in shares of a cell (x, y).

    The outer knots lie on the borders of the output. Between knots, moves follow straight lines or a cubic B-spline; both
    change by no more than neighbouring knots differ, so below ``FOLD`` pixels never swap places.
    """

    knots: FloatArray
    smooth: bool

    def moves(self, size: Size) -> FloatArray:
        """Give the moves (2, h, w) in pixels, x then y."""
        rows, columns = self.knots.shape[:2]
        down, across = _weights(size[0], rows, self.smooth), _weights(size[1], columns, self.smooth)
        cells = size[1] / (columns - 1), size[0] / (rows - 1)
        return np.stack([down @ (self.knots[:, :, axis] * cells[axis]).astype(np.float32) @ across.T for axis in (0, 1)])


def _weights(length: int, knots: int, smooth: bool) -> FloatArray:
    """Weigh the knots (length, knots) for each pixel of a line; beyond the ends the last knot goes on."""
    place = (np.arange(length) + 0.5) / length * (knots - 1)
    first = np.minimum(place.astype(np.int64), knots - 2)
    t = place - first
    if smooth:
        parts = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
        taps = [(first - 1 + index, part / 6) for index, part in enumerate(parts)]
    else:
        taps = [(first, 1 - t), (first + 1, t)]
    weights = np.zeros((length, knots), np.float32)
    for index, part in taps:
        np.add.at(weights, (np.arange(length), np.clip(index, 0, knots - 1)), part.astype(np.float32))
    return weights


def lookup(matrix: FloatArray, field: Field, size: Size) -> tuple[FloatArray, FloatArray]:
    """Give where each output pixel (h, w) looks in the source: the maps x and y of the field, then of the matrix."""
    x, y = field.moves(size)
    x += np.arange(size[1], dtype=np.float32)
    y += np.arange(size[0], dtype=np.float32)[:, None]
    back = np.linalg.inv(matrix)
    across, down = (np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in back[:2])
    if is_affine(matrix):
        return across, down
    depth = np.float32(back[2, 0]) * x + np.float32(back[2, 1]) * y + np.float32(back[2, 2])
    return across / depth, down / depth


def warp_image(pixels: AnyArray, matrix: FloatArray, size: Size, fill: FloatArray, field: Field | None = None) -> AnyArray:
    """Resample pixels (H, W, C) to (h, w, C); ``fill`` (C,) outside.

    Bilinear; when it shrinks to less than half, the image is first reduced by areas, so that thin things do not flicker.
    """
    shrink = shrink_of(matrix, size)
    if shrink < 0.5 and min(pixels.shape[:2]) > 8:
        factor = 2.0 ** math.floor(math.log2(1 / shrink))
        height, width = (max(round(side / factor), 1) for side in pixels.shape[:2])
        matrix = matrix @ scale(pixels.shape[0] / height, pixels.shape[1] / width)
        pixels = _three(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    maps = None if field is None else lookup(matrix, field, size)
    parts = [_warped(part, matrix, maps, size, colour) for part, colour in _groups(pixels, fill)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _groups(pixels: AnyArray, fill: FloatArray) -> Iterator[tuple[AnyArray, list[float]]]:
    """Divide channels into groups of 4, 3 or 1: OpenCV fills borders of at most four, and resamples two coarsely."""
    start, channels = 0, pixels.shape[2]
    while start < channels:
        count = next(count for count in (4, 3, 1) if count <= channels - start)
        part = slice(start, start + count)
        yield np.ascontiguousarray(pixels[:, :, part]), fill[part].tolist()
        start += count


def _warped(
    pixels: AnyArray, matrix: FloatArray, maps: tuple[FloatArray, FloatArray] | None, size: Size, fill: list[float]
) -> AnyArray:
    if pixels.shape[2] == 3:  # OpenCV resamples four channels in half the time of three
        four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
        return cv2.cvtColor(_resampled(four, matrix, maps, size, cv2.INTER_LINEAR, [*fill, 0.0]), cv2.COLOR_RGBA2RGB)
    return _three(_resampled(pixels, matrix, maps, size, cv2.INTER_LINEAR, fill))


def warp_ids(
    ids: IntArray,
    matrix: FloatArray,
    size: Size,
    fill: int = 0,
    field: Field | None = None,
    maps: tuple[FloatArray, FloatArray] | None = None,
) -> IntArray:
    """Resample an id map (H, W) to (h, w) without inventing ids: nearest neighbour, ``fill`` outside.

    ``maps`` are those of ``lookup`` for the field, where they are at hand already.
    """
    known = ids.dtype in (np.uint8, np.uint16)
    source = ids if known else ids.astype(np.float64)  # OpenCV resamples no 32-bit integers; float64 holds them exactly
    if field is not None and maps is None:
        maps = lookup(matrix, field, size)
    warped = _resampled(source, matrix, maps, size, cv2.INTER_NEAREST, [float(fill)])
    return warped if known else warped.astype(ids.dtype)


def warp_masks(masks: Masks, matrix: FloatArray, size: Size, field: Field | None = None) -> Masks:
    """Resample masks to (h, w) in the holding they are in: the cost hardly grows with their number."""
    maps = None if field is None else lookup(matrix, field, size)
    if isinstance(masks, DisjointMasks):
        return DisjointMasks(warp_ids(masks.ids, matrix, size, field=field, maps=maps), masks.count)
    return by_layers(masks, size, lambda ids: warp_ids(ids, matrix, size, field=field, maps=maps))


def _resampled(
    source: AnyArray, matrix: FloatArray, maps: tuple[FloatArray, FloatArray] | None, size: Size, way: int, fill: list[float]
) -> AnyArray:
    width_height, outside = (size[1], size[0]), cv2.BORDER_CONSTANT
    if maps is not None:
        part, across, down = _within_reach(source, *maps)
        return cv2.remap(part, across, down, way, borderMode=outside, borderValue=fill)
    if is_affine(matrix):
        return cv2.warpAffine(source, matrix[:2], width_height, flags=way, borderMode=outside, borderValue=fill)
    return cv2.warpPerspective(source, matrix, width_height, flags=way, borderMode=outside, borderValue=fill)


def _within_reach(source: AnyArray, across: FloatArray, down: FloatArray) -> tuple[AnyArray, FloatArray, FloatArray]:
    """Cut a source of more than 32,766 pixels a side, the most that OpenCV looks up in, to what the maps look at."""
    if max(source.shape[:2]) <= _MOST_LOOKED_UP:
        return source, across, down
    (top, bottom), (left, right) = _reach(down, source.shape[0]), _reach(across, source.shape[1])
    part = np.ascontiguousarray(source[top:bottom, left:right])
    return part, across - np.float32(left), down - np.float32(top)


def _reach(places: FloatArray, length: int) -> tuple[int, int]:
    """Give the first and the last pixel (exclusive) of an axis that a lookup needs; at least one."""
    first = int(np.clip(np.floor(places.min()) - 1, 0, length - 1))
    return first, int(np.clip(np.ceil(places.max()) + 2, first + 1, length))


def _three(pixels: AnyArray) -> AnyArray:
    """Give back the axis of channels, which OpenCV drops where there is one."""
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
