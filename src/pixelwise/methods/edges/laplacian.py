"""Part an image into regions along the zero crossings of its Laplacian of Gaussian [1].

The image is smoothed and differentiated twice; where the sign changes between neighbours, there is an edge if the gradient is
strong enough (Otsu's level of the strengths along all crossings, or a stated one). Edges are closed into regions
(``closing``). Cost: one pass over the pixels for each kernel and each width of gap, and the flood of pixels near edges.

[1] Marr, Hildreth: Theory of edge detection, Proc. Royal Society of London B 207, 1980.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.closing import Show, check_closing, shown, strong
from pixelwise.methods.edges.strength import ALL_BANDS, gradient, smooth_levels

KIND: Kind = "regions"
ABOUT = About(
    family="edge",
    good_for="blobs and things with soft outlines: zero crossings are thin and closed by nature",
    bad_for="corners, which are rounded; noise below the smoothing's width",
    cost="about pixels x log(width of the widest area without edges)",
    source="Marr, Hildreth: Theory of edge detection, Proc. Royal Society of London B 207, 1980",
)
_FLAT = 1e-5  # a gradient below a part of a grey level, where the sign of the second derivative is one of rounding


def segment(
    image: Image,
    *,
    sigma: float = 2.0,
    level: float | None = None,
    gap: float = 0.35,
    smallest: int | None = None,
    channel: str = ALL_BANDS,
    show: Show = "regions",
) -> Segmentation:
    """Part ``image`` into regions along zero crossings.

    Args:
        sigma: deviation of the Gaussian, in pixels, from 0.5.
        level: what the gradient at a crossing passes, from 0 to 1; by itself Otsu's level of the gradients at crossings.
        gap: a gap in an edge is closed up to this share of the widest disc beside it; 0 closes none.
        smallest: pixels of a region's core, at least; by itself 1 of 8000 of the image.
        channel: ``bands``, all of them; ``grey``, a band by name, or a channel of HSV or Lab.
        show: ``regions``; or ``edges``, two regions: first what is no edge, then the edge pixels.

    Raises:
        OptionError: an option is out of its range.
    """
    check_closing("laplacian", level, gap, smallest, show)
    if not 0.5 <= sigma <= 100:
        raise OptionError(f"laplacian: sigma must be from 0.5 to 100 pixels, got {sigma}")
    strongest = np.zeros(image.size, np.float32)
    at_crossings = np.zeros(image.size, np.float32)
    for levels in smooth_levels(image, sigma, channel):
        strength = gradient(levels, "sobel").strength()
        np.maximum(strongest, strength, out=strongest)
        np.maximum(at_crossings, strength, out=at_crossings, where=zero_crossings(_laplacian(levels)))
    is_edge = np.zeros(image.size, bool)
    is_crossing = at_crossings > _FLAT
    is_edge[is_crossing] = strong(at_crossings[is_crossing], level)
    return shown(strongest, is_edge, gap, smallest, show)


def zero_crossings(values: FloatArray) -> BoolArray:
    """Mark the pixels of ``values`` (H, W) from which to the right or downwards neighbour the sign changes.

    Of the two, the one nearer to 0 is marked.

    >>> zero_crossings(np.array([[3.0, 1, -2, -2]]))
    array([[False,  True, False, False]])
    """
    marked = np.zeros(values.shape, bool)
    for one, other, here, there in (
        (values[:, :-1], values[:, 1:], marked[:, :-1], marked[:, 1:]),
        (values[:-1], values[1:], marked[:-1], marked[1:]),
    ):
        changes = (one > 0) != (other > 0)
        is_nearer = np.abs(one) <= np.abs(other)
        here |= changes & is_nearer
        there |= changes & ~is_nearer
    return marked


def _laplacian(levels: FloatArray) -> FloatArray:
    return np.asarray(cv2.Laplacian(levels, cv2.CV_32F, ksize=3, borderType=cv2.BORDER_REFLECT))
