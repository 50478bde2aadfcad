"""Decode a plane of numbers a class, as files made elsewhere give them: logits or probabilities, at any size."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet, foreground_of
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode import pixel
from pixelwise.decode.frame import Frame

Layout = Literal["NCHW", "NHWC", "NHW"]
Activation = Literal["none", "sigmoid", "softmax"]


class PlanesReduced(NamedTuple):
    """What such a file gives.

    Attributes:
        planes: (N, L, h, w), (N, h, w, L) or (N, h, w): a plane a class; or one alone, of the foreground of two classes.
    """

    planes: FloatArray


def decode(
    reduced: PlanesReduced,
    frames: Sequence[Frame],
    labels: LabelSet,
    request: Request,
    layout: Layout = "NCHW",
    activation: Activation = "none",
) -> list[Segmentation]:
    """Make one semantic segmentation an image: the padding is cut off, the planes are brought to its size bilinearly.

    Args:
        activation: what makes probabilities of the numbers; ``none`` where they are such.

    Raises:
        DataError: there are not as many planes as classes, nor one of two.
    """
    planes = {"NCHW": lambda given: given, "NHWC": lambda given: np.moveaxis(given, 3, 1), "NHW": lambda given: given[:, None]}
    values = planes[layout](np.asarray(reduced.planes, np.float32))
    if values.shape[1] not in ({len(labels), 1} if len(labels) == 2 else {len(labels)}):
        raise DataError(f"expected {len(labels)} planes, one a class, got {values.shape[1]} (layout {layout})")
    found = []
    for each, frame in zip(values, frames, strict=True):
        spread = _probabilities(_at_size(each, frame), labels, activation)
        classes = pixel.highest(spread[None])
        confidence = np.take_along_axis(spread, classes.astype(np.int64), axis=0)
        whole = pixel.PixelReduced(classes, confidence, spread[None])
        found.extend(pixel.decode(whole, [Frame(frame.size)], labels, request))
    return found


def _at_size(planes: FloatArray, frame: Frame) -> FloatArray:
    """Bring planes (C, h, w) of the batch to the image's own size."""
    kept = []
    for side, scale, padding, length in zip(frame.size, frame.scale, frame.padding, planes.shape[1:], strict=True):
        inside = side * scale
        kept.append(max(1, round(length * inside / (inside + padding))))
    cut = planes[:, : kept[0], : kept[1]]
    if cut.shape[1:] == frame.size:
        return cut
    return np.stack(
        [cv2.resize(plane, frame.size[::-1], interpolation=cv2.INTER_LINEAR) for plane in np.ascontiguousarray(cut)]
    )


def _probabilities(planes: FloatArray, labels: LabelSet, activation: Activation) -> FloatArray:
    if activation == "softmax":
        raised = np.exp(planes - planes.max(axis=0))
        return np.asarray(raised / raised.sum(axis=0))
    if activation == "sigmoid":
        planes = 1 / (1 + np.exp(-planes))
    if len(planes) == len(labels):
        return planes
    front = planes[0]
    return np.stack([front, 1 - front] if foreground_of(labels) == 0 else [1 - front, front])
