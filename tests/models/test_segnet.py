"""SegNet: the paper's layers and parameter counts, VGG16's weights in their places, and SegNet-Basic."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.models.about import cost_of
from pixelwise.models.encoders import hubs
from pixelwise.models.networks import segnet

LABELS = LabelSet.of(["road", "car", "tree"])
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # VGG16's, the paper's figure 2


def layer(given: int, made: int) -> int:
    """A 3x3 convolution with bias, and scale and shift of its batch norm."""
    return 9 * given * made + made + 2 * made


def paper_parameters(classes: int) -> int:
    """Count 13 convolutions down, and 13 back up of which the last is to the classes and has no norm."""
    down = [channels for stage in STAGES for channels in stage]
    encoder = sum(layer(given, made) for given, made in zip([3, *down[:-1]], down, strict=True))
    up = down[::-1]  # 512 … 64: the mirror of each layer gives what that was given
    decoder = sum(layer(given, made) for given, made in pairwise(up))
    return encoder + decoder + 9 * 64 * classes + classes


def test_it_has_the_parameters_of_the_paper() -> None:
    assert paper_parameters(11) == 29_449_355
    assert cost_of("segnet").parameters == 29_449_355
    assert round(paper_parameters(21) / 1e6, 2) == 29.46  # the ENet paper's table 3


def test_its_multiply_adds_are_those_of_the_paper() -> None:
    found = cost_of("segnet", size=(352, 640), classes=19).multiply_adds
    assert found is not None
    assert 2 * found * (360 / 352) == pytest.approx(286.03e9, rel=2e-3)  # the ENet paper's table 3, at 640 x 360


def test_segnet_basic_has_four_layers_of_7x7_either_way() -> None:
    first, others, norms = 49 * 3 * 64, 7 * 49 * 64 * 64, 8 * 2 * 64
    assert first + others + norms + 64 * 11 + 11 == 1_416_075
    assert cost_of("segnet", {"form": "basic"}).parameters == 1_416_075


@pytest.mark.parametrize("form", ["vgg16", "basic"])
@pytest.mark.parametrize("size", [(1, 1), (31, 65)])
def test_any_input_size_gives_logits_at_that_size(form: str, size: tuple[int, int]) -> None:
    model = segnet.build(LABELS, form=form, width=4, weights="none").eval()  # type: ignore[arg-type]
    assert model(torch.rand(1, 3, *size)).logits.shape == (1, 3, *size)


def test_vgg16s_weights_fill_the_encoder_by_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import vgg16_bn

    with torch.device("meta"):
        theirs = vgg16_bn().state_dict()
    torch.manual_seed(0)
    drawn = {name: torch.rand(tensor.shape) for name, tensor in theirs.items() if name.startswith("features")}
    fetched = hubs.Fetched(drawn | {"classifier.6.bias": torch.rand(1000)}, "drawn")
    monkeypatch.setattr("pixelwise.models.encoders.weights.fetch", lambda weights, name: fetched)
    encoder = segnet.build(LABELS).network.encoder
    own = encoder.state_dict()
    assert len(own) == 13 * 7  # two tensors a convolution, five a norm
    for name, tensor in own.items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, drawn[name]), name


def test_its_encoder_gives_what_torchvisions_vgg16_gives() -> None:
    from torchvision.models.vgg import VGG, make_layers

    torch.manual_seed(0)
    config = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M"]
    theirs = VGG(make_layers(config, batch_norm=True), num_classes=1, init_weights=False).features.eval()  # type: ignore[arg-type]
    encoder = segnet.build(LABELS, width=4, weights="none").network.encoder.eval()
    encoder.features.load_state_dict(theirs.state_dict())  # type: ignore[union-attr]
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images).values, theirs(images), atol=1e-6, rtol=1e-6)


def test_the_bayesian_form_has_dropout_in_its_six_deepest_stages() -> None:
    model = segnet.build(LABELS, width=4, weights="none", dropout=0.5)
    assert sum(isinstance(one, nn.Dropout) and one.p == 0.5 for one in model.modules()) == 6


def test_weights_of_another_form_are_refused() -> None:
    with pytest.raises(OptionError, match="not of basic"):
        segnet.build(LABELS, form="basic", weights="timm:vgg16_bn")


def test_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="panoptic"):
        segnet.build(LABELS, "panoptic")
