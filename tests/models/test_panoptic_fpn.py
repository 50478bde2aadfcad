"""Panoptic FPN: the paper's size, its semantic branch against a plain loop, targets, weights by Detectron2, fine-tuning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.models import checkpoint
from pixelwise.models.coco_classes import STUFF, THINGS
from pixelwise.models.networks import panoptic_fpn
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.semantic_branch import SemanticBranch
from pixelwise.models.transfer import transfer

COCO = LabelSet.of([*THINGS, *STUFF], things=THINGS)
PAPER: dict[str, Any] = {
    "encoder": "resnet50",
    "weights": "none",
    "pyramid": 256,
    "width": 1024,
    "mask_width": 256,
    "semantic_width": 128,
    "samples": 512,
    "stuff_area": 4096,
}
SMALL: dict[str, Any] = {
    "encoder": "test_efficientnet",
    "weights": "none",
    "pyramid": 32,
    "width": 64,
    "mask_width": 32,
    "semantic_width": 64,
    "proposals": (50, 20),
}
LABELS = LabelSet.of(["sky", "car", "grass", "dog"], things=["car", "dog"])


def count(model: torch.nn.Module) -> int:
    return sum(one.numel() for one in model.parameters())


def test_the_branch_costs_what_the_paper_says_at_its_size() -> None:
    with torch.device("meta"):
        branch = SemanticBranch(4, 256, 128)
    convolutions = 4 * 9 * 256 * 128 + 3 * 9 * 128 * 128  # 7 of 3x3: one a level, and 1 + 2 more at strides 16 and 32
    assert count(branch) == convolutions + 7 * 2 * 128
    assert sum(len(steps) for steps in branch.levels) == 7  # type: ignore[arg-type, misc]


@torch.no_grad()
def test_the_branch_is_the_sum_of_levels_each_doubled_step_by_step() -> None:
    torch.manual_seed(0)
    branch = SemanticBranch(3, 8, 64)
    pyramid = [torch.randn(1, 8, side, side) for side in (16, 8, 4)]
    total = torch.zeros(1, 64, 16, 16)
    for level, values in zip(branch.levels, pyramid, strict=True):
        for convolution, norm, _ in level:  # type: ignore[union-attr]
            values = F.group_norm(F.conv2d(values, convolution.weight, None, 1, 1), 32, norm.weight, norm.bias).relu()
            if values.shape[-1] < 16:
                values = F.interpolate(values, scale_factor=2.0, mode="bilinear")
        total += values
    torch.testing.assert_close(branch(pyramid), total)


def test_things_and_stuff_are_counted_apart_and_crowds_of_things_are_things() -> None:
    head = panoptic_fpn.build(LABELS, **SMALL).head
    ids = np.array([[1, 1, 2, 2], [3, 3, 4, 0]], np.uint8)
    truth = Segmentation(
        "panoptic", DisjointMasks(ids, 4), np.array([2, 3, 1, 0]), LABELS, crowd=np.array([False, False, True, True])
    )
    targets = head.targets(truth)
    assert targets["stuff"].tolist() == [[1, 1, 2, 2], [2, 2, 255, 255]]
    assert targets["classes"].tolist() == [1]  # the dog is the second of the things
    assert targets["boxes"].tolist() == [[2, 0, 4, 1]]
    assert targets["crowds"].tolist() == [[0, 1, 2, 2]]


def test_pixels_without_a_label_do_not_change_the_loss() -> None:
    head = panoptic_fpn.build(LABELS, **SMALL).head
    stuff = torch.full((1, 32, 32), 255, dtype=torch.uint8)
    stuff[:, :8] = 1
    logits = torch.randn(1, 3, 8, 8)
    raw, boxes = (head(_features(), (32, 32), _targets())._replace(stuff=one) for one in (logits, _pushed(logits)))
    first, second = (head.loss(one, {**_targets(), "stuff": stuff})["semantic_cross_entropy"] for one in (raw, boxes))
    torch.testing.assert_close(first, second)


def _pushed(logits: Tensor) -> Tensor:
    pushed = logits.clone()
    pushed[:, :, 4:] += 5
    return pushed


def _features() -> Any:
    from pixelwise.models.heads.fused import FusedFeatures

    levels = [torch.zeros(1, 32, side, side) for side in (8, 4, 2, 1, 1)]
    return FusedFeatures(levels, torch.zeros(1, 64, 8, 8))


def _targets() -> dict[str, Any]:
    none = torch.zeros(0, 4)
    empty = (torch.zeros(0, 1, 1, dtype=torch.uint8),)
    return {
        "boxes": (none,),
        "classes": (torch.zeros(0, dtype=torch.long),),
        "crowds": (none,),
        "masks": empty,
        "places": (none,),
    }


def test_weights_of_classes_go_to_things_and_to_stuff() -> None:
    head = panoptic_fpn.build(LABELS, **SMALL, class_weights=(1.0, 2.0, 3.0, 4.0)).head
    assert head.instances.class_weights.tolist() == [2.0, 4.0]
    assert head._stuff_weights().tolist() == [1.0, 3.0, 3.0]
    with pytest.raises(OptionError, match="expected 4 class weights, one a class, got 2"):
        head.weigh([1.0, 2.0])


def test_fine_tuning_keeps_rows_of_things_and_of_stuff_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = panoptic_fpn.build(LABELS, **SMALL)
    checkpoint.save(first, tmp_path / "model.safetensors")
    torch.manual_seed(1)
    labels = LabelSet.of(["dog", "road", "sky", "grass", "cat"], things=["dog", "cat", "grass"])
    second = panoptic_fpn.build(labels, **SMALL)
    drawn = second.head.classify.weight.detach().clone()
    found = transfer(second, tmp_path)
    assert found.kept_classes == ("dog", "sky")  # grass was stuff, and is a thing
    assert found.new_classes == ("road", "grass", "cat")
    assert found.dropped_classes == ("car", "grass")
    own, given = second.head, first.head
    assert torch.equal(own.instances.predictor.shifts[0], given.instances.predictor.shifts[1])  # dog
    assert torch.equal(own.classify.weight[1], given.classify.weight[0])  # sky
    assert torch.equal(own.classify.weight[0], drawn[0])  # road
    assert torch.equal(own.classify.weight[2], given.classify.weight[2])  # things together
    assert found.share < 1


def theirs() -> dict[str, Tensor]:
    """Make tensors with the names and shapes of Detectron2's ``panoptic_fpn_R_50``."""
    norm = ("weight", "bias", "running_mean", "running_var")
    shapes: dict[str, tuple[int, ...]] = {"pixel_mean": (3, 1, 1), "pixel_std": (3, 1, 1)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = shape
        shapes.update({f"{name}.bias": shape[:1]} if bias else {})

    def normed(name: str, *shape: int) -> None:
        layer(name, *shape, bias=False)
        shapes.update({f"{name}.norm.{part}": shape[:1] for part in norm})

    normed("backbone.bottom_up.stem.conv1", 64, 3, 7, 7)
    before = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for block in range(blocks):
            at = f"backbone.bottom_up.res{stage}.{block}"
            if not block:
                normed(f"{at}.shortcut", 4 * width, before, 1, 1)
            normed(f"{at}.conv1", width, before, 1, 1)
            normed(f"{at}.conv2", width, width, 3, 3)
            normed(f"{at}.conv3", 4 * width, width, 1, 1)
            before = 4 * width
        layer(f"backbone.fpn_lateral{stage}", 256, before, 1, 1)
        layer(f"backbone.fpn_output{stage}", 256, 256, 3, 3)
        for step in range(max(1, stage - 2)):
            layer(f"sem_seg_head.p{stage}.{2 * step}", 128, 128 if step else 256, 3, 3, bias=False)
            shapes.update({f"sem_seg_head.p{stage}.{2 * step}.norm.{part}": (128,) for part in ("weight", "bias")})
    layer("sem_seg_head.predictor", 54, 128, 1, 1)
    layer("proposal_generator.rpn_head.conv", 256, 256, 3, 3)
    layer("proposal_generator.rpn_head.objectness_logits", 3, 256, 1, 1)
    layer("proposal_generator.rpn_head.anchor_deltas", 12, 256, 1, 1)
    for level in range(5):
        shapes[f"proposal_generator.anchor_generator.cell_anchors.{level}"] = (3, 4)
    layer("roi_heads.box_head.fc1", 1024, 256 * 49)
    layer("roi_heads.box_head.fc2", 1024, 1024)
    layer("roi_heads.box_predictor.cls_score", 81, 1024)
    layer("roi_heads.box_predictor.bbox_pred", 320, 1024)
    for number in range(1, 5):
        layer(f"roi_heads.mask_head.mask_fcn{number}", 256, 256, 3, 3)
    layer("roi_heads.mask_head.deconv", 256, 256, 2, 2)
    shapes["roi_heads.mask_head.deconv.bias"] = (256,)
    layer("roi_heads.mask_head.predictor", 80, 256, 1, 1)
    return {name: torch.tensor(0.5).expand(shape) for name, shape in shapes.items()}  # a file of such views is small


@pytest.fixture(scope="module")
def given() -> dict[str, Tensor]:
    tensors = theirs()
    tensors["sem_seg_head.predictor.bias"] = torch.arange(54.0)
    tensors["roi_heads.box_predictor.cls_score.bias"] = torch.arange(81.0)
    stem = tensors["backbone.bottom_up.stem.conv1.weight"].clone()
    stem[:, 0] = 2.0  # blue
    tensors["backbone.bottom_up.stem.conv1.weight"] = stem
    return tensors


def test_a_file_of_detectron2_fills_the_network_at_the_papers_size(given: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"model": given}, tmp_path / "panoptic.pth")
    source = f"detectron2:{tmp_path / 'panoptic.pth'}"
    labels = LabelSet.of(["snow", "dog", "zebra", "kerb"], things=["dog", "zebra"])
    model: Segmenter = panoptic_fpn.build(labels, **{**PAPER, "weights": source, "caffe": True})
    assert model.network.weights == "COCO, file panoptic.pth of detectron2; 3 of 4 classes by name"
    head: Any = model.head
    assert head.classify.bias[[0, 2]].tolist() == [1.0 + STUFF.index("snow"), 0.0]
    assert head.instances.predictor.classify.bias.tolist() == [float(THINGS.index(name)) for name in ("dog", "zebra")]
    assert head.instances.predictor.background.bias.tolist() == [80.0]
    stem: Any = model.network.encoder
    assert stem.conv1.weight[0, :, 0, 0].tolist() == [0.5, 0.5, 2.0]
    assert model.card.mean == pytest.approx((0.485, 0.456, 0.406), abs=1e-3)
    assert model.card.deviation == pytest.approx((1 / 255,) * 3)
    assert stem.layer2[0].conv1.stride == checkpoint.build(model.card).network.encoder.layer2[0].conv1.stride == (2, 2)


