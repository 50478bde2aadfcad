"""Carry masks from one frame of a film to the next, without a network: by optical flow, then cut anew along the colours.

The flow inside an object tells how it moves. Where most of it agrees with one affine motion, the mask goes that way, whole:
along outlines flow is wrong, as it is a mixture of what is before and behind. An object that bends is carried pixel by pixel.
Then a band along the outline is decided by GrabCut, which learns the colours on both sides, so that errors do not add up; where
an object and what is behind it are alike, they do. For short films of objects that are not hidden; a network that was taught to
follow holds longer.
"""

from dataclasses import replace

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.image import Image
from pixelwise.core.masks import from_dense
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.videos.flow import Flow, flow_between, grey_of
from pixelwise.refine import grabcut

_BAND = 0.04  # width of the band that is decided anew, in shares of the root of an object's area
_BANDS = 2, 10  # pixels, at least and at most
_POINTS = 2000  # of an object by which its motion is told
_FAR = 1.5  # pixels that a point may be beside the motion of the whole
_AGREED = 0.6  # share of the points that must agree for one motion
_TRUSTED = 0.3
_JUMP = 0.5  # share of its area by which a cut may change a mask before the carried one is believed instead


class Carrier:
    """Holds the last frame and its masks; memory is that of one frame and its objects."""

    def __init__(self, found: Segmentation, image: Image, cut: bool = True) -> None:
        self.found = found
        self._cut = cut
        self._grey = grey_of(image)

    def carry(self, image: Image) -> Segmentation:
        """Find the objects in the next frame; one that is lost has an empty mask, and stays lost."""
        grey = grey_of(image)
        ahead = flow_between(self._grey, grey, image.size)
        back = flow_between(grey, self._grey, image.size)
        masks = [_carried(ahead, back, self.found.masks.mask(row)) for row in range(len(self.found))]
        found = replace(self.found, masks=from_dense(np.stack(masks)), boxes=None, areas=None)
        self.found = _apart(self._cut_anew(image, found)) if self._cut else found
        self._grey = grey
        return self.found

    def _cut_anew(self, image: Image, found: Segmentation) -> Segmentation:
        """Decide a band along each outline by colours, narrower for smaller objects."""
        masks = []
        for row, area in enumerate(found.masks.areas().tolist()):
            one = found[[row]]
            band = int(np.clip(round(_BAND * area**0.5), *_BANDS))
            drawn = grabcut.refine(image, one, band=band).masks.mask(0) if area else one.masks.mask(0)
            whole = drawn.sum()
            masks.append(drawn if area and abs(whole - area) <= _JUMP * area else one.masks.mask(0))
        return replace(found, masks=from_dense(np.stack(masks)))


def _carried(ahead: Flow, back: Flow, mask: BoolArray) -> BoolArray:
    """Move a mask (H, W) by the flow from its frame ``ahead``; by that ``back`` to it where it does not move as one."""
    motion = _motion(ahead, mask)
    if motion is None:
        return np.asarray(back.carried(mask.astype(np.float32)) > 0.5)
    return np.asarray(cv2.warpAffine(mask.astype(np.float32), motion, mask.shape[::-1]) > 0.5)


def _motion(ahead: Flow, mask: BoolArray) -> FloatArray | None:
    """Find the affine motion (2, 3) of what is inside a mask; None where its parts move apart or too little is seen."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    down, across = np.nonzero(inner)
    step = max(1, len(down) // _POINTS)
    down, across = down[::step], across[::step]
    seen = ahead.trust[down, across] > _TRUSTED
    if np.count_nonzero(seen) < max(8, _TRUSTED * len(seen)):
        return None
    here = np.stack([across, down], axis=1)[seen].astype(np.float32)
    there = here + ahead.steps[down[seen], across[seen]]
    cv2.setRNGSeed(0)  # points are drawn by chance
    motion, agrees = cv2.estimateAffine2D(here, there, ransacReprojThreshold=_FAR)
    return None if motion is None or agrees.mean() < _AGREED else np.asarray(motion)


def _apart(found: Segmentation) -> Segmentation:
    """Give pixels that two objects claim to the one that is deeper there."""
    masks = found.masks.dense()
    claimed = masks.sum(axis=0, dtype=np.int64) > 1
    if not claimed.any():
        return found
    depths = np.stack([cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) for mask in masks])
    owner = depths.argmax(axis=0)
    for row, mask in enumerate(masks):
        mask &= ~claimed | (owner == row)
    return replace(found, masks=from_dense(masks))
