"""Split an image at a stated grey level. Cost: one pass over the pixels."""

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.grey import Foreground, grey_levels, two_classes

KIND: Kind = "semantic"


def segment(image: Image, *, level: float = 0.5, foreground: Foreground = "bright") -> Segmentation:
    """Split ``image`` at ``level``: pixels above it are bright.

    Args:
        level: as a fraction of the full range, so that 0.5 is the middle of 8 and of 16 bits alike.
        foreground: the side that is the foreground: ``bright``, ``dark``, or ``auto``, the one that holds less of the border.

    Raises:
        OptionError: the level is outside 0 to 1.
    """
    if not 0 <= level <= 1:
        raise OptionError(f"threshold: the level is a fraction of the full range, from 0 to 1; got {level}")
    return two_classes(grey_levels(image) > level, foreground)
