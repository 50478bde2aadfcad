"""The shapes that labelling tools draw, each turned into run lengths once, on the way in.

One rule fills them all: COCO's (``core.polygons``), so that a polygon, a box and an ellipse of one tool fit together with those
of another. Coordinates are pixels, x to the right and y down; (0, 0) is the top left corner of the top left pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.idmaps import stretches
from pixelwise.core.polygons import rasterise
from pixelwise.core.runs import Runs, decode, encode, from_counts

_FLATNESS = 0.02  # pixels that the polygon of an ellipse may stay within it
_MOST_CORNERS = 20_000  # of that polygon


class Shape(Protocol):
    """A shape on an image."""

    def runs(self, size: Size) -> Runs:
        """Fill the shape on a grid (H, W); what lies outside the grid is cut off.

        Raises:
            DataError: it has no area by its nature, or its numbers make no sense; the message does not say where.
        """


@dataclass(frozen=True, eq=False)
class Polygons:
    """Parts (P, 2) of x, y, and the holes in them; a hole is cut out of all parts."""

    parts: tuple[FloatArray, ...]
    holes: tuple[FloatArray, ...] = ()

    def runs(self, size: Size) -> Runs:
        """Fill the parts, less the holes."""
        if not self.parts:
            raise DataError("it has no outline; draw one")
        for one in (*self.parts, *self.holes):
            if len(one) < 3:
                raise DataError(f"a polygon has {len(one)} points; expected at least 3")
        filled = rasterise(self.parts, size)
        return encode(decode(filled) & ~decode(rasterise(self.holes, size))) if self.holes else filled


@dataclass(frozen=True)
class Box:
    """A box by its sides, turned by ``angle`` degrees clockwise about its centre, or about ``pivot`` (x, y)."""

    left: float
    top: float
    right: float
    bottom: float
    angle: float = 0.0
    pivot: tuple[float, float] | None = None

    def runs(self, size: Size) -> Runs:
        """Fill the box."""
        sides = _finite("a side of the box", self.left, self.top, self.right, self.bottom)
        left, right = sorted((sides[0], sides[2]))
        top, bottom = sorted((sides[1], sides[3]))
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        return rasterise([turned(corners, self.angle, self.pivot or ((left + right) / 2, (top + bottom) / 2))], size)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse by centre and radii, turned by ``angle`` degrees clockwise about its centre, or about ``pivot`` (x, y)."""

    x: float
    y: float
    radius_x: float
    radius_y: float
    angle: float = 0.0
    pivot: tuple[float, float] | None = None

    def runs(self, size: Size) -> Runs:
        """Fill the ellipse, as a polygon that stays within a fiftieth of a pixel of it."""
        x, y, across, down = _finite("the centre or a radius of the ellipse", self.x, self.y, self.radius_x, self.radius_y)
        if min(across, down) < 0:
            raise DataError("a radius of the ellipse is negative")
        step = 2 * math.acos(max(0.0, 1 - _FLATNESS / max(across, down, 1.0)))  # 0 for radii beyond all images
        count = min(max(16, math.ceil(2 * math.pi / max(step, 1e-9))), _MOST_CORNERS)
        turn = np.arange(count) * (2 * math.pi / count)
        points = np.stack([x + across * np.cos(turn), y + down * np.sin(turn)], axis=1)
        return rasterise([turned(points, self.angle, self.pivot or (x, y))], size)


@dataclass(frozen=True, eq=False)
class Bitmap:
    """A mask (h, w) whose top left pixel lies at ``left``, ``top``."""

    mask: BoolArray
    left: int = 0
    top: int = 0

    def runs(self, size: Size) -> Runs:
        """Put the mask in its place; it costs what the mask does, not what the grid would."""
        height, width = self.mask.shape
        top, bottom = max(self.top, 0), min(self.top + height, size[0])
        left, right = max(self.left, 0), min(self.left + width, size[1])
        if top >= bottom or left >= right:
            return from_edges(np.zeros(0, np.int64), size)
        inner = self.mask[top - self.top : bottom - self.top, left - self.left : right - self.left]
        if inner.shape == size:
            return encode(inner)
        columns = np.pad(inner.T, ((0, 0), (1, 1)))
        column, row = np.nonzero(columns[:, 1:] != columns[:, :-1])
        return from_edges((left + column) * size[0] + top + row, size)


