"""Against imbalance: weights of classes in the loss, and how often images of rare classes are drawn."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.core.sample import Dataset, Sample

WeightRule: TypeAlias = Literal["none", "log", "median"]


def class_weights(rule: WeightRule, shares: FloatArray, presence: FloatArray | None = None) -> tuple[float, ...] | None:
    """Weigh classes against their imbalance; a class without pixels gets 0, the others 1 in the mean.

    Args:
        rule: ``log``: 1 / ln(1.02 + share), ENet's [1], which goes up to 50 for the rarest; ``median``: median frequency /
            frequency [2], in which a class's frequency is its share of the pixels of those images that hold it; ``none``.
        shares: (L,) share of the labelled pixels of each class.
        presence: (L,) share of the images that hold it, for ``median``; None takes all to be in all.

    >>> [round(weight, 2) for weight in class_weights("median", np.array([0.5, 0.3, 0.2]))]
    [0.58, 0.97, 1.45]

    Raises:
        OptionError: no class has a pixel.

    [1] Paszke et al., ENet, 2016, arXiv 1606.02147, section 5.2.
    [2] Eigen, Fergus, Predicting Depth, Surface Normals and Semantic Labels, ICCV 2015, section 4.3.
    """
    if rule == "none":
        return None
    present = shares > 0
    if not present.any():
        raise OptionError("classes cannot be weighed by their pixels: the training masks hold no labelled pixel")
    if rule == "log":
        weights = 1 / np.log(1.02 + shares)
    else:
        frequency = shares if presence is None else shares / np.where(present, presence, 1)
        weights = 1 / np.where(present, frequency, 1)  # the median is a factor of all, and the mean is set below
    weights = np.where(present, weights, 0)
    return tuple(float(weight) for weight in weights / weights[present].mean())


def repeat_factors(presence: BoolArray, rare_share: float) -> FloatArray:
    """Give how much more often than an image of common classes alone each image is to be drawn [1].

    A class that a share f of the images holds wants max(1, sqrt(rare_share / f)); an image wants what its rarest class does.

    Args:
        presence: (N, L), which images hold which classes.
        rare_share: a class held by fewer of the images is rare.

    >>> repeat_factors(np.array([[1, 0], [1, 0], [1, 0], [1, 1]], bool), rare_share=1.0)
    array([1., 1., 1., 2.])

    [1] Gupta, Dollár, Girshick, LVIS: A Dataset for Large Vocabulary Instance Segmentation, CVPR 2019, appendix B.
    """
    held = presence.mean(axis=0)
    wanted = np.sqrt(np.maximum(1.0, rare_share / np.maximum(held, 1 / len(presence))))
    return np.max(np.where(presence, wanted, 1.0), axis=1, initial=1.0)


@lru_cache(maxsize=2)  # a run and its trial ask for the same set
def class_presence(dataset: Dataset) -> BoolArray:
    """Say which images hold which classes, (N, L); every mask is read."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        rows = list(pool.map(_held, dataset))
    return np.array(rows, bool).reshape(len(dataset), len(dataset.labels))


def _held(sample: Sample) -> BoolArray:
    held = np.zeros(sample.labels.void + 1, bool)
    held[np.unique(sample.truth.class_map())] = True
    return held[: len(sample.labels)].copy()
