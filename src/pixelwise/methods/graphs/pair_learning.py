"""Learn from people's segmentations how likely two touching regions belong apart: a logistic regression on the pair's cues.

Pairs are collected while a tree is merged, so that they are of all sizes. What is learned of a pair is the share of pairs of
pixels, one from each region, that a person put apart, the mean over the persons who segmented the image: the probability that
the Rand index [1] is about. A network with two hidden layers on the same cues was no better on photographs it had not seen.

[1] Unnikrishnan, Pantofaru and Hebert, Toward Objective Evaluation of Image Segmentation Algorithms, PAMI 2007.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.graphs.pair_weights import RULE, PairWeights
from pixelwise.methods.graphs.region_cues import cues
from pixelwise.methods.graphs.region_graph import AREA, RegionGraph
from pixelwise.methods.graphs.region_tree import rounds

GraphOf: TypeAlias = Callable[[Image], tuple[IntArray, RegionGraph]]


class Pairs(NamedTuple):
    """P pairs of regions: cues (P, F), what share of them people put apart (P,), and how much each counts (P,)."""

    cues: FloatArray
    apart: FloatArray
    counts: FloatArray


def learned_from(dataset: Dataset, graph_of: GraphOf, sample: int, seed: int) -> PairWeights:
    """Learn from every truth of every image of ``dataset``; images that cannot be read are passed over.

    Args:
        dataset: what to learn from.
        graph_of: gives the superpixels (h, w) of an image, maybe of fewer pixels, and their graph.
        sample: pairs to learn from, an equal share from each image.
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
        made = list(rounds(graph, RULE))
        share = -(-sample // (len(dataset) * max(len(made), 1)))
        found += [pairs_of(each.graph, each.regions, truths, share, rng) for each in made]
    pairs = Pairs(*(np.concatenate(parts) for parts in zip(*found, strict=True))) if found else None
    if pairs is None or not len(pairs.apart):
        raise DataError(f"{dataset.name}: found no pair of labelled regions to learn from{broken}")
    return fit(pairs)


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


def fit(pairs: Pairs) -> PairWeights:
    """Regress; a pair that half of all people part counts half as parted and half as joined."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean, deviation = pairs.cues.mean(axis=0, dtype=np.float64), pairs.cues.std(axis=0, dtype=np.float64) + 1e-3
    scaled = (pairs.cues - mean) / deviation
    parted, counts = np.repeat([True, False], len(scaled)), pairs.counts / pairs.counts.mean()
    with threadpool_limits(1):  # sums in one order: the same weights on every machine with the same libraries
        found = LogisticRegression(C=1.0, max_iter=300).fit(
            np.concatenate([scaled, scaled]),
            parted,
            sample_weight=np.concatenate([counts * pairs.apart, counts * (1 - pairs.apart)]),
        )
    weights = found.coef_[0] / deviation
    return PairWeights(weights.astype(np.float32), float(found.intercept_[0] - weights @ mean))
