"""How unsure each pixel is, as an 8-bit grey PNG: 0 is sure, 255 as unsure as can be; its text says so, and the measure."""

import numpy as np

from pixelwise.core.errors import OptionError
from pixelwise.core.png import encode_photo
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "image/png"
SCALE = 255


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer.

    Raises:
        OptionError: it was not wished for.
        DataError: there are no pixels.
    """
    if answered.uncertainty is None:
        raise OptionError("uncertainty: the image was segmented without it; ask for it with uncertainty=true")
    told = {"Measure": wishes.measure, "Scale": f"value / {SCALE}: 0 sure, 1 as unsure as can be"}
    return encode_photo(np.rint(answered.uncertainty * SCALE).astype(np.uint8)[:, :, None], told)
