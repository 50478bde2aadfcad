"""Semantic networks on library decoders: the library's own output, any encoder, one image a batch, and sentences."""

from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
import torchvision
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models import MODELS
from pixelwise.models.about import cost_of
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic import levels_of

LABELS = LabelSet.of(["ground", "house", "tree"])
TINY = {"encoder": "test_efficientnet", "weights": "none"}
OURS: dict[str, dict[str, Any]] = {  # each at the sizes that smp's class has unless told
    "deeplabv3": {"channels": 256, "rates": (12, 24, 36)},
    "deeplabv3plus": {"rates": (12, 24, 36)},
    "fpn": {"pyramid": 256, "channels": 128},
    "linknet": {"output_stride": 1},
    "manet": {"output_stride": 1, "decoder": (256, 128, 64, 32, 16)},
    "pan": {},
    "pspnet": {"output_stride": 8, "auxiliary": 0.0},
    "unetplusplus": {"output_stride": 1, "decoder": (256, 128, 64, 32, 16)},
    "upernet": {"channels": 256, "auxiliary": 0.0},
}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "deeplabv3": ("DeepLabV3", {"encoder_output_stride": 16}),
    "deeplabv3plus": ("DeepLabV3Plus", {}),
    "fpn": ("FPN", {}),
    "linknet": ("Linknet", {}),
    "manet": ("MAnet", {}),
    "pan": ("PAN", {}),
    "pspnet": ("PSPNet", {"encoder_depth": 5, "output_stride": 8}),
    "unetplusplus": ("UnetPlusPlus", {}),
    "upernet": ("UPerNet", {}),
}
WRAPPED = sorted(OURS)


def build(name: str, **options: Any) -> Segmenter:
    torch.manual_seed(0)
    model: Segmenter = MODELS[name].build(LABELS, **{**TINY, **options})
    return model


def taken_over(model: Segmenter, other: nn.Module, *renamed: tuple[str, str]) -> None:
    """Fill ``other`` with the model's weights, with random statistics in the batch norms; ``renamed``: (ours, theirs)."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    tensors = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs in renamed:
            if name.startswith(ours):
                tensors[theirs + name[len(ours) :]] = tensor
                break
    other.load_state_dict(tensors)


def normalised(model: Segmenter, images: Tensor) -> Tensor:
    return (images - model.mean) / model.deviation  # type: ignore[operator]


@pytest.mark.parametrize("name", WRAPPED)
def test_the_logits_are_those_of_smps_own_class(name: str) -> None:
    kind, options = THEIRS[name]
    theirs = getattr(smp, kind)("tu-test_efficientnet", encoder_weights=None, classes=3, **options).eval()
    model = build(name, **OURS[name]).eval()
    decoder = "network.decoder.decoder." if name == "pan" else "network.decoder."
    renamed = (("head.classify.", "segmentation_head.0."), (decoder, "decoder."), ("network.encoder.", "encoder.model."))
    taken_over(model, theirs, *renamed)
    images = torch.rand(2, 3, 128, 160)
    with torch.no_grad():
        expected = theirs.segmentation_head[0](theirs.decoder(theirs.encoder(normalised(model, images))))
        torch.testing.assert_close(model(images).logits, expected, rtol=1e-5, atol=1e-5)


def test_segformers_logits_are_those_of_transformers_own_class() -> None:
    theirs = SegformerForSemanticSegmentation(SegformerConfig(num_labels=3)).eval()  # the default is B0
    model = build("segformer", encoder="mit_b0").eval()
    stages = [
        (f"network.decoder.decoder.mlp_stage.{3 - level}.linear.", f"decode_head.linear_projections.{level}.proj.")
        for level in range(4)
    ]
    fuse = "network.decoder.decoder.fuse_stage."
    renamed = ((f"{fuse}0.", "decode_head.linear_fuse."), (f"{fuse}1.", "decode_head.batch_norm."))
    last = (("network.encoder.", "segformer."), ("head.classify.", "decode_head.classifier."))
    taken_over(model, theirs, *stages, *renamed, *last)
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = theirs(normalised(model, images)).logits
        torch.testing.assert_close(model(images).logits, expected, rtol=1e-5, atol=1e-5)


def test_dpts_logits_are_those_of_smps_own_class() -> None:
    widths = (16, 16, 32, 32)
    model = build("dpt", encoder="test_vit", widths=widths, channels=32).eval()
    theirs = smp.DPT(
        "tu-test_vit",
        encoder_weights=None,
        decoder_intermediate_channels=widths,
        decoder_fusion_channels=32,
        classes=3,
        num_classes=0,
        dynamic_img_size=True,
    ).eval()
    theirs.encoder.model.norm = nn.Identity()  # no token passes it
    last = ("network.last.", "segmentation_head.head.")
    renamed = (("network.encoder.", "encoder."), ("network.decoder.", "decoder."), last)
    taken_over(model, theirs, *renamed, ("head.classify.", "segmentation_head.head.4."))
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = theirs.segmentation_head.head(theirs.decoder(*theirs.encoder(normalised(model, images))))
        torch.testing.assert_close(model(images).logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["fcn", "deeplabv3", "lraspp"])
def test_full_size_logits_are_those_of_torchvisions_own_class(name: str) -> None:
    options: dict[str, dict[str, Any]] = {"fcn": {"variant": "dilated"}, "deeplabv3": {"output_stride": 8}, "lraspp": {}}
    model = build(name, **options[name]).eval()
    theirs = _torchvisions(name, model).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = theirs(normalised(model, images))["out"]
        logits = model(images).logits
        found = nn.functional.interpolate(logits, size=(64, 96), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


class _Backbone(nn.Module):
    """Our encoder as torchvision's classes want one."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.encoder(images)
        return {"out": features[-1], "high": features[-1], "low": features[2]}


