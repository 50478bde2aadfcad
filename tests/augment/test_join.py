"""Several truths put together: each pixel keeps the truth of the image it came from, in every kind and holding."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.augment.join import LEAST, as_type, both, joined, joined_pixels, laid, union
from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, as_overlapping
from pixelwise.core.segmentation import Kind, Segmentation

LABELS = LabelSet.of(["sky", "grass", "cat", "dog"], things=["cat", "dog"])
SIZE = (6, 8)


def made(kind: Kind, rng: np.random.Generator, overlapping: bool) -> Segmentation:
    """A truth of noise: holes, several parts, pixels under nothing, and, where the kind allows it, overlaps and crowds."""
    count = 4 if kind in ("semantic", "multilabel") else int(rng.integers(0, 7))
    classes = np.arange(4) if kind in ("semantic", "multilabel") else rng.integers(0, 4, count)
    if kind == "panoptic":  # stuff comes once
        classes = np.concatenate([[0, 1], rng.integers(2, 4, max(0, count - 2))])[:count]
    if overlapping and kind in ("instance", "multilabel"):
        stack = rng.random((count, *SIZE)) < 0.3
    else:
        ids = rng.integers(0, count + 1, SIZE)
        stack = ids == np.arange(1, count + 1)[:, None, None]
    crowd = (rng.random(count) < 0.2) & (kind == "instance")
    found = Segmentation.from_masks(kind, stack, classes * (kind != "regions"), LABELS, crowd=crowd, source_ids=range(count))
    return found if kind != "semantic" else found[found.masks.areas() > 0]


def counts(truth: Segmentation) -> IntArray:
    """How many segments of each class (L, H, W) lie over each pixel: the truth of a pixel, whatever holds it."""
    found = np.zeros((len(LABELS), *truth.size), np.int64)
    for index, mask in enumerate(truth.masks.dense()):
        found[truth.class_ids[index]] += mask
    return found


def things(truth: Segmentation) -> list[tuple[int, bytes]]:
    """The objects, by class and pixels."""
    alone = truth.kind in ("instance", "regions") or np.isin(truth.class_ids, LABELS.things)
    rows = np.flatnonzero(np.broadcast_to(alone, len(truth)))
    return [(int(truth.class_ids[row]), truth.masks.mask(row).tobytes()) for row in rows if truth.masks.mask(row).any()]


@given(st.sampled_from(get_args(Kind)), st.integers(0, 2**32 - 1), st.tuples(st.booleans(), st.booleans(), st.booleans()))
@settings(max_examples=80)
def test_every_pixel_keeps_the_truth_of_the_image_it_came_from(kind: Kind, seed: int, overlapping: tuple[bool, ...]) -> None:
    rng = np.random.default_rng(seed)
    parts = [made(kind, rng, each) for each in overlapping]
    shown = rng.integers(0, 3, SIZE, np.uint8)
    found = joined(parts, shown)
    expected = np.choose(shown, [counts(one) for one in parts])
    assert (counts(found) == expected).all()
    assert (found.masks.areas() > 0).all()
    if kind in ("instance", "panoptic", "regions"):  # no two objects have become one, and none has fallen apart
        cut = [
            (name, (np.frombuffer(mask, bool).reshape(SIZE) & (shown == index)).tobytes())
            for index, one in enumerate(parts)
            for name, mask in things(one)
        ]
        assert sorted(things(found)) == sorted(one for one in cut if any(one[1]))
    if kind in ("multilabel", "panoptic"):  # a class without objects has one segment
        stuff = [name for name in found.class_ids.tolist() if kind == "multilabel" or name not in LABELS.things]
        assert len(stuff) == len(set(stuff))


def test_what_is_nearly_covered_becomes_a_crowd_and_what_is_covered_is_gone() -> None:
    stack = np.zeros((3, 10, 30), bool)
    stack[0, :, :10] = stack[1, :, 10:20] = stack[2, :, 20:] = True
    below = Segmentation.from_masks("instance", stack, [2, 3, 2], LABELS)
    above = Segmentation.from_masks("instance", np.zeros((0, 10, 30), bool), [], LABELS)
    shown = np.zeros((10, 30), np.uint8)
    shown[1:, :10] = 1  # a tenth is left
    shown[:, 10:20] = 1
    shown[1:, 20:] = shown[0, 20] = 1  # a tenth but for a pixel
    found = joined([below, above], shown)
    assert LEAST == 0.1
    assert found.masks.areas().tolist() == [10, 9]
    assert found.class_ids.tolist() == [2, 2]
    assert found.is_crowd.tolist() == [False, True]


def test_crowds_stay_crowds_and_stuff_of_two_images_is_one_segment() -> None:
    ids = np.array([[1, 1, 2, 2]], np.uint8)
    one = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([0, 2]), LABELS, crowd=[False, True])
    other = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([2, 0]), LABELS)
    found = joined([one, other], np.array([[0, 1, 0, 1]], np.uint8))
    listed = [(found.names[row], found.masks.mask(row).tolist(), bool(found.is_crowd[row])) for row in range(len(found))]
    assert sorted(listed) == [
        ("cat", [[False, False, True, False]], True),
        ("cat", [[False, True, False, False]], False),
        ("sky", [[True, False, False, True]], False),
    ]


def test_truths_that_do_not_belong_together_are_refused() -> None:
    rng = np.random.default_rng(0)
    one = made("instance", rng, True)
    shown = np.zeros(SIZE, np.uint8)
    with pytest.raises(DataError, match="one kind"):
        joined([one, made("panoptic", rng, False)], shown)
    others = Segmentation("instance", one.masks, one.class_ids, LabelSet.of(["a", "b", "c", "d"]))
    with pytest.raises(DataError, match="one label set"):
        joined([one, others], shown)


@pytest.mark.parametrize("overlapping", [False, True])
def test_a_truth_is_laid_into_a_larger_grid_as_it_is(overlapping: bool) -> None:
    truth = made("instance", np.random.default_rng(3), False)
    masks = as_overlapping(truth.masks) if overlapping else truth.masks
    found = laid(Segmentation("instance", masks, truth.class_ids, LABELS), (2, 3), (10, 12))
    assert isinstance(found.masks, OverlappingMasks) == overlapping
    assert (found.masks.dense()[:, 2:8, 3:11] == truth.masks.dense()).all()
    assert found.masks.areas().sum() == truth.masks.areas().sum()
    assert union(found.masks, np.array([1, 2])).sum() == truth.masks.areas()[1:3].sum()


def test_two_images_seen_at_once_keep_all_objects() -> None:
    rng = np.random.default_rng(1)
    one, other = made("instance", rng, True), made("instance", rng, False)
    found = both(one, other)
    assert (counts(found) == counts(one) + counts(other)).all()
    assert found.is_crowd.tolist() == [*one.is_crowd.tolist(), *other.is_crowd.tolist()]


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_pixels_of_another_type_are_brought_to_the_first_ones_scale(bands: int) -> None:
    deep, shallow = np.zeros((2, 2, bands), np.uint16), np.full((2, 2, bands), 255, np.uint8)
    shown = np.array([[0, 1], [1, 0]], np.uint8)
    assert joined_pixels([deep, shallow], shown)[:, :, 0].tolist() == [[0, 65535], [65535, 0]]
    found = joined_pixels([shallow, deep], shown)
    assert (found.dtype, found[:, :, -1].tolist()) == (np.uint8, [[255, 0], [0, 255]])
    assert as_type(shallow, np.dtype(np.float32)).max() == 1
