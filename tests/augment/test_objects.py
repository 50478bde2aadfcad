"""Objects of a truth of any kind, and crops centred on one of them, whatever its size."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment.objects import groups, object_pixel, objects_of
from pixelwise.augment.policy import NONE, apply_truth, draw
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks, from_dense
from pixelwise.core.segmentation import Kind, Segmentation

LABELS = LabelSet.of(["road", "sky", "car"], things=["car"])


def street(kind: Kind) -> Segmentation:
    """A large car, a car of one pixel, a crowd of cars where the kind has crowds, and road."""
    stack = np.zeros((4, 40, 60), bool)
    stack[0, 30:] = stack[1, 10:20, 30:50] = stack[2, 3, 4] = stack[3, 20:25, :5] = True
    if kind in ("semantic", "multilabel"):
        return Segmentation.from_masks(kind, np.stack([stack[0], stack[1] | stack[2]]), [0, 2], LABELS)
    return Segmentation.from_masks(kind, stack, [0, 2, 2, 2], LABELS, crowd=[False, False, False, True])


@pytest.mark.parametrize("kind", ["semantic", "multilabel", "panoptic", "instance"])
def test_objects_are_things_that_stand_apart_and_no_crowds(kind: Kind) -> None:
    found = objects_of(street(kind))
    assert sorted(found.masks.areas().tolist()) == [1, 200] + [600] * (kind == "instance")  # there every segment is one
    assert set(found.names) <= {"car", "road"}
    assert len(objects_of(Segmentation("regions", street("panoptic").masks, np.zeros(4, int), LABELS))) == 0


def test_a_crop_is_centred_on_small_objects_as_often_as_on_large_ones() -> None:
    truth = street("panoptic")
    seen = Counter()
    for seed in range(200):
        pixel = object_pixel(truth, np.random.default_rng(seed))
        assert pixel is not None
        seen[pixel == (3, 4, 2)] += 1
    assert 70 < seen[True] < 130


def test_the_object_lies_in_the_crop() -> None:
    truth, options = street("semantic"), replace(NONE, objects=1.0)
    for seed in range(20):
        drawn = draw(options, np.random.default_rng(seed), (40, 60), (8, 8), 3, truth)
        assert "on car" in drawn.words
        assert "car" in apply_truth(truth, drawn).names


def test_without_objects_a_crop_falls_anywhere() -> None:
    empty = Segmentation.from_class_map(np.zeros((40, 60), np.uint8), LABELS)
    assert object_pixel(empty, np.random.default_rng(0)) is None
    assert draw(replace(NONE, objects=1.0), np.random.default_rng(0), (40, 60), (8, 8), 3, empty).words == ()


def test_masks_that_share_a_pixel_are_of_one_group_also_by_way_of_a_third() -> None:
    stack = np.zeros((4, 1, 8), bool)
    stack[0, 0, :3] = stack[1, 0, 2:5] = stack[2, 0, 4:6] = stack[3, 0, 7] = True
    masks = from_dense(stack)
    assert isinstance(masks, OverlappingMasks)
    found = groups(masks)
    assert len(set(found[:3])) == 1
    assert found[3] != found[0]
    assert len(set(groups(from_dense(stack[[0, 2, 3]])))) == 3
