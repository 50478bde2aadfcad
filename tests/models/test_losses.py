"""Every loss: values by hand and by reference, void, gradients, and 16-bit logits."""

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from pixelwise.core.errors import OptionError
from pixelwise.models.losses import LOSSES
from pixelwise.models.losses.cross_entropy import cross_entropy, focal, ohem
from pixelwise.models.losses.lovasz import lovasz
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.losses.regions import dice, focal_tversky, jaccard, tversky
from pixelwise.models.losses.weighted import Term
from pixelwise.models.losses.whole import gathering

VOID = 255
NAMES = sorted(LOSSES)


def drawn(classes: int = 4, size: tuple[int, int] = (7, 9), void: bool = True, dtype: torch.dtype = torch.float64) -> Pixels:
    generator = torch.Generator().manual_seed(classes)
    logits = 2 * torch.randn(2, classes, *size, generator=generator, dtype=torch.float64)
    truth = torch.randint(0, classes - 1, (2, *size), generator=generator)  # the last class is absent
    if void:
        truth[0, :3] = VOID
    return Pixels(logits.to(dtype), truth, VOID, distances=torch.rand(2, *size, generator=generator) * 10)


def with_logits(pixels: Pixels, logits: Tensor, weights: Tensor | None = None) -> Pixels:
    return Pixels(logits, pixels.classes, pixels.void, weights, pixels.distances)


def certain(predicted: list[int], truth: list[int], classes: int = 2) -> Pixels:
    """One row of pixels that are predicted with certainty."""
    logits = torch.where(F.one_hot(torch.tensor(predicted), classes).bool(), 60.0, -60.0).T[None, :, None]
    return Pixels(logits, torch.tensor([[truth]]), VOID)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name == "lovasz" else name for name in NAMES])
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    pixels = drawn(size=(3, 4), void=False)
    pixels.classes[0, 0, :2] = VOID
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0], dtype=torch.float64)
    options = {"lovasz": {"bins": 10**6}, "ohem": {"threshold": 0.5, "min_kept": 0.3}}.get(name, {})
    term = Term(name, 0.7, options)
    assert torch.autograd.gradcheck(
        lambda logits: term(with_logits(pixels, logits, weights)), pixels.logits.clone().requires_grad_()
    )


@pytest.mark.parametrize("name", NAMES)
def test_void_pixels_count_in_no_loss_and_get_no_gradient(name: str) -> None:
    pixels = drawn()
    logits = pixels.logits.clone().requires_grad_()
    first = Term(name)(with_logits(pixels, logits))
    first.backward()
    assert logits.grad is not None
    assert not logits.grad[0, :, :3].any()
    assert logits.grad[0, :, 3:].any()
    other = pixels.logits.clone()
    other[0, :, :3] += 7 * torch.randn(4, 3, 9, dtype=torch.float64)
    torch.testing.assert_close(Term(name)(with_logits(pixels, other)), first.detach())


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_void_alone_gives_nought(name: str) -> None:
    logits = torch.randn(1, 3, 4, 5, requires_grad=True)
    value = Term(name)(Pixels(logits, torch.full((1, 4, 5), VOID), VOID, distances=torch.zeros(1, 4, 5)))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_sixteen_bit_logits_are_computed_with_in_32_bits(name: str) -> None:
    pixels = drawn(dtype=torch.bfloat16)
    logits = pixels.logits.clone().requires_grad_()
    value = Term(name)(with_logits(pixels, logits))
    value.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.detach(), Term(name)(with_logits(pixels, pixels.logits.float())))
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_certain_mistakes_stay_finite(name: str) -> None:
    logits = torch.tensor([[[[1e4, -1e4]], [[-1e4, 1e4]]]], requires_grad=True)
    for truth in ([0, 1], [1, 0]):
        value = Term(name)(Pixels(logits, torch.tensor([[truth]]), VOID, distances=torch.zeros(1, 1, 2)))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_logits_give_the_same(name: str) -> None:
    pixels = drawn(dtype=torch.float32)
    gradients, values = [], []
    for layout in (torch.contiguous_format, torch.channels_last):
        logits = pixels.logits.clone(memory_format=layout).requires_grad_()
        values.append(Term(name)(with_logits(pixels, logits)))
        gradients.append(torch.autograd.grad(values[-1], logits)[0])
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_equals_torchs(smoothing: float, weighted: bool) -> None:
    pixels = drawn()
    weights = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64) if weighted else None
    expected = F.cross_entropy(pixels.logits, pixels.classes, weights, ignore_index=VOID, label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(with_logits(pixels, pixels.logits, weights), smoothing=smoothing), expected)


