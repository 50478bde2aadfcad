"""What every network must do, over every row of the table of models, at a tiny size."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pixelwise.augment.policy import NONE
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.models import MODELS, checkpoint
from pixelwise.models.segmenter import Segmenter
from pixelwise.predict.network import Network
from pixelwise.scenes import scenes
from pixelwise.train.fit import fit
from pixelwise.train.options import TrainOptions

TINY: dict[str, dict[str, Any]] = {"unet": {"encoder": "plain", "width": 12, "depth": 3}}
KINDS = {"unet": "semantic"}
NAMES = sorted(MODELS)


def build(name: str, labels: LabelSet) -> Segmenter:
    torch.manual_seed(0)
    return MODELS[name].build(labels, KINDS[name], **TINY[name])


@pytest.fixture(scope="module")
def data() -> Dataset:
    return scenes(2, (64, 64), seed=12)  # in which every class has more than a pixel


@pytest.mark.parametrize("name", NAMES)
def test_overfits_two_drawn_scenes(name: str, data: Dataset) -> None:
    options = TrainOptions(steps=150, batch=2, crop=(64, 64), rate=6e-3, ema=0.8, validations=1, threads=2)
    assert fit(build(name, data.labels), data, data, options, NONE, quiet=True).progress.best_score > 0.9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (17, 40), (64, 33)])
def test_takes_any_input_size(name: str, size: tuple[int, int], data: Dataset) -> None:
    model = build(name, data.labels).eval()
    raw = model(torch.rand(1, 3, *size))
    found = model.head.reduce(raw, size)
    assert found[0].shape[-2:] == torch.Size(size)


@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_the_batch(name: str, data: Dataset) -> None:
    network = Network(build(name, data.labels), "cpu", "32-true")
    images = [data[0].image, data[1].image]
    from pixelwise.core.predictor import Request

    together = network(images, Request(probabilities=True))
    apart = [network([image], Request(probabilities=True))[0] for image in images]
    for one, other in zip(together, apart, strict=True):
        assert one.probabilities is not None
        assert abs(one.probabilities - other.probabilities).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_comes_back_bit_for_bit(name: str, data: Dataset, tmp_path: Path) -> None:
    model = build(name, data.labels).eval()
    checkpoint.save(model, tmp_path / "model.safetensors")
    again = checkpoint.load(tmp_path)
    assert again.card == replace(model.card, options=again.card.options)
    images = torch.rand(2, 3, 40, 48)
    for first, second in zip(model(images), again(images), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_works(name: str) -> None:
    model = build(name, LabelSet.of(["all"]))
    truth = {"classes": torch.zeros(2, 32, 32, dtype=torch.uint8)}
    total = torch.stack(list(model.loss(torch.rand(2, 3, 32, 32), truth).values())).sum()
    total.backward()
    assert torch.isfinite(total.detach())


@pytest.mark.parametrize("name", NAMES)
def test_void_pixels_do_not_change_the_loss(name: str, data: Dataset) -> None:
    model = build(name, data.labels).eval()
    images = torch.rand(1, 3, 32, 32)
    classes = torch.zeros(1, 32, 32, dtype=torch.uint8)
    classes[:, 16:] = data.labels.void
    first = model.loss(images, {"classes": classes})
    raw = model(images)
    raw.logits[:, :, 16:] += 5 * torch.randn_like(raw.logits[:, :, 16:])
    second = model.head.loss(raw, {"classes": classes})
    for key in first:
        torch.testing.assert_close(first[key], second[key])


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_names_the_nearest(name: str) -> None:
    option = next(iter(TINY[name]))
    with pytest.raises(ValueError, match=option):
        checkpoint.fitted_options(MODELS[name].build, {option + "x": 1})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_exports_as_a_graph(name: str, data: Dataset) -> None:
    model = build(name, data.labels).eval()
    images = torch.rand(1, 3, 64, 64)
    graph = torch.export.export(model, (images,)).module()
    for first, second in zip(model(images), graph(images), strict=True):
        torch.testing.assert_close(first, second)
