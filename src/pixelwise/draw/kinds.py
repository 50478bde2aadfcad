"""Kinds of errors over an image, in five colours that are told apart with every kind of colour vision."""

import numpy as np

from pixelwise.core.arrays import ByteArray, IntArray
from pixelwise.draw.colours import Picture, rgb_bytes
from pixelwise.draw.compare import EXTRA, VOIDED, WRONG
from pixelwise.draw.overlay import check_sizes
from pixelwise.draw.scaled import faded, ids_at, image_at, shown_size

RIGHT, VOID_PIXEL = 0, 255
KIND_COLOURS: dict[str, tuple[int, int, int]] = {  # missed and invented as in every other picture
    "borders": (110, 205, 240),
    "extent": (40, 90, 160),
    "confusion": (26, 28, 34),
    "missed": WRONG,
    "invented": EXTRA,
}


def kind_map(kinds: IntArray, image: Picture, side: int = 480) -> ByteArray:
    """Colour a map (H, W) of error kinds over the image in light grey: (h, w, 3), longer side ``side``.

    Args:
        kinds: 0 where it is right, n for the nth of ``KIND_COLOURS``, 255 where nothing counts, which is hatched.

    Raises:
        SizeMismatch: the map and the image differ in height or width.
    """
    check_sizes(rgb_bytes(image).shape[:2], kinds.shape[:2])
    size = shown_size((kinds.shape[0], kinds.shape[1]), side)
    canvas, shown = faded(image_at(image, size)), ids_at(kinds, size)
    rows, columns = np.ogrid[: size[0], : size[1]]
    void = shown == VOID_PIXEL
    canvas[void] = VOIDED
    canvas[void & ((rows - columns) % 8 < 2)] = 95
    for number, colour in enumerate(KIND_COLOURS.values(), start=1):
        canvas[shown == number] = colour
    return canvas
