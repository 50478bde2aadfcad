"""The Lovász-softmax loss, without sorting: errors are counted into fine bins, whose order is known."""

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.losses.whole import over_batch


def lovasz(pixels: Pixels, *, bins: int = 4096) -> Tensor:
    """Give the Lovász-softmax loss, a surrogate of 1 - mean IoU, over the classes that the batch's truth holds [1].

    Each pixel's error in a class (1 - p where it is of it, p where not) weighs what the Jaccard loss grows by when that pixel
    joins those of larger error. In place of a sort, errors of one bin are taken to come evenly mixed: the value is then off
    by less than 1 / bins, and where no two errors share a bin it is exact.

    Args:
        bins: of the errors in [0, 1].

    [1] Berman, Rannen Triki, Blaschko, The Lovász-Softmax Loss, CVPR 2018.
    """
    if bins < 1:
        raise OptionError(f"lovasz: expected at least one bin, got {bins}")
    probabilities = pixels.probabilities
    with torch.no_grad():
        gains, offset = _gains(pixels, bins)
    return over_batch((probabilities * gains).sum() + offset, follows=True)


def _gains(pixels: Pixels, bins: int) -> tuple[Tensor, Tensor]:
    """Give the gradient of the loss by every probability (N, L, H, W), and what the loss is where all of those are 0.

    A pixel's error falls with the probability of its own class: its weight is subtracted there, and added to the offset.
    """
    probabilities, truth = pixels.probabilities, pixels.truth
    classes = probabilities.shape[1]
    index = torch.where(pixels.labelled, truth, 0).unsqueeze(1)
    hits = probabilities.gather(1, index).squeeze(1)
    misses = truth * bins + _bin(1 - hits, bins)  # void has rows of its own, behind those of the classes
    everywhere = torch.stack([torch.bincount(_bin(one, bins).flatten(), minlength=bins) for one in probabilities.unbind(1)])
    taken = _count(truth * bins + _bin(hits, bins), classes, bins)
    everywhere[:, 0] -= (~pixels.labelled).sum()  # where the probabilities are 0
    counts = over_batch(torch.stack([_count(misses, classes, bins), everywhere - taken]).double())
    of_own, of_others = (weights.to(probabilities.dtype) for weights in _weights(counts[0], counts[1]))
    gains = torch.stack([table[_bin(one, bins)] for table, one in zip(of_others, probabilities.unbind(1), strict=True)], dim=1)
    own = torch.cat([of_own.flatten(), of_own.new_zeros(bins)])[misses]
    gains.scatter_(1, index, -own.unsqueeze(1))
    return gains, own.sum()


def _bin(errors: Tensor, bins: int) -> Tensor:
    return (errors * bins).long().clamp_(0, bins - 1)


def _count(places: Tensor, classes: int, bins: int) -> Tensor:
    return torch.bincount(places.flatten(), minlength=(classes + 1) * bins)[: classes * bins].view(classes, bins)


def _weights(own: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Give the weight of an error in each bin (L, B), for pixels of the class and for others, from the counts of both.

    The bins are gone through from the largest error down. On the way through one that holds a of the class and b others,
    from an intersection I and a union U, share s of it leaves I - s a and U + s b. The Jaccard loss, 1 - I / U, grows by
    1 / U with a pixel of the class and by I / U**2 with another one; the weights are the means of these for s from 0 to 1.
    """
    total = own.sum(dim=1, keepdim=True)
    own, others = own.flip(1), others.flip(1)
    left, union = total - own.cumsum(1), total + others.cumsum(1)
    left_before, union_before = left + own, (union - others).clamp_min(1)
    of_own = torch.where(others > 0, torch.log1p(others / union_before) / others.clamp_min(1), 1 / union_before)
    grown = left_before / union_before - left / union.clamp_min(1)
    of_others = (grown - own * of_own) / others.clamp_min(1)
    share = (total > 0) / (total > 0).sum().clamp_min(1)  # of each class in the truth in the mean
    return (of_own * share).flip(1), (of_others * share).flip(1)
