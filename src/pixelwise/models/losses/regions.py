"""Losses of the overlap between predicted and true regions: Dice, Jaccard, Tversky, focal Tversky.

All are functions of three sums a class, taken over the whole batch, so that a class with few pixels in one image is not
judged on those alone; and all are averaged over the classes that the batch's truth holds.
"""

from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.losses.evidence import Evidence


def dice(pixels: Evidence, *, smooth: float = 1.0) -> Tensor:
    """Give 1 - the soft Dice coefficient [1].

    Args:
        smooth: pixels added to numerator and denominator.

    [1] Milletari et al., V-Net, 3DV 2016, section 3.
    """
    _check("dice", smooth)
    coefficient = (2 * pixels.shared + smooth) / (pixels.predicted + pixels.pixels + smooth)
    return _mean(pixels, 1 - coefficient)


def jaccard(pixels: Evidence, *, smooth: float = 1.0) -> Tensor:
    """Give 1 - the soft intersection over union [1].

    [1] Rahman, Wang, Optimizing Intersection-Over-Union in Deep Neural Networks, ISVC 2016.
    """
    _check("jaccard", smooth)
    union = pixels.predicted + pixels.pixels - pixels.shared
    return _mean(pixels, 1 - (pixels.shared + smooth) / (union + smooth))


def tversky(pixels: Evidence, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0) -> Tensor:
    """Give 1 - the Tversky index, in which false alarms weigh ``alpha`` and misses ``beta`` [1].

    0.5 and 0.5 is Dice, 1 and 1 Jaccard; a larger ``beta`` asks for recall.

    [1] Salehi, Erdogmus, Gholipour, Tversky Loss Function for Image Segmentation, MLMI 2017.
    """
    return _mean(pixels, 1 - _tversky_index("tversky", pixels, alpha, beta, smooth))


def focal_tversky(
    pixels: Evidence, *, alpha: float = 0.3, beta: float = 0.7, gamma: float = 4 / 3, smooth: float = 1.0
) -> Tensor:
    """Give (1 - the Tversky index) ** (1 / gamma) of each class: above 1, ``gamma`` turns to classes that are nearly right [1].

    [1] Abraham, Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net, ISBI 2019, equation 4.
    """
    if gamma <= 0:
        raise OptionError(f"focal_tversky: expected a gamma above 0, got {gamma}")
    loss = 1 - _tversky_index("focal_tversky", pixels, alpha, beta, smooth)
    return _mean(pixels, loss.clamp_min(1e-6) ** (1 / gamma))  # the root's slope at 0 is endless


def _tversky_index(name: str, pixels: Evidence, alpha: float, beta: float, smooth: float) -> Tensor:
    _check(name, smooth)
    if alpha < 0 or beta < 0 or alpha + beta == 0:
        raise OptionError(f"{name}: expected an alpha and a beta of at least 0, not both 0, got {alpha} and {beta}")
    alarms, misses = pixels.predicted - pixels.shared, pixels.pixels - pixels.shared
    return (pixels.shared + smooth) / (pixels.shared + alpha * alarms + beta * misses + smooth)


def _check(name: str, smooth: float) -> None:
    if smooth < 0:
        raise OptionError(f"{name}: expected a smooth of at least 0, got {smooth}")


def _mean(pixels: Evidence, losses: Tensor) -> Tensor:
    """Average over the classes in the truth; none gives 0."""
    present = pixels.pixels > 0
    return losses.where(present, 0).sum() / present.sum().clamp_min(1)
