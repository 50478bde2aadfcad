"""Smeared and blocky masks stand out; drawn outlines, thin things and binary masks do not."""

import cv2
import numpy as np
import pytest

from pixelwise.curate.smears import Grain, grain, judge
from pixelwise.scenes import scenes

MASKS = [sample.truth.class_map() for sample in scenes(8, (120, 160), seed=4)]


def smeared(masks: list[np.ndarray]) -> list[int]:
    return sorted(judge({place: grain(one) for place, one in enumerate(masks)}, {}).smeared)


def there_and_back(mask: np.ndarray, scale: float, way: int) -> np.ndarray:
    small = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=way)
    return cv2.resize(small, mask.shape[::-1], interpolation=way)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: there_and_back(one, 0.5, cv2.INTER_LINEAR), id="half and back, bilinear"),
        pytest.param(lambda one: there_and_back(one, 0.9, cv2.INTER_CUBIC), id="90 % and back, cubic"),
        pytest.param(lambda one: cv2.GaussianBlur(one, (5, 5), 0), id="blurred"),
        pytest.param(lambda one: cv2.GaussianBlur(one, (15, 15), 0), id="much blurred"),
        pytest.param(lambda one: cv2.imdecode(cv2.imencode(".jpg", one, [1, 90])[1], 0), id="JPEG"),
    ],
)
def test_a_smeared_mask_stands_out(change: object) -> None:
    assert smeared([*MASKS, change(MASKS[0])]) == [8]  # type: ignore[operator]


def test_true_masks_do_not() -> None:
    assert smeared(MASKS) == []


def test_nearest_neighbour_smears_nothing() -> None:
    assert smeared([*MASKS, there_and_back(MASKS[0], 0.9, cv2.INTER_NEAREST)]) == []


def test_where_all_masks_are_smeared_none_stands_out_and_it_is_said() -> None:
    found = judge({place: grain(cv2.GaussianBlur(one, (5, 5), 0)) for place, one in enumerate(MASKS)}, {})
    assert (found.smeared, found.all_alike) == ({}, True)


def test_colours_are_judged_by_their_ramps() -> None:
    grains = {place: Grain(0, 0.0, 1) for place in range(6)}
    assert judge(grains, {0: 0.01, 1: 0.0, 2: 0.02, 3: 0.4, 4: 0.01, 5: 0.0}).smeared == {3: 0.4}


@pytest.mark.parametrize("side", [2, 3, 8])
def test_blocks_are_measured(side: int) -> None:
    mask = np.random.default_rng(0).integers(0, 4, (40, 40)).astype(np.uint8)
    assert grain(np.kron(mask, np.ones((side, side), np.uint8))).block == side
    assert grain(mask).block == 1


def test_a_single_rectangle_is_no_block() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 1
    assert grain(mask).block == 1
