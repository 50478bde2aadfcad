"""Masks made of prototypes: against einsum and enlarging by torch, cut to boxes, at the image's own pixels."""

import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode.frame import Frame
from pixelwise.decode.prototype import PrototypeReduced, decode

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])
EDGE = 1e-4  # of a logit: what rounding may move


def reduced(
    boxes: list[list[float]],
    numbers: np.ndarray,
    prototypes: np.ndarray,
    padded: tuple[int, int],
    scores: list[float] | None = None,
) -> PrototypeReduced:
    count = len(boxes)
    places = np.tile(np.array([20.0, 12.0, 8.0], np.float32), (1, count, 1))
    return PrototypeReduced(
        np.asarray(boxes, np.float32)[None],
        np.zeros((1, count), np.int64),
        np.asarray([scores or [0.9] * count], np.float32),
        numbers[None].astype(np.float32),
        places,
        prototypes[None].astype(np.float32),
        np.array([count]),
        np.array([padded]),
    )


def whole(logits: torch.Tensor, padded: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Enlarge logits (D, h, w) to all pixels by torch, and leave the padding out."""
    found = F.interpolate(logits[None], size=padded, mode="bilinear", align_corners=False)[0]
    return found[:, : size[0], : size[1]].numpy()


def inside(box: list[float], size: tuple[int, int]) -> np.ndarray:
    rows, columns = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    return ((rows >= box[1]) & (rows < box[3]))[:, None] & ((columns >= box[0]) & (columns < box[2]))


BOXES = [[3.0, 2.0, 30.0, 25.0], [0.0, 0.0, 41.0, 29.0], [35.2, 20.1, 60.0, 60.0], [10.0, 10.0, 11.0, 11.0]]


def test_masks_are_the_weighted_sum_of_the_maps_within_their_boxes() -> None:
    rng, size, padded = np.random.default_rng(0), (29, 41), (32, 64)
    numbers, maps = rng.standard_normal((4, 6)), rng.standard_normal((6, 8, 16))
    found = decode(reduced(BOXES, numbers, maps, padded), [Frame(size)], LABELS, PLAIN)[0]
    logits = whole(torch.from_numpy(np.einsum("dk,khw->dhw", numbers, maps)).float(), padded, size)
    expected = [(one > 0) & inside(box, size) for one, box in zip(logits, BOXES, strict=True)]
    kept = [mask for mask in expected if mask.any()]
    assert len(found.masks) == len(kept)
    for row, mask in enumerate(kept):
        assert (found.masks.mask(row) == mask).mean() > 0.999


def test_dynamic_masks_are_made_of_maps_and_places() -> None:
    rng, size = np.random.default_rng(1), (32, 64)
    numbers, maps = rng.standard_normal((2, 169)), rng.standard_normal((8, 8, 16))
    found = decode(reduced(BOXES[:2], numbers, maps, size), [Frame(size)], LABELS, PLAIN, form="dynamic")[0]
    down, across = np.meshgrid((np.arange(8) + 0.5) * 4 - 12, (np.arange(16) + 0.5) * 4 - 20, indexing="ij")
    given = torch.from_numpy(np.concatenate([maps, np.stack([across, down]) / 64]))[None].float()
    for row in range(2):
        parts = torch.from_numpy(numbers[row]).float().split([80, 8, 64, 8, 8, 1])
        values = F.conv2d(given, parts[0].view(8, 10, 1, 1), parts[1]).relu()
        values = F.conv2d(values, parts[2].view(8, 8, 1, 1), parts[3]).relu()
        logits = F.conv2d(values, parts[4].view(1, 8, 1, 1), parts[5])
        expected = (whole(logits[0], size, size)[0] > 0) & inside(BOXES[row], size)
        assert (found.masks.mask(row) == expected).mean() > 0.999


def test_an_image_read_smaller_has_masks_at_its_own_pixels() -> None:
    maps = np.full((1, 8, 12), 1.0)
    found = decode(reduced([[4, 2, 8, 10]], np.ones((1, 1)), maps, (32, 48)), [Frame((64, 96), (0.5, 0.5))], LABELS, PLAIN)[0]
    assert found.size == (64, 96)
    assert found.masks.boxes().tolist() == [[8, 4, 16, 20]]


def test_a_box_between_two_pixels_has_the_nearer_one() -> None:
    found = decode(
        reduced([[4.6, 3.1, 5.4, 3.3]], np.ones((1, 1)), np.ones((1, 4, 4)), (16, 16)), [Frame((16, 16))], LABELS, PLAIN
    )[0]
    assert found.masks.boxes().tolist() == [[5, 3, 6, 4]]


def test_detections_below_the_threshold_or_without_a_pixel_are_left_out() -> None:
    numbers = np.array([[1.0], [-1.0], [1.0]])
    given = reduced([[0, 0, 8, 8]] * 3, numbers, np.ones((1, 4, 4)), (16, 16), [0.9, 0.8, 0.3])
    frame = [Frame((16, 16))]
    assert decode(given, frame, LABELS, PLAIN)[0].scores == pytest.approx([0.9, 0.3])
    assert decode(given, frame, LABELS, Request(threshold=0.5))[0].scores == pytest.approx([0.9])


def test_a_mask_over_a_photo_of_24_megapixels_takes_little_memory() -> None:
    size = (4000, 6000)
    maps = np.stack(np.meshgrid(np.linspace(-1, 1, 375), np.linspace(-1, 1, 250))).astype(np.float32)
    given = reduced([[0, 0, 6000, 4000]], np.ones((1, 2)), maps, size)
    tracemalloc.start()
    found = decode(given, [Frame(size)], LABELS, PLAIN)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < found.masks.areas()[0] < size[0] * size[1]
    assert peak < 100e6
