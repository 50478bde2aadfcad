"""Mask R-CNN: equal to torchvision's own, and what its options do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.image_list import ImageList

from pixelwise.core.errors import MissingFile, OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.build_options import fitted_options
from pixelwise.models.maskrcnn_weights import OLD_EPSILON, PUBLISHED, fill
from pixelwise.models.networks import maskrcnn
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import transfer

NAMES = ("cell", "dot", "rod")
LABELS = LabelSet.of(NAMES, things=NAMES)
SMALL: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", "pyramid": 32, "width": 32, "mask_width": 32}
SIZE = (64, 96)


def theirs(version: str) -> MaskRCNN:
    """Build torchvision's with random weights, and scores that do not tie."""
    torch.manual_seed(3)
    make = {"v1": maskrcnn_resnet50_fpn, "v2": maskrcnn_resnet50_fpn_v2}[version]
    model: MaskRCNN = make(
        weights=None,
        weights_backbone=None,
        num_classes=4,
        box_score_thresh=0.2,
        rpn_post_nms_top_n_test=60,
        box_detections_per_img=10,
    )
    with torch.no_grad():
        model.rpn.head.cls_logits.weight.mul_(3)
        for module in model.backbone.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.backbone.train()(torch.randn(2, 3, *SIZE))  # statistics under which a deep network's values stay in bounds
    return model.eval()


def ours(version: str) -> Segmenter:
    layout = PUBLISHED["maskrcnn_resnet50_fpn" + ("" if version == "v1" else "_v2")]
    options: dict[str, Any] = {**vars(layout), "proposals": (60, 60), "score": 0.2, "detections": 10}
    return maskrcnn.build(LABELS, weights="none", **options).eval()


@pytest.mark.parametrize("version", ["v1", "v2"])
@torch.no_grad()
def test_weights_of_torchvision_give_its_proposals_boxes_scores_and_masks(version: str) -> None:
    reference, model = theirs(version), ours(version)
    assert fill(model, reference.state_dict(), ("__background__", *NAMES)) == 3
    images = torch.rand(2, 3, *SIZE)
    raw = model(images)

    values = (images - model.mean) / model.deviation  # type: ignore[operator]
    features = reference.backbone(values)
    proposals, _ = reference.rpn(ImageList(values, [SIZE] * 2), features)
    detections, _ = reference.roi_heads(features, proposals, [SIZE] * 2)
    for index, (boxes, found) in enumerate(zip(proposals, detections, strict=True)):
        assert int((raw.proposal_scores[index] >= 0).sum()) == len(boxes) > 50
        close(raw.proposals[index, : len(boxes)], boxes)
        count = int(raw.counts[index])
        assert count == len(found["boxes"]) > 5
        close(raw.boxes[index, :count], found["boxes"])
        close(raw.scores[index, :count], found["scores"])
        assert torch.equal(raw.classes[index, :count] + 1, found["labels"])
        close(raw.masks[index, :count].sigmoid(), found["masks"][:, 0])


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * max(1.0, float(theirs.abs().max())))


def test_classes_known_to_the_weights_keep_their_rows_and_others_stay_as_drawn() -> None:
    reference = theirs("v1")
    model = ours("v1")
    before = model.head.predictor.classify.weight.clone()
    assert fill(model, reference.state_dict(), ("__background__", "rod", "N/A", "person")) == 1
    given = reference.roi_heads.box_predictor
    assert torch.equal(model.head.predictor.classify.weight[:2], before[:2])
    assert torch.equal(model.head.predictor.classify.weight[2], given.cls_score.weight[1])
    assert torch.equal(model.head.predictor.background.weight[0], given.cls_score.weight[0])
    assert torch.equal(model.head.predictor.shifts[2], given.bbox_pred.weight[4:8])


def test_variances_without_an_epsilon_normalise_alike() -> None:
    reference, model = theirs("v1"), ours("v1")
    fill(model, reference.state_dict(), ("__background__", *NAMES), OLD_EPSILON)
    own, given = model.network.encoder.bn1, reference.backbone.body.bn1
    torch.testing.assert_close(own.running_var + own.eps, given.running_var)