def _torchvisions(name: str, model: Segmenter) -> nn.Module:
    """Build torchvision's network on the model's encoder, with the model's weights."""
    segmentation: Any = torchvision.models.segmentation
    backbone = _Backbone(model.network.encoder)
    encoder = ("network.encoder.", "backbone.encoder.")
    if name == "fcn":
        theirs = segmentation.fcn.FCN(backbone, segmentation.fcn.FCNHead(64, 3))
        taken_over(model, theirs, encoder, ("network.decoder.layers.", "classifier."), ("head.classify.", "classifier.4."))
    elif name == "deeplabv3":
        theirs = segmentation.DeepLabV3(backbone, segmentation.deeplabv3.DeepLabHead(64, 3))
        layers = [("aspp.", "0."), ("conv.", "1."), ("bn.", "2.")]
        renamed = [(f"network.decoder.{ours}", f"classifier.{other}") for ours, other in layers]
        taken_over(model, theirs, encoder, *renamed, ("head.classify.", "classifier.4."))
    else:
        theirs = segmentation.LRASPP(backbone, 32, 64, 3)
        head: Any = theirs.classifier
        weight, bias = model.head.classify.weight, model.head.classify.bias  # type: ignore[union-attr]
        with torch.no_grad():  # ours scores both parts of the features with one convolution
            head.low_classifier.weight.copy_(weight[:, :32])  # type: ignore[index]
            head.high_classifier.weight.copy_(weight[:, 32:])  # type: ignore[index]
            head.low_classifier.bias.copy_(bias)
            head.high_classifier.bias.zero_()
        tensors = model.network.decoder.state_dict()  # type: ignore[union-attr]
        head.load_state_dict({**head.state_dict(), **tensors})
    return theirs


@pytest.mark.slow
def test_torchvisions_own_fcn_resnet50_gives_the_same_logits() -> None:
    model = build("fcn", variant="dilated", encoder="resnet50").eval()
    theirs = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=3).eval()
    layers = ("network.decoder.layers.", "classifier.")
    taken_over(model, theirs, ("network.encoder.", "backbone."), layers, ("head.classify.", "classifier.4."))
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = theirs(normalised(model, images))["out"]
        found = nn.functional.interpolate(model(images).logits, size=(64, 96), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_scoring_enlarged_features_is_enlarging_scores() -> None:
    model = build("fcn", dropout=0.0).eval()
    images = torch.rand(1, 3, 64, 96)
    classify: Any = model.head.classify
    with torch.no_grad():
        third, fourth, fifth = model.network.encoder(normalised(model, images))[-3:]
        scores = torch.zeros(1)
        parts = classify.weight.split([fifth.shape[1], fourth.shape[1], third.shape[1]], dim=1)
        for features, weight in zip((fifth, fourth, third), parts, strict=True):
            if scores.ndim > 1:
                scores = nn.functional.interpolate(scores, scale_factor=2, mode="bilinear", align_corners=False)
            scores = scores + nn.functional.conv2d(features, weight)
        torch.testing.assert_close(model(images).logits, scores + classify.bias.view(1, -1, 1, 1), rtol=1e-5, atol=1e-5)


def test_fcn_on_vgg_has_the_layers_of_the_paper() -> None:
    vgg = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 2, (256, 512), *[(512, 512)] * 5]
    convolutions = sum(given * made * 9 + made for given, made in vgg)
    hidden = 8  # 4,096 in the paper, which makes 134 million
    expected = convolutions + 512 * hidden * 49 + hidden + hidden * hidden + hidden + (hidden + 512 + 512) * 3 + 3
    model = build("fcn", encoder="vgg16", hidden=hidden)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert convolutions + 512 * 4096 * 49 + 4096 + 4096 * 4096 + 4096 == 134_260_544


@pytest.mark.parametrize("variant", ["32s", "16s", "8s"])
def test_an_fcn_is_named_for_its_stride(variant: str) -> None:
    model = build("fcn", variant=variant).eval()
    assert model(torch.rand(1, 3, 64, 64)).logits.shape[-1] == 64 // int(variant[:-1])


