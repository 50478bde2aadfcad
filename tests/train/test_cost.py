"""What a step is predicted to cost."""

from dataclasses import replace

import pytest
import torch

from pixelwise.augment import AugmentOptions
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.models.networks import unet
from pixelwise.scenes import scenes
from pixelwise.train.cost import Cost, Footprint, footprint, footprint_of, predict_cost, with_loading
from pixelwise.train.loader import Crops
from pixelwise.train.machine import this_machine

LABELS = LabelSet.of(["a", "b", "c"])


def test_memory_grows_with_the_pixels_of_a_batch() -> None:
    kept = Footprint(weights=1000, per_pixel=10.0)
    grown = kept.bytes(4, (8, 8)) - kept.bytes(2, (8, 8))
    assert grown == kept.bytes(2, (8, 8)) - kept.bytes(0, (8, 8))
    assert kept.bytes(0, (8, 8)) == 5000


def test_half_precision_keeps_less_and_the_model_is_left_as_it_was() -> None:
    model = unet.build(LABELS, encoder="plain", width=4, depth=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    full, half = footprint(model, "32-true"), footprint(model, "bf16-mixed")
    assert 0.4 < half.per_pixel / full.per_pixel < 0.95
    assert full.weights == sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_wider_network_keeps_more() -> None:
    slim, wide = (footprint_of({"name": "unet", "encoder": "plain", "width": w, "depth": 2}, 3, "32-true") for w in (4, 8))
    assert 1.5 < wide.per_pixel / slim.per_pixel < 2.5


def test_a_prediction_leaves_the_random_state_alone() -> None:
    model = unet.build(LABELS, encoder="plain", width=4, depth=2, dropout=0.5)
    state = torch.get_rng_state()
    cost = predict_cost(model, 4, (32, 32), "32-true", this_machine("cpu"))
    assert torch.equal(torch.get_rng_state(), state)
    assert cost.memory > footprint(model).bytes(4, (32, 32))
    assert cost.seconds == pytest.approx(cost.seconds)
    assert cost.seconds > 0


def test_images_whose_deepest_features_are_one_pixel_are_predicted_too() -> None:
    model, machine = unet.build(LABELS, encoder="plain", width=4, depth=5), this_machine("cpu")
    assert predict_cost(model, 4, (32, 32), "32-true", machine).seconds > 0
    assert predict_cost(model, 1, (32, 32), "32-true", machine, freeze_norm=True).seconds > 0
    with pytest.raises(OptionError, match="freeze_norm"):
        predict_cost(model, 1, (32, 32), "32-true", machine)


def test_a_half_batch_that_does_not_fit_is_predicted_from_less(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tried = unet.build(LABELS, encoder="plain", width=4, depth=2), []

    def seconds(model: object, batch: int, *given: object) -> float:
        tried.append(batch)
        if batch > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.1 * batch

    monkeypatch.setattr("pixelwise.train.cost._step_seconds", seconds)
    monkeypatch.setattr("pixelwise.train.cost._update_seconds", lambda model: 0.0)
    assert predict_cost(model, 16, (32, 32), "32-true", this_machine("cpu")).seconds == pytest.approx(1.6)
    assert max(tried) == 4  # a quarter of the batch did not fit


def test_memory_of_an_accelerator_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a card")
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **given: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (7 * 2**30, 8 * 2**30))
    assert this_machine.__wrapped__("cuda").memory == 7 * 2**30


def test_the_loader_adds_to_a_step_on_a_cpu_and_only_bounds_it_beside_an_accelerator() -> None:
    data = scenes(2, (32, 32))
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    crops = Crops(data, model.head, AugmentOptions(), (32, 32), 0, model.card.bands, memory=2**20)
    machine = this_machine("cpu")
    assert with_loading(Cost(1, 5.0), crops, 4, machine).seconds > 5.0
    assert with_loading(Cost(1, 5.0), crops, 4, replace(machine, device="cuda")).seconds == 5.0
