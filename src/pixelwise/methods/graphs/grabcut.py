"""Cut out what lies in a box: colours of both sides are learned and the cut made in turns, until it settles [1].

OpenCV's implementation: five Gaussians of colour a side, and the least cut. Marks and polygons of a prompt keep their side.
Without a prompt, the box is the image less its frame, a twentieth of its shorter side.

Cost: a flow each round, on at most 500,000 pixels.

[1] Rother, Kolmogorov and Blake, GrabCut: interactive foreground extraction using iterated graph cuts, SIGGRAPH 2004.
"""

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import GREY, RGB, Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.graphs.frame import INSIDE, OUTSIDE, frame_of, is_boxed, marks_of
from pixelwise.methods.grey import two_classes
from pixelwise.methods.growing.changes import is_plain
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "semantic"
ABOUT = About(
    family="graph",
    good_for="cutting a thing out of a photograph with one box",
    bad_for="things coloured as what is around them; boxes that cut through the thing",
    cost="grows faster than the pixels, on at most 500,000, times the rounds",
    source="Rother, Kolmogorov and Blake, GrabCut, SIGGRAPH 2004",
)
_PIXELS = 500_000
_GAUSSIANS = 5  # OpenCV's, a side: fewer pixels than that cannot be learned from


def segment(image: Image, *, rounds: int = 5, seed: int = 0, prompts: tuple[Prompt, ...] = ()) -> Segmentation:
    """Cut ``image`` into background and foreground.

    Args:
        rounds: of learning and cutting.
        seed: of the first Gaussians.
        prompts: boxes around things, and marks where the cut is wrong; all objects are one foreground. Beyond the boxes is
            background, if every prompt has one. Without a box, pixels begin on the side whose marks they are coloured like.

    Raises:
        OptionError: an option is out of range, or a prompt is outside the image or marks no inside.
    """
    if not 1 <= rounds <= 100:
        raise OptionError(f"grabcut: rounds must be from 1 to 100, got {rounds}")
    if not 0 <= seed < 2**31:
        raise OptionError(f"grabcut: seed must be from 0 to 2147483647, got {seed}")
    small, notes = reduced(image, _PIXELS)
    marks = marks_of(prompts, image.size, small.size, "grabcut") if prompts else None
    if is_plain(image):
        return two_classes(np.zeros(image.size, bool), "bright")
    if marks is None:
        marks = np.where(frame_of(small.size), OUTSIDE, 0).astype(np.uint8)
    has_marks = bool((marks == INSIDE).any())
    if not (marks == OUTSIDE).any():  # a person who marks only the thing means that the frame is not it
        marks[frame_of(small.size) & (marks == 0)] = OUTSIDE
    pixels = three_bands(small)
    begin = np.ones(small.size, bool) if not has_marks or is_boxed(prompts) else _nearer(pixels, marks)
    inside = _cut(pixels, marks, begin, rounds, seed)
    return two_classes(enlarged(inside.astype(np.uint8), small, image) > 0, "bright", notes)


def _nearer(pixels: ByteArray, marks: ByteArray) -> BoolArray:
    """Tell which pixels (H, W) are nearer in colour to the mean of what is marked inside than to that of what is outside."""
    gaps = [((pixels - pixels[marks == side].mean(axis=0)) ** 2).sum(axis=2) for side in (INSIDE, OUTSIDE)]
    return np.asarray(gaps[0] <= gaps[1])


def _cut(pixels: ByteArray, marks: ByteArray, begin: BoolArray, rounds: int, seed: int) -> BoolArray:
    """Cut (H, W, 3) where marks (H, W) leave it open, from ``begin`` on; too few pixels to learn from stay as they begin."""
    mask = np.choose(marks, [np.where(begin, cv2.GC_PR_FGD, cv2.GC_PR_BGD), cv2.GC_BGD, cv2.GC_FGD]).astype(np.uint8)
    is_outside = (mask == cv2.GC_BGD) | (mask == cv2.GC_PR_BGD)
    if min(int(is_outside.sum()), int((~is_outside).sum())) < _GAUSSIANS:
        return np.asarray(~is_outside if is_outside.any() else marks == INSIDE)
    cv2.setRNGSeed(seed)
    outer, inner = np.zeros((1, 65)), np.zeros((1, 65))
    for turn in range(rounds):
        mode = cv2.GC_EVAL if turn else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(pixels, mask, None, outer, inner, 1, mode)
        advance((turn + 1) / rounds)
    return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))


def three_bands(image: Image) -> ByteArray:
    """Give three bands (H, W, 3) of 8 bits: grey is repeated; of more than three, those that vary most are kept."""
    if image.bands == GREY:
        return np.repeat(image.bytes(), 3, axis=2)
    pixels = image.bytes()
    if image.bands != RGB and pixels.shape[2] != 3:
        spread = pixels.reshape(-1, pixels.shape[2]).astype(np.float32).std(axis=0)
        chosen = np.sort(np.argsort(-spread, kind="stable")[:3])
        pixels = pixels[:, :, np.resize(chosen, 3)]
    return np.ascontiguousarray(pixels)
