"""The id map as a PNG, the same bytes that ``pixelwise predict`` writes.

Values are classes of a semantic segmentation, with 255 (65535 from 256 classes on) where there is none; of other kinds they are
numbers of segments from 1, with 0 where there is none. Where objects overlap, the smaller is on top.
"""

from pixelwise.core.image import encode_id_map
from pixelwise.predict.pictures import coloured_ids
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "image/png"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        DataError: there are more segments than 16 bits count, or no pixels.
    """
    return encode_id_map(*coloured_ids(answered.segmentation))
