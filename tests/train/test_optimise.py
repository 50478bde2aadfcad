"""Optimisers, groups of weights, stages of encoders, gradient norms."""

import numpy as np
import pytest
import torch
from torch import nn

from pixelwise.core.labels import LabelSet
from pixelwise.models.network import stages
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.lion import Lion
from pixelwise.train.optimise import Average, clip, make_optimiser
from pixelwise.train.options import TrainOptions

LABELS = LabelSet.of(["dark", "bright"])


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(LABELS, encoder="plain", width=4, depth=2)


def test_lion_takes_the_paper_s_steps() -> None:
    weights, average = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    parameter = nn.Parameter(torch.tensor(weights))
    optimiser = Lion([parameter], lr=0.1, betas=(0.9, 0.99), weight_decay=0.2)
    for gradient in ([0.3, -0.1, 0.0], [-5.0, 0.2, 1.0], [0.1, 0.1, -0.2]):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimiser.step()
        direction = np.sign(0.9 * average + 0.1 * np.array(gradient))  # algorithm 2, line by line
        weights = weights - 0.1 * (direction + 0.2 * weights)
        average = 0.99 * average + 0.01 * np.array(gradient)
        assert parameter.detach().numpy() == pytest.approx(weights)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "lion"])
def test_norms_and_biases_are_not_decayed(name: str) -> None:
    model = tiny()
    optimiser = make_optimiser(model, TrainOptions(optimiser=name, decay=0.3))  # type: ignore[arg-type]
    decay = {parameter: group["weight_decay"] for group in optimiser.param_groups for parameter in group["params"]}
    assert {decay[parameter] for parameter in model.parameters() if parameter.ndim == 1} == {0.0}
    assert {decay[parameter] for parameter in model.parameters() if parameter.ndim > 1} == {0.3}
    assert len(decay) == len(list(model.parameters()))


def shares(model: Segmenter, options: TrainOptions) -> dict[nn.Parameter, float]:
    optimiser = make_optimiser(model, options)
    return {parameter: group["share"] for group in optimiser.param_groups for parameter in group["params"]}


def test_the_encoder_s_rate_is_its_share() -> None:
    model = tiny()
    found = shares(model, TrainOptions(encoder_rate=0.1))
    inside = set(model.network.encoder.parameters())
    assert {share for parameter, share in found.items() if parameter in inside} == {0.1}
    assert {share for parameter, share in found.items() if parameter not in inside} == {1.0}


def test_layer_decay_slows_each_stage_below_the_head() -> None:
    model = tiny()
    found = shares(model, TrainOptions(layer_decay=0.5))
    levels = model.network.encoder.levels
    by_level = [{found[parameter] for parameter in level.parameters()} for level in levels]  # type: ignore[union-attr]
    assert by_level == [{0.125}, {0.25}, {0.5}]
    assert found[model.head.classify.weight] == 1.0  # type: ignore[union-attr,index]


@pytest.mark.parametrize(
    ("encoder", "first", "last"),
    [
        ("tf_efficientnet_lite0", "conv_stem", "blocks.6.0.conv_pw"),
        ("resnet18", "conv1", "layer4.1.conv2"),
        ("convnext_atto", "stem_0", "stages_3.blocks.1.mlp.fc2"),
        ("mit_b0", "stages.0.patch_embeddings.proj", "stages.3.blocks.1.mlp.fc2"),
    ],
)
def test_stages_follow_the_strides_of_any_encoder(encoder: str, first: str, last: str) -> None:
    model = unet.build(LABELS, encoder=encoder, weights="none")
    found = stages(model.network, 3)
    assert len(found) == len(model.network.strides)
    layers = dict(model.network.encoder.named_modules())
    assert layers[first] in next(stage for stage in found if stage)  # mit_b0 has nothing at stride 2
    assert layers[last] in found[-1]
    inside = [parameter for stage in found for layer in stage for parameter in layer.parameters(recurse=False)]
    assert {id(one) for one in inside} == {id(one) for one in model.network.encoder.parameters()}
    assert model.training


@pytest.mark.parametrize("largest", [0.0, 0.5, 1e9])
def test_gradients_are_clipped_as_torch_clips_them(largest: float) -> None:
    torch.manual_seed(1)
    gradients = [torch.randn(3, 4), torch.randn(5)]
    mine, theirs = ([nn.Parameter(torch.zeros_like(one)) for one in gradients] for _ in range(2))
    for parameters in (mine, theirs):
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
    norm = clip([*mine, nn.Parameter(torch.zeros(2))], largest)
    expected = nn.utils.clip_grad_norm_(theirs, largest or float("inf"))
    torch.testing.assert_close(norm, expected)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_an_average_of_no_decay_is_the_model() -> None:
    model = tiny()
    average = Average(model, 0.0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    average.update(5)
    assert all(torch.equal(average.model.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
