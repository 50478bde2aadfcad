"""Merge pixels along the edges of a graph while regions differ less between them than within [1].

Pixels are joined with their eight neighbours by edges weighted with the difference of colour. Edges are taken from the lightest
on, and join two regions unless the edge is heavier than the heaviest edge either of them needs to hang together, plus ``scale``
divided by its pixels. So large regions need clear borders, and variation within a region is forgiven where it is even.
scikit-image's implementation; same numbers, same result.

Cost: a sort of four edges a pixel; on at most 4 megapixels, with ``scale`` and ``smallest`` made as much smaller as the image.

[1] Felzenszwalb and Huttenlocher, Efficient graph-based image segmentation, International Journal of Computer Vision, 2004.
"""

import warnings

import numpy as np

from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.growing.changes import check_range
from pixelwise.methods.partition import as_regions
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "regions"
ABOUT = About(
    family="graph",
    good_for="a first partition of any photograph, fast; pieces for other methods",
    bad_for="straight borders: regions are ragged, and thin ones follow edges",
    cost="grows with the pixels times their logarithm, on at most 4 megapixels",
    source="Felzenszwalb and Huttenlocher, Efficient graph-based image segmentation, IJCV 2004",
)
_PIXELS = 4_000_000


def segment(image: Image, *, scale: float = 500.0, smooth: float = 0.8, smallest: int = 50) -> Segmentation:
    """Part ``image`` into regions with clear borders between them.

    Args:
        scale: how large regions are wanted; the difference between two regions is weighed against scale / pixels, in steps of
            1 / 255 of the full range.
        smooth: standard deviation of a blur before, in pixels of the image worked on.
        smallest: pixels below which a region is given to its most alike neighbour.

    Raises:
        OptionError: an option is out of range.
    """
    from skimage.segmentation import felzenszwalb

    for name, value in (("scale", scale), ("smallest", smallest)):
        check_range("felzenszwalb", name, value, 0)
    check_range("felzenszwalb", "smooth", smooth, 0, 100)
    if not image.pixels.size:
        return as_regions(np.zeros(image.size, np.uint8))
    small, notes = reduced(image, _PIXELS)
    share = small.size[0] * small.size[1] / (image.size[0] * image.size[1])
    pixels = np.nan_to_num(small.pixels, posinf=1.0, neginf=0.0) if small.pixels.dtype.kind == "f" else small.pixels
    with warnings.catch_warnings():  # of more than three bands it warns that they may be slices of a volume
        warnings.simplefilter("ignore", RuntimeWarning)
        found = felzenszwalb(pixels, scale=scale * share, sigma=smooth, min_size=round(smallest * share), channel_axis=-1)
    return as_regions(enlarged(found, small, image), notes)
