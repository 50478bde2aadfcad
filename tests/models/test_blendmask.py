"""BlendMask: how masks are blended, which detections are kept, and what the network is made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwise.core.errors import OptionError, UnknownName
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import encode
from pixelwise.core.segmentation import Segmentation
from pixelwise.models import checkpoint
from pixelwise.models.heads.blend_bases import Bottom, BottomOptions
from pixelwise.models.heads.blend_classes import VOID, PixelClasses, classes_seen
from pixelwise.models.heads.blend_masks import Attend, blended, cut_out
from pixelwise.models.heads.fcos import Seen
from pixelwise.models.networks import blendmask
from pixelwise.models.transfer import transfer

NAMES = ("cell", "dot", "rod")
LABELS = LabelSet.of(NAMES, things=NAMES)
MIXED = LabelSet.of(("sky", *NAMES), things=NAMES)
SMALL: dict[str, Any] = {"encoder": "test_efficientnet", "weights": "none", "pyramid": 16, "depth": 1, "bottom_width": 16}
PAPER: dict[str, Any] = {
    "encoder": "resnet50",
    "weights": "none",
    "finest": 8,
    "coarsest": 128,
    "pyramid": 256,
    "depth": 4,
    "outside": 0.0,
    "bottom": "deeplab",
    "bottom_width": 256,
    "attention": 14,
    "mask_size": 56,
}


def weights_of(cells: int, wanted: int) -> np.ndarray:
    """Give (wanted, cells): the shares of ``cells`` in each of ``wanted`` bilinear samples, cell by cell."""
    found = np.zeros((wanted, cells))
    for row in range(wanted):
        place = min(max((row + 0.5) * cells / wanted - 0.5, 0), cells - 1)
        low = int(place)
        found[row, low] += 1 - (place - low)
        found[row, min(low + 1, cells - 1)] += place - low
    return found


def test_masks_are_blended_as_by_einsum() -> None:
    rng = np.random.default_rng(0)
    bases, attentions = rng.normal(size=(3, 4, 8, 8)), rng.normal(size=(3, 4, 3, 3))
    across = weights_of(3, 8)
    shares = np.exp(np.einsum("im,rkmn,jn->rkij", across, attentions, across))
    shares /= shares.sum(axis=1, keepdims=True)
    wanted = np.einsum("rkij,rkij->rij", bases, shares)
    found = blended(torch.from_numpy(bases), torch.from_numpy(attentions))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)


def test_one_base_is_the_mask_whatever_the_attention() -> None:
    bases = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(blended(bases, torch.randn(2, 1, 3, 3)), bases[:, 0])


def test_bases_are_cut_out_where_the_box_lies() -> None:
    bases = torch.randn(2, 4, 6, 8)
    boxes = torch.tensor([[8.0, 4, 24, 20]])  # columns 2 to 6 and rows 1 to 5 of maps at stride 4
    torch.testing.assert_close(cut_out(bases, boxes, torch.tensor([1]), 4, 4), bases[1:, :, 1:5, 2:6])


@torch.no_grad()
def test_attention_is_that_of_a_convolution_over_all_locations() -> None:
    torch.manual_seed(0)
    attend = Attend(8, 2, 3)
    attend.convolve.bias.normal_()
    levels = [torch.randn(2, 8, 5, 7), torch.randn(2, 8, 3, 4)]
    every = torch.cat([attend.convolve(level).flatten(2) for level in levels], dim=2)  # (N, K M M, A)
    images, places = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([0, 34, 46, 35, 17])
    wanted = every[images, :, places].unflatten(1, (2, 3, 3))
    torch.testing.assert_close(attend(levels, images, places), wanted)


def seen_of(boxes: Tensor, classes: Tensor, scores: Tensor) -> Seen:
    """Make what towers would give for boxes (A, 4) of so high scores on one level of a row of cells."""
    count = len(boxes)
    logits = torch.full((1, count, len(NAMES)), -20.0)
    logits[0, torch.arange(count), classes] = torch.logit(scores)
    points = torch.stack([torch.arange(count) * 4 + 2.0, torch.full((count,), 2.0)], dim=1)
    sure, towers = torch.full((1, count), 20.0), (torch.zeros(1, 16, 1, count),)
    return Seen(logits, boxes[None], sure, towers, points, torch.full((count,), 4.0))


@torch.no_grad()
def test_of_detections_that_overlap_the_best_of_each_class_is_kept() -> None:
    head = blendmask.build(LABELS, **SMALL, detections=4).eval().head
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 40, 10]])
    seen = seen_of(boxes, torch.tensor([0, 0, 1, 0, 0]), torch.tensor([0.64, 0.81, 0.49, 0.0001, 0.9]))
    found = head._detect(seen, torch.zeros(1, 4, 8, 16), (32, 64))
    assert found.counts.tolist() == [2]
    assert found.scores[0, :2].tolist() == pytest.approx([0.9, 0.7])  # the root of class times centre-ness
    assert found.classes[0, :2].tolist() == [0, 1]
    assert found.boxes[0, :2].tolist() == [[1, 0, 10, 10], [0, 0, 10, 10]]
    assert not found.boxes[0, 2:].any()


def test_pixels_are_of_the_smallest_object_and_of_none_in_a_crowd() -> None:
    dense = np.zeros((3, 4, 4), bool)
    dense[0, :2], dense[1, 0, :2], dense[2, 1:] = True, True, True  # an object, one on it, and a crowd
    masks = OverlappingMasks(tuple(encode(mask) for mask in dense), (4, 4))
    truth = Segmentation("instance", masks, np.array([0, 1, 2]), LABELS, crowd=np.array([False, False, True]))
    assert classes_seen(truth).tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [VOID] * 4, [VOID] * 4]


def test_classes_of_pixels_are_learnt_at_the_middle_of_each_cell() -> None:
    layer = PixelClasses(16, 2, stride=4)
    logits = torch.randn(1, 3, 2, 2)
    classes = torch.full((1, 8, 7), VOID)  # a column of padding
    classes[0, 2, 2], classes[0, 6, 6] = 1, 2
    each = -logits.log_softmax(dim=1)
    wanted = (each[0, 1, 0, 0] + each[0, 2, 1, 1]) / 2
    torch.testing.assert_close(layer.loss(logits, classes, None), wanted)
    weighed = (3 * each[0, 1, 0, 0] + each[0, 2, 1, 1]) / 4
    torch.testing.assert_close(layer.loss(logits, classes, torch.tensor([1.0, 3.0])), weighed)


def parameters(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def test_the_papers_network_has_as_many_parameters_as_torchvisions_fcos_and_what_masks_add() -> None:
    # Neither the paper nor its repository states a number. torchvision states 32,269,600 for FCOS on a ResNet-50 with 91
    # classes; its batch norms are frozen and count for none of them, and its levels have no factors.
    names = [f"class {index}" for index in range(91)]
    with torch.device("meta"):
        model = blendmask.build(LabelSet.of(names, things=names), **PAPER)
    norms = sum(parameters(one) for one in model.network.encoder.modules() if isinstance(one, torch.nn.BatchNorm2d))
    assert parameters(model.network) - norms + parameters(model.head.towers) - 5 == 32_269_600
    assert parameters(model.head.attend) == (256 * 9 + 1) * 4 * 14 * 14
    # DeepLabv3+'s decoder: a 3 x 3 and a 1 x 1 layer in, two to fuse, one after each doubling from stride 8 to 4, and the bases
    convolutions = 9 * 256 * 256 + 256 * 48 + 9 * (256 + 48) * 256 + 9 * 256 * 256 + 9 * 256 * 256
    assert parameters(model.head.bottom) == convolutions + 2 * (4 * 256 + 48) + 4 * (256 + 1)
    assert parameters(model.head.semantic) == 257 * 92
    assert parameters(model) == 36_638_837


@pytest.mark.parametrize(
    ("options", "strides", "masks"),
    [
        ({}, (4, 8, 16, 32, 64), 28),
        ({"finest": 8, "coarsest": 128, "bottom": "deeplab", "mask_size": 56, "attention": 14}, (8, 16, 32, 64, 128), 56),
        ({"finest": 2, "base_stride": 2, "shared": True}, (2, 4, 8, 16, 32, 64), 28),
        ({"base_stride": 2, "bases": 1}, (4, 8, 16, 32, 64), 28),
        ({"base_stride": 8, "bottom": "deeplab"}, (4, 8, 16, 32, 64), 28),
    ],
)
def test_every_form_learns_and_segments(options: dict[str, Any], strides: tuple[int, ...], masks: int) -> None:
    torch.manual_seed(0)
    model = blendmask.build(LABELS, **SMALL, **options, score=0.0, detections=5)
    assert model.head.towers.strides == strides
    boxes = torch.tensor([[4.0, 4, 20, 24]])
    targets = {
        "boxes": (boxes, boxes[:0]),
        "classes": (torch.tensor([1]), torch.zeros(0, dtype=torch.long)),
        "crowds": (boxes[:0], boxes[:0]),
        "masks": (torch.full((1, 22, 18), 255, dtype=torch.uint8), torch.zeros(0, 1, 1, dtype=torch.uint8)),
        "places": (torch.tensor([[3.0, 3.0, 1.0, 1.0]]), torch.zeros(0, 4)),
        "semantic": torch.zeros(2, 64, 64, dtype=torch.int16),
    }
    terms = model.loss(torch.rand(2, 3, 64, 64), targets)
    assert list(terms) == ["classes", "boxes", "centres", "masks", "semantic"]
    torch.stack(list(terms.values())).sum().backward()
    assert all(one.grad is not None and bool(torch.isfinite(one.grad).all()) for one in model.head.parameters())
    raw = model.eval()(torch.rand(1, 3, 40, 64))
    assert raw.masks.shape == (1, 5, masks, masks)


def test_levels_added_by_convolutions_halve_the_size() -> None:
    network = blendmask.build(LABELS, **SMALL, coarsest=128).network
    assert [tuple(level.shape[-2:]) for level in network(torch.rand(1, 3, 64, 96))] == [
        (16, 24),
        (8, 12),
        (4, 6),
        (2, 3),
        (1, 2),
        (1, 1),
    ]


@pytest.mark.parametrize("kind", ["instance", "panoptic"])
def test_a_fine_tuned_network_keeps_the_rows_of_shared_classes(kind: Any, tmp_path: Path) -> None:
    small = {**SMALL, "semantic_width": 64}
    labels = LABELS if kind == "instance" else MIXED
    first = blendmask.build(labels, kind, **small)
    checkpoint.save(first, tmp_path / "model.safetensors")
    others = ("rod", "star") if kind == "instance" else ("rod", "sky", "star")
    second = blendmask.build(LabelSet.of(others, things=("rod", "star")), kind, **small)
    transfer(second, tmp_path)
    own, given = (one.head if kind == "instance" else one.head.instances for one in (second, first))
    assert torch.equal(own.towers.classify.cls_logits.weight[0], given.towers.classify.cls_logits.weight[2])
    if kind == "instance":
        assert torch.equal(own.semantic.classify.weight[0], given.semantic.classify.weight[2])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("instance", {"pyramid": 20}, "pyramid: expected a multiple of 8"),
        ("instance", {"bottom_width": 8}, "bottom_width: expected a multiple of 8"),
        ("instance", {"depth": 0}, "depth: expected 1 or more convolutions, got 0"),
        ("instance", {"bases": 0}, "bases: expected 1 or more, got 0"),
        ("instance", {"detections": 0}, "detections: expected 1 or more, got 0"),
        ("instance", {"overlap": 1.5}, "overlap: expected 0 to 1, got 1.5"),
        ("instance", {"coarsest": 32}, "coarsest: got 32"),
        ("instance", {"base_stride": 32}, "base_stride: got 32"),
        ("instance", {"encoder": "test_convnext", "finest": 2}, "features at 2, 4, 8"),
        ("semantic", {}, "instance or panoptic segmentations, not semantic"),
        ("panoptic", {"loss": "classes + boxes + centres + masks"}, "expected the term semantic"),
    ],
)
def test_options_that_do_not_fit_are_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        blendmask.build(MIXED, kind, **{**SMALL, **options})


def test_a_panoptic_network_without_things_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one class that is a thing"):
        blendmask.build(LabelSet.of(["sky", "grass"]), "panoptic", **SMALL)


def test_an_unknown_term_of_the_loss_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"blendmask has no term 'mask'.*masks"):
        blendmask.build(LABELS, **SMALL, loss="classes + mask")


def test_bases_may_be_finer_than_every_level_and_not_coarser_than_all_but_one() -> None:
    levels = [torch.randn(1, 16, 8, 8), torch.randn(1, 16, 4, 4)]
    assert Bottom(16, (4, 8), BottomOptions(width=16, stride=1))(levels).bases.shape == (1, 4, 32, 32)
    with pytest.raises(OptionError, match="base_stride: expected at most 4"):
        Bottom(16, (4, 8), BottomOptions(width=16, stride=8))
