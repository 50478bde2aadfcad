"""Part an image into superpixels: pieces of about one size that keep to edges, by k-means on colour and place [1].

scikit-image's implementation: centres on a grid, each pixel takes the best of those near it, and pieces are made connected.
Same numbers, same result.

Cost: pixels x iterations, whatever the number of superpixels; on at most 6 megapixels.

[1] Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, IEEE Trans. Pattern Analysis and Machine
Intelligence, 2012.
"""

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import RGB, Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.growing.changes import check_range, finite, is_plain
from pixelwise.methods.partition import as_regions
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "regions"
ABOUT = About(
    family="graph",
    good_for="pieces of even size for other methods, or for labelling by click",
    bad_for="finding things: every area is cut up, also a plain one",
    cost="grows with the pixels times the iterations, on at most 6 megapixels",
    source="Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, IEEE TPAMI 2012",
)
_PIXELS = 6_000_000


def segment(
    image: Image,
    *,
    superpixels: int = 400,
    compactness: float = 10.0,
    smooth: float = 0.0,
    iterations: int = 10,
) -> Segmentation:
    """Part ``image`` into about so many superpixels; a plain image is one.

    Args:
        superpixels: about how many.
        compactness: how much place counts beside colour; more gives squarer pieces.
        smooth: standard deviation of a blur before, in pixels of the image worked on.
        iterations: of the k-means.

    Raises:
        OptionError: an option is out of range.
    """
    if not 1 <= superpixels <= 65535:
        raise OptionError(f"slic: superpixels must be from 1 to 65535, got {superpixels}")
    if not compactness > 0:
        raise OptionError(f"slic: compactness must be above 0, got {compactness}")
    check_range("slic", "compactness", compactness, 0)
    check_range("slic", "smooth", smooth, 0, 100)
    check_range("slic", "iterations", iterations, 1, 1000)
    if is_plain(image):
        return as_regions(np.zeros(image.size, np.uint8))
    small, notes = reduced(image, _PIXELS)
    found = superpixels_of(small, superpixels, compactness, smooth, iterations)
    return as_regions(enlarged(found, small, image), notes)


def superpixels_of(image: Image, count: int, compactness: float = 10.0, smooth: float = 0.0, iterations: int = 10) -> IntArray:
    """Number about ``count`` superpixels (H, W) of an image that has contrast, from 1."""
    from skimage.segmentation import slic

    found: IntArray = slic(
        finite(image),
        n_segments=min(count, image.size[0] * image.size[1]),
        compactness=compactness,
        sigma=smooth,
        max_num_iter=iterations,
        convert2lab=image.bands == RGB,
        channel_axis=-1,
        start_label=1,
    )
    return found
