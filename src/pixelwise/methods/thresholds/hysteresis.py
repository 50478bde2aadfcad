"""Split an image at two levels: pixels above the lower one count where they connect to one above the higher [1].

Without levels, they are the two that part the histogram into three classes best (multi-Otsu). Dark things are found by the
same rule in the negative. Cost: one pass over the pixels, and one to connect them.

[1] Canny, A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986, section VI.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, side_of, two_classes
from pixelwise.methods.thresholds.histogram import codes_of, histogram_of
from pixelwise.methods.thresholds.multiotsu import multiotsu_levels
from pixelwise.methods.thresholds.otsu import otsu_level

KIND: Kind = "semantic"
ABOUT = About(
    family="threshold",
    good_for="things with a clear core and faint rims or arms: vessels, cracks, nuclei; faint specks are left out",
    bad_for="things that a faint bridge joins to something bright",
    cost="two passes over the pixels",
    source="Canny: A computational approach to edge detection, IEEE Trans. PAMI 8(6), 1986 (the rule, for edges)",
)


def segment(
    image: Image,
    *,
    low: float | None = None,
    high: float | None = None,
    channel: str = "grey",
    foreground: Foreground = "auto",
) -> Segmentation:
    """Split ``image`` into background and foreground by two levels.

    Args:
        low: the level nearer to the ground of bright things, as a fraction of the full range; by itself multi-Otsu's first.
        high: the level that a bright thing must pass somewhere; by itself multi-Otsu's second. Dark things must lie below
            ``low`` somewhere, and reach up to ``high``.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: ``bright``, ``dark``, or ``auto``, of Otsu's two classes the one that holds less of the border.

    Raises:
        OptionError: a level is outside 0 to 1, or the low one above the high one.
    """
    for name, level in (("low", low), ("high", high)):
        if level is not None and not 0 <= level <= 1:
            raise OptionError(f"hysteresis: {name} is a fraction of the full range, from 0 to 1; got {level}")
    if low is not None and high is not None and low > high:
        raise OptionError(f"hysteresis: low must not be above high, got {low} and {high}")
    check_foreground(foreground)
    levels = levels_of(image, channel)
    if not levels.size or levels.min() == levels.max():
        return two_classes(np.zeros(levels.shape, bool), "bright")
    codes = codes_of(image, channel)
    if foreground == "auto":
        foreground = side_of(codes > _otsu(codes), "auto")
    first, last = (float(levels[codes <= code].max()) for code in multiotsu_levels(codes, 3)[[0, -1]])
    low = min(first, high if high is not None else first) if low is None else low
    high = max(last, low) if high is None else high
    if foreground == "bright":
        return two_classes(reaching(levels > low, levels > high), "bright")
    return two_classes(reaching(levels <= high, levels <= low), "bright")


def reaching(weak: BoolArray, strong: BoolArray) -> BoolArray:
    """Keep the parts of ``weak`` (H, W), connected by sides, that hold a pixel of ``strong`` (H, W), itself part of it.

    >>> reaching(np.array([[True, True, False, True]]), np.array([[False, True, False, False]]))
    array([[ True,  True, False, False]])
    """
    count, parts = cv2.connectedComponents(weak.view(np.uint8), connectivity=4)
    is_kept = np.zeros(count, bool)
    is_kept[parts[strong]] = True
    is_kept[0] = False
    return np.asarray(is_kept[parts])


def _otsu(codes: IntArray) -> int:
    counts, lasts = histogram_of(codes)
    return int(lasts[otsu_level(counts)])