def test_cross_entropy_of_a_hopeless_pixel_is_not_cut_off() -> None:
    logits = torch.tensor([[[[500.0]], [[-500.0]]]])
    assert cross_entropy(Pixels(logits, torch.tensor([[[1]]]), VOID)).item() == pytest.approx(1000)


def test_focal_of_two_classes_equals_torchvisions() -> None:
    generator = torch.Generator().manual_seed(1)
    logit, truth = torch.randn(2, 5, 6, generator=generator), torch.randint(0, 2, (2, 5, 6), generator=generator)
    both = torch.stack([torch.zeros_like(logit), logit], dim=1)  # softmax of (0, z) is sigmoid of z
    for alpha in (0.25, 0.6):
        expected = sigmoid_focal_loss(logit, truth.float(), alpha=alpha, gamma=2.0, reduction="mean")
        torch.testing.assert_close(focal(Pixels(both, truth, VOID), alpha=alpha), expected)
    expected = sigmoid_focal_loss(logit, truth.float(), alpha=-1, gamma=1.5, reduction="mean")
    torch.testing.assert_close(focal(Pixels(both, truth, VOID), gamma=1.5), expected)


def test_focal_without_gamma_is_cross_entropy() -> None:
    pixels = drawn()
    weighted = with_logits(pixels, pixels.logits, torch.tensor([0.5, 2.0, 3.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(focal(weighted, gamma=0), cross_entropy(weighted))


def test_alpha_is_for_two_classes() -> None:
    with pytest.raises(OptionError, match=r"there are 4.*class_weights"):
        focal(drawn(), alpha=0.25)


def test_ohem_keeps_the_pixels_below_the_threshold_and_the_hardest() -> None:
    chances = torch.tensor([0.9, 0.8, 0.6, 0.3, 0.1])  # of the true class
    logits = torch.stack([chances.log(), (1 - chances).log()])[None, :, None]
    pixels = Pixels(logits, torch.zeros(1, 1, 5, dtype=torch.long), VOID)
    surprise = [-math.log(chance) for chance in chances.tolist()]
    assert ohem(pixels, threshold=0.5, min_kept=0).item() == pytest.approx(sum(surprise[3:]) / 2)
    assert ohem(pixels, threshold=0.5, min_kept=0.6).item() == pytest.approx(sum(surprise[2:]) / 3)
    assert ohem(pixels, threshold=0.01, min_kept=0.2).item() == pytest.approx(surprise[4])
    assert ohem(pixels, threshold=0.01, min_kept=0).item() == 0


def test_regions_by_hand() -> None:
    # class 0: 1 shared, 1 miss, 1 false alarm; class 1: 2 shared, 1 miss, 1 false alarm
    pixels = certain([0, 1, 0, 1, 1], [0, 0, 1, 1, 1])
    assert dice(pixels, smooth=0).item() == pytest.approx(1 - (2 / 4 + 4 / 6) / 2)
    assert jaccard(pixels, smooth=0).item() == pytest.approx(1 - (1 / 3 + 2 / 4) / 2)
    misses = certain([0, 0, 0], [0, 1, 1])  # class 0: 1 shared, 2 false alarms; class 1: 2 misses
    assert tversky(misses, alpha=0.5, beta=1, smooth=0).item() == pytest.approx(1 - (1 / 2 + 0) / 2)
    assert focal_tversky(misses, alpha=0.5, beta=1, gamma=2, smooth=0).item() == pytest.approx((0.5**0.5 + 1) / 2)


def test_tversky_holds_dice_and_jaccard() -> None:
    pixels = drawn()
    torch.testing.assert_close(tversky(pixels, alpha=0.5, beta=0.5, smooth=0), dice(pixels, smooth=0))
    torch.testing.assert_close(tversky(pixels, alpha=1, beta=1, smooth=0), jaccard(pixels, smooth=0))
    torch.testing.assert_close(focal_tversky(pixels, gamma=1), tversky(pixels))


def test_absent_classes_do_not_count_in_regions() -> None:
    pixels = certain([0, 1, 2], [0, 1, VOID], classes=3)
    for loss in (dice, jaccard, tversky):
        assert loss(pixels, smooth=0).item() == pytest.approx(0, abs=1e-6)


def test_dice_equals_that_of_segmentation_models() -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    pixels = drawn(void=False)
    reference = smp.losses.DiceLoss("multiclass", classes=[0, 1, 2], smooth=0.0, eps=0.0)
    torch.testing.assert_close(dice(pixels, smooth=0), reference(pixels.logits, pixels.classes))


def sorted_lovasz(pixels: Pixels) -> Tensor:
    """The paper's algorithm 1, class by class, by sorting."""
    chances = pixels.logits.softmax(1).transpose(0, 1).flatten(1)[:, (pixels.classes != VOID).flatten()]
    truth = pixels.classes[pixels.classes != VOID]
    losses = []
    for one in truth.unique():
        own = (truth == one).double()
        errors, order = (own - chances[one]).abs().sort(descending=True)
        union = own.sum() + (1 - own[order]).cumsum(0)
        jaccards = 1 - (own.sum() - own[order].cumsum(0)) / union
        losses.append((errors * jaccards.diff(prepend=jaccards.new_zeros(1))).sum())
    return torch.stack(losses).mean()


@pytest.mark.slow
def test_lovasz_without_shared_bins_equals_the_sorted_one() -> None:
    pixels = drawn()
    logits = pixels.logits.clone().requires_grad_()
    expected = sorted_lovasz(with_logits(pixels, logits))
    value = lovasz(with_logits(pixels, logits), bins=10**7)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits))


@pytest.mark.parametrize("bins", [16, 256, 4096])
def test_lovasz_in_bins_is_off_by_less_than_one_bin(bins: int) -> None:
    pixels = drawn(size=(96, 128))
    assert abs(lovasz(pixels, bins=bins) - sorted_lovasz(pixels)).item() < 1 / bins


def test_lovasz_equals_that_of_segmentation_models() -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    pixels = drawn(void=False)
    reference = smp.losses.LovaszLoss("multiclass", per_image=False)
    logits = pixels.logits.float()
    torch.testing.assert_close(lovasz(with_logits(pixels, logits), bins=10**7), reference(logits, pixels.classes))


def test_lovasz_of_certain_predictions_is_one_minus_the_mean_iou() -> None:
    pixels = certain([0, 1, 0, 1, 1], [0, 0, 1, 1, 1])
    assert lovasz(pixels).item() == pytest.approx(1 - (1 / 3 + 2 / 4) / 2)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"ohem"}))  # which picks its pixels within each part
