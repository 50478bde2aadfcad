"""Let every pixel climb to the nearest one that lies denser in colour and place; each summit is a region [1].

scikit-image's implementation; same numbers and seed, same result.

Cost: pixels x the square of 6 kernels; on at most 1 megapixel.

[1] Vedaldi and Soatto, Quick shift and kernel methods for mode seeking, ECCV 2008.
"""

import numpy as np

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
    good_for="superpixels whose size follows the image: large where it is plain, small where it is busy",
    bad_for="large images, and a stated number of pieces",
    cost="grows with the pixels times the square of the kernel, on at most 1 megapixel",
    source="Vedaldi and Soatto, Quick shift and kernel methods for mode seeking, ECCV 2008",
)
_PIXELS = 1_000_000


def segment(
    image: Image, *, kernel: float = 3.0, reach: float = 10.0, ratio: float = 0.5, smooth: float = 0.0, seed: int = 0
) -> Segmentation:
    """Part ``image`` into the climbs of its summits of density; a plain image is one region.

    Args:
        kernel: standard deviation of the Gaussian that density is measured with, in pixels and in steps of colour.
        reach: the farthest climb, in the same measure; more gives larger regions.
        ratio: how much colour counts beside place, from 0 to 1.
        smooth: standard deviation of a blur before, in pixels of the image worked on, as all lengths here.
        seed: of the tiny noise that decides between equals.

    Raises:
        OptionError: an option is out of range.
    """
    from skimage.segmentation import quickshift

    check_range("quickshift", "kernel", kernel, 0.5, 20)
    check_range("quickshift", "reach", reach, 0, 1000)
    check_range("quickshift", "ratio", ratio, 0, 1)
    check_range("quickshift", "smooth", smooth, 0, 100)
    if not 0 <= seed < 2**32:
        raise OptionError(f"quickshift: seed must be from 0 to 4294967295, got {seed}")
    if is_plain(image):
        return as_regions(np.zeros(image.size, np.uint8))
    small, notes = reduced(image, _PIXELS)
    found = quickshift(
        finite(small).astype(np.float64),
        ratio=ratio,
        kernel_size=kernel,
        max_dist=reach,
        sigma=smooth,
        convert2lab=image.bands == RGB,
        rng=seed,
        channel_axis=-1,
    )
    return as_regions(enlarged(found, small, image), notes)