@dataclass(frozen=True)
class Coded:
    """Run lengths that are there already."""

    coded: Runs

    def runs(self, size: Size) -> Runs:
        """Give them.

        Raises:
            DataError: they are of another size.
        """
        if self.coded.size != size:
            raise DataError(
                f"its run lengths are of size {list(self.coded.size)}, but the image is {list(size)} (height, width)"
            )
        return self.coded


@dataclass(frozen=True)
class Union:
    """Several shapes that are one object: the parts of one group."""

    shapes: tuple[Shape, ...]

    def runs(self, size: Size) -> Runs:
        """Fill all of them."""
        return union([one.runs(size) for one in self.shapes], size)


def union(masks: Sequence[Runs], size: Size) -> Runs:
    """Join masks of one size (H, W).

    >>> union([encode(np.array([[True, False, False]])), encode(np.array([[True, True, False]]))], (1, 3)).area
    2
    """
    firsts, lasts, _ = stretches(masks)
    places, which = np.unique(np.concatenate([firsts, lasts]), return_inverse=True)
    begun, ended = (np.bincount(each, minlength=len(places)) for each in (which[: len(firsts)], which[len(firsts) :]))
    covered = np.cumsum(begun - ended) > 0
    return from_edges(places[covered != np.append(False, covered[:-1])], size)


def odd_parity(masks: Sequence[Runs], size: Size) -> Runs:
    """Take the pixels that an odd number of masks of one size (H, W) cover.

    >>> odd_parity([encode(np.array([[True, True, True]])), encode(np.array([[False, True, False]]))], (1, 3)).area
    2
    """
    firsts, lasts, _ = stretches(masks)
    return from_edges(np.concatenate([firsts, lasts]), size)


def from_edges(places: IntArray, size: Size) -> Runs:
    """Make a mask (H, W) of the places where it begins and ends, as pixels are counted column by column; two at one cancel.

    >>> decode(from_edges(np.array([1, 3, 3, 4]), (2, 2))).astype(int).tolist()
    [[0, 1], [1, 1]]
    """
    edges, times = np.unique(places, return_counts=True)
    total = size[0] * size[1]
    kept = edges[(times % 2 == 1) & (edges < total)]
    return from_counts(np.diff(kept, prepend=0, append=total).tolist(), size)


def points_of(pairs: object) -> FloatArray:
    """Take a list of [x, y] as (P, 2).

    Raises:
        DataError: it is none.
    """
    if not isinstance(pairs, Sequence) or isinstance(pairs, str | bytes) or not all(_is_pair(pair) for pair in pairs):
        raise DataError("expected points as pairs of finite numbers x, y, found something else")
    try:
        found = np.array([(float(pair[0]), float(pair[1])) for pair in pairs], np.float64).reshape(-1, 2)
    except OverflowError:
        raise DataError("a point has a coordinate beyond all numbers") from None
    if not np.isfinite(found).all():
        raise DataError("expected points as pairs of finite numbers x, y, found NaN or Infinity")
    return found


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list | tuple) and len(pair) >= 2 and all(is_number(one) for one in pair[:2])


def is_number(value: object) -> bool:
    """Tell a number from all else a JSON value may be; True is none.

    >>> is_number(2.5), is_number(True), is_number("2")
    (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)


def turned(points: AnyArray, degrees: float, pivot: tuple[float, float]) -> FloatArray:
    """Turn points (P, 2) clockwise, as one sees them, about ``pivot``.

    >>> turned(np.array([[1.0, 0.0]]), 90, (0, 0)).round(9).tolist()
    [[0.0, 1.0]]
    """
    if not degrees:
        return np.asarray(points, np.float64)
    angle, x, y = _finite("an angle or a pivot", degrees, *pivot)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    about = np.asarray(points, np.float64) - (x, y)
    return np.asarray(about @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y))


def _finite(what: str, *numbers: float) -> list[float]:
    """Take numbers as a file states them, whole ones of any length among them."""
    try:
        found = [float(one) for one in numbers]
    except OverflowError:
        found = [math.inf]
    if not all(map(math.isfinite, found)):
        raise DataError(f"{what} is no finite number")
    return found
