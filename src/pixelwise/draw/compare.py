"""Prediction against truth: where they differ, and all of it side by side."""

from collections.abc import Mapping

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, ByteArray, IntArray, Size
from pixelwise.core.labels import VOID
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import Picture, rgb_bytes
from pixelwise.draw.overlay import check_sizes, overlay
from pixelwise.draw.scaled import faded
from pixelwise.draw.text import PAPER, caption

# Told apart with every kind of colour vision, which the tests compute; a stronger pink is the same as the blue to protanopes.
RIGHT, WRONG, EXTRA, VOIDED = (40, 90, 160), (230, 130, 0), (204, 121, 167), (150, 150, 150)
_GAP = 8


def errors(prediction: Segmentation, truth: Segmentation) -> tuple[BoolArray, BoolArray]:
    """Mark the pixels where a prediction is wrong and those that do not count: two (H, W).

    Classes are joined by name; which object of a class a pixel belongs to makes no difference. A pixel without a class in
    semantic or panoptic truth, or under a crowd, does not count; in instance truth a pixel under no object is background
    and does. Multilabel pixels are right if all their classes are. Regions have no classes: a pixel is wrong if its region
    lies mostly in another region of the truth.

    Raises:
        SizeMismatch: the two differ in height or width.
    """
    check_sizes(prediction.size, truth.size)
    if truth.kind == "regions":
        return _wrong_regions(prediction.panoptic_ids(), truth.panoptic_ids()), np.zeros(truth.size, bool)
    if truth.kind == "multilabel":
        told, true = _layers(prediction, truth), _layers(truth, truth)
        return np.asarray((told != true).any(axis=0)), np.zeros(truth.size, bool)
    void = np.zeros(truth.size, bool)
    if truth.kind == "instance":
        for index in np.flatnonzero(truth.is_crowd):
            void |= truth.masks.mask(int(index))
        truth = truth[~truth.is_crowd]
    else:
        void = truth.class_map() == truth.labels.void
    return (_classes(prediction, truth) != _classes(truth, truth)) & ~void, void


