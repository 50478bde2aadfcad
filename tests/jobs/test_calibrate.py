"""Calibrating a run: the card changes, the weights and the classes do not, and load applies it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.jobs.calibrate import calibrate
from pixelwise.load import load
from pixelwise.models import checkpoint
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter

LABELS = LabelSet.of(["background", "a"])
WANTED = Request(probabilities=True)


@pytest.fixture(scope="module")
def data():
    rng, samples = np.random.default_rng(0), []
    for index in range(3):
        pixels = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
        truth = Segmentation.from_class_map(rng.integers(0, 2, (24, 24)).astype(np.uint8), LABELS)
        samples.append(Sample.of(f"s{index}", Image(pixels), truth))
    return Dataset(samples, LABELS, "semantic")


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    model = unet.build(LABELS, "semantic", encoder="plain", weights="none", width=4, depth=2)
    with torch.no_grad():
        model.head.classify.weight *= 20  # sure of what it cannot know
    checkpoint.save(model, tmp_path / "best.safetensors")
    return tmp_path


def test_the_temperature_goes_into_the_card_and_lowers_the_error(run, data):
    before = load(run, "cpu")([data[0].image], WANTED)[0]
    found = calibrate(run, data, device="cpu")
    assert found.temperature > 2
    assert found.after["ece"] < found.before["ece"] / 2
    assert found.after["nll"] < found.before["nll"]
    assert json.loads((run / "calibration.json").read_text())["temperature"] == found.temperature
    after = load(run, "cpu")([data[0].image], WANTED)[0]
    assert after == before  # the same classes
    odds = [np.log(one.probabilities[1] / one.probabilities[0]) for one in (before, after)]
    near = np.abs(odds[0]) < 8
    np.testing.assert_allclose(odds[1][near] * found.temperature, odds[0][near], rtol=1e-2, atol=1e-3)


def test_calibrating_again_finds_the_same(run, data):
    first = calibrate(run, data, device="cpu")
    assert calibrate(run, data, device="cpu").temperature == pytest.approx(first.temperature, rel=1e-6)


def test_a_threshold_keeps_its_place(run, data):
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps({**card, "threshold": 0.9}))
    before = load(run, "cpu")([data[0].image])[0]
    for _ in range(2):
        calibrate(run, data, device="cpu")
        assert load(run, "cpu").card.threshold < 0.9
        assert (load(run, "cpu")([data[0].image])[0].class_map() == before.class_map()).mean() > 0.999


def test_a_head_divides_its_logits_by_the_temperature_of_the_card():
    model = unet.build(LABELS, "semantic", encoder="plain", weights="none", width=4, depth=2).eval()
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        logits = model(images).logits
        warm = Segmenter(model.network, model.head, replace(model.card, temperature=3.0)).eval()
        found = warm.head.reduce(warm(images), (16, 16), True)
    full = nn.functional.interpolate(logits, size=(16, 16), mode="bilinear") if logits.shape[-1] != 16 else logits
    torch.testing.assert_close(torch.as_tensor(found.probabilities), (full / 3).softmax(1), rtol=1e-4, atol=1e-5)


def test_a_network_of_queries_is_refused_in_a_sentence(tmp_path, data, monkeypatch):
    model = unet.build(LABELS, "semantic", encoder="plain", weights="none", width=4, depth=2)
    checkpoint.save(model, tmp_path / "best.safetensors")
    monkeypatch.setattr(type(model.head), "has_temperature", False)
    with pytest.raises(OptionError, match="a temperature is fitted for networks that classify pixels by one softmax"):
        calibrate(tmp_path, data, device="cpu")
