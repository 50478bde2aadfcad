"""Batches: an order that depends on (seed, step) alone, whoever prepares it."""

import numpy as np
import pytest
import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.sample import Dataset
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.scenes import scenes
from pixelwise.train.loader import Crops, Order, batches, stacked


def crops(data: Dataset, memory: int = 10**9) -> Crops:
    return Crops(data, PixelHead(4, data.labels), AugmentOptions(rotate=10), (32, 48), 0, ("red", "green", "blue"), memory)


def test_every_image_comes_once_an_epoch_though_batches_cross_epochs() -> None:
    order = Order(5, 2, seed=3)
    keys = [key for step in range(10) for key in order.keys(step)]
    for epoch in range(4):
        assert sorted(index for number, index in keys if number == epoch) == [0, 1, 2, 3, 4]


def test_the_order_of_a_step_does_not_depend_on_the_steps_before() -> None:
    order = Order(7, 3, seed=1)
    assert [order.keys(step) for step in range(9)][8] == Order(7, 3, seed=1).keys(8)
    assert Order(7, 3, seed=2).keys(0) != Order(7, 3, seed=1).keys(0)


def test_a_batch_may_be_larger_than_the_data() -> None:
    assert sorted(index for _, index in Order(2, 4, seed=0).keys(0)) == [0, 0, 1, 1]


def test_a_crop_is_the_same_whether_cached_or_not_and_differs_between_epochs() -> None:
    data = scenes(2, (64, 64), seed=0)
    kept, read_again = crops(data), crops(data, memory=0)
    first, _, _ = kept[(0, 1)]
    assert np.array_equal(first, kept[(0, 1)][0])
    assert np.array_equal(first, read_again[(0, 1)][0])
    assert not np.array_equal(first, kept[(1, 1)][0])


def test_threads_and_processes_give_the_same_batches() -> None:
    data = scenes(3, (48, 48), seed=0)
    order = Order(3, 2, seed=0)
    threaded = list(batches(crops(data), order, 1, 4, workers=0))
    forked = list(batches(crops(data), order, 1, 4, workers=1))
    assert len(threaded) == 3
    for one, other in zip(threaded, forked, strict=True):
        assert one.names == other.names
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.targets["classes"], other.targets["classes"])


def test_an_error_in_the_thread_reaches_the_trainer() -> None:
    data = scenes(2, (48, 48), seed=0)
    broken = crops(data)
    broken.head_targets = lambda truth: 1 / 0  # type: ignore[assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        list(batches(broken, Order(2, 1, seed=0), 0, 2))


def test_images_reach_the_network_in_zero_to_one_and_channels_last() -> None:
    batch = next(batches(crops(scenes(1, (48, 48), seed=0)), Order(1, 2, seed=0), 0, 1))
    images = batch.images(torch.device("cpu"))
    assert images.shape == (2, 3, 32, 48)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= float(images.min()) < float(images.max()) <= 1


def test_images_of_different_depths_share_a_batch_by_their_share_of_the_full_scale() -> None:
    shallow, deep = np.full((2, 2, 1), 255, np.uint8), np.full((2, 2, 1), 65535, np.uint16)
    assert stacked([shallow, deep]).tolist() == np.ones((2, 2, 2, 1)).tolist()
    assert stacked([shallow, shallow]).dtype == np.uint8
