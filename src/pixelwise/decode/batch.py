"""Lay images into batches for a model, as its card says: the right bands, its scale, equal sizes together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.predictor import Request
from pixelwise.core.scale import scale_image, scaled_size
from pixelwise.decode.frame import Frame

BATCH_PIXELS = 4_000_000  # together in one forward pass; more gain nothing and cost memory


class Batch(NamedTuple):
    """Images of one size and type that go through a model together.

    Attributes:
        rows: (N,) their places among all images.
        pixels: (N, H, W, C) at the card's scale.
        frames: what each was before.
    """

    rows: tuple[int, ...]
    pixels: AnyArray
    frames: tuple[Frame, ...]


def fitting(request: Request, card: Card) -> Request:
    """Check that a model can meet a request, and put the card's own threshold where none is asked for.

    Raises:
        OptionError: a threshold is given to a model of more than two classes, or prompts are given.
    """
    if request.prompts:
        raise OptionError(f"the network '{card.name}' takes no prompts; methods such as grabcut do")
    if request.threshold is not None and card.kind == "semantic" and len(card.labels) != 2:
        raise OptionError(
            f"a threshold is for models of two classes (background and one more); this one has {len(card.labels)}"
        )
    if request.threshold is None and card.threshold is not None:
        return replace(request, threshold=card.threshold)
    return request


def batches(images: Sequence[Image], card: Card, most: int | None = None) -> Iterator[Batch]:
    """Lay images into batches; images of different sizes never share one, so none is padded for another's sake.

    Args:
        most: images in a batch; None for as many as are worth it.

    Raises:
        DataError: an image has no pixels, or not the bands of the model.
    """
    given = [as_image(image).to_bands(card.bands) for image in images]
    if empty := [image.size for image in given if 0 in image.size]:
        raise DataError(f"expected an image with pixels, got one of {empty[0][0]} x {empty[0][1]} (height x width)")
    frames = [_frame(image.size, card.scale) for image in given]
    pixels = [scale_image(image, card.scale).pixels for image in given]
    for rows in _alike(pixels, most):
        yield Batch(tuple(rows), np.stack([pixels[row] for row in rows]), tuple(frames[row] for row in rows))


def _frame(size: Size, scale: float) -> Frame:
    """Say how an image lies in its batch, when it is read at a scale."""
    small = scaled_size(size, scale)
    return Frame(size, (small[0] / size[0], small[1] / size[1]))


def _alike(pixels: Sequence[AnyArray], most: int | None) -> list[list[int]]:
    """Group rows of equal shape and type, in order, each group within the pixels of one forward pass."""
    open_groups: dict[tuple[object, ...], list[int]] = {}
    done: list[list[int]] = []
    for row, one in enumerate(pixels):
        key = (one.shape, one.dtype.name)
        group = open_groups.setdefault(key, [])
        is_full = (len(group) + 1) * one.shape[0] * one.shape[1] > BATCH_PIXELS or len(group) == most
        if group and is_full:
            done.append(group)
            group = open_groups[key] = []
        group.append(row)
    return done + [group for group in open_groups.values() if group]
