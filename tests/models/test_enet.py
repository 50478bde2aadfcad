"""ENet: the paper's layers and parameter counts, its two parts, and what it refuses."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.about import cost_of
from pixelwise.models.full_convolution import FullConvolution
from pixelwise.models.leaky import ChannelSlopes
from pixelwise.models.networks import enet
from pixelwise.models.transfer import transfer

LABELS = LabelSet.of(["road", "car", "tree"])


def labels(count: int) -> LabelSet:
    return LabelSet.of([str(index) for index in range(count)])


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def norm(channels: int) -> int:
    """Scale and shift of a batch norm."""
    return 2 * channels


def branch(given: int, made: int, between: int, side: int = 1) -> int:
    """1x1 (or 2x2), norm, PReLU; what stands between, norm, PReLU; 1x1, norm: no biases but in between."""
    inner = made // 4
    return given * inner * side**2 + norm(inner) + inner + between + norm(inner) + inner + inner * made + norm(made)


def square(channels: int) -> int:
    return 9 * channels**2 + channels


def pair(channels: int) -> int:
    """5x1, norm, PReLU, 1x5."""
    return 2 * (5 * channels**2 + channels) + norm(channels) + channels


def paper_parameters(classes: int) -> int:
    """Count from the paper's table 1, stage by stage; the slope of the PReLU after each sum is the + made."""
    initial = 3 * 13 * 9 + 13 + norm(16) + 16
    down1 = branch(16, 64, square(16), side=2) + 64
    stage1 = 4 * (branch(64, 64, square(16)) + 64)
    down2 = branch(64, 128, square(32), side=2) + 128
    eight = 6 * (branch(128, 128, square(32)) + 128) + 2 * (branch(128, 128, pair(32)) + 128)
    up4 = branch(128, 64, square(16)) + 128 * 64 + norm(64) + 64
    stage4 = 2 * (branch(64, 64, square(16)) + 64)
    up5 = branch(64, 16, square(4)) + 64 * 16 + norm(16) + 16
    stage5 = branch(16, 16, square(4)) + 16
    return initial + down1 + stage1 + down2 + 2 * eight + up4 + stage4 + up5 + stage5 + 16 * classes * 9 + classes


@pytest.mark.parametrize(("classes", "expected"), [(11, 365_519), (19, 366_679), (20, 366_824)])
def test_it_has_the_parameters_of_the_paper(classes: int, expected: int) -> None:
    assert paper_parameters(classes) == expected
    assert parameters(enet.build(labels(classes))) == expected
    assert round(expected / 1e6, 2) == 0.37  # table 3


def test_its_multiply_adds_are_those_of_the_paper() -> None:
    found = cost_of("enet", size=(360, 640), classes=20).multiply_adds
    assert found is not None
    assert 2 * found / 3.83e9 == pytest.approx(1, abs=0.06)  # table 3 counts norms, slopes and sums too


def test_stages_have_the_sizes_of_table_1() -> None:
    model = enet.build(labels(5)).eval()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, module in model.network.named_modules():
        module.register_forward_hook(lambda _, given, found, name=name: shapes.update({name: _shape(found)}))
    with torch.no_grad():
        logits = model(torch.rand(1, 3, 64, 96)).logits
    assert shapes["encoder.normalise"] == (16, 32, 48)
    assert shapes["encoder.stage1_rest"] == (64, 16, 24)
    assert shapes["encoder.stage3"] == (128, 8, 12)
    assert shapes["stage4_rest"] == (64, 16, 24)
    assert shapes["stage5_rest"] == (16, 32, 48)
    assert logits.shape == (1, 5, 64, 96)


def _shape(found: object) -> tuple[int, ...]:
    first = found if isinstance(found, torch.Tensor) else found[0]  # type: ignore[index]
    return tuple(first.shape[1:])


def test_the_reach_of_dilated_and_asymmetric_layers_is_the_papers() -> None:
    network = enet.build(LABELS).network
    assert isinstance(network, enet.ENet)
    layers = [one for one in network.encoder.get_submodule("stage3").modules() if isinstance(one, nn.Conv2d)]
    found = [(one.kernel_size, one.dilation[0]) for one in layers if one.kernel_size != (1, 1)]
    asymmetric = [((5, 1), 1), ((1, 5), 1)]
    assert found[:5] == [((3, 3), 1), ((3, 3), 2), *asymmetric, ((3, 3), 4)]
    assert found[5:] == [((3, 3), 1), ((3, 3), 8), *asymmetric, ((3, 3), 16)]


def test_the_full_convolution_is_torchs_with_a_row_a_class() -> None:
    torch.manual_seed(0)
    own, theirs = FullConvolution(4, 3), nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1)
    with torch.no_grad():
        own.bias.copy_(torch.rand(3))
        theirs.weight.copy_(own.weight.transpose(0, 1))
        theirs.bias.copy_(own.bias)  # type: ignore[union-attr]
        features = torch.rand(2, 4, 5, 6)
        torch.testing.assert_close(own(features), theirs(features))


def test_the_whole_network_starts_from_its_trained_encoder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = enet.build(LABELS, part="encoder", width=8)
    assert encoder.eval()(torch.rand(1, 3, 32, 48)).logits.shape == (1, 3, 4, 6)
    checkpoint.save(encoder, tmp_path / "best.safetensors")
    whole = enet.build(LABELS, width=8)
    found = transfer(whole, tmp_path)
    own = {f"network.encoder.{name}" for name in encoder.network.encoder.state_dict()}
    assert set(found.loaded) == own | {"head.classify.bias"}  # the classifiers differ in all but how frequent a class is
    for name, tensor in encoder.network.encoder.state_dict().items():
        assert torch.equal(whole.network.encoder.state_dict()[name], tensor)


def test_other_bands_and_widths_are_built() -> None:
    model = enet.build(LABELS, width=8, bands=("red", "green", "blue", "near infrared"))
    assert model.eval()(torch.rand(1, 4, 17, 33)).logits.shape == (1, 3, 17, 33)


def test_a_width_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(OptionError, match="multiple of 4 above the 3 bands"):
        enet.build(LABELS, width=6)


def test_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="instance"):
        enet.build(LABELS, "instance")


@pytest.mark.parametrize("training", [True, False])
def test_slopes_are_torchs_prelu_also_in_their_gradients(training: bool) -> None:
    torch.manual_seed(0)
    own, theirs = ChannelSlopes(4).train(training), nn.PReLU(4)
    values = torch.randint(-2, 3, (2, 4, 5, 6)).float().contiguous(memory_format=torch.channels_last).requires_grad_()  # zeros
    with torch.no_grad():
        own.weight.copy_(torch.tensor([0.25, -0.5, 0.0, 1.5]))
        theirs.weight.copy_(own.weight)
    weights = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(own(values), theirs(values))
    for one, other in zip(
        torch.autograd.grad((own(values) * weights).sum(), (values, own.weight)),
        torch.autograd.grad((theirs(values) * weights).sum(), (values, theirs.weight)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