def test_weights_by_name_bring_their_layout_and_say_so_where_they_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingFile, match=r"torchvision:maskrcnn_resnet50_fpn.* cannot be had"):
        maskrcnn.build(LABELS, weights="torchvision:maskrcnn_resnet50_fpn")
    with pytest.raises(OptionError, match=r"pyramid: .* want 256, got 64"):
        maskrcnn.build(LABELS, weights="torchvision:maskrcnn_resnet50_fpn", pyramid=64)
    with pytest.raises(UnknownName, match="maskrcnn_resnet50_fpn"):
        maskrcnn.build(LABELS, weights="torchvision:maskrcnn_resnet101_fpn")


def test_fetched_weights_fill_the_whole_network(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights as Weights

    torch.manual_seed(0)
    tensors = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None).state_dict()
    monkeypatch.setattr(Weights, "get_state_dict", lambda *given, **named: tensors)
    monkeypatch.setattr("pixelwise.models.encoders.hubs._require_host", lambda weights, address: None)
    labels = LabelSet.of(["person", "dot"], things=["person", "dot"])
    model = maskrcnn.build(labels, weights="torchvision:maskrcnn_resnet50_fpn_v2")
    assert model.network.weights == "COCO, from torchvision's hub (maskrcnn_resnet50_fpn_v2); 1 of 2 classes by name"
    assert torch.equal(model.network.encoder.conv1.weight, tensors["backbone.body.conv1.weight"])
    assert (model.card.options["encoder"], model.card.options["aligned"]) == ("resnet50", False)


@pytest.mark.parametrize(
    ("options", "strides", "cells"),
    [
        ({}, (4, 8, 16, 32, 64), [32, 64, 128, 256, 512]),
        ({"anchors": "small"}, (4, 8, 16, 32, 64), [8, 16, 32, 64, 128]),
        ({"finest": 2, "anchors": "small"}, (2, 4, 8, 16, 32, 64), [4, 8, 16, 32, 64, 128]),
        ({"anchors": [[10, 14], [20, 28], [40, 56], [80, 112], [160, 224]]}, (4, 8, 16, 32, 64), [10, 20, 40, 80, 160]),
    ],
)
def test_anchors_are_of_the_sizes_asked_for(options: dict[str, Any], strides: tuple[int, ...], cells: list[int]) -> None:
    fitted = fitted_options(maskrcnn.build, {**SMALL, **options, "ratios": [1.0]})
    proposer = maskrcnn.build(LABELS, **fitted).head.proposer
    assert proposer.strides == strides
    assert (proposer.cells[:, 0, 2] - proposer.cells[:, 0, 0]).tolist() == cells


def one_object_and_none() -> dict[str, Any]:
    """Give the targets of two images, with one object and with none."""
    boxes = torch.tensor([[4.0, 4.0, 20.0, 24.0]])
    return {
        "boxes": (boxes, boxes[:0]),
        "classes": (torch.tensor([1]), torch.zeros(0, dtype=torch.long)),
        "crowds": (boxes[:0], boxes[:0]),
        "masks": (torch.full((1, 22, 18), 255, dtype=torch.uint8), torch.zeros(0, 1, 1, dtype=torch.uint8)),
        "places": (torch.tensor([[3.0, 3.0, 1.0, 1.0]]), torch.zeros(0, 4)),
    }


@pytest.mark.parametrize(
    "options", [{"version": "v2"}, {"norm": "group"}, {"mask_size": 56}, {"version": "v2", "norm": "none"}]
)
def test_every_form_learns_and_segments(options: dict[str, Any]) -> None:
    model = maskrcnn.build(LABELS, **{**SMALL, **options, "anchors": "small", "proposals": (50, 20), "score": 0.0})
    terms = model.loss(torch.rand(2, 3, 64, 64), one_object_and_none())
    assert list(terms) == ["rpn_objectness", "rpn_box", "classes", "boxes", "masks"]
    torch.stack(list(terms.values())).sum().backward()
    assert all(one.grad is None or bool(torch.isfinite(one.grad).all()) for one in model.parameters())
    raw = model.eval()(torch.rand(1, 3, 40, 64))
    assert raw.masks.shape == (1, 60, *(2 * [options.get("mask_size", 28)]))


