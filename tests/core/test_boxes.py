"""Boxes: left, top, right, bottom, exclusive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from pixelwise.core.arrays import AnyArray, BoolArray
from pixelwise.core.boxes import areas, box_of, intersection_over_union
from pixelwise.core.runs import encode

BOXES = np.array([[0, 0, 4, 2], [2, 1, 6, 3], [5, 5, 5, 9], [6, 6, 4, 4]])


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)))
def test_the_box_of_a_mask_is_that_of_its_run_lengths(mask: BoolArray) -> None:
    assert box_of(mask) == encode(mask).box


def test_areas_are_never_negative() -> None:
    assert areas(BOXES).tolist() == [8, 8, 0, 0]
    assert areas(np.zeros((0, 4))).tolist() == []


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_iou_of_a_worked_case(dtype: type[np.generic]) -> None:
    table = intersection_over_union(BOXES.astype(dtype), BOXES[:2].astype(dtype))
    assert table.round(4).tolist() == [[1.0, 0.1429], [0.1429, 1.0], [0, 0], [0, 0]]


def test_iou_of_two_empty_boxes_is_nought() -> None:
    empty = np.array([[3, 3, 3, 3]])
    assert intersection_over_union(empty, empty).tolist() == [[0.0]]
    assert intersection_over_union(empty, np.zeros((0, 4))).shape == (1, 0)


@given(hnp.arrays(np.int64, (3, 4), elements={"min_value": 0, "max_value": 20}))
def test_iou_equals_pycocotools(corners: AnyArray) -> None:
    boxes = np.concatenate([np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:]) + 1], axis=1)
    wide = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    theirs = coco.iou(wide, wide, [0] * 3)
    assert np.allclose(intersection_over_union(boxes, boxes), theirs, atol=1e-12)
