"""Make whole objects of their pieces.

An object that some tile shows whole is taken from that tile, and from no other: of several, from the one in which it lies
furthest from the borders. Any other object is put together: each pixel is decided by the tile in which it lies most central,
its core, if that tile has found the object at all, and else by the tiles that have. An object's score is the mean of its
pieces' scores, weighted by the pixels that each of them gave: what a tile shows badly counts for as little in the score as in
the mask.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.grid import Tile
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.run_windows import Strokes, gathered
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.tiles.matching import Matcher, Rules
from pixelwise.predict.tiles.pieces import Pieces, all_given, core, pieces_of, together, window


def join_instances(found: Iterable[tuple[Tile, Segmentation]], size: Size, labels: LabelSet, rules: Rules) -> Segmentation:
    """Join the instances of tiles, which come row by row, over (H, W); best scores first."""
    matcher, parts, laid = Matcher(rules), [], []
    for number, (tile, one) in enumerate(found):
        parts.append(pieces_of(one, tile, number, size, rules.margin))
        matcher.add(tile, parts[-1])
        laid.append(tile)
    pieces, objects = together(parts), matcher.objects()
    del parts, matcher  # they hold all strokes once more
    kept = np.flatnonzero(~pieces.is_rim)
    pieces, objects = pieces.take(kept), objects[kept]
    rows, windows = _shares(pieces, objects, laid, size)
    shares = pieces.strokes.take(rows).cut(windows)
    return _instances(pieces, objects, rows, shares, size, labels)


def join_multilabel(found: Iterable[tuple[Tile, Segmentation]], size: Size, labels: LabelSet) -> Segmentation:
    """Join the masks of classes that may overlap: each pixel is decided by the tile in whose core it lies."""
    strokes, classes, scores = [], [np.zeros(0, np.int64)], []
    for tile, one in found:
        strokes.append(Strokes.of(one.masks.run_lengths()).moved(tile.top, tile.left).cut(core(tile)))
        classes.append(one.class_ids)
        scores += [one.scores] if len(one) else []
    parts, ids = gathered(strokes), np.concatenate(classes)
    present = np.unique(ids[parts.areas() > 0])
    rows = np.flatnonzero(np.isin(ids, present))
    places = np.searchsorted(present, ids[rows])
    masks = OverlappingMasks(parts.take(rows).union(places, len(present), size), size)
    weights = parts.areas()[rows]
    means = _means(np.concatenate(scores)[rows], weights, places, len(present)) if all_given(scores) else None
    return Segmentation("multilabel", masks, present, labels, means)


def _shares(pieces: Pieces, objects: IntArray, laid: Sequence[Tile], size: Size) -> tuple[IntArray, IntArray]:
    """Choose what each piece gives to its object: (N,) rows of pieces, and (N, 4) windows of which they give all they have."""
    windows, cores = (np.array([place(tile) for tile in laid], np.int64).reshape(-1, 4) for place in (window, core))
    whole = _seen_whole(pieces, objects, windows, size)
    is_put_together = np.ones(int(objects.max(initial=-1)) + 1, bool)
    is_put_together[objects[whole]] = False
    others = np.flatnonzero(is_put_together[objects])
    near = [_meeting(cores, own) for own in windows]
    counts = np.array([len(each) for each in near], np.int64)[pieces.tiles[others]]
    rows = np.repeat(others, counts)
    deciding = np.concatenate([np.zeros(0, np.int64), *(near[tile] for tile in pieces.tiles[others].tolist())]).astype(np.int64)
    has_found = np.unique(objects * np.int64(len(laid)) + pieces.tiles)
    own = deciding == pieces.tiles[rows]
    gives = own | ~np.isin(objects[rows] * np.int64(len(laid)) + deciding, has_found)
    rows, deciding = rows[gives], deciding[gives]
    return np.append(whole, rows), np.concatenate([windows[pieces.tiles[whole]], cores[deciding]])


def _meeting(boxes: IntArray, own: IntArray) -> IntArray:
    """List the boxes (N, 4) that share pixels with one (4,)."""
    return np.flatnonzero(((boxes[:, :2] < own[2:]) & (own[:2] < boxes[:, 2:])).all(axis=1))


def _seen_whole(pieces: Pieces, objects: IntArray, windows: IntArray, size: Size) -> IntArray:
    """Choose the piece of each object that is the whole of it, where there is one: at most one an object.

    It is the only one, or ends before its tile does, and no other piece of the object lies beyond its tile.
    """
    count = int(objects.max(initial=-1)) + 1
    low, high = np.full((count, 2), np.iinfo(np.int64).max), np.zeros((count, 2), np.int64)
    np.minimum.at(low, objects, pieces.boxes[:, :2])
    np.maximum.at(high, objects, pieces.boxes[:, 2:])
    own = windows[pieces.tiles]
    room = np.concatenate([low[objects] - own[:, :2], own[:, 2:] - high[objects]], axis=1)
    is_alone = np.bincount(objects, minlength=count)[objects] == 1
    rows = np.flatnonzero(is_alone | ~pieces.is_cut & (room >= 0).all(axis=1))
    at_edge = own == np.array([0, 0, size[1], size[0]])  # nothing lies beyond the edge of the image
    clear = np.where(at_edge, np.iinfo(np.int64).max, room).min(axis=1)
    rows = rows[np.lexsort((-clear[rows], objects[rows]))]
    return rows[np.unique(objects[rows], return_index=True)[1]]


def _instances(
    pieces: Pieces, objects: IntArray, rows: IntArray, shares: Strokes, size: Size, labels: LabelSet
) -> Segmentation:
    """Make the segmentation of the shares that pieces at ``rows`` give to their objects."""
    areas = shares.areas()
    present, places = np.unique(objects[rows][areas > 0], return_inverse=True)
    rows, shares, areas = rows[areas > 0], shares.take(np.flatnonzero(areas)), areas[areas > 0]
    count = len(present)
    means = None if pieces.scores is None else _means(pieces.scores[rows], areas, places, count)
    weights = areas if pieces.scores is None else areas * pieces.scores[rows]
    groups = _prevailing(pieces.groups[rows], weights, places, count)
    order = np.arange(count) if means is None else np.argsort(-means, kind="stable")
    ranks = np.argsort(order)
    masks = OverlappingMasks(shares.union(ranks[places], count, size), size)
    crowd = (groups % 2).astype(bool)[order]
    return Segmentation(
        "instance",
        masks,
        groups[order] // 2,
        labels,
        None if means is None else means[order],
        crowd if crowd.any() else None,
    )


def _prevailing(groups: IntArray, weights: AnyArray, places: IntArray, count: int) -> IntArray:
    """Give the group (count,) of the most weight at each place; at first places the smaller one of two alike."""
    keys, which = np.unique(np.stack([places, groups]), axis=1, return_inverse=True)
    sums = np.bincount(which.ravel(), weights, keys.shape[1])
    order = np.lexsort((-keys[1], sums, keys[0]))
    found = np.zeros(count, np.int64)
    found[keys[0][order]] = keys[1][order]  # the last one written has the most
    return found


def _means(scores: FloatArray, weights: IntArray, places: IntArray, count: int) -> FloatArray:
    """Take the mean of scores at each of ``count`` places, by weight."""
    sums, totals = (np.bincount(places, each, count) for each in (scores * weights, weights))
    return np.clip(sums / np.maximum(totals, 1), 0, 1)
