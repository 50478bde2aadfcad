"""The segmentation itself, exactly, in the form of ``pixelwise.core.packed``: what Pixelwise's own client asks for."""

from pixelwise.core.packed import pack
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/vnd.pixelwise.segmentation"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        DataError: an attribute is no JSON value.
    """
    return pack(answered.segmentation, {"model": answered.served.name, "version": answered.served.version})