def test_its_parameters_are_those_of_the_reference_at_the_papers_size(given: dict[str, Tensor]) -> None:
    """Detectron2's model has 46.0 M parameters without its frozen norms' statistics, of which ours are the same to the last."""
    with torch.device("meta"):
        model = panoptic_fpn.build(COCO, **PAPER)
    statistics = ("running_mean", "running_var", "pixel_mean", "pixel_std")
    reference = sum(one.numel() for name, one in given.items() if not name.endswith(statistics) and "cell_anchors" not in name)
    assert count(model) == reference
    assert round(reference / 1e6, 1) == 46.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "detectron2:a.pth"}, "caffe: expected true"),
        ({"weights": "mmdet:a.pth"}, "reads files of detectron2"),
        ({"semantic_width": 48}, "semantic_width: expected a multiple of 64, got 48"),
        ({"semantic_loss": "boundary"}, "boundary wants distances"),
        ({"caffe": True}, "choose resnet50"),
        ({"merge_score": 2.0}, "merge_score: expected 0 to 1, got 2.0"),
        ({"stuff_area": -1}, "stuff_area: expected 0 pixels or more, got -1"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, CheckpointError), match=message):
        panoptic_fpn.build(LABELS, **{**SMALL, **options})


def test_stuff_alone_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one class that is a thing"):
        panoptic_fpn.build(LabelSet.of(["sky", "grass"]), **SMALL)
