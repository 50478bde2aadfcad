"""Clusters as centres: every pixel takes the nearest one."""

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray, Size
from pixelwise.core.masks import smallest_dtype
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.partition import as_regions

_MANY = 32  # centres from which on a tree is faster than looking at each


def by_centres(points: Points, centres: FloatArray, notes: tuple[str, ...] = ()) -> Segmentation:
    """Make regions of the pixels nearest to each of the centres (K, F), from dark to bright."""
    ordered = centres[np.argsort(points.brightness(centres), kind="stable")].astype(np.float32)
    return as_regions(points.labelled(lambda values: nearest(values, ordered), len(ordered)), (*points.notes, *notes))


def one_region(size: Size) -> Segmentation:
    """Make one region of all pixels of an image of (H, W)."""
    return as_regions(np.zeros(size, np.uint8))


def nearest(values: FloatArray, centres: FloatArray) -> IntArray:
    """Give the number (N,) of the centre (K, F) nearest to each of the values (N, F); the first of equals."""
    if len(centres) > _MANY:
        from scipy.spatial import KDTree

        return np.asarray(KDTree(centres).query(values)[1])
    best = np.full(len(values), np.inf, np.float32)
    places = np.zeros(len(values), smallest_dtype(len(centres)))
    for index, centre in enumerate(centres):  # a pass a centre: argmin along a short axis is several times slower
        distances = values @ (-2 * centre) + centre @ centre  # |x|^2 is the same for every centre and left out
        closer = distances < best
        places[closer] = index
        np.minimum(best, distances, out=best)
    return places
