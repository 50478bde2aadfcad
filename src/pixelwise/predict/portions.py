"""How many images a predictor is given at once, where all their probabilities are wanted."""

from collections.abc import Sequence

from pixelwise.core.image import Image


def portions(images: Sequence[Image], classes: int, most: int) -> list[list[Image]]:
    """Divide images, in order, so that each portion has at most so many probabilities, or is one image.

    >>> import numpy as np
    >>> image = Image(np.zeros((2, 3, 1), np.uint8), ("grey",))
    >>> [len(some) for some in portions([image] * 3, classes=2, most=24)]
    [2, 1]
    """
    found: list[list[Image]] = []
    room = 0
    for image in images:
        values = image.size[0] * image.size[1] * classes
        if not found or values > room:
            found.append([])
            room = most
        found[-1].append(image)
        room -= values
    return found
