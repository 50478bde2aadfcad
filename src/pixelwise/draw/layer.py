"""Segments alone, to be laid over their image by whoever shows it: colours with opacity, nothing where there is no segment."""

import cv2
import numpy as np

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import OptionError
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import background_classes, segment_colours
from pixelwise.draw.overlay import boundaries, line_width


def layer(segmentation: Segmentation, opacity: float = 0.5, outline: bool = True) -> ByteArray:
    """Draw segments (H, W, 4) uint8: red, green, blue and opacity.

    Void and a class called background are transparent. Outlines have their segment's colour in full; where masks overlap, the
    smaller is on top.

    >>> from pixelwise.core.labels import LabelSet
    >>> one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], LabelSet.of(["cat"]))
    >>> layer(one, outline=False)[0, :, 3].tolist()
    [128, 0]

    Raises:
        OptionError: the opacity is not between 0 and 1.
    """
    if not 0 <= opacity <= 1:
        raise OptionError(f"the opacity must lie between 0 and 1, got {opacity}")
    ids, count = segmentation.panoptic_ids(), len(segmentation)
    table = np.zeros((count + 1, 4), np.uint8)
    table[1:, :3] = segment_colours(segmentation)
    table[1:, 3] = round(opacity * 255)
    is_shown = np.ones(count + 1, bool)
    is_shown[0] = False
    if segmentation.kind != "regions":
        is_shown[1:] = ~np.isin(segmentation.class_ids, background_classes(segmentation.labels))
    table[~is_shown] = 0
    canvas = table[ids]
    if outline and ids.size:
        edge = boundaries(ids)
        if (width := line_width(segmentation.size)) > 1:
            edge = cv2.dilate(edge.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
        canvas[edge & is_shown[ids], 3] = 255
    return canvas
