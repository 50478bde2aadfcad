"""J and F of two masks by the published rule, plainly, and drawn masks to try it on.

[1] Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016.
"""

import math

import numpy as np

SIZE = (40, 60)


def plain_border(mask):
    """Mark where a pixel differs from the one to the right, below, or to the lower right; nothing lies beyond the edge."""
    wider = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, across = wider[:-1, 1:].copy(), wider[1:, :-1].copy(), wider[1:, 1:].copy()
    across[-1], across[:, -1] = mask[-1], mask[:, -1]
    return (mask != right) | (mask != below) | (mask != across)


def plain_j(truth, prediction):
    """Give the region similarity of [1], section 4; two empty masks are equal."""
    either = (truth | prediction).sum()
    return (truth & prediction).sum() / either if either else 1.0


def plain_f(truth, prediction):
    """Give the contour accuracy of the same section, by dilating whole frames with a disk of 0.8 % of the diagonal."""
    from skimage.morphology import dilation, disk

    reach = disk(math.ceil(0.008 * np.linalg.norm(truth.shape)))
    true, predicted = plain_border(truth), plain_border(prediction)
    if not (true.any() and predicted.any()):
        return float(true.any() == predicted.any())
    precision = (predicted & (dilation(true, reach) > 0)).sum() / predicted.sum()
    recall = (true & (dilation(predicted, reach) > 0)).sum() / true.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blob(rng, size=SIZE):
    """Draw a mask of any shape: some parts, holes and specks, now and then nothing."""
    rough = np.kron(rng.random((size[0] // 5, size[1] // 5)), np.ones((5, 5)))
    return (rough < rng.choice([0.0, 0.02, 0.1, 0.5])) ^ (rng.random(size) < rng.choice([0, 0.01]))


def perturbed(mask, rng):
    moved = np.roll(mask, rng.integers(-4, 5, 2), axis=(0, 1))
    return moved ^ (rng.random(mask.shape) < 0.002)
