"""Weights of classes, and images of rare classes drawn more often."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.heads.pixel import PixelHead
from pixelwise.train.balance import class_presence, class_weights, repeat_factors
from pixelwise.train.loader import Crops, Order
from pixelwise.train.options import TrainOptions

SHARES = np.array([0.75, 0.2, 0.05])


def test_weights_by_enets_rule() -> None:
    expected = 1 / np.log(1.02 + SHARES)
    assert class_weights("log", SHARES) == pytest.approx(tuple(expected / expected.mean()))


def test_median_frequency_counts_the_images_that_hold_the_class() -> None:
    frequency = np.array([0.75 / 1, 0.2 / 0.5, 0.05 / 0.1])
    expected = np.median(frequency) / frequency
    presence = np.array([1, 0.5, 0.1])
    assert class_weights("median", SHARES, presence) == pytest.approx(tuple(expected / expected.mean()))


def test_an_absent_class_has_no_weight() -> None:
    for rule in ("log", "median"):
        weights = class_weights(rule, np.array([0.5, 0.5, 0.0]), np.array([1.0, 0.5, 0.0]))  # type: ignore[arg-type]
        assert weights is not None
        assert weights[2] == 0
        assert all(np.isfinite(weights))
        assert np.mean(weights[:2]) == pytest.approx(1)
    assert class_weights("none", SHARES) is None


def test_five_hundred_classes_are_weighed() -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(500, 0.05))
    for rule in ("log", "median"):
        weights = class_weights(rule, shares)  # type: ignore[arg-type]
        assert weights is not None
        assert len(weights) == 500
        assert np.isfinite(weights).all()


def test_without_a_pixel_there_is_nothing_to_weigh() -> None:
    with pytest.raises(OptionError, match="no labelled pixel"):
        class_weights("log", np.zeros(3))


def test_the_rarest_class_of_an_image_says_how_often_it_is_drawn() -> None:
    presence = np.ones((16, 3), bool)
    presence[:, 1] = np.arange(16) < 4  # a quarter holds it
    presence[:, 2] = np.arange(16) < 1  # one of sixteen
    assert repeat_factors(presence, 0.25).tolist() == [2, *[1] * 15]
    assert repeat_factors(presence, 1.0).tolist() == [4, 2, 2, 2, *[1] * 12]
    assert repeat_factors(np.zeros((2, 3), bool), 1.0).tolist() == [1, 1]  # void alone


def test_an_epoch_keeps_its_length_and_draws_each_image_as_often_as_its_factor_asks() -> None:
    factors = np.array([4.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    order = Order(6, 4, seed=3, factors=factors)
    keys = [key for step in range(1500) for key in order.keys(step)]
    counts = Counter(key[1] for key in keys)
    for sample, factor in enumerate(factors):
        assert counts[sample] == pytest.approx(6000 * factor / 10, rel=0.05)
    for epoch in range(1000):
        own = Counter(key[1] for key in keys if key[0] == epoch)
        assert sum(own.values()) == 6
        assert own[0] in (2, 3)  # 2.4, rounded down or up
    assert len(set(keys)) == len(keys)


def test_the_order_of_a_step_does_not_depend_on_the_steps_before() -> None:
    factors = np.array([3.0, 1.0, 1.0, 2.0, 1.0])
    order = Order(5, 3, seed=1, factors=factors)
    assert [order.keys(step) for step in range(9)][8] == Order(5, 3, seed=1, factors=factors).keys(8)


def test_factors_that_are_alike_draw_each_image_once() -> None:
    order = Order(5, 5, seed=0, factors=np.full(5, 1.7))
    assert all(sorted(key[1] for key in order.keys(epoch)) == [0, 1, 2, 3, 4] for epoch in range(20))


def rare_data() -> Dataset:
    """Eight images of "road", of which the last holds "sign" too."""
    labels = LabelSet.of(["road", "sign"])
    samples = []
    for place in range(8):
        classes = np.full((40, 40), labels.void, np.uint8)
        classes[:, :20] = 0
        classes[:4, :4] = place == 7
        pixels = np.random.default_rng(place).integers(0, 255, (40, 40, 3), np.uint8)
        samples.append(Sample.of(f"image{place}", Image(pixels), Segmentation.from_class_map(classes, labels)))
    return Dataset(samples, labels, "semantic")


def test_presence_is_read_from_the_masks_without_void() -> None:
    presence = class_presence(rare_data())
    assert presence[:, 0].all()
    assert presence[:, 1].tolist() == [False] * 7 + [True]


def test_an_image_that_comes_twice_in_an_epoch_is_cropped_differently() -> None:
    from pixelwise.augment import AugmentOptions

    data = rare_data()
    crops = Crops(data, PixelHead(4, data.labels), AugmentOptions(), (24, 24), 0, ("red", "green", "blue"), 10**9)
    assert not np.array_equal(crops[(0, 7)][0], crops[(0, 7, 1)][0])
    assert np.array_equal(crops[(0, 7, 1)][0], crops[(0, 7, 1)][0])


def test_training_with_balanced_sampling_sees_the_rare_image_more_often() -> None:
    from pixelwise.models.networks import unet
    from pixelwise.train.devices import together
    from pixelwise.train.loop import Loop

    data = rare_data()
    options = TrainOptions(steps=4, batch=4, crop=(32, 32), sampling="balanced", rare_share=1.0, device="cpu")
    for asked, times in ((options, 4 * 16 * 8**0.5 / (7 + 8**0.5)), (replace(options, sampling="uniform"), 8)):
        model = unet.build(data.labels, encoder="plain", width=4, depth=1)
        loop = Loop(model, data, data.take([]), asked, NONE, together(asked))
        drawn = [key[1] for step in range(16) for key in loop.order.keys(step)]
        assert drawn.count(7) == pytest.approx(times, abs=4 if asked is options else 0)
