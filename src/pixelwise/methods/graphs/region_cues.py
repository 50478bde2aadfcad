"""Describe how two touching regions differ: along their border, in what they hold, and in size.

Differences of histograms are chi-squared distances [1]. Lengths, areas and amounts go in as logarithms, so that twice as much
means the same everywhere.

[1] Martin, Fowlkes and Malik, Learning to detect natural image boundaries using local brightness, color, and texture cues, PAMI
    2004.
"""

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.methods.graphs.region_graph import (
    AREA,
    CALM_SQUARE,
    COLOUR,
    FINE,
    FINE_SQUARE,
    FRAME,
    LENGTH,
    MEANS,
    SQUARES,
    RegionGraph,
    X,
    Y,
)

CUES = (
    *("border_1", "border_2", "border_4", "border_8", "border_texture", "calm_1", "calm_2", "uneven_1", "uneven_calm"),
    *("lightness", "colour", "distance", "distance_to_spread", "spread_low", "spread_high"),
    *("chi_lightness", "chi_a", "chi_b", "chi_joint", "chi_slopes", "chi_surround"),
    *("area_low", "area_high"),
    *("length", "share_high", "share_low", "length_to_side", "frame_low", "frame_high"),
    *("inner_low", "inner_high", "border_to_inner"),
    *("border_to_weakest", "border_to_weaker"),
    *("down", "across"),
)


def cues(graph: RegionGraph) -> FloatArray:
    """Describe each pair of neighbours (E,) by the numbers named in ``CUES``: (E, F), float32.

    Nothing in them depends on which region is first.
    """
    border = graph.borders[:, MEANS] / graph.borders[:, LENGTH, None]
    columns = [*_along(graph, border), *_colours(graph), *_histograms(graph), *_sizes(graph)]
    columns += [*_insides(graph, border[:, 0]), *_places(graph)]
    return np.stack(columns, axis=1).astype(np.float32, copy=False)


def _along(graph: RegionGraph, border: FloatArray) -> list[FloatArray]:
    """Tell how strong the border is at each scale, and how uneven."""
    length = graph.borders[:, LENGTH]
    fine, calm = border[:, 0], border[:, 5]
    uneven = np.sqrt(np.maximum(graph.borders[:, FINE_SQUARE] / length - fine**2, 0)) / (fine + 0.5)
    uneven_calm = np.sqrt(np.maximum(graph.borders[:, CALM_SQUARE] / length - calm**2, 0)) / (calm + 0.1)
    return [*np.log1p(border[:, :5]).T, calm, border[:, 6], uneven, uneven_calm]


def _colours(graph: RegionGraph) -> list[FloatArray]:
    """Tell how far apart the mean colours are, absolutely and beside the spread of colours within."""
    area = graph.sums[:, AREA, None]
    means = graph.sums[:, COLOUR] / area
    spread = np.sqrt(np.maximum(graph.sums[:, SQUARES] / area - means**2, 0).sum(axis=1) + 1)
    first, second = graph.pairs.T
    apart = means[first] - means[second]
    distance = np.sqrt((apart**2).sum(axis=1))
    low, high = _low_high(np.log1p(spread), graph)
    beside = np.log1p(distance / np.sqrt(spread[first] * spread[second]))
    return [np.abs(apart[:, 0]), np.hypot(apart[:, 1], apart[:, 2]), np.log1p(distance), beside, low, high]


def _histograms(graph: RegionGraph) -> list[FloatArray]:
    shares = graph.histograms / graph.sums[:, AREA, None]
    first, second = shares[graph.pairs[:, 0]], shares[graph.pairs[:, 1]]
    differences = (first - second) ** 2 / (first + second + np.float32(1e-6))
    return list(np.sqrt(np.add.reduceat(differences, graph.starts, axis=1) / 2).T)


def _sizes(graph: RegionGraph) -> list[FloatArray]:
    pixels = graph.size[0] * graph.size[1]
    length, frame = graph.borders[:, LENGTH], graph.sums[:, FRAME]
    inside = np.bincount(graph.pairs.T.ravel(), np.tile(length, 2), len(graph)).astype(np.float32)
    areas, around = _low_high(graph.sums[:, AREA], graph), _low_high(inside, graph)
    return [
        *(np.log(area / pixels) for area in areas),
        np.log(length / np.sqrt(pixels)),
        length / around[0],
        length / around[1],
        np.log(length / np.sqrt(areas[0])),
        *_low_high(frame / (inside + frame), graph),
    ]


def _insides(graph: RegionGraph, fine: FloatArray) -> list[FloatArray]:
    """Tell how much changes within, and how weak the border is beside the weakest border that either region has."""
    low, high = _low_high(np.log1p(graph.sums[:, FINE] / graph.sums[:, AREA]), graph)
    border = np.log1p(fine)
    weakest = np.full(len(graph), np.inf, np.float32)
    for side in graph.pairs.T:
        np.minimum.at(weakest, side, border)
    weak_low, weak_high = _low_high(weakest, graph)
    return [low, high, border - high, border - weak_low, border - weak_high]


def _places(graph: RegionGraph) -> list[FloatArray]:
    middle = graph.sums[:, [Y, X]] / graph.sums[:, AREA, None] / np.array(graph.size, np.float32)
    return list(np.abs(middle[graph.pairs[:, 0]] - middle[graph.pairs[:, 1]]).T)


def _low_high(values: FloatArray, graph: RegionGraph) -> tuple[FloatArray, FloatArray]:
    """Give the lower and the higher of the values (R,) of each pair's regions."""
    first, second = values[graph.pairs[:, 0]], values[graph.pairs[:, 1]]
    return np.minimum(first, second), np.maximum(first, second)
