"""Panoptic-DeepLab: as large as the paper's, filled from Detectron2's names, and what its options do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pixelwise.core.errors import CheckpointError, OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models.about import cost_of
from pixelwise.models.networks import panoptic_deeplab
from pixelwise.models.panoptic_deeplab_weights import CITYSCAPES, look_further

LABELS = LabelSet.of(["road", "car", "kite"], things=["car", "kite"])
SMALL: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", "aspp": 16, "channels": 16, "object_channels": 16}
PAPER: dict[str, Any] = {
    "encoder": "xception71",
    "aspp": 256,
    "channels": 256,
    "skips": (64, 32),
    "object_channels": 128,
    "object_skips": (32, 16),
}


@pytest.mark.slow
def test_it_is_as_large_as_the_papers() -> None:
    """46.72 M parameters and 547.49 G multiply-adds: the paper's, of an Xception-71 at 1025 x 2049 with 19 classes."""
    ours = cost_of("panoptic_deeplab", PAPER, (1025, 2049), 19)
    assert ours.parameters == 46_744_974
    assert ours.parameters == pytest.approx(46.72e6, rel=0.001)
    assert ours.multiply_adds == pytest.approx(547.49e9, rel=0.005)  # ours are padded to 1040 x 2064


def detectron2(classes: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the names and shapes of the tensors of Detectron2's R-52 with depthwise separable convolutions."""

    def normed(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.norm.{part}", shape[:1]
        yield f"{name}.norm.num_batches_tracked", ()

    def separable(name: str, before: int, after: int, side: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield from normed(f"{name}.depthwise", before, 1, side, side)
        yield from normed(f"{name}.pointwise", after, before, 1, 1)

    for place, (before, after) in enumerate(((3, 64), (64, 64), (64, 128)), 1):
        yield from normed(f"backbone.stem.conv{place}", after, before, 3, 3)
    before = 128
    for stage, blocks in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        width = 16 * 2**stage
        for block in range(blocks):
            name = f"backbone.res{stage}.{block}"
            if block == 0:
                yield from normed(f"{name}.shortcut", 4 * width, before, 1, 1)
            yield from normed(f"{name}.conv1", width, before, 1, 1)
            yield from normed(f"{name}.conv2", width, width, 3, 3)
            yield from normed(f"{name}.conv3", 4 * width, width, 1, 1)
            before = 4 * width
    for head, width in (("sem_seg_head", 256), ("ins_embed_head", 128)):
        aspp = f"{head}.decoder.res5.project_conv"
        yield from normed(f"{aspp}.convs.0", 256, 2048, 1, 1)
        for branch in (1, 2, 3):
            yield from separable(f"{aspp}.convs.{branch}", 2048, 256, 3)
        yield from ((f"{aspp}.convs.4.1.weight", (256, 2048, 1, 1)), (f"{aspp}.convs.4.1.bias", (256,)))
        yield from normed(f"{aspp}.project", 256, 1280, 1, 1)
        for stage, given, skip, entering in ((3, 512, 64, 256), (2, 256, 32, width)):
            yield from normed(f"{head}.decoder.res{stage}.project_conv", skip, given, 1, 1)
            yield from separable(f"{head}.decoder.res{stage}.fuse_conv", skip + entering, width, 5)
    yield from separable("sem_seg_head.head", 256, 256, 5)
    yield from normed("ins_embed_head.center_head.0", 128, 128, 3, 3)
    yield from normed("ins_embed_head.center_head.1", 32, 128, 3, 3)
    yield from separable("ins_embed_head.offset_head", 128, 32, 5)
    for name, shape in (
        ("sem_seg_head.predictor", (classes, 256, 1, 1)),
        ("ins_embed_head.center_predictor", (1, 32, 1, 1)),
        ("ins_embed_head.offset_predictor", (2, 32, 1, 1)),
    ):
        yield from ((f"{name}.weight", shape), (f"{name}.bias", shape[:1]))
    yield from (("pixel_mean", (3, 1, 1)), ("pixel_std", (3, 1, 1)))


def written(path: Path, classes: int) -> dict[str, torch.Tensor]:
    tensors = {name: torch.full(shape, 0.001 * place) for place, (name, shape) in enumerate(detectron2(classes))}
    if classes == len(CITYSCAPES):
        tensors["sem_seg_head.predictor.bias"] = torch.arange(float(classes))
    torch.save({"model": tensors}, path)
    return tensors


def test_a_file_with_detectron2s_names_fills_the_whole_network(tmp_path: Path) -> None:
    tensors = written(tmp_path / "deeplab.pth", 19)
    model = panoptic_deeplab.build(LABELS, weights=f"detectron2:{tmp_path / 'deeplab.pth'}")
    own = model.state_dict()
    for ours, theirs in {
        "network.encoder.conv1.3.weight": "backbone.stem.conv2.weight",
        "network.encoder.conv1.4.bias": "backbone.stem.conv2.norm.bias",
        "network.encoder.bn1.running_var": "backbone.stem.conv3.norm.running_var",
        "network.encoder.layer3.0.downsample.1.weight": "backbone.res4.0.shortcut.norm.weight",
        "network.of_classes.aspp.branches.2.4.bias": "sem_seg_head.decoder.res5.project_conv.convs.2.pointwise.norm.bias",
        "network.of_objects.fusions.1.0.weight": "ins_embed_head.decoder.res2.fuse_conv.depthwise.weight",
        "network.of_objects.projections.0.1.weight": "ins_embed_head.decoder.res3.project_conv.norm.weight",
        "head.before_heat.1.0.weight": "ins_embed_head.center_head.1.weight",
        "head.offsets.bias": "ins_embed_head.offset_predictor.bias",
    }.items():
        assert torch.equal(own[ours], tensors[theirs]), ours
    assert own["head.classify.bias"][:2].tolist() == [0.0, 13.0]  # road and car; Cityscapes has no kites
    assert model.network.weights == "Cityscapes, file deeplab.pth of detectron2; 2 of 3 classes by name"
    assert (model.card.options["encoder"], model.card.options["plain_heat"]) == ("resnet50s", True)
    dilations = [block.conv2.dilation[0] for block in model.network.encoder.layer4]
    assert dilations == [2, 4, 8]


def test_weights_of_other_classes_and_options_that_contradict_them_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"sem_seg_head.predictor.weight": torch.zeros(7, 256, 1, 1)}, path)
    with pytest.raises(CheckpointError, match="19 classes of Cityscapes or the 133 of COCO, got 7"):
        panoptic_deeplab.build(LABELS, weights=f"detectron2:{path}")
    with pytest.raises(OptionError, match=r"channels: .* want 256, got 64"):
        panoptic_deeplab.build(LABELS, weights=f"detectron2:{path}", channels=64)


@pytest.mark.parametrize(("finest", "channels"), [(4, (32, 24)), (2, (16, 12)), (1, (8, 8))])
def test_outputs_are_as_fine_as_asked_for(finest: int, channels: tuple[int, int]) -> None:
    model = panoptic_deeplab.build(LABELS, **{**SMALL, "channels": 32, "object_channels": 24, "finest": finest}).eval()
    assert model.network.channels == channels
    raw = model(torch.rand(1, 3, 30, 50))
    assert raw.offsets.shape == (1, 2, 32 // finest, 64 // finest)
    assert model.head.reduce(raw, (30, 50)).semantic.shape == (1, 30, 50)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_last_features_have_the_stride_asked_for_and_dilations_reach_as_far(stride: int) -> None:
    model = panoptic_deeplab.build(LABELS, **SMALL, output_stride=stride)
    assert model.card.stride == stride
    reach = [branch[0].dilation[0] * stride for branch in model.network.of_classes.aspp.branches[1:]]
    assert reach == [96, 192, 288]


def test_a_grid_without_a_resnet_is_refused() -> None:
    with pytest.raises(OptionError, match=r"multi_grid: .*the 0 blocks"):
        look_further(torch.nn.Conv2d(1, 1, 3), (1, 2, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": (1, 2)}, "rates: expected three dilations"),
        ({"skips": (8,)}, "of skips two"),
        ({"aspp": 0}, "widths above 0"),
        ({"object_width": 0}, "object_width: expected 1 or more, got 0"),
        ({"dropout": 1.0}, "dropout: expected 0 to below 1"),
        ({"sigma": 0.0}, "sigma: expected a number of pixels above 0"),
        ({"kernel": 4}, "kernel: expected an odd number of pixels, got 4"),
        ({"centres": 0}, "centres: expected 1 or more"),
        ({"centre_score": 2.0}, "centre_score: expected a height from 0 to 1"),
        ({"hardest": 0.0}, "hardest: expected a share"),
        ({"small_weight": 0.0}, "small_weight"),
        ({"centre_loss": -1.0}, "centre_loss: expected a weight of 0 or more"),
        ({"class_weights": (1.0,)}, "expected 3 class weights"),
        ({"weights": "mmdet:some.pth"}, "no names for"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, UnknownName), match=message):
        panoptic_deeplab.build(LABELS, **{**SMALL, **options})
