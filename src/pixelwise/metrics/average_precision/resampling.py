"""Average precision of many drawn data sets at once, from match tables in which each image stands several times.

All draws share one order of objects, so nothing is sorted or matched again. For each class and threshold only the right
objects make the curve; how many count before each is one product of a sparse matrix (right objects by images) with the
draws. A draw that holds an image w times scores as a data set in which w images are the same: where objects of a class in
an image have equal scores, the copies of the image take turns, so these are laid out copy by copy.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pixelwise.core.arrays import AnyArray, BoolArray, FloatArray, IntArray
from pixelwise.metrics.average_precision.accumulation import TINY, TWELVE, outcomes
from pixelwise.metrics.average_precision.tables import AREAS, LIMITS, RECALLS, THRESHOLDS, Counts, Ranking, ranking

_CHUNK = 2**22  # numbers of one kind held at once


class _Layout(NamedTuple):
    """The objects of all images, those that the copies of an image repeat in turns laid out copy by copy.

    Attributes:
        ranked: (D,) objects.
        columns: (D,) the column of ``times`` that says how often each object stands there in a draw.
        times: (C, B) for each image its weight in each draw, then for copies 1, 2 … whether there is such a copy.
        objects: (4, L, B) true objects that count.
    """

    ranked: Ranking
    columns: IntArray
    times: IntArray
    objects: IntArray


def draws(counts: Counts, weights: IntArray) -> Iterator[tuple[dict[str, FloatArray], dict[str, FloatArray]]]:
    """Score data sets in which image n stands ``weights[b, n]`` times, some at a time: the twelve (b,), and classes (L, b)."""
    ranked, most = ranking(counts), int(weights.max(initial=1))
    spread, copies = _laid_out(ranked, most)
    wide = max(len(counts.images) * (most + 1), len(AREAS) * len(counts.labels), int(ranked.objects[0].sum()), 1)
    step = max(1, _CHUNK // wide)
    for start in range(0, len(weights), step):
        part = np.ascontiguousarray(weights[start : start + step].T, np.int32)
        times = np.concatenate([part, *(part >= copy for copy in range(1, most + 1))])
        layout = _Layout(spread, spread.images + len(part) * copies, times, _objects(counts, part))
        yield _scores(layout)


def _laid_out(ranked: Ranking, most: int) -> tuple[Ranking, IntArray]:
    """Repeat tied objects of one class and image for each of ``most`` copies; give the copy of each object, 0 for all."""
    group = np.lexsort((ranked.images, ranked.scores, ranked.classes))
    keys = np.stack([ranked.classes, ranked.scores, ranked.images])[:, group]
    begins = np.ones(len(group), bool)
    begins[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    number = np.cumsum(begins) - 1
    is_tied = np.zeros(len(group), bool)
    is_tied[group] = np.bincount(number)[number] > 1 if len(group) else False
    rows = np.repeat(np.arange(len(group)), np.where(is_tied, most, 1))
    place = np.zeros(len(group), np.int64)  # where the first object stands that each is tied with
    place[group] = np.minimum.reduceat(group, np.flatnonzero(begins))[number] if len(group) else 0
    starts = np.cumsum(np.append(0, np.where(is_tied, most, 1)))[:-1]
    copies = np.where(is_tied[rows], np.arange(len(rows)) - starts[rows] + 1, 0)
    order = np.lexsort((rows, copies, place[rows]))
    rows, copies = rows[order], copies[order]
    return (
        ranked._replace(
            classes=ranked.classes[rows],
            scores=ranked.scores[rows],
            matched=ranked.matched[:, rows],
            ignored=ranked.ignored[:, rows],
            images=ranked.images[rows],
            ranks=ranked.ranks[rows],
        ),
        copies,
    )


def _objects(counts: Counts, times: IntArray) -> IntArray:
    """Add up the true objects (4, L, B) of the images, each as often as it is drawn."""
    found = np.zeros((len(AREAS), len(counts.labels), times.shape[1]), np.int64)
    for one, own in zip(counts.images, times, strict=True):
        found[:, one.true_classes] += one.objects[:, :, None] * own.astype(np.int64)
    return found


def _scores(layout: _Layout) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Score the draws of one layout."""
    precision: dict[str, FloatArray] = {}
    recall: dict[tuple[str, int], FloatArray] = {}
    for area, name in enumerate(AREAS):
        right, wrong = outcomes(layout.ranked, area, np.arange(len(layout.columns)))
        precision[name] = np.stack([_precision(*pair, layout, area) for pair in zip(right, wrong, strict=True)])
        for limit in LIMITS if name == "all" else LIMITS[-1:]:
            recall[name, limit] = _recall(right & (layout.ranked.ranks < limit), layout, area)
    scores = {}
    for name, (kind, iou, region, limit) in TWELVE.items():
        table = precision[region] if kind == "precision" else recall[region, limit]
        scores[name] = _mean(table if iou is None else table[iou == THRESHOLDS])
    classes = {
        "ap": precision["all"].mean(axis=0),
        "ap50": precision["all"][THRESHOLDS == 0.5][0],
        "ap75": precision["all"][THRESHOLDS == 0.75][0],
        "ar100": recall["all", LIMITS[-1]].mean(axis=0),
    }
    return scores, classes


