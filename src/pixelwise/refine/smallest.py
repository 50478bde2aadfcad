"""Remove parts below an area, and give their pixels to the nearest part that is large enough.

A part is what is connected by sides. In a mask that may overlap others its pixels become background, and an object of which
nothing is left goes. Cost: connected parts, and one distance transform.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.partition import connected, without_specks
from pixelwise.refine.about import About
from pixelwise.refine.parts import parts_of
from pixelwise.refine.pieces import reshaped, with_ids

_MAP = "parts below ``area`` go to the nearest part that is large enough, whatever its class"
_MASKS = "parts below ``area`` go, and objects of which nothing is left"
ABOUT = About(
    rules={"semantic": _MAP, "panoptic": _MAP, "regions": _MAP, "instance": _MASKS, "multilabel": _MASKS},
    refused={},
    cost="linear in the pixels",
    source="area opening: Vincent, Morphological area openings and closings, NATO Shape in Picture Workshop, 1992",
)


def refine(image: Image, found: Segmentation, *, area: int = 32) -> Segmentation:
    """Remove the small parts of ``found``; where all are small, a map stays as it is.

    Args:
        area: the smallest part that stays, in pixels.

    Raises:
        OptionError: the area is below 1.
    """
    if area < 1:
        raise OptionError(f"smallest: the area is in pixels, from 1 up, got {area}")
    if found.kind in ("instance", "multilabel"):
        return reshaped(found, lambda piece: _opened(piece.mask, area), 0)
    ids = found.panoptic_ids()
    parts = parts_of(ids)
    owners = np.append(0, parts.ids).astype(ids.dtype)  # parts are numbered from 1 in what comes back
    return with_ids(found, owners[without_specks(parts.map, area)])


def _opened(mask: BoolArray, area: int) -> BoolArray:
    numbers = connected(mask.astype(np.uint8) + np.uint8(1))  # from 1, the background's parts too
    areas = np.bincount(numbers.ravel())
    return np.asarray(mask & (areas >= area)[numbers])