def test_at_full_load_as_many_proposals_are_of_an_object_as_ever_may_be() -> None:
    model = maskrcnn.build(LABELS, **SMALL, anchors="small", proposals=(50, 20), samples=64, positive_share=0.25)
    images, targets = torch.rand(2, 3, 64, 64), one_object_and_none()
    shares = {}
    for model.head.at_full_load in (False, True):
        drawn = model(images, targets).drawn
        shares[model.head.at_full_load] = [int((drawn.classes[drawn.images == image] < len(LABELS)).sum()) for image in (0, 1)]
    assert 1 <= shares[False][0] < 16
    assert shares[True] == [16, 0]


@pytest.mark.slow
@torch.no_grad()
def test_an_exported_graph_gives_as_few_detections_as_there_are() -> None:
    torch.manual_seed(0)
    model = maskrcnn.build(LABELS, **SMALL, anchors="small", proposals=(50, 20), detections=10).eval()
    images = torch.rand(1, 3, 64, 64)
    graph = torch.export.export(model, (images,)).module()
    low, high, seen = 0.0, 20.0, set()
    while high - low > 1e-5:  # the likelier background is, the fewer are left
        middle = (low + high) / 2
        for one in (model.head.predictor.background.bias, dict(graph.named_parameters())["head.predictor.background.bias"]):
            one.fill_(middle)
        raw, again = model(images), graph(images)
        for first, second in zip(raw, again, strict=True):
            torch.testing.assert_close(first, second)
        seen.add(int(raw.counts))
        low, high = (middle, high) if int(raw.counts) > 1 else (low, middle)
    assert {0, 1} <= seen


def test_a_fine_tuned_network_keeps_the_rows_of_shared_classes(tmp_path: Path) -> None:
    first = maskrcnn.build(LABELS, **SMALL)
    checkpoint.save(first, tmp_path / "model.safetensors")
    second = maskrcnn.build(LabelSet.of(["rod", "star"], things=["rod", "star"]), **SMALL)
    found = transfer(second, tmp_path)
    assert found.kept_classes == ("rod",)
    assert torch.equal(second.head.predictor.shifts[0], first.head.predictor.shifts[2])
    last = (second.head.mask_predictor.mask_fcn_logits.weight[0], first.head.mask_predictor.mask_fcn_logits.weight[2])
    assert torch.equal(*last)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "group", "pyramid": 48}, "pyramid: expected a multiple of 32"),
        ({"mask_width": 0}, "mask_width: expected 1 or more, got 0"),
        ({"anchors": ((8.0,), (16.0,))}, "as many sizes for each of the 5 levels"),
        ({"ratios": (0.0,)}, "ratios: expected numbers above 0"),
        ({"encoder": "test_convnext", "finest": 2}, "features at 2, 4, 8"),
        ({"detections": 0}, "detections: expected 1 or more"),
        ({"score": 1.5}, "score: expected 0 to 1, got 1.5"),
        ({"proposals": (0, 5)}, "proposals.*expected 1 or more"),
        ({"loss": "classes + classes"}, "classes is there twice"),
        ({"loss": "-1*masks"}, "expected a weight above 0"),
        ({"loss": "classes + mask"}, "no term 'mask'; .*masks"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, UnknownName), match=message):
        maskrcnn.build(LABELS, **{**SMALL, **options})


def test_terms_of_the_loss_are_weighted_and_may_be_left_out() -> None:
    assert maskrcnn.build(LABELS, **SMALL, loss="classes + 2*masks").head.weights == {"classes": 1.0, "masks": 2.0}
