"""Samples made of several images: exact in every kind, from one generator, refused where they would teach what is not so."""

from dataclasses import replace
from functools import lru_cache
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.augment.mix import MIXING, Mixed, Pair, another, check, mixed
from pixelwise.augment.options import AugmentOptions
from pixelwise.augment.policy import NONE, apply, draw
from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.scenes import scenes

CROP = (30, 38)
MOVING = replace(NONE, flip=0.5, flip_vertically=0.5, objects=0.5)  # pixels change places, and are not blended


def code(truth: Segmentation) -> IntArray:
    """The classes over each pixel (H, W), a bit each."""
    found = np.zeros(truth.size, np.uint8)
    for index, mask in enumerate(truth.masks.dense()):
        found |= mask.astype(np.uint8) << int(truth.class_ids[index])
    return found


@lru_cache
def told(kind: Kind) -> tuple[Pair, ...]:
    """Images that say of each pixel, in their bands, which image it is of and what its truth is; a corner is void."""
    found = []
    for index, sample in enumerate(scenes(4, (36, 48), kind=kind, seed=5)):
        classes, truth = np.zeros((36, 48), bool), sample.truth
        if kind in ("semantic", "panoptic"):
            classes[:9, :9] = True
            ids = np.where(classes, 0, truth.panoptic_ids())
            truth = replace(truth, masks=replace(truth.masks, ids=ids))
        pixels = np.stack([np.full((36, 48), index), code(truth), np.zeros((36, 48))], axis=2)
        found.append((Image(pixels.astype(np.uint8)), truth))
    return tuple(found)


def sample_of(options: AugmentOptions, pairs: tuple[Pair, ...], seed: int, crop: tuple[int, int] = CROP) -> Mixed:
    rng = np.random.default_rng(seed)
    return mixed(options, rng, pairs[0], crop, lambda: pairs[another(0, len(pairs), rng)])


@given(st.sampled_from(get_args(Kind)), st.sampled_from(["mosaic", "copy_paste", "cutmix", "all"]), st.integers(0, 10**6))
@settings(max_examples=60)
def test_the_truth_of_a_pixel_is_that_of_the_image_it_came_from(kind: Kind, way: str, seed: int) -> None:
    names = MIXING[:3] if way == "all" else (way,)
    found = sample_of(replace(MOVING, **dict.fromkeys(names, 1.0)), told(kind), seed)
    assert (found.image.pixels[:, :, 1] == code(found.truth)).all()
    assert (found.image.size, found.truth.size, found.truth.kind, found.share) == (CROP, CROP, kind, 1.0)


@pytest.mark.parametrize("kind", ["semantic", "instance", "panoptic", "multilabel"])
def test_each_way_shows_pixels_of_other_images(kind: Kind) -> None:
    for name, images in (("mosaic", 4), ("copy_paste", 2), ("cutmix", 2)):
        seen = [
            set(np.unique(sample_of(replace(NONE, **{name: 1.0}), told(kind), seed).image.pixels[:, :, 0])) for seed in range(9)
        ]
        assert all(len(one) <= images for one in seen)
        assert sum(0 in one and len(one) > 1 for one in seen) > 3


def test_nothing_more_is_drawn_where_nothing_is_mixed() -> None:
    image, truth = told("instance")[0]
    options = AugmentOptions("medium")
    found = sample_of(options, told("instance"), 3)
    rng = np.random.default_rng(3)
    pixels, masks = apply(image, truth, draw(options, rng, image.size, CROP, 3, truth))
    assert (found.image.pixels == pixels.pixels).all()
    assert found.truth == masks
    assert (found.words, found.second, found.share) == ((), None, 1.0)


def test_the_same_generator_mixes_the_same() -> None:
    options = AugmentOptions("strong", mosaic=0.5, copy_paste=0.7, cutmix=0.5, mixup=0.5)
    for seed in range(4):
        one, again = (sample_of(options, told("instance"), seed) for _ in range(2))
        assert (one.image.pixels == again.image.pixels).all()
        assert one.truth == again.truth


