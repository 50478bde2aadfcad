"""What strokes on an image say of its pixels."""

from collections.abc import Sequence

import numpy as np

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.prompt import Prompt

UNKNOWN = -1


def stroked(prompts: Sequence[Prompt], size: Size, classes: Sequence[str], method: str) -> IntArray:
    """Draw what is marked as a map (H, W) of class numbers, ``UNKNOWN`` where nothing is.

    What is inside a prompt is of its ``class_id``, or of class 1 where it has none; marks outside are of class 0. A later mark
    lies over an earlier one.

    Raises:
        OptionError: a mark is outside the image, of no known class, or a box, which does not say what its pixels are.
    """
    found = np.full(size, UNKNOWN, np.int16)
    for prompt in prompts:
        if prompt.box is not None:
            raise OptionError(f"{method}: learns from points, scribbles and polygons; a box does not say what its pixels are")
        number = 1 if prompt.class_id is None else prompt.class_id
        if not 0 <= number < len(classes):
            raise OptionError(
                f"{method}: a prompt has the class_id {number}, and the classes are 0 to {len(classes) - 1} "
                f"({', '.join(classes)}); name others by its option 'classes'"
            )
        prompt = prompt.checked(size)
        found[prompt.polygon_mask(size)] = number
        marks = prompt.markers(size, radius=0 if min(size) < 32 else 1)
        found[marks == 2] = number
        found[marks == 1] = 0
    return found
