"""The pixel a crop is centred on: of a rare class, each rare class alike, each of its pixels alike."""

from collections import Counter

import numpy as np
import pytest

from pixelwise.augment.rare import pixels_of, rare_pixel, there
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, as_overlapping
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["road", "sign", "person"])


def street() -> Segmentation:
    classes = np.zeros((20, 30), np.uint8)
    classes[4, 5] = 1
    classes[10:13, 20:22] = 2
    classes[0] = 255
    return Segmentation.from_class_map(classes, LABELS)


def test_each_rare_class_is_as_likely_and_the_common_one_never_is() -> None:
    truth, rng = street(), np.random.default_rng(0)
    found = [rare_pixel(truth, rng) for _ in range(600)]
    counts = Counter(pixel[2] for pixel in found if pixel)
    assert set(counts) == {1, 2}
    assert 240 < counts[1] < 360
    assert {pixel[:2] for pixel in found if pixel and pixel[2] == 1} == {(4, 5)}
    people = Counter(pixel[:2] for pixel in found if pixel and pixel[2] == 2)
    assert set(people) == {(y, x) for y in range(10, 13) for x in range(20, 22)}


def test_overlapping_instances_give_the_same_and_background_counts_as_common() -> None:
    stack = np.zeros((2, 20, 30), bool)
    stack[0, 3:8, 3:8] = stack[1, 6:9, 6:9] = True
    truth = Segmentation.from_masks("instance", stack, [2, 2], LABELS)
    for seed in range(20):
        pixel = rare_pixel(truth, np.random.default_rng(seed))
        assert pixel is not None
        assert stack[:, pixel[0], pixel[1]].any()
        assert pixel[2] == 2


@pytest.mark.parametrize("classes", [np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8), np.eye(4, dtype=np.uint8) * 0])
def test_there_is_none_where_no_class_is_rare(classes: np.ndarray) -> None:  # type: ignore[type-arg]
    assert rare_pixel(Segmentation.from_class_map(classes, LABELS), np.random.default_rng(0)) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_pixels_are_counted_in_every_holding(dtype: type[np.integer]) -> None:  # type: ignore[type-arg]
    ids = np.array([[0, 1, 1], [3, 3, 3]], dtype)
    masks = DisjointMasks(ids, 3)
    assert pixels_of(masks).tolist() == pixels_of(as_overlapping(masks)).tolist() == [2, 0, 3]
    assert there(masks).tolist() == there(as_overlapping(masks)).tolist() == [True, False, True]


def test_a_mask_between_the_rows_looked_at_first_is_there() -> None:
    ids = np.zeros((16, 4), np.uint8)
    ids[3, 2] = 1
    assert there(DisjointMasks(ids, 1)).tolist() == [True]