def test_parts_of_a_batch_give_the_loss_and_the_gradient_of_the_whole(name: str) -> None:
    pixels = drawn()
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0], dtype=torch.float64)
    logits = pixels.logits.clone().requires_grad_()
    expected = Term(name)(with_logits(pixels, logits, weights))
    (whole,) = torch.autograd.grad(expected, logits)
    totals: list[Tensor] = []
    gradients = []
    for seen_through in (False, False, True):  # sums may follow from sums, so that they are right the second time
        noted: list[list[Tensor]] = [[], []]
        for part, own in enumerate(noted):
            known = iter(totals)

            def gather(value: Tensor, follows: bool, own: list[Tensor] = own, known: Iterator[Tensor] = known) -> Tensor:
                own.append(value.detach())
                total = next(known, value.detach())
                return total + value - value.detach()

            some = slice(part, part + 1)
            logits = pixels.logits[some].clone().requires_grad_()
            assert pixels.distances is not None
            with gathering(gather):
                value = Term(name)(Pixels(logits, pixels.classes[some], VOID, weights, pixels.distances[some]))
            if seen_through:
                torch.testing.assert_close(value, expected)
                gradients.append(torch.autograd.grad(value, logits)[0])
        totals = [one + other for one, other in zip(*noted, strict=True)]
    torch.testing.assert_close(torch.cat(gradients), whole)
