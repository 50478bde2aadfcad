"""SOLOv2: its size beside mmdetection's at the published settings, its weights, and options that do not fit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet18

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.about import cost_of
from pixelwise.models.networks import solov2, solov2_light
from pixelwise.models.transfer import transfer

PAPER: dict[str, Any] = {"encoder": "resnet50", "pyramid": 256, "width": 512, "depth": 4, "mask_width": 128, "features": 256}
LIGHT: dict[str, Any] = {**PAPER, "width": 256, "depth": 2, "features": 128}
SMALL: dict[str, Any] = {"pyramid": 32, "width": 32, "mask_width": 32, "features": 32}
LABELS = LabelSet.of(["dog", "gadget", "person"], things=["dog", "gadget", "person"])


def published(pyramid: int, width: int, depth: int, mask_width: int, features: int, classes: int = 80) -> int:
    """Count the parameters of mmdetection's SOLOv2 with a ResNet-50, layer by layer as its configurations have them."""
    backbone = 25_557_032 - 2048 * 1000 - 1000  # torchvision's ResNet-50 without its classifier
    neck = (256 + 512 + 1024 + 2048 + 4) * pyramid + 4 * (9 * pyramid + 1) * pyramid

    def normed(before: int, after: int, side: int = 3) -> int:
        return before * after * side**2 + 2 * after

    towers = sum(normed(pyramid + extra, width) + (depth - 1) * normed(width, width) for extra in (0, 2))
    last = (9 * width + 1) * (classes + features)
    masks = [normed(pyramid + extra, mask_width) for extra in (0, 0, 0, 2)]
    return backbone + neck + towers + last + sum(masks) + 3 * normed(mask_width, mask_width) + normed(mask_width, features, 1)


@pytest.mark.parametrize(("options", "expected"), [(PAPER, 46_592_912), (LIGHT, 31_340_560)])
def test_parameters_are_those_of_mmdetections_configurations(options: dict[str, Any], expected: int) -> None:
    # the paper states no number of parameters, so the count is that of the reference's layers
    sizes = {name: value for name, value in options.items() if name != "encoder"}
    assert published(**sizes) == expected
    assert cost_of("solov2", {**options, "balanced": True}, size=(64, 64), classes=80).parameters == expected


def theirs() -> dict[str, Tensor]:
    """Give random tensors with the names and shapes of mmdetection's light SOLOv2 with a ResNet-18, but narrower."""
    torch.manual_seed(0)
    width = 32
    found = {f"backbone.{name}": tensor for name, tensor in resnet18().state_dict().items() if not name.startswith("fc.")}
    shapes: dict[str, tuple[int, ...]] = {}
    for place, channels in enumerate((64, 128, 256, 512)):
        shapes |= {f"neck.lateral_convs.{place}.conv.weight": (width, channels, 1, 1)}
        shapes |= {f"neck.fpn_convs.{place}.conv.weight": (width, width, 3, 3)}
        shapes |= {f"neck.{kind}_convs.{place}.conv.bias": (width,) for kind in ("lateral", "fpn")}

    def normed(name: str, before: int, side: int = 3) -> None:
        shapes[f"mask_head.{name}.conv.weight"] = (width, before, side, side)
        shapes[f"mask_head.{name}.gn.weight"] = shapes[f"mask_head.{name}.gn.bias"] = (width,)

    for place in range(2):
        normed(f"kernel_convs.{place}", width + (2 if place == 0 else 0))
        normed(f"cls_convs.{place}", width)
    for name, rows in (("conv_cls", 80), ("conv_kernel", width)):
        shapes |= {f"mask_head.{name}.weight": (rows, width, 3, 3), f"mask_head.{name}.bias": (rows,)}
    for level, count in enumerate((1, 1, 2, 3)):
        for place in range(count):
            normed(f"mask_feature_head.convs_all_levels.{level}.conv{place}", width + (2 if (level, place) == (3, 0) else 0))
    normed("mask_feature_head.conv_pred", width, 1)
    return found | {name: torch.randn(shape) for name, shape in shapes.items()}


