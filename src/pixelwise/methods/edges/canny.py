"""Part an image into regions along Canny's edges [1], with levels taken from the image [2].

The upper level is Otsu's level of the gradient's length, the lower one half of it. Thin edges are closed into regions
(``closing``). Cost: one pass over the pixels for each kernel and each width of gap, and the flood of pixels near edges.

[1] Canny: A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986.
[2] Fang, Yue, Yu: The study on an application of Otsu method in Canny operator, ISIP 2009.
"""

import math

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.closing import Show, check_closing, shown
from pixelwise.methods.edges.strength import ALL_BANDS, smooth_levels
from pixelwise.methods.thresholds.otsu import above_otsu

KIND: Kind = "regions"
ABOUT = About(
    family="edge",
    good_for="thin, well placed edges; things of plain surfaces with outlines",
    bad_for="textures, which are edges all over; corners, at which edges break off",
    cost="about pixels x log(width of the widest area without edges)",
    source="Canny: A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986",
)
_SOBEL_SUM = 4.0  # of one side of OpenCV's kernel: a step from black to white has this derivative


def segment(
    image: Image,
    *,
    sigma: float = 2.0,
    low: float | None = None,
    high: float | None = None,
    gap: float = 0.35,
    smallest: int | None = None,
    channel: str = ALL_BANDS,
    show: Show = "regions",
) -> Segmentation:
    """Part ``image`` into regions along its edges.

    Args:
        sigma: deviation of the Gaussian that smoothes first, in pixels; 0 for none.
        low: the gradient that pixels connected to an edge pass, 1 for a step from black to white; by itself half of ``high``.
        high: the gradient that an edge passes somewhere; by itself Otsu's level of the gradients.
        gap: a gap in an edge is closed up to this share of the widest disc beside it; 0 closes none.
        smallest: pixels of a region's core, at least; by itself 1 of 8000 of the image.
        channel: ``bands``, the strongest edge of all; ``grey``, a band by name, or a channel of HSV or Lab.
        show: ``regions``; or ``edges``, two regions: first what is no edge, then the edge pixels.

    Raises:
        OptionError: an option is out of its range.
    """
    check_closing("canny", None, gap, smallest, show)
    check_levels("canny", low, high)
    is_edge, strength = canny_edges(image, sigma, low, high, channel)
    return shown(strength, is_edge, gap, smallest, show)


def check_levels(method: str, low: float | None, high: float | None) -> None:
    """Refuse levels out of range.

    Raises:
        OptionError: one is.
    """
    for name, level in (("low", low), ("high", high)):
        if level is not None and not 0 <= level <= 2:
            raise OptionError(f"{method}: {name} is a gradient, 1 for a step from black to white, from 0 to 2; got {level}")
    if low is not None and high is not None and low > high:
        raise OptionError(f"{method}: low must not be above high, got {low} and {high}")


def canny_edges(
    image: Image, sigma: float, low: float | None = None, high: float | None = None, channel: str = ALL_BANDS
) -> tuple[BoolArray, FloatArray]:
    """Give Canny's edge map (H, W), and the gradient's length (H, W) float32, 1 for a step from black to white.

    It is OpenCV's map with ``L2gradient``, of derivatives that are finer than its 8 bits where the image is: they are scaled
    by a power of two into 16 bits, so whole numbers stay exact.
    """
    across, down = _derivatives(image, sigma, channel)
    length = np.asarray(cv2.magnitude(across, down) if across.size else across, np.float32)
    largest = float(length.max(initial=0))
    if largest < 1e-3:  # of 255: rounding alone
        return np.zeros(image.size, bool), np.zeros(image.size, np.float32)
    scale = 2.0 ** math.floor(math.log2(16000 / largest))
    unit = np.float32(1 / (255 * _SOBEL_SUM))
    upper = _otsu(length) if high is None else high / float(unit)
    upper = upper if low is None else max(upper, low / float(unit))
    lower = upper / 2 if low is None else low / float(unit)
    scaled = [np.rint(each * np.float32(scale)).astype(np.int16) for each in (across, down)]
    edges = cv2.Canny(*scaled, lower * scale, upper * scale, L2gradient=True)
    return edges > 0, length * unit


def _derivatives(image: Image, sigma: float, channel: str) -> tuple[FloatArray, FloatArray]:
    """Give the derivatives (H, W) along x and y of levels from 0 to 255: at each pixel those of the strongest band."""
    best = np.zeros(image.size, np.float32), np.zeros(image.size, np.float32)
    for levels in smooth_levels(image, sigma, channel):
        grey = levels * np.float32(255)
        pair = [cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))]
        is_stronger = cv2.magnitude(*pair) > cv2.magnitude(*best)
        for one, other in zip(best, pair, strict=True):
            np.copyto(one, other, where=is_stronger)
    return best


def _otsu(length: FloatArray) -> float:
    return float(length[~above_otsu(length)].max())
