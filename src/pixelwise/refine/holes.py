"""Fill the holes of segments.

A hole is a connected part (by sides) that touches one segment alone and not the border of the image. Cost: one pass for the
connected parts, and one over their common borders.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.refine.about import About
from pixelwise.refine.parts import Parts, parts_of
from pixelwise.refine.pieces import reshaped, with_ids

_MASKS = "the background inside a mask becomes part of it"
_MAP = "what lies inside one segment joins it: of any size where it is void or 'background', else up to ``area``"
ABOUT = About(
    rules={"instance": _MASKS, "multilabel": _MASKS, "semantic": _MAP, "panoptic": _MAP},
    refused={"regions": "each of their pixels has a region, so there is nothing to fill; 'merge' joins regions that are alike"},
    cost="linear in the pixels",
    source="Soille, Morphological Image Analysis, Springer 2003, on filling holes by reconstruction from the border",
)


def refine(image: Image, found: Segmentation, *, area: int | None = None) -> Segmentation:
    """Fill the holes of ``found``.

    Args:
        area: the largest hole that is filled, in pixels. Without it, holes of any size are filled where there is nothing (no
            object, void, a class called ``background``), and parts of other classes stay.

    Raises:
        OptionError: the area is below 1.
    """
    if area is not None and area < 1:
        raise OptionError(f"holes: the area is in pixels, from 1 up, got {area}")
    if found.kind in ("instance", "multilabel"):
        return reshaped(found, lambda piece: _filled(piece.mask, area), 1)
    ids = found.panoptic_ids()
    is_nothing = np.append(True, [name.casefold() == "background" for name in found.names])
    parts = parts_of(ids)
    is_hole, around = _enclosed(parts)
    most = np.where(is_nothing[parts.ids], ids.size if area is None else area, 0 if area is None else area)
    is_hole &= (parts.areas <= most) & ~is_nothing[parts.ids[around]]
    table = parts.ids.copy()
    table[is_hole] = parts.ids[around[is_hole]]
    return with_ids(found, table[parts.map].astype(ids.dtype))


def _enclosed(parts: Parts) -> tuple[BoolArray, IntArray]:
    """Tell which parts (K,) touch one segment alone and no border of the image, and one part (K,) that each touches."""
    count = len(parts.ids)
    inside = np.ones(count, bool)
    for side in (parts.map[0], parts.map[-1], parts.map[:, 0], parts.map[:, -1]):
        inside[side] = False
    first, second = np.concatenate([parts.pairs, parts.pairs[:, ::-1]]).T
    around = np.zeros(count, np.int64)
    around[first] = second
    strange = parts.ids[second] != parts.ids[around[first]]
    inside[first[strange]] = False
    touches = np.zeros(count, bool)
    touches[first] = True
    return inside & touches, around


def _filled(mask: BoolArray, area: int | None) -> BoolArray:
    """Fill the holes (h, w) of up to ``area`` pixels; a window that ends at the image's border ends the hole's cover too."""
    framed = np.pad(~mask, 1, constant_values=True)  # the outside of the window is background, so that what touches it is open
    count, ids = cv2.connectedComponents(framed.astype(np.uint8), connectivity=4)
    areas = np.bincount(ids.ravel(), minlength=count)
    is_hole = np.ones(count, bool) if area is None else areas <= area
    is_hole[[0, ids[0, 0]]] = False
    return np.asarray(mask | is_hole[ids][1:-1, 1:-1])