def error_map(prediction: Segmentation, truth: Segmentation, image: Picture | None = None) -> ByteArray:
    """Colour what is right blue, what is wrong orange and what does not count hatched grey: (H, W, 3) uint8.

    With an ``image`` the colours lie over it in grey, so that one sees what was mistaken. ``errors`` says what is wrong.

    Raises:
        SizeMismatch: the sizes differ.
    """
    wrong, void = errors(prediction, truth)
    canvas = np.empty((*truth.size, 3), np.uint8)
    canvas[:] = RIGHT
    canvas[void] = VOIDED
    rows, columns = np.nonzero(void)
    hatched = (rows + columns) % 8 < 2
    canvas[rows[hatched], columns[hatched]] = 95
    if image is not None:
        base = rgb_bytes(image)
        check_sizes(base.shape[:2], truth.size)
        grey = cv2.cvtColor(cv2.cvtColor(base, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        canvas = np.asarray(cv2.addWeighted(grey, 0.4, canvas, 0.6, 0), np.uint8)
    canvas[wrong] = WRONG if image is None else canvas[wrong] // 6 + (np.array(WRONG) * 5 // 6).astype(np.uint8)
    return canvas


def class_errors(prediction: Segmentation, truth: Segmentation, name: str, image: Picture) -> ByteArray:
    """Colour one class over a grey image (H, W, 3): right blue, missed orange, too much pink; what does not count is left out.

    Raises:
        SizeMismatch: the sizes differ.
    """
    _, void = errors(prediction, truth)
    index = truth.labels.index(name)
    told, true = _classes(prediction, truth) == index, _classes(truth, truth) == index
    canvas = _faded(image, truth.size)
    for marked, colour in ((told & true, RIGHT), (true & ~told, WRONG), (told & ~true & ~void, EXTRA)):
        canvas[marked] = canvas[marked] // 4 + (np.array(colour) * 3 // 4).astype(np.uint8)
    return canvas


def differences(a: Segmentation, b: Segmentation, truth: Segmentation, image: Picture) -> ByteArray:
    """Colour where two predictions differ over a grey image (H, W, 3): A alone right orange, B alone right blue, both wrong but
    differently pink.

    Raises:
        SizeMismatch: the sizes differ.
    """
    (wrong_a, void), (wrong_b, _) = errors(a, truth), errors(b, truth)
    canvas = _faded(image, truth.size)
    differ = (_classes(a, truth) != _classes(b, truth)) & ~void
    for marked, colour in ((~wrong_a & wrong_b, WRONG), (wrong_a & ~wrong_b, RIGHT), (wrong_a & wrong_b & differ, EXTRA)):
        canvas[marked] = canvas[marked] // 4 + (np.array(colour) * 3 // 4).astype(np.uint8)
    return canvas


def _faded(image: Picture, size: Size) -> ByteArray:
    base = rgb_bytes(image)
    check_sizes(base.shape[:2], size)
    return faded(base)


def compare(
    image: Picture,
    truth: Segmentation | None,
    prediction: Segmentation,
    opacity: float = 0.6,
    width: int = 320,
) -> ByteArray:
    """Show image, truth, prediction and errors side by side with captions; without truth, image and prediction: (H, W, 3).

    Raises:
        SizeMismatch: the sizes differ.
    """
    panels = {"image": rgb_bytes(image)}
    if truth is not None:
        panels["truth"] = overlay(image, truth, opacity)
    panels["prediction"] = overlay(image, prediction, opacity)
    if truth is not None:
        wrong, void = errors(prediction, truth)
        share = wrong.sum() / max(1, (~void).sum())
        panels[f"errors: {share:.1%} of pixels"] = error_map(prediction, truth, image)
    return side_by_side(panels, width)


def side_by_side(panels: Mapping[str, ByteArray], width: int = 320, columns: int | None = None) -> ByteArray:
    """Lay pictures out in rows of ``columns`` (all in one row if None), each ``width`` pixels wide under its caption."""
    if not panels:
        raise ValueError("expected at least one picture to lay out, got none")
    cells = [np.concatenate([caption(name, width), _fit(picture, width)]) for name, picture in panels.items()]
    columns = min(columns or len(cells), len(cells))
    height = max(len(cell) for cell in cells)
    count = -(-len(cells) // columns)
    sheet = np.empty((count * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), np.uint8)
    sheet[:] = PAPER
    for place, cell in enumerate(cells):
        top, left = _GAP + place // columns * (height + _GAP), _GAP + place % columns * (width + _GAP)
        sheet[top : top + len(cell), left : left + width] = cell
    return sheet


def _fit(picture: ByteArray, width: int) -> ByteArray:
    """Scale a picture to ``width``, or, if it is more than twice as tall as wide, to that height in the middle of it."""
    height = len(picture)
    scale = min(width / picture.shape[1], 2 * width / height)
    size = max(1, round(picture.shape[1] * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    fitted = cv2.resize(np.ascontiguousarray(picture), size, interpolation=way)
    left = (width - size[0]) // 2
    framed = cv2.copyMakeBorder(fitted, 0, 0, left, width - size[0] - left, cv2.BORDER_CONSTANT, value=PAPER)
    return np.asarray(framed, np.uint8)


def _classes(segmentation: Segmentation, other: Segmentation) -> IntArray:
    """Give the class map (H, W) in the classes of ``other``; ``VOID`` where there is none."""
    table = np.full(segmentation.labels.void + 1, VOID, np.int64)
    table[: len(segmentation.labels)] = segmentation.labels.map_to(other.labels)
    return table[segmentation.class_map()]


def _layers(segmentation: Segmentation, other: Segmentation) -> BoolArray:
    """Stack what is under each class (L, H, W) of ``other``."""
    layers = np.zeros((len(other.labels), *segmentation.size), bool)
    for index, class_id in enumerate(segmentation.labels.map_to(other.labels)[segmentation.class_ids]):
        if class_id != VOID:
            layers[class_id] |= segmentation.masks.mask(index)
    return layers


def _wrong_regions(told: IntArray, true: IntArray) -> BoolArray:
    """Mark the pixels (H, W) outside the true region that their region shares most pixels with."""
    across = int(true.max(initial=0)) + 1
    pairs, counts = np.unique(told.astype(np.int64) * across + true, return_counts=True)
    order = np.argsort(counts, kind="stable")
    home = np.zeros(int(told.max(initial=0)) + 1, np.int64)
    home[pairs[order] // across] = pairs[order] % across  # the largest share is written last
    return np.asarray(home[told] != true)
