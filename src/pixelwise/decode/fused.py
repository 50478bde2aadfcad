"""Decode boxes with a mask in each beside logits of stuff: what two heads on one pyramid found, merged into one answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode import box
from pixelwise.decode.enlarged import Enlarged
from pixelwise.decode.frame import Frame
from pixelwise.decode.merge import Merging, merged
from pixelwise.decode.pixel import highest


class FusedReduced(NamedTuple):
    """What a fused head leaves of a batch.

    Attributes:
        boxes, classes, scores, masks, counts: the detections, as of a box head; classes count the things alone.
        stuff: (N, S + 1, h, w) logits of the stuff classes, in the order of the labels, and last of all things together; over
            the batch's images and the padding that the network put below and to the right of them.
        padded: (N, 2) height and width that these lie over, in pixels of the batch.
    """

    boxes: FloatArray
    classes: IntArray
    scores: FloatArray
    masks: FloatArray
    counts: IntArray
    stuff: FloatArray
    padded: IntArray


def decode(
    reduced: FusedReduced, frames: Sequence[Frame], labels: LabelSet, request: Request, aligned: bool, rules: Merging
) -> list[Segmentation]:
    """Make one panoptic segmentation an image; ``request.threshold`` takes the place of ``rules.score``.

    Args:
        aligned: how masks lie in their boxes, see ``decode.paste``.

    Raises:
        DataError: an output is not a number.
    """
    if not np.isfinite(reduced.stuff).all():
        raise DataError("a logit is not a number (NaN): the network's weights or its input are broken")
    if request.threshold is not None:
        rules = replace(rules, score=request.threshold)
    things, stuff = (np.array(rows, np.int64) for rows in things_and_stuff(labels))
    detections = box.BoxReduced(*reduced[:5])._replace(classes=things[reduced.classes.astype(np.int64)])
    found = []
    instances = box.decode(detections, frames, labels, Request(threshold=rules.score), aligned)
    for index, frame in enumerate(frames):
        height, width = reduced.padded[index].tolist()
        logits = Enlarged(np.asarray(reduced.stuff[index], np.float32), frame, (height, width))
        classes, confidence = _most_probable(logits, stuff, labels)
        found.append(merged(instances[index], classes, labels, rules, confidence))
    return found


def things_and_stuff(labels: LabelSet) -> tuple[list[int], list[int]]:
    """List the classes that are things, and those that are stuff."""
    found: tuple[list[int], list[int]] = ([], [])
    for index, label in enumerate(labels.labels):
        found[not label.is_thing].append(index)
    return found


def _most_probable(logits: Enlarged, stuff: IntArray, labels: LabelSet) -> tuple[IntArray, FloatArray]:
    """Give the class (H, W) of each pixel, void where it is a thing, and the mean probability (L,) of each where it won."""
    classes = np.full(logits.size, labels.void, np.uint8 if labels.void == 255 else np.uint16)
    table = np.append(stuff, labels.void).astype(classes.dtype)
    sums, pixels = np.zeros(len(table)), np.zeros(len(table))
    for rows, values in logits.strips(logits.masks) if len(stuff) else ():
        won = highest(values[None])[0]
        top = np.take_along_axis(values, won[None].astype(np.int64), 0)
        sure = 1 / np.exp(values - top).sum(axis=0)  # the softmax at the winner
        sums += np.bincount(won.ravel(), sure.ravel(), len(table))
        pixels += np.bincount(won.ravel(), minlength=len(table))
        classes[rows] = table[won]
    confidence = np.zeros(len(labels))
    confidence[stuff] = (sums / np.maximum(pixels, 1))[:-1]
    return classes, confidence
