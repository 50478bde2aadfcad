"""Segments in their colours as a PNG with opacity, to be laid over the image; it is transparent where there is no segment."""

from pixelwise.core.png import encode_colours
from pixelwise.draw.layer import layer
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "image/png"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        DataError: there are no pixels.
    """
    return encode_colours(layer(answered.segmentation, wishes.opacity, wishes.outline))