@pytest.mark.parametrize(("encoder", "millions"), [("mit_b0", 3.8), ("mit_b5", 84.7)])
def test_segformer_has_the_parameters_of_the_paper(encoder: str, millions: float) -> None:
    found = cost_of("segformer", {"encoder": encoder}, size=(64, 64), classes=150)
    assert round(found.parameters / 1e6, 1) == millions


def test_levels_go_on_where_an_encoder_is_dilated() -> None:
    assert levels_of((2, 4, 8, 16, 16)) == levels_of((2, 4, 8, 8, 8)) == (1, 2, 3, 4, 5)
    assert levels_of((4, 8, 16, 32)) == (2, 3, 4, 5)
    assert levels_of((1, 2, 4, 8, 16, 32)) == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_a_dilated_encoder_has_the_same_weights_and_finer_features(output_stride: int) -> None:
    plain, dilated = (build("pspnet", output_stride=stride) for stride in (32, output_stride))
    assert plain.state_dict().keys() == dilated.state_dict().keys()
    assert dilated.eval()(torch.rand(1, 3, 64, 64)).logits.shape[-1] == 64 // output_stride
    assert dilated.card.stride == output_stride


@pytest.mark.parametrize("name", [*WRAPPED, "fcn", "lraspp", "segformer"])
def test_an_encoder_without_stride_2_works(name: str) -> None:
    model = build(name, encoder="test_convnext").eval()
    assert model.head.reduce(model(torch.rand(1, 3, 33, 40)), (33, 40))[0].shape == (1, 33, 40)


@pytest.mark.parametrize("name", [*WRAPPED, "fcn", "lraspp", "segformer"])
def test_one_image_a_batch_trains(name: str) -> None:
    model = build(name).train()
    terms = model.loss(torch.rand(1, 3, 64, 96), {"classes": torch.zeros(1, 64, 96, dtype=torch.uint8)})
    assert torch.isfinite(torch.stack(list(terms.values())).sum().detach())


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus", "fpn", "upernet", "pan", "segformer"])
def test_other_bands_go_in(name: str) -> None:
    bands = ("green", "red", "near infrared", "height")
    model = build(name, bands=bands).eval()
    assert model(torch.rand(1, 4, 64, 64)).logits.shape[1] == 3
    assert len(model.card.mean) == 4


@pytest.mark.parametrize(("name", "options", "words"), [
    ("fpn", {"encoder": "vgg11", "channels": 32}, "channels: expected 64"),
    ("deeplabv3", {"encoder": "vgg11"}, "cannot be dilated to an output stride of 16"),
    ("deeplabv3", {"encoder": "vgg13_bn", "output_stride": 8}, "cannot be dilated to an output stride of 8"),
    ("deeplabv3", {"rates": (6, 12)}, "three dilations"),
    ("pspnet", {"auxiliary": -1.0}, "auxiliary: expected a weight"),
    ("pan", {"dropout": 1.5}, "dropout: expected 0 to below 1"),
    ("upernet", {"channels": 0}, "channels: expected 1 or more"),
    ("segformer", {"encoder": "mit_b0", "bands": ("a", "b"), "mean": (0.1,)}, "mean: expected 2 numbers"),
    ("deeplabv3", {"encoder": "mit_b0"}, "'mit_b0' cannot be dilated"),
    ("manet", {"decoder": (8, 8)}, "expected 4 widths"),
    ("dpt", {"encoder": "vit_small_patch14_dinov2"}, "patches of 8, 16, 32"),
    ("dpt", {"encoder": "resnet18"}, "needs a vision transformer"),
    ("upernet", {"encoder": "test_vit"}, "vision transformers go with --model dpt"),
])  # fmt: skip
def test_what_does_not_fit_is_told_in_a_sentence(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        build(name, **options)


def test_an_encoder_that_lacks_a_stride_is_told_with_those_it_has() -> None:
    from pixelwise.models.semantic import encoder_for

    with pytest.raises(OptionError, match="strides 4, 8, 16, 32, and the encoder 'test_efficientnet' gives them at 2, 4, 8"):
        encoder_for("fpn", "test_efficientnet", "none", 3, (2, 3, 4, 5), levels=3)


def test_an_unknown_transformer_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="vit_small_patch16_224"):
        build("dpt", encoder="vit_smal_patch16_224")


def test_position_embeddings_fit_any_size() -> None:
    model = build("dpt", encoder="test_vit", widths=(8, 8, 8, 8), channels=32).eval()
    with torch.no_grad():
        for size in ((31, 33), (1, 200)):
            assert model(torch.rand(1, 3, *size)).logits.shape[-2:] == torch.Size(size)


def test_pan_enlarges_only_what_is_too_small() -> None:
    model = build("pan").eval()
    images = torch.rand(1, 3, 128, 144)
    with torch.no_grad():
        features = [images, *model.network.encoder(images)]
        pan: Any = model.network.decoder
        torch.testing.assert_close(pan(features), pan.decoder(features))
        assert pan([one[..., : one.shape[-2] // 2, :] for one in features]).shape[-2:] == (16, 36)
