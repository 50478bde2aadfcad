"""Decision trees as plain arrays: grown by scikit-learn, kept without pickle, and asked without it.

What the arrays answer equals what scikit-learn's own trees answer, number for number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray

Learner: TypeAlias = Literal["forest", "boosting"]
_CHUNK = 2**14  # pixels sent down the trees at once: their places stay in the cache
_RATE = 0.1  # by which a boosted tree corrects the ones before it


@dataclass(frozen=True, eq=False)
class Trees:
    """T trees of N nodes in all, which give scores of K classes.

    Attributes:
        learner: how scores become probabilities: of a ``forest`` their mean, of ``boosting`` the softmax of their sum.
        classes: (K,) the numbers of the classes.
        roots: (T,) the first node of each tree.
        feature: (N,) which feature a node asks for; 0 at a leaf.
        level: (N,) at most this goes left.
        children: (2 N,) the left and the right node after each; a leaf is followed by itself.
        leaf: (N,) the row of a leaf in ``values``; 0 at other nodes.
        values: (M, K) the scores of the leaves.
        depth: nodes on the way to a leaf, at most.
    """

    learner: str
    classes: IntArray
    roots: IntArray
    feature: IntArray
    level: FloatArray
    children: IntArray
    leaf: IntArray
    values: FloatArray
    depth: int

    def __call__(self, features: FloatArray) -> FloatArray:
        """Give the probabilities (P, K) of pixels of features (F, P)."""
        count = features.shape[1]
        found = np.zeros((count, len(self.classes)))
        for start in range(0, count, _CHUNK):
            found[start : start + _CHUNK] = self._sums(features[:, start : start + _CHUNK])
        if self.learner == "forest":
            return found / len(self.roots)
        if len(self.classes) == 2:  # the trees tell the odds of the second class
            second = 1 / (1 + np.exp(-found[:, 1]))
            return np.stack([1 - second, second], axis=1)
        powers = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _sums(self, features: FloatArray) -> FloatArray:
        """Add up the leaves that pixels (F, P) end in, tree by tree: (P, K)."""
        count = features.shape[1]
        flat = np.ascontiguousarray(features, np.float32).ravel()  # a feature after the other: neighbours lie side by side
        starts = self.feature.astype(np.int64) * count  # where the feature of a node begins
        places = np.arange(count)
        sums = np.zeros((count, len(self.classes)))
        for root in self.roots.tolist():
            node = np.full(count, root, np.int64)
            for _ in range(self.depth):
                is_above = np.take(flat, np.take(starts, node) + places) > np.take(self.level, node)
                node = np.take(self.children, 2 * node + is_above)
            sums += np.take(self.values, np.take(self.leaf, node), axis=0)
        return sums


def grown(
    features: FloatArray, classes: IntArray, learner: Learner, trees: int, depth: int, leaf: int, seed: int, threads: int
) -> Trees:
    """Grow trees that tell the classes (P,) of pixels of features (P, F) apart.

    Args:
        features, classes: what to learn from.
        learner: ``forest`` grows each tree on a draw of the pixels, ``boosting`` on what the trees before it got wrong.
        trees: how many; boosting grows as many for each class, if there are more than two.
        depth: of a tree at most.
        leaf: pixels in a leaf at least.
        seed: of the draws.
        threads: used by a forest.
    """
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

    known = np.unique(classes)
    if len(known) == 1 and learner == "boosting":
        learner = "forest"  # boosting has nothing to correct in one class
    if learner == "forest":
        forest = RandomForestClassifier(trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed, n_jobs=threads)
        forest.fit(features, classes)
        return joined(forest.estimators_, [one.tree_.value[:, 0, :] for one in forest.estimators_], learner, known)
    boosting = GradientBoostingClassifier(
        n_estimators=trees, max_depth=depth, min_samples_leaf=leaf, learning_rate=_RATE, init="zero", random_state=seed
    )
    boosting.fit(features, classes)
    grid = boosting.estimators_  # (trees, 1 for two classes or K)
    values = []
    for row in grid:
        for column, one in enumerate(row):
            scores = np.zeros((one.tree_.node_count, len(known)))
            scores[:, column if len(known) > 2 else 1] = _RATE * one.tree_.value[:, 0, 0]
            values.append(scores)
    return joined(grid.ravel().tolist(), values, learner, known)


def joined(estimators: Sequence[Any], values: Sequence[FloatArray], learner: Learner, classes: IntArray) -> Trees:
    """Join scikit-learn's trees, with the scores (n, K) of the nodes of each, into one set of arrays."""
    parts = [one.tree_ for one in estimators]
    counts = np.array([part.node_count for part in parts])
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]])
    own = np.arange(counts.sum())
    offsets = np.repeat(roots, counts)
    left, right = (np.concatenate([getattr(part, f"children_{side}") for part in parts]) for side in ("left", "right"))
    is_leaf = left < 0
    children = np.stack([np.where(is_leaf, own, left + offsets), np.where(is_leaf, own, right + offsets)], axis=1)
    leaf = np.where(is_leaf, np.cumsum(is_leaf) - 1, 0)
    return Trees(
        learner,
        np.asarray(classes, np.int64),
        roots.astype(np.int64),
        np.where(is_leaf, 0, np.concatenate([part.feature for part in parts])).astype(np.int16),
        _rounded_down(np.concatenate([part.threshold for part in parts])),
        children.ravel().astype(np.int64),
        leaf.astype(np.int32),
        np.concatenate(values)[is_leaf],
        int(max(part.max_depth for part in parts)),
    )


def _rounded_down(levels: FloatArray) -> FloatArray:
    """Give the largest 32-bit numbers that are not above ``levels``: features of 32 bits fall on the same side of both."""
    near = levels.astype(np.float32)
    return np.where(near > levels, np.nextafter(near, np.float32(-np.inf)), near)
