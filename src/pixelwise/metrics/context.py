"""What a metric may know of an image besides what was predicted and what is true."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pixelwise.core.errors import DataError
from pixelwise.core.image import Image
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Segmentation

Key: TypeAlias = tuple[int, int, str]


class Before(NamedTuple):
    """What was predicted and what is true in the frame before, and how to read its image."""

    prediction: Segmentation
    truth: Segmentation
    image: Callable[[], Image] | None


@dataclass(frozen=True)
class Context:
    """What else is known of one image.

    Attributes:
        key: puts images in one order, wherever and in whatever order they were counted: by the number the data gives them,
            else by name.
        spacing: height and width of a pixel, in the data's own unit of length.
        clip: the film an image is a frame of; None for one that stands alone.
        frame: its number in the film.
        before: the frame before it in the same film; None for the first, and where that one could not be counted.
        image: reads the image.
    """

    key: Key = (0, 0, "")
    spacing: tuple[float, float] = (1.0, 1.0)
    clip: str | None = None
    frame: int | None = None
    before: Before | None = None
    image: Callable[[], Image] | None = None

    @classmethod
    def of(cls, sample: Sample, before: Before | None = None) -> "Context":
        """Take from a sample's ``meta`` what it says: ``image_id``, ``spacing``, ``sequence`` and ``frame``.

        >>> Context.of(Sample.of("b", None, image_id=7)).key < Context.of(Sample.of("a", None)).key
        True

        Raises:
            DataError: the spacing is no pair of positive lengths.
        """
        meta = sample.meta
        number, clip, frame = meta.get("image_id"), meta.get("sequence"), meta.get("frame")
        key = (0, number, sample.name) if isinstance(number, int) else (1, 0, sample.name)
        return cls(
            key,
            _spacing(sample),
            None if clip is None else str(clip),
            frame if isinstance(frame, int) else None,
            before,
            lambda: sample.image,
        )


ALONE = Context()


def _spacing(sample: Sample) -> tuple[float, float]:
    stated = sample.meta.get("spacing", (1.0, 1.0))
    try:
        height, width = (float(value) for value in stated)
    except (TypeError, ValueError):
        height = width = math.nan
    if not (0 < height < math.inf and 0 < width < math.inf):
        raise DataError(f"{sample.name}: expected a spacing of two positive lengths (height, width of a pixel), got {stated!r}")
    return height, width