def _precision(right: BoolArray, wrong: BoolArray, layout: _Layout, area: int) -> FloatArray:
    """Give the mean precision over recalls (L, B) at one threshold; NaN for classes without objects that count."""
    objects, places = layout.objects[area], np.flatnonzero(right)
    homes = layout.ranked.classes[places]
    is_here = (objects > 0).any(axis=1)
    places, homes = places[is_here[homes]], homes[is_here[homes]]
    total = np.zeros(objects.shape)
    if places.size:
        tops = _running(layout.times[layout.columns[places]], homes)
        bottoms = _running(_counted_between(places, homes, right | wrong, layout), homes)
        precision = _best_from_here(tops / (bottoms + TINY), homes)
        reached = _recalls_up_to(tops / np.maximum(objects[homes], 1))  # without objects: masked below
        new = np.diff(reached, axis=0, prepend=0)
        firsts = np.flatnonzero(np.diff(homes, prepend=-1))
        new[firsts] = reached[firsts]
        total[homes[firsts]] = np.add.reduceat(precision * new, firsts, axis=0)
    return np.where(objects > 0, total / len(RECALLS), np.nan)


def _counted_between(places: IntArray, homes: IntArray, counted: BoolArray, layout: _Layout) -> IntArray:
    """Count the objects (P, B) of the class after the right one before, up to and with each right one."""
    rows = np.flatnonzero(counted)
    ends = np.searchsorted(places, rows)
    is_before = ends < len(places)
    rows, ends = rows[is_before], ends[is_before]
    is_own = homes[ends] == layout.ranked.classes[rows]
    rows, ends = rows[is_own], ends[is_own]
    return _added(ends, layout.columns[rows], len(places), layout.times)


def _added(homes: IntArray, columns: IntArray, count: int, times: IntArray) -> IntArray:
    """Add up the rows ``columns`` of ``times`` by their homes, which rise: (count, B)."""
    from scipy import sparse  # on first use: looking metrics up stays light

    ends = np.searchsorted(homes, np.arange(count + 1))
    steps = sparse.csr_array((np.ones(len(homes), np.int32), columns, ends), shape=(count, len(times)))
    return np.asarray(steps @ times)


def _running(steps: IntArray, homes: IntArray) -> IntArray:
    """Add up (P, B) from the first row of each class."""
    sums = np.cumsum(steps, axis=0)
    firsts = np.flatnonzero(np.diff(homes, prepend=-1))
    before = np.concatenate([np.zeros((1, sums.shape[1]), sums.dtype), sums])[firsts]
    return np.asarray(sums - np.repeat(before, np.diff(np.append(firsts, len(homes))), axis=0))


def _recalls_up_to(recall: FloatArray) -> IntArray:
    """Count the recalls not above each value; as ``searchsorted`` would, in a third of its time."""
    steps = (recall * (len(RECALLS) - 1)).astype(np.intp)  # at most one off
    steps -= RECALLS[steps] > recall
    steps += np.append(RECALLS, np.inf)[steps + 1] <= recall
    return steps + 1


def _best_from_here(values: FloatArray, homes: IntArray) -> FloatArray:
    """Give the highest of the values (P, B) from each row on to the last of its class."""
    firsts = np.flatnonzero(np.diff(homes, prepend=-1))
    for first, last in zip(firsts.tolist(), np.append(firsts[1:], len(homes)).tolist(), strict=True):
        own = values[first:last]
        np.maximum.accumulate(own[::-1], axis=0, out=own[::-1])
    return values


def _recall(right: BoolArray, layout: _Layout, area: int) -> FloatArray:
    """Give the share of objects found (T, L, B); NaN for classes without objects that count."""
    objects, classes = layout.objects[area], layout.ranked.classes
    found = [_added(classes[row], layout.columns[row], len(objects), layout.times) for row in right]
    shares = np.stack(found)
    known = np.broadcast_to(objects > 0, shares.shape)
    return np.asarray(np.divide(shares, objects, out=np.full(shares.shape, np.nan), where=known))


def _mean(table: AnyArray) -> FloatArray:
    """Average (T, L, B) over thresholds and the classes that have objects."""
    known = ~np.isnan(table)
    number = known.sum(axis=(0, 1))
    total = np.where(known, table, 0.0).sum(axis=(0, 1))
    return np.asarray(np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0))