def test_a_file_of_mmdetection_fills_the_whole_network_and_classes_keep_their_rows(tmp_path: Path) -> None:
    given = theirs()
    torch.save({"meta": {"epoch": 36}, "state_dict": given}, tmp_path / "solov2.pth")
    model = solov2.build(LABELS, weights=f"mmdet:{tmp_path / 'solov2.pth'}")
    options = model.card.options
    assert {name: options[name] for name in SMALL} == SMALL
    assert (options["encoder"], options["balanced"], options["smallest"]) == ("resnet18", True, [8, 8, 16, 32, 32])
    own = model.state_dict()
    assert torch.equal(own["head.cells.kernel_tower.1.0.weight"], given["mask_head.kernel_convs.1.conv.weight"])
    last = "mask_head.mask_feature_head.convs_all_levels.3.conv2.gn.bias"
    assert torch.equal(own["head.mask_features.levels.3.2.1.bias"], given[last])
    assert torch.equal(own["network.encoder.layer4.1.bn2.running_var"], given["backbone.layer4.1.bn2.running_var"])
    rows = given["mask_head.conv_cls.weight"]
    assert torch.equal(own["head.cells.classify.weight"][[0, 2]], rows[[16, 0]])  # dog is COCO's 17th class, person its first
    checkpoint.save(model, tmp_path / "run" / "model.safetensors")
    assert checkpoint.load(tmp_path / "run").card == model.card


def test_a_file_that_is_of_another_network_is_refused(tmp_path: Path) -> None:
    given = theirs()
    left_out = given.pop("mask_head.conv_kernel.bias")
    torch.save({**given, "mask_head.extra": left_out}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"mask_head\.extra"):
        solov2.build(LABELS, weights=f"mmdet:{tmp_path / 'other.pth'}")
    torch.save({"backbone.conv1.weight": left_out}, tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="ResNet"):
        solov2.build(LABELS, weights=f"mmdet:{tmp_path / 'none.pth'}")


def test_fine_tuning_keeps_the_rows_of_classes_known_by_name(tmp_path: Path) -> None:
    tiny: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", **SMALL}
    checkpoint.save(solov2.build(LABELS, **tiny), tmp_path / "model.safetensors")
    model = solov2.build(LabelSet.of(["person", "tool"], things=["person", "tool"]), **tiny)
    before = model.head.cells.classify.weight.clone()  # type: ignore[union-attr]
    assert transfer(model, tmp_path).kept_classes == ("person",)
    after, given = model.head.cells.classify.weight, checkpoint.load(tmp_path).head.cells.classify.weight  # type: ignore[union-attr]
    assert torch.equal(after[0], given[2])  # type: ignore[index]
    assert torch.equal(after[1], before[1])  # type: ignore[index]


def test_the_light_form_is_the_papers_widths_and_saves_and_loads_under_its_own_name(tmp_path: Path) -> None:
    tiny = {"encoder": "test_efficientnet", "weights": "none", "detections": 7}
    model = solov2_light.build(LABELS, **tiny)  # type: ignore[arg-type]
    assert model.card.name == "solov2_light"
    assert not set(model.card.options) & set(solov2_light.WIDTHS)
    same = solov2.build(LABELS, **tiny, **solov2_light.WIDTHS)  # type: ignore[arg-type]
    assert {name: tensor.shape for name, tensor in model.state_dict().items()} == {
        name: tensor.shape for name, tensor in same.state_dict().items()
    }
    checkpoint.save(model, tmp_path / "model.safetensors")
    assert checkpoint.load(tmp_path).card == model.card
    options = {"encoder": "resnet50", "balanced": True}
    assert cost_of("solov2_light", options, size=(64, 64), classes=80).parameters == 31_340_560  # mmdetection's light one


def test_the_light_form_takes_no_file_of_other_widths(tmp_path: Path) -> None:
    torch.save(theirs(), tmp_path / "solov2.pth")
    with pytest.raises(OptionError, match="weights want 32, got 256"):
        solov2_light.build(LABELS, weights=f"mmdet:{tmp_path / 'solov2.pth'}")


@pytest.mark.parametrize(
    "options",
    [{"grids": (9,) * 7}, {"width": 20}, {"pyramid": 0}, {"kernel": 2}, {"weights": "detectron2:solov2.pth"}, {"features": 72}],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        solov2.build(LABELS, **{"encoder": "test_efficientnet", "weights": "none", **options})
