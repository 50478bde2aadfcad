"""The U-Net: the paper's layout, any encoder, any input size."""

import warnings

import pytest
import torch

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models.encoders.weights import RandomWeights
from pixelwise.models.networks import unet

LABELS = LabelSet.of(["ground", "house", "tree"])


def paper_parameters(classes: int, bands: int) -> int:
    """Count from the paper's figure 1: weights and biases of each layer, added up by hand."""

    def convolution(given: int, made: int, side: int) -> int:
        return given * made * side * side + made

    widths = [64, 128, 256, 512, 1024]
    down = sum(
        convolution(given, made, 3) + convolution(made, made, 3)
        for given, made in zip([bands, *widths[:-1]], widths, strict=True)
    )
    up = sum(
        convolution(2 * made, made, 2) + convolution(2 * made, made, 3) + convolution(made, made, 3) for made in widths[-2::-1]
    )
    return down + up + convolution(64, classes, 1)


def test_the_plain_unet_has_the_parameters_of_the_paper() -> None:
    two = LabelSet.of(["background", "cell"])
    model = unet.build(two, encoder="plain", norm="none", upsampling="transposed", bands=("grey",))
    assert paper_parameters(2, 1) == 31_030_658
    assert sum(parameter.numel() for parameter in model.parameters()) == 31_030_658


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "transposed"])
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_every_decoder_gives_logits_at_the_inputs_size(upsampling: str, norm: str) -> None:
    model = unet.build(LABELS, encoder="plain", width=4, depth=2, upsampling=upsampling, norm=norm)  # type: ignore[arg-type]
    assert model.eval()(torch.rand(1, 3, 21, 34)).logits.shape == (1, 3, 21, 34)


@pytest.mark.parametrize("size", [(1, 1), (31, 65), (64, 96)])
def test_any_input_size_gives_one_class_a_pixel(size: tuple[int, int]) -> None:
    model = unet.build(LABELS, weights="none", encoder="tf_efficientnet_lite0").eval()
    with torch.no_grad():
        raw = model(torch.rand(2, 3, *size))
    reduced = model.head.reduce(raw, size)
    assert reduced.classes.shape == (2, *size)
    assert reduced.probabilities.shape == (2, 0, *size)


def test_output_stride_decides_where_the_decoder_stops() -> None:
    images = torch.rand(1, 3, 64, 64)
    for stride in (1, 2, 4):
        model = unet.build(LABELS, weights="none", output_stride=stride).eval()
        assert model(images).logits.shape[-1] == 64 // stride


def test_an_smp_encoder_works() -> None:
    model = unet.build(LABELS, encoder="mit_b0", weights="none").eval()
    assert model.head.reduce(model(torch.rand(1, 3, 64, 64)), (64, 64)).classes.shape == (1, 64, 64)


def test_five_bands_go_in() -> None:
    bands = ("blue", "green", "red", "red edge", "near infrared")
    model = unet.build(LABELS, bands=bands)
    assert model.card.bands == bands
    assert model.eval()(torch.rand(1, 5, 32, 32)).logits.shape[1] == 3


def test_the_installed_imagenet_weights_are_found() -> None:
    model = unet.build(LABELS, encoder="tf_efficientnet_lite0")
    assert "installed package" in model.network.weights
    random = unet.build(LABELS, encoder="tf_efficientnet_lite0", weights="none")
    assert not torch.equal(next(model.network.encoder.parameters()), next(random.network.encoder.parameters()))


def test_random_weights_are_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.models.encoders.hubs.hub_is_reachable", lambda host: False)
    with pytest.warns(RandomWeights, match="several times the training"):
        model = unet.build(LABELS, encoder="resnet18")
    assert model.network.weights == "random"


def test_asking_for_no_weights_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RandomWeights)
        unet.build(LABELS, encoder="resnet18", weights="none")


def test_an_unknown_encoder_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="resnet18"):
        unet.build(LABELS, encoder="resnet18x")


def test_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="instance"):
        unet.build(LABELS, "instance")


def test_a_decoder_of_the_wrong_length_says_how_many_widths_it_needs() -> None:
    with pytest.raises(OptionError, match="4 widths"):
        unet.build(LABELS, weights="none", decoder=(8, 8))


def test_results_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    model = unet.build(LABELS, encoder="plain", width=8, depth=3).eval()
    images = torch.rand(3, 3, 40, 56)
    with torch.no_grad():
        together = model(images).logits
        apart = torch.cat([model(image[None]).logits for image in images])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)
