"""Learn from people's segmentations how likely two touching regions belong apart: a small network on the pair's cues.

Pairs are collected while a tree is merged, so that they are of all sizes. What is learned of a pair is the share of pairs of
pixels, one from each region, that a person put apart, the mean over the persons who segmented the image: the probability that
the Rand index [1] is about. The network has two hidden layers, is trained by Adam [2] on cross-entropy, and takes a few
kilobytes.

[1] Unnikrishnan, Pantofaru and Hebert, Toward Objective Evaluation of Image Segmentation Algorithms, PAMI 2007.
[2] Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.effort import advance
from pixelwise.methods.graphs.region_cues import CUES, cues
from pixelwise.methods.graphs.region_graph import AREA, RegionGraph
from pixelwise.methods.graphs.region_tree import rounds

GraphOf: TypeAlias = Callable[[Image], tuple[IntArray, RegionGraph]]
Weigh: TypeAlias = Callable[[RegionGraph], FloatArray]
_HIDDEN = (32, 16)
_BATCH = 1024
_REACH = 4.0  # deviations from the mean at which a cue is cut off: nothing is known beyond


class Pairs(NamedTuple):
    """P pairs of regions: cues (P, F), what share of them people put apart (P,), and how much each counts (P,)."""

    cues: FloatArray
    apart: FloatArray
    counts: FloatArray


@dataclass(frozen=True, eq=False)
class PairWeights:
    """What was learned.

    Attributes:
        mean, deviation: (F,) of the cues.
        layers: the weights (in, out) and offsets (out,) of each layer.
    """

    mean: FloatArray
    deviation: FloatArray
    layers: tuple[tuple[FloatArray, FloatArray], ...]

    def __call__(self, found: FloatArray) -> FloatArray:
        """Give the probability (P,) that pairs of such cues (P, F) belong apart."""
        return 1 / (1 + np.exp(-_forward(self.layers, _scaled(found, self.mean, self.deviation))[-1][:, 0]))


def learned_from(dataset: Dataset, graph_of: GraphOf, weigh: Weigh, sample: int, epochs: int, seed: int) -> PairWeights:
    """Learn from every truth of every image of ``dataset``; images that cannot be read are passed over.

    Args:
        dataset: what to learn from.
        graph_of: gives the superpixels (h, w) of an image, maybe of fewer pixels, and their graph.
        weigh: merges the trees that pairs are collected from.
        sample: pairs to learn from, an equal share from each image.
        epochs: passes over them.
        seed: of what is drawn.

    Raises:
        DataError: there is nothing to learn from.
    """
    rng = np.random.default_rng(seed)
    found, broken = [], ""
    for one in dataset:
        try:
            ids, graph = graph_of(one.image)
            truths = [shared_pixels(ids, _segments(truth)) for truth in one.truths]
        except PixelwiseError as error:
            broken = f" ({error})"
            continue
        made = list(rounds(graph, weigh))
        share = -(-sample // (len(dataset) * max(len(made), 1)))
        found += [pairs_of(each.graph, each.regions, truths, share, rng) for each in made]
    pairs = Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True))) if found else None
    if pairs is None or not len(pairs.apart):
        raise DataError(f"{dataset.name}: found no pair of labelled regions to learn from{broken}")
    return fit(pairs, epochs, seed)


def _segments(truth: Segmentation) -> IntArray:
    """Give the segment (H, W) of each pixel, from 1; 0 is unknown: what is under no segment, and crowds."""
    ids = truth.panoptic_ids()
    return np.where(np.append(False, truth.is_crowd)[ids], 0, ids)


def shared_pixels(ids: IntArray, segments: IntArray) -> FloatArray:
    """Count the pixels (N, T) that each of N superpixels (h, w) shares with each segment (H, W), from 1; 0 is no segment."""
    if segments.shape != ids.shape:
        rows, columns = (np.arange(few) * many // few for few, many in zip(ids.shape, segments.shape, strict=True))
        segments = segments[rows[:, None], columns]
    count, number = int(ids.max()) + 1, int(segments.max()) + 1
    codes = ids.ravel() * number + segments.ravel()
    return np.bincount(codes, minlength=count * number).reshape(count, number)[:, 1:].astype(np.float64)


def pairs_of(graph: RegionGraph, regions: IntArray, truths: Sequence[FloatArray], rows: int, rng: np.random.Generator) -> Pairs:
    """Draw at most ``rows`` pairs of a graph.

    Args:
        graph: of R regions.
        regions: (N,) the region of each superpixel.
        truths: of each person, the pixels (N, T) that a superpixel shares with each segment; those it shares with none are
            unknown.
        rows: how many.
        rng: draws them.
    """
    chosen = np.sort(rng.choice(len(graph.pairs), min(rows, len(graph.pairs)), replace=False))
    first, second = graph.pairs[chosen].T
    apart, known = np.zeros(len(chosen)), np.zeros(len(chosen))
    for truth in truths:
        shared = np.zeros((len(graph), truth.shape[1]))
        np.add.at(shared, regions, truth)
        labelled = shared.sum(axis=1)
        shares = shared / np.maximum(labelled, 1)[:, None]
        told = np.minimum(*(labelled[side] / graph.sums[side, AREA] for side in (first, second))) > 0.5
        apart += told * (1 - (shares[first] * shares[second]).sum(axis=1))
        known += told
    smaller = np.minimum(graph.sums[first, AREA], graph.sums[second, AREA]) / (graph.size[0] * graph.size[1])
    counts = known / len(truths) * np.sqrt(smaller)  # a wrong merge of large regions costs more
    is_known = known > 0
    return Pairs(cues(graph)[chosen][is_known], (apart / np.maximum(known, 1))[is_known].astype(np.float32), counts[is_known])


def fit(pairs: Pairs, epochs: int, seed: int) -> PairWeights:
    """Train the network; the same pairs and seed give the same."""
    rng = np.random.default_rng(seed)
    mean, deviation = pairs.cues.mean(axis=0), pairs.cues.std(axis=0) + np.float32(1e-3)
    inputs, counts = _scaled(pairs.cues, mean, deviation), pairs.counts / pairs.counts.mean()
    widths = (len(CUES), *_HIDDEN, 1)
    layers = [
        (rng.normal(0, np.sqrt(2 / fan), (fan, out)).astype(np.float32), np.zeros(out, np.float32))
        for fan, out in itertools.pairwise(widths)
    ]
    learner = _Adam([part for layer in layers for part in layer])
    steps, step = epochs * -(-len(inputs) // _BATCH), 0
    for _ in range(epochs):
        order = rng.permutation(len(inputs))
        for start in range(0, len(order), _BATCH):
            advance(step / steps)
            rows = order[start : start + _BATCH]
            step += 1
            rate = 6e-3 * min(1, 10 * step / steps) * (1 - step / (steps + 1))
            learner.step(_slopes(layers, inputs[rows], pairs.apart[rows], counts[rows]), rate)
    return PairWeights(mean, deviation, tuple(layers))


def _scaled(found: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    return np.clip((found - mean) / deviation, -_REACH, _REACH)


def _forward(layers: Sequence[tuple[FloatArray, FloatArray]], inputs: FloatArray) -> list[FloatArray]:
    """Give what each layer gives, the inputs first; the last are log odds (P, 1)."""
    given = [inputs]
    for place, (weights, offsets) in enumerate(layers):
        values = given[-1] @ weights + offsets
        given.append(values if place == len(layers) - 1 else np.maximum(values, 0))
    return given


def _slopes(
    layers: Sequence[tuple[FloatArray, FloatArray]], inputs: FloatArray, apart: FloatArray, counts: FloatArray
) -> list[FloatArray]:
    """Give the slope of the mean cross-entropy for each array of weights and offsets, in order."""
    given = _forward(layers, inputs)
    back = ((1 / (1 + np.exp(-given[-1][:, 0])) - apart) * counts / len(inputs))[:, None].astype(np.float32)
    found: list[FloatArray] = []
    for place in range(len(layers) - 1, -1, -1):
        found = [given[place].T @ back, back.sum(axis=0), *found]
        back = (back @ layers[place][0].T) * (given[place] > 0)
    return found


class _Adam:
    """Adam with decay of weights [2], on arrays in place."""

    def __init__(self, arrays: list[FloatArray], decay: float = 1e-3) -> None:
        self.arrays, self.decay, self.count = arrays, decay, 0
        self.first, self.second = ([np.zeros_like(one) for one in arrays] for _ in range(2))

    def step(self, slopes: list[FloatArray], rate: float) -> None:
        self.count += 1
        ahead = [1 - power**self.count for power in (0.9, 0.999)]
        for array, slope, first, second in zip(self.arrays, slopes, self.first, self.second, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            array -= rate * (first / ahead[0] / (np.sqrt(second / ahead[1]) + 1e-8) + self.decay * array)
