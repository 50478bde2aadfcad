"""Mean field inference in a fully connected CRF [1]: labels of pixels that are alike, or near, draw each other.

The energy of a labelling x of N pixels is sum_i -log P_i(x_i) + sum_(i < j) [x_i != x_j] (a A_ij + s S_ij), where A is a
Gaussian in place and colour, and S one in place. Both are scaled by 1 / sqrt(d_i d_j) with d the row sums, as in the authors'
program, so that a weight says the same for small and large images. Mean field repeats Q = softmax(log P + a A Q + s S Q). A
pixel's own share in the sums is kept: it is below 2 % with the usual widths.

[1] Krähenbühl and Koltun: Efficient inference in fully connected CRFs with Gaussian edge potentials, NeurIPS 2011.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.methods.effort import advance
from pixelwise.refine.lattice import gaussian

LEAST = np.float32(1e-5)  # probability of a class that a network rules out


class Pull(NamedTuple):
    """How pixels draw each other.

    Attributes:
        appearance: weight of the kernel of place and colour.
        reach: its standard deviation in pixels.
        colour: its standard deviation in levels of 255.
        smoothness: weight of the kernel of place alone.
        near: its standard deviation in pixels.
    """

    appearance: float
    reach: float
    colour: float
    smoothness: float
    near: float


def mean_field(probabilities: FloatArray, colours: FloatArray, pull: Pull, rounds: int) -> FloatArray:
    """Give the marginals (L, H, W) after so many rounds, from probabilities (L, H, W) and colours (H, W, C) of 0 to 255."""
    length, height, width = probabilities.shape
    total = np.float32(pull.appearance + pull.smoothness)
    known = np.ascontiguousarray(probabilities.reshape(length, -1).T, np.float32)
    evidence = np.log(np.maximum(known, LEAST))
    evidence -= total  # the sums of messages stay below it, so that exp cannot overflow
    alike = gaussian(_features(colours, pull)) if pull.appearance else None
    nearness = _Nearness((height, width), pull.near) if pull.smoothness else None
    marginals = _normalised(known)
    for done in range(rounds):
        message = evidence.copy()
        if alike is not None:
            found = alike.sums(marginals)
            found *= np.float32(pull.appearance)
            message += found
        if nearness is not None:
            nearness.add_to(message, marginals, np.float32(pull.smoothness))
        marginals = _normalised(np.exp(message, out=message))
        advance((done + 1) / rounds)
    return np.ascontiguousarray(marginals.T).reshape(length, height, width)


def _features(colours: FloatArray, pull: Pull) -> FloatArray:
    height, width, bands = colours.shape
    found = np.empty((height, width, 2 + bands), np.float32)
    found[:, :, 0] = (np.arange(height, dtype=np.float32) / pull.reach)[:, None]
    found[:, :, 1] = np.arange(width, dtype=np.float32) / pull.reach
    found[:, :, 2:] = colours / np.float32(pull.colour)
    return found.reshape(-1, 2 + bands)


def _normalised(values: FloatArray) -> FloatArray:
    """Divide the rows (N, L) by their sums, in place."""
    values /= (values @ np.ones((values.shape[1], 1), np.float32)) + np.float32(1e-38)
    return values


class _Nearness:
    """The kernel of place alone: a blur, as pixels lie on a grid."""

    def __init__(self, size: Size, deviation: float) -> None:
        self._size = size
        taps = np.arange(2 * int(np.ceil(3 * deviation)) + 1, dtype=np.float32)
        self._kernel = np.exp(-0.5 * ((taps - len(taps) // 2) / np.float32(deviation)) ** 2)
        weights = self._blurred(np.ones((size[0] * size[1], 1), np.float32))
        self._norm = 1 / np.sqrt(weights)

    def add_to(self, message: FloatArray, marginals: FloatArray, weight: np.float32) -> None:
        blurred = self._blurred(marginals * self._norm)
        blurred *= self._norm * weight
        message += blurred

    def _blurred(self, values: FloatArray) -> FloatArray:
        image = values.reshape(*self._size, -1)
        found = cv2.sepFilter2D(image, cv2.CV_32F, self._kernel, self._kernel, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(found).reshape(values.shape)
