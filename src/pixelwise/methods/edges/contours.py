"""Find closed outlines and fill them: foreground is what edges enclose, bright or dark.

Outlines are Canny's edges [1], with gaps up to ``gap`` pixels closed; what cannot be reached from the image's border without
crossing one is filled, and lines that enclose nothing are dropped. So things that the image's border cuts are not found.
Cost: a few passes over the pixels.

[1] Canny: A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.canny import canny_edges, check_levels
from pixelwise.methods.edges.strength import ALL_BANDS
from pixelwise.methods.grey import two_classes

KIND: Kind = "semantic"
ABOUT = About(
    family="edge",
    good_for="separate things on plain ground, some brighter and some darker than it: coins, parts, cells, letters",
    bad_for="things cut by the border, outlines with wide gaps, textured ground",
    cost="a few passes over the pixels",
    source="Canny: A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986, and filling as common practice",
)


def segment(
    image: Image,
    *,
    sigma: float = 2.0,
    low: float | None = None,
    high: float | None = None,
    gap: int = 4,
    channel: str = ALL_BANDS,
) -> Segmentation:
    """Split ``image`` into what closed edges enclose, the foreground, and the rest.

    Args:
        sigma: deviation of the Gaussian that smoothes first, in pixels; 0 for none.
        low: the gradient that pixels connected to an edge pass, 1 for a step from black to white; by itself half of ``high``.
        high: the gradient that an edge passes somewhere; by itself Otsu's level of the gradients.
        gap: how many pixels wide gaps in outlines are closed, from 0 to 100.
        channel: ``bands``, the strongest edge of all; ``grey``, a band by name, or a channel of HSV or Lab.

    Raises:
        OptionError: an option is out of its range.
    """
    check_levels("contours", low, high)
    if not 0 <= gap <= 100:
        raise OptionError(f"contours: the gap must be from 0 to 100 pixels, got {gap}")
    return two_classes(filled(canny_edges(image, sigma, low, high, channel)[0], gap), "bright")


def filled(is_edge: BoolArray, gap: int = 0) -> BoolArray:
    """Mark what edges (H, W) enclose, themselves included, once gaps up to ``gap`` are closed.

    >>> filled(np.array([[0, 0, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]], bool)).astype(int)
    array([[0, 0, 0, 0],
           [1, 1, 1, 0],
           [1, 1, 1, 0],
           [1, 1, 1, 0]])
    """
    radius = (gap + 1) // 2
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(is_edge, radius + 1).view(np.uint8)  # a frame without edges, so that all of the outside is connected
    _, parts = cv2.connectedComponents(1 - cv2.dilate(padded, ball), connectivity=4)
    inside = (parts != parts[0, 0]).view(np.uint8)
    inside = cv2.morphologyEx(cv2.erode(inside, ball), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return inside[radius + 1 : -radius - 1, radius + 1 : -radius - 1].view(bool)
