"""The images a report shows: which ones, and their pictures as data addresses."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image

from pixelwise.core.arrays import AnyArray, ByteArray
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import rgb_bytes
from pixelwise.draw.compare import error_map
from pixelwise.draw.overlay import overlay

SIDE = 480  # pixels of the longer side of a picture; with nine images that keeps a page within a few MB


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its truth, its prediction and its score, None where it has no labelled pixel."""

    name: str
    image: Image | AnyArray
    truth: Segmentation
    prediction: Segmentation
    score: float | None = None


@dataclass(frozen=True)
class Picture:
    """A picture as a page holds it."""

    caption: str
    address: str
    width: int
    height: int


@dataclass(frozen=True)
class ClassExample:
    """A class and the pictures of where it is right, missed and too much."""

    name: str
    pictures: tuple[Picture, ...]


def best_middle_worst(scores: Sequence[float | None], each: int = 3) -> dict[str, list[int]]:
    """Choose the rows of the best, middle and worst scores, at most ``each``, none twice, the better first.

    Rows without a score are left out, unless no row has one: then the first are the group ``unscored``. Few rows are shared
    out evenly; groups that stay empty are left out.

    >>> best_middle_worst([0.5, 0.9, None, 0.1, 0.7], each=1)
    {'best': [1], 'middle': [4], 'worst': [3]}
    """
    rows = [row for row, score in enumerate(scores) if score is not None and math.isfinite(score)]
    if not rows:
        return {"unscored": list(range(min(each, len(scores))))} if scores else {}
    order = sorted(rows, key=lambda row: (-scores[row], row))  # type: ignore[operator]
    ends = min(each, -(-len(order) // 3))
    middle = min(each, max(0, len(order) - 2 * ends))
    worst = min(ends, len(order) - ends)
    start = ends + (len(order) - ends - worst - middle) // 2
    groups = {"best": order[:ends], "middle": order[start : start + middle], "worst": order[len(order) - worst :]}
    return {name: group for name, group in groups.items() if group}


def pictures(example: Example) -> list[Picture]:
    """Draw an example's image, truth, prediction and errors.

    Raises:
        SizeMismatch: they differ in height or width.
    """
    drawn = {
        "image": rgb_bytes(example.image),
        "truth": overlay(example.image, example.truth, 0.65),
        "prediction": overlay(example.image, example.prediction, 0.65),
        "errors": error_map(example.prediction, example.truth, example.image),
    }
    return [embedded(caption, picture) for caption, picture in drawn.items()]


def embedded(caption: str, picture: ByteArray, side: int = SIDE) -> Picture:
    """Shrink a picture (H, W, 3) until its longer side is ``side``, and code it into a data address.

    A small one is enlarged in whole steps: a browser would blur its pixels.
    """
    longer = max(picture.shape[:2])
    scale = side / longer if longer > side else max(1, round(0.7 * side / longer))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    if scale != 1:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
        picture = np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=way), np.uint8)
    coded = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(coded, "WEBP", quality=86, method=4)
    address = "data:image/webp;base64," + base64.b64encode(coded.getvalue()).decode("ascii")
    return Picture(caption, address, size[0], size[1])
