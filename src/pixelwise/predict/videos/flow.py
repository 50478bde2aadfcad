"""Where each pixel of a frame was in the frame before: dense optical flow [1] at a reduced size.

Large frames are reduced first: the flow of a pixel is much like that of its neighbours, and costs by the pixel.

[1] Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016: OpenCV's implementation. Frames too small for it
take Farnebäck's: Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pixelwise.core.arrays import AnyArray, ByteArray, FloatArray, Size
from pixelwise.core.image import GREY, RGB, Image

_SIDE = 640  # pixels of the longer side on which the flow is found
_LEAST = 16  # pixels of a side that the inverse search needs
_UNLIKE = 0.08  # change of grey, in [0, 1], at which a pixel is hardly the one that it was


def grey_of(image: Image, side: int = _SIDE) -> ByteArray:
    """Give an image in grey (h, w) uint8, reduced so that its longer side is ``side`` at most."""
    if image.bands == GREY or set(RGB) <= set(image.bands):
        grey = image.to_bands(GREY).bytes()[:, :, 0]
    else:
        grey = np.asarray(image.bytes()[:, :, :3].mean(axis=2), np.uint8)
    scale = side / max(grey.shape)
    if scale >= 1:
        return np.ascontiguousarray(grey)
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, eq=False)
class Flow:
    """The flow from a frame to the one before.

    Attributes:
        steps: (H, W, 2) right and down, in pixels of the frame: a pixel was at its place plus its step.
        trust: (H, W) in [0, 1]: 1 where the pixel there looks the same, 0 where it looks other or lies outside.
    """

    steps: FloatArray
    trust: FloatArray

    def carried(self, values: AnyArray, interpolation: int = cv2.INTER_LINEAR) -> AnyArray:
        """Carry values (H, W) of the frame before to this one; what comes from outside is 0."""
        height, width = self.steps.shape[:2]
        across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        return np.asarray(
            cv2.remap(
                values, across + self.steps[:, :, 0], down + self.steps[:, :, 1], interpolation, None, cv2.BORDER_CONSTANT, 0
            )
        )


def flow_between(now: ByteArray, before: ByteArray, size: Size) -> Flow:
    """Find the flow of a frame of (H, W) from it and the one before, both in grey at one reduced size (h, w).

    >>> before = np.zeros((40, 40), np.uint8)
    >>> before[10:20, 10:20] = np.random.default_rng(0).integers(60, 255, (10, 10))
    >>> flow = flow_between(np.roll(before, 3, axis=1), before, (40, 40))
    >>> np.abs(flow.steps[12:18, 15:21] - (-3, 0)).max() < 0.5
    np.True_
    """
    steps = _steps(now, before)
    trust = _trust(now, before, steps)
    if size == now.shape:
        return Flow(steps, trust)
    steps = cv2.resize(steps, size[::-1], interpolation=cv2.INTER_LINEAR)
    steps *= np.array([size[1] / now.shape[1], size[0] / now.shape[0]], np.float32)
    return Flow(steps, np.asarray(cv2.resize(trust, size[::-1], interpolation=cv2.INTER_LINEAR)))


def _steps(now: ByteArray, before: ByteArray) -> FloatArray:
    if min(now.shape) >= _LEAST:
        return np.asarray(cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(now, before, None), np.float32)
    nothing = np.zeros((*now.shape, 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(now, before, nothing, 0.5, 1, 5, 3, 5, 1.1, 0), np.float32)


def _trust(now: ByteArray, before: ByteArray, steps: FloatArray) -> FloatArray:
    """Trust a pixel by how little it changed on its way, over its neighbourhood, as noise is no change."""
    there = Flow(steps, steps[:, :, 0])
    found = there.carried(before.astype(np.float32))
    inside = there.carried(np.ones(now.shape, np.float32))
    change = cv2.blur(np.abs(found - now), (5, 5)) / 255
    return np.asarray(inside * np.exp(-((change / _UNLIKE) ** 2)), np.float32)
