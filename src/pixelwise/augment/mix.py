"""Samples made of several images: mosaic, copy-paste, CutMix and MixUp.

Each image that takes part is drawn and augmented on its own, as it would be alone, and they are put together at the size of the
crop. Truth stays exact (``augment.join``): the truth of a pixel is that of the image it came from; where MixUp shows two images
at once, both truths hold, the one as much as its image is seen. All draws come from the sample's own generator; without a
mixing option it is asked for nothing more than without this file.

Pixels of another type are brought to that of the sample's own image, by their share of the full scale.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

from pixelwise.augment.join import as_type, both, joined, joined_pixels, laid, union
from pixelwise.augment.objects import groups, objects_of
from pixelwise.augment.options import AugmentOptions
from pixelwise.augment.policy import Draw, apply, draw
from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation

Pair: TypeAlias = tuple[Image, Segmentation]
MIXING = ("mosaic", "copy_paste", "cutmix", "mixup")
MIDDLE = 0.5  # of each side: where the point of a mosaic lies, so that each of its images gets a quarter of a side at least
ALPHA = 0.2  # of MixUp's Beta distribution over classes: mostly one of the two images is hardly seen [4]


@dataclass(frozen=True, eq=False)
class Mixed:
    """A sample, and how it came about.

    Attributes:
        drawn: the draw of the sample's own image.
        second: what a MixUp of classes shows besides ``truth``; None where one truth holds.
        share: how much ``truth`` counts; the second one counts the rest.
        words: what was mixed, for people.
    """

    image: Image
    truth: Segmentation
    drawn: Draw
    second: Segmentation | None = None
    share: float = 1.0
    words: tuple[str, ...] = ()


def check(options: AugmentOptions, kind: Kind, takes_two: bool) -> None:
    """Refuse a MixUp that would teach what is not so.

    Args:
        takes_two: whether the loss takes a second truth of each image.

    Raises:
        OptionError: the kind has one segment a pixel, or its loss takes one truth.
    """
    if not options.mixup or kind == "instance" or (takes_two and kind in ("semantic", "multilabel")):
        return
    if kind in ("semantic", "multilabel"):
        reason = "the loss of this network takes one truth (only sums of losses over pixels, without lovasz, take two)"
    else:
        reason = f"{kind} truth has one segment a pixel"
    raise OptionError(
        f"[augment] mixup: it shows two images at once, and {reason}; set mixup = 0, or take cutmix, which suits every kind"
    )


def another(index: int, count: int, rng: np.random.Generator) -> int:
    """Choose one of ``count`` images beside image ``index``, each as likely; the only one is its own partner."""
    return (index + int(rng.integers(1, max(2, count)))) % count


def mixed(options: AugmentOptions, rng: np.random.Generator, own: Pair, crop: Size, partner: Callable[[], Pair]) -> Mixed:
    """Draw a sample of the size ``crop`` from an image and its truth, and from others that ``partner`` gives.

    The order is that of YOLOX: a mosaic is the image that things are pasted on, and MixUp comes last.
    """
    if options.mosaic and rng.random() < options.mosaic and min(crop) > 3:
        found = _mosaic(options, rng, [own, *(partner() for _ in range(3))], crop)
    else:
        found = _alone(options, rng, own, crop)
    if options.copy_paste and rng.random() < options.copy_paste:
        found = _pasted(found, _alone(options, rng, partner(), crop), rng)
    if options.cutmix and rng.random() < options.cutmix:
        found = _cut(found, _alone(options, rng, partner(), crop), rng)
    if options.mixup and rng.random() < options.mixup:
        found = _blended(found, _alone(options, rng, partner(), crop), rng)
    return found


def _alone(options: AugmentOptions, rng: np.random.Generator, pair: Pair, crop: Size) -> Mixed:
    image, truth = pair
    drawn = draw(options, rng, image.size, crop, len(image.bands), truth)
    return Mixed(*apply(image, truth, drawn), drawn)


def _mosaic(options: AugmentOptions, rng: np.random.Generator, pairs: list[Pair], crop: Size) -> Mixed:
    """Lay four images around a drawn point, each a crop of its own [1].

    [1] Bochkovskiy et al., YOLOv4: Optimal Speed and Accuracy of Object Detection, 2020, arXiv 2004.10934, section 3.3.
    """
    row, column = (round(side * (0.5 + MIDDLE * (rng.random() - 0.5))) for side in crop)
    parts, truths = [], []
    shown: IntArray = np.zeros(crop, np.uint8)
    for index, place in enumerate(rng.permutation(4).tolist()):  # the sample's own image comes to any of the four places
        top, bottom = ((0, row), (row, crop[0]))[place // 2]
        left, right = ((0, column), (column, crop[1]))[place % 2]
        part = _alone(options, rng, pairs[index], (bottom - top, right - left))
        pixels = np.zeros((*crop, part.image.pixels.shape[2]), part.image.pixels.dtype)
        pixels[top:bottom, left:right] = part.image.pixels
        shown[top:bottom, left:right] = index
        parts.append(replace(part, image=Image(pixels, part.image.bands)))
        truths.append(laid(part.truth, (top, left), crop))
    image = Image(joined_pixels([part.image.pixels for part in parts], shown), parts[0].image.bands)
    return replace(parts[0], image=image, truth=joined(truths, shown), words=("mosaic of four",))


def _pasted(found: Mixed, other: Mixed, rng: np.random.Generator) -> Mixed:
    """Paste some of the objects of another image, at the places they have there, without blending [2].

    Objects that overlap are pasted together, so that what is seen of either is its truth.

    [2] Ghiasi et al., Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation, CVPR 2021, section 3.
    """
    objects = objects_of(other.truth)
    if not len(objects):
        return found
    group = groups(objects.masks)
    count = int(group.max()) + 1
    chosen = rng.permutation(count)[: int(rng.integers(1, count + 1))]
    rows = np.flatnonzero(np.isin(group, chosen))
    words = f"{len(rows)} object{'s' * (len(rows) > 1)} pasted"
    return _shown(found, other, union(objects.masks, rows).view(np.uint8), words)


def _cut(found: Mixed, other: Mixed, rng: np.random.Generator) -> Mixed:
    """Show another image in a rectangle, whose share of the image is drawn uniformly [3].

    [3] Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, ICCV 2019, section 3.
    """
    shown: IntArray = np.zeros(found.truth.size, np.uint8)
    half = np.sqrt(rng.random()) / 2
    middles = rng.random(2)
    (top, left), (bottom, right) = (
        np.rint(np.clip(middles + sign * half, 0, 1) * found.truth.size).astype(int).tolist() for sign in (-1, 1)
    )
    shown[top:bottom, left:right] = 1
    return _shown(found, other, shown, f"{shown.mean():.0%} cut from another")


def _shown(found: Mixed, other: Mixed, shown: IntArray, words: str) -> Mixed:
    """Show ``other`` where ``shown`` (H, W) is 1."""
    pixels = joined_pixels([found.image.pixels, other.image.pixels], shown)
    truth = joined([found.truth, other.truth], shown)
    return replace(found, image=Image(pixels, found.image.bands), truth=truth, words=(*found.words, words))


def _blended(found: Mixed, other: Mixed, rng: np.random.Generator) -> Mixed:
    """Show two images at once, and keep both truths [4].

    Objects count in full, whatever is seen of them, so their images are seen alike, as in YOLOX.

    [4] Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018.
    """
    share = 0.5 if found.truth.kind == "instance" else float(rng.beta(ALPHA, ALPHA))
    pixels = found.image.pixels
    blended = cv2.addWeighted(pixels, share, as_type(other.image.pixels, pixels.dtype), 1 - share, 0).reshape(pixels.shape)
    shown = replace(found, image=Image(blended, found.image.bands), words=(*found.words, f"{1 - share:.0%} of another over it"))
    if found.truth.kind == "instance":
        return replace(shown, truth=both(found.truth, other.truth))
    return replace(shown, second=other.truth, share=share)
