"""The real-time network: the sizes of its layers against published ones, its options, and what fine-tuning keeps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.models import checkpoint
from pixelwise.models.about import cost_of
from pixelwise.models.build_options import fitted_options
from pixelwise.models.csp import PoolingPyramid
from pixelwise.models.networks import yolo
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.transfer import transfer
from pixelwise.predict.network import Network

NAMES = ("cell", "dot", "rod")
LABELS = LabelSet.of(NAMES, things=NAMES)
COCO = LabelSet.of([str(number) for number in range(80)], things=[str(number) for number in range(80)])
SMALL: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none"}
YOLOX: dict[str, Any] = {"encoder": "csp", "boxes": "plain", "shared": False, "finest": 8}


def parameters(*parts: torch.nn.Module) -> int:
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def boxes_alone(model: Segmenter) -> int:
    """Count what a detector of boxes has: all but prototypes and coefficients, and YOLOX's objectness besides."""
    towers: Any = model.head.towers
    objectness = len(towers.distances) * (towers.distances[0].in_channels + 1)
    return parameters(model.network, towers) - parameters(towers.mask_tower, towers.coefficients) + objectness


@pytest.mark.parametrize(("size", "published"), [("s", 8.97e6), ("m", 25.33e6), ("l", 54.21e6)])
def test_without_masks_there_are_as_many_parameters_as_published_for_yolox(size: Any, published: float) -> None:
    # YOLOX's paper and repository state 9.0, 25.3 and 54.2 M for 80 classes; mmdetection's model zoo 8.97 M for s
    with torch.device("meta"):
        assert boxes_alone(yolo.build(COCO, size=size, **YOLOX)) == pytest.approx(published, rel=1e-3)


def test_without_masks_there_are_as_many_multiply_adds_as_published_for_yolox() -> None:
    # 26.8 GFLOPs for s at 640 x 640, counted as two for each multiply-add; without prototypes and the towers of masks
    found = cost_of("yolo", {**YOLOX, "size": "s"}, (640, 640), 80).multiply_adds
    width, places = 128, [80 * 80, 40 * 40, 20 * 20]
    masks = sum(places) * (width * width * 9 + width * 32)
    prototypes = places[0] * width * width * 9 + 160 * 160 * (2 * width * width * 9 + width * 32)
    assert 2 * (found - masks - prototypes) == pytest.approx(26.8e9, rel=0.02)


def test_small_pools_after_one_another_are_large_ones() -> None:
    torch.manual_seed(0)
    layer = PoolingPyramid(8).eval()
    features = torch.rand(1, 8, 20, 24)
    first = layer.first(features)
    pools = [F.max_pool2d(first, side, 1, side // 2) for side in (5, 9, 13)]
    torch.testing.assert_close(layer(features), layer.last(torch.cat([first, *pools], dim=1)))


@pytest.mark.parametrize(
    "options",
    [
        {"masks": "dynamic"},
        {"boxes": "plain", "shared": False},
        {"finest": 8, "prototype_stride": 2},
        {"encoder": "csp", "bands": ("grey",)},
    ],
)
def test_every_form_gives_instances(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = yolo.build(LABELS, **{**SMALL, "score": 0.0, "detections": 7, **options})
    fitted_options(yolo.build, model.card.options)
    pixels = np.random.default_rng(0).integers(0, 255, (50, 70, len(model.card.bands)), np.uint8)
    found = Network(model, "cpu", "fp32")([Image(pixels, model.card.bands)])[0]
    assert found.size == (50, 70)
    assert len(found.masks) <= 7


def test_two_of_a_class_that_overlap_are_one_and_two_of_two_classes_are_two() -> None:
    torch.manual_seed(0)
    model = yolo.build(LABELS, **SMALL, score=0.3).eval()
    with torch.no_grad():
        raw = model(torch.rand(1, 3, 64, 64))
        raw.logits.fill_(-9.0)
        raw.boxes[0, :3] = torch.tensor([[0.0, 0, 20, 20], [0, 0, 20, 19], [0, 0, 20, 18]])
        raw.logits[0, 0, 0], raw.logits[0, 1, 0], raw.logits[0, 2, 1] = 2.0, 1.0, 0.5
        found = model.head.reduce(raw, (64, 64))
    assert int(found.counts[0]) == 2
    assert found.classes[0, :2].tolist() == [0, 1]
    assert found.boxes[0, :2, 3].tolist() == [20.0, 18.0]
    assert not found.boxes[0, 2:].any()


@pytest.mark.parametrize("shared", [True, False])
def test_a_fine_tuned_network_keeps_the_rows_of_shared_classes(shared: bool, tmp_path: Path) -> None:
    first = yolo.build(LABELS, **SMALL, shared=shared)
    checkpoint.save(first, tmp_path / "model.safetensors")
    second = yolo.build(LabelSet.of(["rod", "star"], things=["rod", "star"]), **SMALL, shared=shared)
    assert transfer(second, tmp_path).kept_classes == ("rod",)
    for own, other in zip(second.head.towers.classify, first.head.towers.classify, strict=True):
        assert torch.equal(own.weight[0], other.weight[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "x"}, "size: got 'x'"),
        ({"finest": 2}, "finest: got 2"),
        ({"prototype_stride": 8}, "prototype_stride: got 8"),
        ({"bins": 1}, "bins: expected 2 or more, got 1"),
        ({"prototypes": -1}, "prototypes: expected 1 or more, got -1"),
        ({"masks": "paste"}, "masks: got 'paste'"),
        ({"detections": 0}, "detections: expected 1 or more, got 0"),
        ({"overlap": 1.5}, "overlap: expected 0 to 1, got 1.5"),
        ({"top": 0}, "top: expected 1 or more, got 0"),
        ({"loss": "classes + mask"}, "yolo has no term 'mask'; .*masks"),
        ({"class_weights": (1.0,)}, "expected 3 class weights"),
        ({"encoder": "test_vit"}, "choose another encoder|no feature maps|needs at least"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, UnknownName), match=message):
        yolo.build(LABELS, **{**SMALL, **options})
