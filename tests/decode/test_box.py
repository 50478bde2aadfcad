"""Boxes with masks become segmentations: torchvision's pasting to the pixel, and exact pasting by hand."""

import tracemalloc

import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.runs import decode as mask_of
from pixelwise.decode.box import BoxReduced, decode
from pixelwise.decode.frame import Frame
from pixelwise.decode.paste import pasted

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])


def reduced(boxes: np.ndarray, scores: list[float], cells: np.ndarray | None = None, side: int = 4) -> BoxReduced:
    count = len(scores)
    masks = np.ones((1, count, side, side), np.float32) if cells is None else cells[None].astype(np.float32)
    return BoxReduced(
        np.asarray(boxes, np.float32)[None], np.zeros((1, count), int), np.array([scores]), masks, np.array([count])
    )


def test_masks_are_pasted_as_torchvision_does_to_the_pixel() -> None:
    generator = torch.Generator().manual_seed(5)
    size, count = (90, 120), 60
    corners = torch.rand(count, 2, generator=generator) * torch.tensor([110.0, 80.0])
    boxes = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) ** 2 * 90], dim=1)
    boxes[:, 2] = boxes[:, 2].clamp(max=size[1])
    boxes[:, 3] = boxes[:, 3].clamp(max=size[0])
    masks = torch.randn(count, 1, 28, 28, generator=generator).sigmoid()
    theirs = (paste_masks_in_image(masks, boxes, size)[:, 0] > 0.5).numpy()
    for mask, box, expected in zip(masks[:, 0].numpy(), boxes.numpy().astype(np.float64), theirs, strict=True):
        assert np.array_equal(mask_of(pasted(mask, box, size, aligned=False)), expected)


def test_aligned_masks_fill_exactly_the_pixels_of_a_whole_box() -> None:
    expected = np.zeros((5, 7), bool)
    expected[1:4, 2:6] = True
    assert np.array_equal(mask_of(pasted(np.ones((28, 28)), np.array([2.0, 1.0, 6.0, 4.0]), (5, 7), aligned=True)), expected)


def test_aligned_cells_divide_the_box_evenly() -> None:
    cells = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = mask_of(pasted(cells, np.array([0.0, 0.0, 8.0, 4.0]), (4, 8), aligned=True))
    assert found[:2, :4].all()
    assert found[2:, 4:].all()
    assert found.sum() == 16


@pytest.mark.parametrize(
    "box", [[-3.0, -2.0, 4.0, 20.0], [4.0, 2.0, 90.0, 90.0], [0.0, 0.0, 8.0, 6.0], [40.0, 40.0, 50.0, 50.0]]
)
def test_masks_are_cut_off_at_the_border_of_the_image(box: list[float]) -> None:
    found = mask_of(pasted(np.ones((28, 28)), np.array(box), (6, 8), aligned=True))
    expected = np.zeros((6, 8), bool)
    low, high = np.clip(box[:2], 0, None).astype(int), np.array(box[2:]).astype(int)
    expected[low[1] : high[1], low[0] : high[0]] = True
    assert np.array_equal(found, expected)


def test_boxes_come_back_to_the_images_own_pixels_before_masks_are_pasted() -> None:
    frame = Frame((80, 60), scale=(0.25, 0.5), padding=(12, 2))
    found = decode(reduced(np.array([[5, 2, 10, 4]]), [0.9]), [frame], LABELS, PLAIN)[0]
    assert found.size == (80, 60)
    assert found.masks.boxes().tolist() == [[10, 8, 20, 16]]
    assert found.boxes is None  # stated boxes are the source's; these follow from the masks


def test_a_threshold_keeps_scores_from_it_on_and_rows_beyond_the_count_are_none() -> None:
    given = reduced(np.tile([0, 0, 4, 4], (4, 1)), [0.9, 0.5, 0.4, 0.0])._replace(counts=np.array([3]))
    found = decode(given, [Frame((8, 8))], LABELS, Request(threshold=0.5))[0]
    assert found.scores is not None
    assert found.scores.tolist() == [0.9, 0.5]
    assert len(decode(given, [Frame((8, 8))], LABELS, PLAIN)[0]) == 3


def test_a_detection_without_a_pixel_is_left_out() -> None:
    boxes = np.array([[0, 0, 4, 4], [2, 2, 2.1, 2.1], [0, 0, 4, 4]])
    cells = np.stack([np.ones((4, 4)), np.ones((4, 4)), np.zeros((4, 4))])
    found = decode(reduced(boxes, [0.9, 0.8, 0.7], cells), [Frame((8, 8))], LABELS, PLAIN)[0]
    assert (len(found), found.kind) == (1, "instance")


def test_large_detections_on_24_megapixels_hold_a_strip_of_one_at_a_time() -> None:
    given = reduced(np.tile([0, 0, 6000, 4000], (3, 1)), [0.9] * 3)
    tracemalloc.start()
    found = decode(given, [Frame((4000, 6000))], LABELS, PLAIN)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert int(found.masks.areas()[0]) == 24_000_000
    assert peak < 60 * 2**20
