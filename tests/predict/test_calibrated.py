"""Temperatures: the right one is found, classes stay, thresholds move along."""

import numpy as np
import pytest
from opinionated import LABELS, WANTED, Given, always, brightness, noise

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.metrics.evaluate import evaluate
from pixelwise.predict.calibrated import Calibrated, at_temperature, temperature_of, threshold_at
from pixelwise.predict.opinions.sampled import SampledPixels


def softmax(logits):
    spread = np.exp(logits - logits.max(axis=0))
    return spread / spread.sum(axis=0)


def drawn(temperature, count=20_000, classes=5, seed=0):
    """Draw classes by logits, and give the probabilities of one who takes the logits times ``temperature`` for them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (classes, count))
    edges = softmax(logits).cumsum(axis=0)
    true = (rng.random(count) > edges).sum(axis=0).clip(max=classes - 1)
    return softmax(logits * temperature).astype(np.float32), true


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    said, true = drawn(temperature)
    assert temperature_of(SampledPixels(said[None], true)) == pytest.approx(temperature, rel=0.03)


def test_a_temperature_is_a_softmax_of_divided_logits():
    logits = np.random.default_rng(0).normal(0, 3, (4, 5, 6))
    np.testing.assert_allclose(at_temperature(softmax(logits).astype(np.float32), 1.7), softmax(logits / 1.7), atol=1e-5)


def test_sure_pixels_stay_numbers():
    found = at_temperature(np.array([1.0, 0.0], np.float32).reshape(2, 1, 1), 5.0)
    assert np.isfinite(found).all()
    assert found.argmax() == 0


@pytest.mark.parametrize("temperature", [0.3, 4.0])
def test_classes_stay_what_they_were(temperature):
    images = [noise((9, 8)), noise((4, 5), 1)]
    assert Calibrated(Given(brightness), temperature)(images) == Given(brightness)(images)


def test_thresholds_of_the_card_move_along():
    given = Given(brightness, threshold=0.8)
    calibrated = Calibrated(given, 3.0)
    image = noise((9, 8))
    assert calibrated.card.threshold == pytest.approx(threshold_at(0.8, 3.0))
    assert (calibrated([image])[0].class_map() == (image.pixels[:, :, 0] / 255 > 0.8)).all()
    asked = calibrated([image], Request(threshold=0.8))[0]  # a person's threshold is of the probabilities given now
    assert (asked.class_map() == (calibrated([image], WANTED)[0].probabilities[1] > 0.8)).all()


def test_calibration_lowers_the_error_of_confidence():
    """A predictor that says 0.99 and is right in 7 of 10 cases."""
    rng, samples = np.random.default_rng(0), []
    for seed in range(4):
        image = noise((20, 20), seed)
        told = image.pixels[:, :, 0] > 127
        true = np.where(rng.random(told.shape) < 0.7, told, ~told).astype(np.uint8)
        samples.append(Sample.of(f"s{seed}", image, Segmentation.from_class_map(true, LABELS)))
    data = Dataset(samples, LABELS, "semantic")
    sure = Given(lambda pixels: np.where(pixels[:, :, 0] > 127, 0.99, 0.01))
    calibrated = Calibrated.fitted(sure, data)
    assert calibrated.temperature == pytest.approx(np.log(99) / np.log(7 / 3), rel=0.1)
    before, after = (evaluate(one, data, "calibration", intervals=None).scores["ece"] for one in (sure, calibrated))
    assert before > 0.25
    assert after < 0.03


def test_classes_of_other_order_are_joined_by_name():
    labels = LabelSet.of(["a", "background"])
    image = noise((20, 20))
    truth = Segmentation.from_class_map((image.pixels[:, :, 0] <= 127).astype(np.uint8), labels)
    data = Dataset([Sample.of("s", image, truth)], labels, "semantic")
    assert Calibrated.fitted(Given(lambda pixels: np.where(pixels[:, :, 0] > 127, 0.8, 0.2)), data).temperature < 0.2


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(OptionError, match="'otsu' gives semantic segments without probabilities; a temperature is of class"):
        Calibrated(Method("otsu"), 2.0)
    with pytest.raises(OptionError, match="expected a temperature above 0, got -1"):
        Calibrated(Given(always(0.5)), -1)
