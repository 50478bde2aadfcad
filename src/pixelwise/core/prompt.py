"""What a person points at: points, boxes, scribbles and polygons; the same type for GrabCut and promptable networks."""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray, Size
from pixelwise.core.errors import OptionError


@dataclass(frozen=True)
class Prompt:
    """One object pointed at, in pixels of the image.

    Attributes:
        points: (x, y, inside) each; inside False marks background.
        box: left, top, right, bottom, exclusive.
        scribbles: strokes, each a sequence of (x, y), with whether it is inside.
        polygon: corners (x, y).
        class_id: the class of the object, where known.
    """

    points: tuple[tuple[float, float, bool], ...] = ()
    box: tuple[float, float, float, float] | None = None
    scribbles: tuple[tuple[tuple[tuple[float, float], ...], bool], ...] = ()
    polygon: tuple[tuple[float, float], ...] = ()
    class_id: int | None = None

    def checked(self, size: Size) -> "Prompt":
        """Give the prompt back if all of it lies in an image of (H, W).

        Raises:
            OptionError: something lies outside, or the box is empty.
        """
        height, width = size
        places = [(x, y) for x, y, _ in self.points] + list(self.polygon)
        places += [place for stroke, _ in self.scribbles for place in stroke]
        for x, y in places:
            if not (0 <= x < width and 0 <= y < height):
                raise OptionError(f"the point ({x}, {y}) lies outside the image of {width} x {height} pixels")
        if self.box is not None:
            left, top, right, bottom = self.box
            if not (0 <= left < right <= width and 0 <= top < bottom <= height):
                raise OptionError(f"the box {self.box} is empty or outside the image of {width} x {height} pixels")
        return self

    def markers(self, size: Size, radius: int = 1) -> IntArray:
        """Draw points and scribbles as a marker map (H, W): 0 unknown, 1 background, 2 inside."""
        import cv2

        markers = np.zeros(size, np.uint8)
        for x, y, inside in self.points:
            cv2.circle(markers, (round(x), round(y)), radius, 2 if inside else 1, -1)
        for stroke, inside in self.scribbles:
            if not stroke:
                continue
            cv2.polylines(markers, [np.rint(stroke).astype(np.int32)], False, 2 if inside else 1, 2 * radius + 1)
        return markers

    def box_mask(self, size: Size) -> BoolArray:
        """Fill the box (H, W)."""
        mask = np.zeros(size, bool)
        if self.box is not None:
            left, top, right, bottom = (round(side) for side in self.box)
            mask[top:bottom, left:right] = True
        return mask
