"""The images a report shows: which ones, and their pictures as data addresses.

What a picture shows depends on the kind of the truth: classes as tints, objects with outlines and what became of each, regions
by their borders. ``error_key`` and ``KIND_KEY`` say what the colours mean.
"""

import base64
import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image

from pixelwise.core.arrays import AnyArray, ByteArray
from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.percent import percent
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.draw.colours import rgb_bytes
from pixelwise.draw.compare import EXTRA, RIGHT, VOIDED, WRONG, error_map
from pixelwise.draw.kinds import KIND_COLOURS, kind_map
from pixelwise.draw.objects import CONFUSED, object_errors, objects
from pixelwise.draw.overlay import overlay
from pixelwise.draw.regions import border_errors, outlined
from pixelwise.metrics import error_kinds
from pixelwise.metrics.views import CONFIDENT, as_kind, readable
from pixelwise.report.outcomes import outcome, words

SIDE = 480  # pixels of the longer side of a picture; with nine images that keeps a page within a few MB
_OPACITY = 0.65


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its truth, its prediction and its score, None where it has no labelled pixel.

    Of several ``truths`` the first is shown.
    """

    name: str
    image: Image | AnyArray
    truth: Segmentation
    prediction: Segmentation
    score: float | None = None
    truths: int = 1

    @classmethod
    def of(cls, sample: Sample, prediction: Segmentation, score: float | None = None) -> "Example":
        """Read a sample to be shown with its prediction.

        Raises:
            DataError: it has no truth, or its files cannot be read.
        """
        truths = sample.truths
        return cls(sample.name, sample.image, truths[0] if truths else sample.truth, prediction, score, len(truths))


@dataclass(frozen=True)
class Swatch:
    """What a colour in a picture means; ``style`` is the CSS background of its swatch."""

    words: str
    style: str


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
    """Draw an example's image, truth, prediction and errors, as suits the kind of its truth.

    Raises:
        SizeMismatch: they differ in height or width.
    """
    image, truth = example.image, example.truth
    told = like_truth(example.prediction, truth)
    errors, note = drawing_of_errors(image, told, truth)
    drawn = {
        "image": rgb_bytes(image),
        "truth" if example.truths < 2 else f"truth, the first of {example.truths}": drawing(image, truth),
        "prediction": drawing(image, told),
        f"errors: {note}" if note else "errors": errors,
    }
    return [embedded(caption, picture) for caption, picture in drawn.items()]


def kind_pictures(sample: Sample, truth: Segmentation, prediction: Segmentation) -> list[Picture]:
    """Draw a sample's image, truth, prediction and the kinds of its errors; ``KIND_KEY`` is the key to the last.

    Raises:
        SizeMismatch: they differ in height or width.
        DataError: one of them may have several classes a pixel.
    """
    image, true, told = sample.image, as_kind(truth, "semantic"), as_kind(prediction, "semantic")
    kinds = error_kinds.error_map(told, true)
    counts = np.bincount(kinds.ravel(), minlength=256)
    labelled = max(1, int(counts[: error_kinds.VOID_PIXEL].sum()))
    largest = sorted(error_kinds.ERROR_KINDS.items(), key=lambda one: -counts[one[0]])[:2]
    parts = [f"{name} {percent(counts[number] / labelled)}" for number, name in largest if counts[number]]
    note = f"{' and '.join(parts)} of the pixels" if parts else "none"
    drawn = {
        "image": rgb_bytes(image),
        "truth": overlay(image, true, _OPACITY),
        "prediction": overlay(image, told, _OPACITY),
        f"kinds of errors: {note}": kind_map(kinds, image, SIDE),
    }
    return [embedded(caption, picture) for caption, picture in drawn.items()]


def like_truth(prediction: Segmentation, truth: Segmentation) -> Segmentation:
    """Read a prediction as it is shown beside ``truth``: as its kind, and of objects those that scores count as an answer.

    What cannot be read as that kind is shown as it is.
    """
    told = prediction
    if readable(prediction.kind, truth.kind):
        with contextlib.suppress(DataError):
            told = as_kind(prediction, truth.kind)
    return told if told.kind != "instance" or told.scores is None else told[told.scores >= CONFIDENT]


def drawing(image: Image | AnyArray, segmentation: Segmentation) -> ByteArray:
    """Draw a segmentation over its image, as suits its kind."""
    if segmentation.kind in ("instance", "panoptic"):
        return objects(image, segmentation, SIDE)
    if segmentation.kind == "regions":
        return outlined(image, segmentation, SIDE)
    return overlay(image, segmentation, _OPACITY)


def drawing_of_errors(image: Image | AnyArray, prediction: Segmentation, truth: Segmentation) -> tuple[ByteArray, str]:
    """Draw what is wrong with a prediction of the kind of ``truth``, and say it in a few words."""
    if truth.kind == "regions" and prediction.kind == "regions":
        return border_errors(image, prediction, truth, SIDE), f"{len(prediction)} regions, {len(truth)} true"
    if truth.kind in ("instance", "panoptic") and prediction.kind == truth.kind:
        found = outcome(prediction, truth)
        return object_errors(image, prediction, truth, found, SIDE), words(found)
    return error_map(prediction, truth, image), ""


def error_key(kind: Kind) -> tuple[Swatch, ...]:
    """Say what the colours of the picture of errors mean for truth of a kind."""
    if kind == "regions":
        return (
            Swatch("border of both", plain_style(RIGHT)),
            Swatch("of the truth alone", plain_style(WRONG)),
            Swatch("of the prediction alone", plain_style(EXTRA)),
        )
    if kind in ("instance", "panoptic"):
        what = "object" if kind == "instance" else "segment"
        return (
            Swatch(f"hit: IoU above 0.5 with a true {what} of its class", plain_style(RIGHT)),
            Swatch("missed", plain_style(WRONG)),
            Swatch("invented, or found once more", plain_style(EXTRA)),
            Swatch("of a wrong class", striped_style(CONFUSED, (255, 255, 255))),
            Swatch("crowd, which does not count" if kind == "instance" else "crowd", striped_style((95, 95, 95), VOIDED)),
        )
    return Swatch("right", plain_style(RIGHT)), Swatch("wrong", plain_style(WRONG)), _NOT_COUNTED


def plain_style(colour: Sequence[int]) -> str:
    """Give the CSS background of a swatch of one colour."""
    return f"background:{css(colour)}"


def striped_style(colour: Sequence[int], between: Sequence[int]) -> str:
    """Give the CSS background of a swatch of stripes."""
    return f"background:repeating-linear-gradient(45deg,{css(colour)} 0 2px,{css(between)} 2px 5px)"


def css(colour: Sequence[int]) -> str:
    """Write a colour as CSS does."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


_NOT_COUNTED = Swatch("does not count", striped_style((95, 95, 95), VOIDED))
KIND_KEY: tuple[Swatch, ...] = (
    *(Swatch(name, plain_style(colour)) for name, colour in KIND_COLOURS.items()),
    _NOT_COUNTED,
)


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
