"""Multilabel: targets, losses and masks where a pixel may be of several classes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.models import checkpoint
from pixelwise.models.heads.pixel import PixelHead, PixelRaw
from pixelwise.models.losses.memberships import UNKNOWN, Memberships
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.losses.weighted import Term
from pixelwise.models.networks import unet
from pixelwise.predict.network import Network
from pixelwise.scenes import scenes

LABELS = LabelSet.of(["water", "boat", "bridge"])
WATER = np.array([[1, 1, 1], [1, 1, 0]], bool)
BOAT = np.array([[0, 1, 1], [0, 0, 0]], bool)


def head(loss: str = "cross_entropy + dice", labels: LabelSet = LABELS, **options: object) -> PixelHead:
    return PixelHead(4, labels, loss=loss, kind="multilabel", **options)  # type: ignore[arg-type]


def truth(crowd: tuple[bool, bool] = (False, False)) -> Segmentation:
    return Segmentation.from_masks("multilabel", np.stack([BOAT, WATER]), [1, 0], LABELS, crowd=np.array(crowd))


def test_targets_are_the_masks_bit_for_bit() -> None:
    members = head().targets(truth())["members"]
    assert members.dtype == np.uint8
    assert members.tolist() == [WATER.astype(int).tolist(), BOAT.astype(int).tolist(), np.zeros((2, 3), int).tolist()]


def test_targets_of_drawn_scenes_give_their_masks_back() -> None:
    for sample in scenes(3, (40, 56), seed=4, kind="multilabel"):
        members = head(labels=sample.labels).targets(sample.truth)["members"]
        present = np.flatnonzero(members.any(axis=(1, 2)))
        again = Segmentation.from_masks("multilabel", members[present] == 1, present, sample.labels)
        order = np.argsort(sample.truth.class_ids)
        assert again == sample.truth[order]


def test_a_pixel_under_no_segment_is_of_no_class_and_a_crowd_is_unknown_for_its_class_alone() -> None:
    members = head().targets(truth(crowd=(True, False)))["members"]
    assert members[0].tolist() == WATER.astype(int).tolist()
    assert members[1].tolist() == (BOAT * UNKNOWN).tolist()
    assert not members[2].any()


def test_truth_of_another_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="multilabel truth, not from semantic"):
        head().targets(Segmentation.from_class_map(np.zeros((2, 3), np.uint8), LABELS))


def test_cross_entropy_is_the_binary_one_over_what_is_labelled() -> None:
    logits = torch.tensor([0.0, 2.0, -1.0, 50.0]).view(1, 1, 1, 4)
    members = torch.tensor([1, 1, 0, UNKNOWN], dtype=torch.uint8).view(1, 1, 1, 4)
    expected = (math.log(2) + math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 3
    one = LabelSet.of(["fog"])
    found = head("cross_entropy", one).loss(PixelRaw(logits), {"members": members})
    assert float(found["cross_entropy"]) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["cross_entropy", "cross_entropy(smoothing=0.1)", "focal(gamma=1.5)", "focal(alpha=0.25)"])
def test_losses_over_pixels_equal_torchs_and_torchvisions(text: str) -> None:
    from torchvision.ops import sigmoid_focal_loss

    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    members = torch.randint(0, 2, (2, 3, 5, 6)).double()
    expected = {
        "cross_entropy": lambda: F.binary_cross_entropy_with_logits(logits, members),
        "cross_entropy(smoothing=0.1)": lambda: F.binary_cross_entropy_with_logits(logits, members * 0.9 + 0.05),
        "focal(gamma=1.5)": lambda: sigmoid_focal_loss(logits, members, alpha=-1, gamma=1.5, reduction="mean"),
        "focal(alpha=0.25)": lambda: sigmoid_focal_loss(logits, members, alpha=0.25, gamma=2, reduction="mean"),
    }[text]()
    targets = {"members": members.to(torch.uint8)}
    (found,) = (term(_evidence(text, logits, targets)) for term in head(text).terms)
    torch.testing.assert_close(found, expected)


def _evidence(text: str, logits: torch.Tensor, targets: dict[str, torch.Tensor]) -> Memberships:
    found = head(text).reading.evidence(logits, targets, None)
    assert isinstance(found, Memberships)
    return found


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky", "focal_tversky"])
def test_losses_over_regions_of_one_class_are_those_of_its_mask(name: str) -> None:
    torch.manual_seed(0)
    logit, mask = torch.randn(2, 1, 4, 5), torch.randint(0, 2, (2, 1, 4, 5), dtype=torch.uint8)
    binary = Memberships(logit, mask)
    pair = Pixels(torch.cat([torch.zeros_like(logit), logit], dim=1), mask[:, 0], 255)  # a softmax of two is a sigmoid
    for one, other in ((binary.shared, pair.shared), (binary.predicted, pair.predicted), (binary.pixels, pair.pixels)):
        torch.testing.assert_close(one[0], other[1])
    both = Memberships(torch.cat([logit, logit], dim=1), torch.cat([mask, mask], dim=1))
    torch.testing.assert_close(Term(name)(binary), Term(name)(both))  # the mean over classes


def test_class_weights_weigh_classes() -> None:
    torch.manual_seed(0)
    logits, members = torch.randn(1, 3, 4, 4), torch.randint(0, 2, (1, 3, 4, 4), dtype=torch.uint8)
    found = head("cross_entropy", class_weights=(1.0, 3.0, 0.0)).loss(PixelRaw(logits), {"members": members})["cross_entropy"]
    each = F.binary_cross_entropy_with_logits(logits, members.float(), reduction="none").mean(dim=(0, 2, 3))
    torch.testing.assert_close(found, (each[0] + 3 * each[1]) / 4)


def test_what_is_unknown_has_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    members = torch.randint(0, 2, (1, 3, 4, 4), dtype=torch.uint8)
    members[:, 1, :2] = UNKNOWN
    terms = head("cross_entropy + focal + dice + jaccard").loss(PixelRaw(logits), {"members": members})
    torch.stack(list(terms.values())).sum().backward()
    assert logits.grad is not None
    assert not logits.grad[:, 1, :2].any()
    assert (logits.grad[:, 1, 2:] != 0).all()


def test_an_unlabelled_batch_has_no_loss() -> None:
    members = torch.full((1, 3, 2, 2), UNKNOWN, dtype=torch.uint8)
    terms = head("cross_entropy + dice + ohem").loss(PixelRaw(torch.randn(1, 3, 2, 2)), {"members": members})
    assert [float(term) for term in terms.values()] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["lovasz", "boundary"])
def test_losses_of_class_maps_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} wants one class a pixel"):
        head(f"cross_entropy + {name}")


def test_a_pixel_is_of_every_class_more_probable_than_not_or_than_the_threshold() -> None:
    logits = torch.logit(torch.tensor([[0.9, 0.4], [0.6, 0.3], [0.1, 0.2]])).view(1, 3, 1, 2)
    from pixelwise.decode.frame import Frame

    one = head()
    (found,) = one.decoder(one.reduce(PixelRaw(logits), (1, 2)), [Frame((1, 2))], LABELS, Request())
    assert found.kind == "multilabel"
    assert {name: found.masks.mask(row).tolist() for row, name in enumerate(found.names)} == {
        "water": [[True, False]],
        "boat": [[True, False]],
    }
    assert found.scores is not None
    assert found.scores.round(4).tolist() == [0.9, 0.6]
    reduced = one.reduce(PixelRaw(logits), (1, 2), probabilities=True)
    (lower,) = one.decoder(reduced, [Frame((1, 2))], LABELS, Request(threshold=0.35))
    assert lower.masks.mask(0).tolist() == [[True, True]]
    assert lower.scores is not None
    assert lower.scores.round(4).tolist() == [0.65, 0.6]


def test_a_network_overfits_overlapping_classes_and_comes_back_from_its_checkpoint(tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    (sample,) = scenes(1, (32, 32), seed=12, kind="multilabel")
    model = unet.build(sample.labels, "multilabel", encoder="plain", width=12, depth=2)
    members = torch.from_numpy(model.head.targets(sample.truth)["members"])[None]
    assert (members.sum(dim=1) > 1).any()  # classes do overlap
    images = torch.from_numpy(sample.image.pixels).permute(2, 0, 1)[None] / 255
    optimiser = torch.optim.Adam(model.parameters(), 2e-2)
    for _ in range(120):
        optimiser.zero_grad()
        torch.stack(list(model.loss(images, {"members": members}).values())).sum().backward()
        optimiser.step()
    checkpoint.save(model.eval(), tmp_path / "model.safetensors")
    again = checkpoint.load(tmp_path)
    assert again.card.kind == "multilabel"
    (found,) = Network(again, "cpu", "32-true")([sample.image])
    predicted = torch.from_numpy(again.head.targets(found)["members"])[None]
    both, either = (predicted & members).sum(dim=(0, 2, 3)), (predicted | members).sum(dim=(0, 2, 3))
    assert (both[either > 0] / either[either > 0]).mean() > 0.9