def test_objects_that_overlap_are_pasted_together() -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    stack = np.zeros((3, 8, 12), bool)
    stack[0, :4, :4] = stack[1, 2:6, 2:6] = stack[2, :4, 8:] = True
    pixels = np.full((8, 12, 3), 200, np.uint8)
    other = Image(pixels), Segmentation.from_masks("instance", stack, [0, 0, 0], labels)
    empty = Image(np.zeros_like(pixels)), Segmentation.from_masks("instance", np.zeros((0, 8, 12), bool), [], labels)
    sizes = set()
    for seed in range(20):
        found = sample_of(replace(NONE, copy_paste=1.0), (empty, other), seed, (8, 12))
        sizes.add(tuple(sorted(found.truth.masks.areas().tolist())))
        assert (found.truth.masks.dense().any(axis=0) == (found.image.pixels[:, :, 0] == 200)).all()
    assert sizes == {(16,), (16, 16), (16, 16, 16)}


def test_mixup_keeps_the_objects_of_both_images_and_shows_them_alike() -> None:
    pairs = told("instance")
    found = sample_of(replace(NONE, mixup=1.0), pairs, 1, (36, 48))
    chosen = next(index for index in (1, 2, 3) if len(found.truth) == len(pairs[0][1]) + len(pairs[index][1]))
    assert found.second is None
    assert np.abs(found.image.pixels - (pairs[0][0].pixels / 2 + pairs[chosen][0].pixels / 2)).max() <= 0.5


@pytest.mark.parametrize("kind", ["semantic", "multilabel"])
def test_mixup_of_classes_gives_both_truths_and_the_share_that_is_seen(kind: Kind) -> None:
    pairs = told(kind)[:2]
    found = sample_of(replace(NONE, mixup=1.0), pairs, 4, (36, 48))
    assert found.truth == pairs[0][1]
    assert found.second == pairs[1][1]
    expected = found.share * pairs[0][0].pixels + (1 - found.share) * pairs[1][0].pixels
    assert np.abs(found.image.pixels - expected).max() <= 0.51
    assert 0 < found.share < 1


def test_mixup_is_refused_where_it_would_teach_what_is_not_so() -> None:
    options = replace(NONE, mixup=0.3)
    for kind in ("panoptic", "regions"):
        with pytest.raises(OptionError, match=rf"\[augment\] mixup: .* {kind} truth has one segment a pixel; set mixup = 0"):
            check(options, kind, takes_two=True)
    with pytest.raises(OptionError, match="the loss of this network takes one truth"):
        check(options, "semantic", takes_two=False)
    check(options, "instance", takes_two=False)
    check(options, "multilabel", takes_two=True)
    check(NONE, "panoptic", takes_two=False)


def test_images_of_different_depths_are_mixed_by_their_share_of_the_full_scale() -> None:
    truth = Segmentation.from_class_map(np.zeros((8, 12), np.uint8), LabelSet.of(["a"], things=["a"]))
    deep, shallow = Image(np.full((8, 12, 3), 65535, np.uint16)), Image(np.full((8, 12, 3), 255, np.uint8))
    everything = replace(NONE, **dict.fromkeys(MIXING, 1.0))
    for pair in ((deep, shallow), (shallow, deep)):
        found = sample_of(everything, tuple((image, truth) for image in pair), 0, (8, 12)).image.pixels
        assert found.dtype == pair[0].pixels.dtype
        assert (found == pair[0].pixels.max()).all()


def test_images_without_an_object_and_one_image_alone_are_no_obstacle() -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    empty = Segmentation.from_masks("instance", np.zeros((0, 9, 7), bool), [], labels)
    pair = Image(np.zeros((9, 7, 1), np.uint16), ("grey",)), empty
    for seed in range(5):
        found = sample_of(replace(AugmentOptions("large_scale"), **dict.fromkeys(MIXING, 1.0)), (pair,), seed, (5, 4))
        assert (len(found.truth), found.truth.size) == (0, (5, 4))
    assert sample_of(replace(NONE, mosaic=1.0, cutmix=1.0), (pair,), 0, (1, 1)).truth.size == (1, 1)


def test_every_other_image_is_as_likely_a_partner() -> None:
    rng = np.random.default_rng(0)
    found = [another(2, 5, rng) for _ in range(400)]
    assert {index: 70 < found.count(index) < 130 for index in range(5)} == {0: True, 1: True, 2: False, 3: True, 4: True}
    assert another(0, 1, rng) == 0
