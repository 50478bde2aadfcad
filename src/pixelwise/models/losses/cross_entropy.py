"""Losses that average over pixels: cross entropy, focal, and cross entropy of the hard pixels alone."""

import math

import torch
from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.losses.evidence import Evidence
from pixelwise.models.losses.whole import over_batch


def cross_entropy(pixels: Evidence, *, smoothing: float = 0.0) -> Tensor:
    """Give the mean over labelled pixels of -ln p(true class), weighted by class; of multilabel, over pixels and classes.

    Args:
        smoothing: share of the truth that is spread over all classes alike [1].

    [1] Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, section 7.
    """
    if not 0 <= smoothing < 1:
        raise OptionError(f"cross_entropy: expected a smoothing from 0 to below 1, got {smoothing}")
    weights = pixels.pixel_weights
    if not smoothing:
        return _mean(pixels.surprise * weights, weights)
    return over_batch(pixels.smoothed(smoothing)) / over_batch(weights.sum()).clamp_min(_TINY)


def focal(pixels: Evidence, *, gamma: float = 2.0, alpha: float = 0.0) -> Tensor:
    """Give the cross entropy with each pixel's term times (1 - p(true class)) ** gamma: what is learnt weighs little [1].

    Args:
        gamma: 0 gives the cross entropy back.
        alpha: for two classes, the weight of the second one, that of the first being 1 - alpha (of multilabel, those of yes
            and no), and the mean is that of the pixels' terms, as in the paper; 0 leaves it to the class weights.

    [1] Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    if gamma < 0 or not 0 <= alpha < 1:
        raise OptionError(f"focal: expected a gamma of at least 0 and an alpha from 0 to below 1, got {gamma} and {alpha}")
    surprise = pixels.surprise
    terms = surprise * (-torch.expm1(-surprise)).clamp_min(_TINY) ** gamma if gamma else surprise  # 0 ** 0.5 has no slope
    if not alpha:
        return _mean(terms * pixels.pixel_weights, pixels.pixel_weights)
    return _mean(terms * pixels.balance(alpha) * pixels.counted, pixels.counted)


def ohem(pixels: Evidence, *, threshold: float = 0.7, min_kept: float = 0.1) -> Tensor:
    """Give the cross entropy of the hard pixels: those whose true class has a probability below ``threshold`` [1].

    Args:
        threshold: a probability.
        min_kept: the share of the labelled pixels that is kept at least, the hardest first; of each part of a batch that
            comes in parts.

    [1] Shrivastava et al., Training Region-based Object Detectors with Online Hard Example Mining, CVPR 2016; for pixels as
    in Wu, Shen, van den Hengel, High-performance Semantic Segmentation Using Very Deep FCNs, 2016, arXiv 1604.04339.
    """
    if not 0 < threshold <= 1 or not 0 <= min_kept <= 1:
        raise OptionError(
            f"ohem: expected a threshold above 0 and at most 1, and min_kept, a share, from 0 to 1; got {threshold}, {min_kept}"
        )
    surprise = pixels.surprise
    with torch.no_grad():
        labelled = surprise.detach()[pixels.labelled]
        least = math.ceil(min_kept * labelled.numel())
        limit = surprise.new_tensor(-math.log(threshold))
        if least:
            limit = torch.minimum(limit, labelled.kthvalue(labelled.numel() - least + 1).values)
        weights = pixels.pixel_weights * ((surprise > limit) | (surprise == limit) & (least > 0))
    return _mean(surprise * weights, weights)


_TINY = 1e-12


def _mean(terms: Tensor, weights: Tensor) -> Tensor:
    """Divide sums; a batch without a labelled pixel (or of classes that weigh nothing) gives 0."""
    return over_batch(terms.sum()) / over_batch(weights.sum()).clamp_min(_TINY)
