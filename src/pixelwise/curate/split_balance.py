"""Deal groups out to splits so that each gets its fraction of the images and of every class's pixels.

First iterative stratification [1], with pixels in the place of labels: the rarest class first, its largest groups first, each
to the split that lacks that class most and has room. Then pairs of groups change places as long as that brings the shares
nearer to what was asked.

[1] Sechidis, Tsoumakas, Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray

_TRIES = 40_000  # changes of places tried
_MOST_CLASSES = 256  # that are watched: the rarest, as frequent ones come out even by themselves
_WEIGHT_OF_IMAGES = 4.0  # to the mean class
_ABSENT = 3.0  # for a class that a split lacks, where 1 is that of having twice what was asked


def deal_out(pixels: IntArray, sizes: IntArray, fractions: FloatArray, seed: int) -> IntArray:
    """Choose the split (G,) of each group.

    Args:
        pixels: (G, L) of each class in each group.
        sizes: (G,) images of each group.
        fractions: (S,) of the images each split is to have; they add up to 1.
        seed: of the order among equals.

    >>> pixels = np.array([[9, 0], [9, 0], [0, 1], [0, 1]])
    >>> splits = deal_out(pixels, np.ones(4, int), np.array([0.5, 0.5]), seed=0)
    >>> sorted(splits[:2].tolist()), sorted(splits[2:].tolist())
    ([0, 1], [0, 1])
    """
    rng = np.random.default_rng([seed, 11])
    order = rng.permutation(len(sizes))
    shares = _shares(pixels)
    splits = np.empty(len(sizes), np.int64)
    splits[order] = _greedy(shares[order], sizes[order], fractions)
    _fill_empty(splits, sizes, len(fractions))
    return _refined(splits, shares, sizes, fractions, rng)


def _shares(pixels: IntArray) -> FloatArray:
    """Give each group's share of each watched class: (G, L)."""
    held = (pixels > 0).sum(axis=0)
    watched = [index for index in np.argsort(held, kind="stable") if held[index] > 0][:_MOST_CLASSES]
    kept = pixels[:, sorted(watched)].astype(np.float64)
    return np.asarray(kept / np.maximum(kept.sum(axis=0), 1))


def _greedy(shares: FloatArray, sizes: IntArray, fractions: FloatArray) -> IntArray:
    splits = np.full(len(sizes), -1, np.int64)
    lacks = np.tile(fractions[:, None], (1, shares.shape[1]))
    room = fractions * sizes.sum()
    held = shares > 0
    waiting = np.ones(len(sizes), bool)
    remaining = held.sum(axis=0)
    while waiting.any():
        open_classes = np.flatnonzero(remaining > 0)
        if len(open_classes):
            rarest = int(open_classes[np.argmin(remaining[open_classes])])
            rows = np.flatnonzero(waiting & held[:, rarest])
            rows = rows[np.argsort(-shares[rows, rarest], kind="stable")]
        else:
            rarest = None
            rows = np.flatnonzero(waiting)
            rows = rows[np.argsort(-sizes[rows], kind="stable")]
        for row in rows:
            fits = room >= min(sizes[row], room.max())
            need = room / np.maximum(fractions, 1e-9) if rarest is None else lacks[:, rarest] / np.maximum(fractions, 1e-9)
            split = max(np.flatnonzero(fits).tolist(), key=lambda one: (round(float(need[one]), 9), float(room[one]), -one))
            splits[row] = split
            lacks[split] -= shares[row]
            room[split] -= sizes[row]
        remaining = remaining - held[rows].sum(axis=0)
        waiting[rows] = False
    return splits


def _fill_empty(splits: IntArray, sizes: IntArray, count: int) -> None:
    """Give a split that got nothing the smallest group of the one with most groups."""
    for split in range(count):
        taken = np.bincount(splits, minlength=count)
        if not taken[split] and taken.max() > 1:
            rows = np.flatnonzero(splits == int(taken.argmax()))
            splits[rows[np.argmin(sizes[rows])]] = split


def _refined(
    splits: IntArray, shares: FloatArray, sizes: IntArray, fractions: FloatArray, rng: np.random.Generator
) -> IntArray:
    """Let groups of different splits change places while what is off gets less."""
    count, total = len(fractions), float(sizes.sum())
    if len(sizes) <= count or not total:
        return splits
    columns = np.concatenate([shares, (sizes / total)[:, None]], axis=1)
    weights = np.append(np.full(shares.shape[1], 1 / max(shares.shape[1], 1)), _WEIGHT_OF_IMAGES)
    sums = np.stack([columns[splits == split].sum(axis=0) for split in range(count)])
    tries = min(_TRIES, 200 * len(sizes))
    for one, other in rng.integers(0, len(sizes), (tries, 2)):
        a, b = splits[one], splits[other]
        if a == b:
            continue
        moved = columns[other] - columns[one]
        pair = np.stack([sums[a] + moved, sums[b] - moved])
        asked = fractions[[a, b]][:, None]
        if _cost(pair, asked, weights) < _cost(sums[[a, b]], asked, weights) - 1e-12:
            splits[one], splits[other] = b, a
            sums[a], sums[b] = pair
    return splits


def _cost(sums: FloatArray, asked: FloatArray, weights: FloatArray) -> float:
    """Weigh what is off: squares of the relative errors, and a class that a split has nothing of counts for more."""
    return float(((((sums - asked) / asked) ** 2 + _ABSENT * (sums < 1e-9)) @ weights).sum())
