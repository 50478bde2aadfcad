"""Cross entropy that weighs pixels near the borders between classes."""

import cv2
import numpy as np
import torch
from torch import Tensor

from pixelwise.core.arrays import AnyArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.models.losses.pixels import Pixels
from pixelwise.models.losses.whole import over_batch


def boundary(pixels: Pixels, *, weight: float = 10.0, sigma: float = 5.0) -> Tensor:
    """Give the cross entropy with each pixel weighted by 1 + weight exp(-d**2 / (2 sigma**2)), d its distance to a border.

    U-Net's weight map [1, equation 2] for class maps: they hold no instances, so that d, the distance to the nearest border
    between two classes, stands for the distances to the two nearest cells. The weighted mean is of cross entropy's scale.

    Args:
        weight: at a border, over the 1 far from it.
        sigma: how far it reaches, in pixels.

    [1] Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015, arXiv 1505.04597.
    """
    if weight < 0 or sigma <= 0:
        raise OptionError(f"boundary: expected a weight of at least 0 and a sigma above 0, got {weight} and {sigma}")
    if pixels.distances is None:
        raise OptionError("boundary: the targets hold no distances to borders; make them with a head of this loss")
    near = torch.exp(-(pixels.distances.to(pixels.surprise.dtype) ** 2) / (2 * sigma**2))
    weights = pixels.pixel_weights * (1 + weight * near)
    return over_batch((pixels.surprise * weights).sum()) / over_batch(weights.sum()).clamp_min(1e-12)


def border_distances(classes: AnyArray, void: int) -> FloatArray:
    """Give the distance of each pixel of a class map (H, W) to the nearest one with a neighbour of another class.

    Void has no border: what lies behind it is not known. Without any border all are far: twice the
    sum of the sides.

    >>> border_distances(np.array([[0, 0, 0, 1, 1, 255, 0]], np.uint8), 255)
    array([[2., 1., 0., 0., 1., 2., 3.]], dtype=float32)
    """
    far = np.ones(classes.shape, np.uint8)
    across = _differ(classes[:, 1:], classes[:, :-1], void)
    down = _differ(classes[1:], classes[:-1], void)
    far[:, 1:][across] = far[:, :-1][across] = 0
    far[1:][down] = far[:-1][down] = 0
    if far.all():
        return np.full(classes.shape, 2.0 * sum(classes.shape), np.float32)
    distances: FloatArray = cv2.distanceTransform(far, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distances


def _differ(one: AnyArray, other: AnyArray, void: int) -> AnyArray:
    return (one != other) & (one != void) & (other != void)
