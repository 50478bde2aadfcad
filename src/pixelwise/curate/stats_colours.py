"""The mean colour of each class, from some images spread over a data set: colours need the photographs decoded."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.progress import Progress
from pixelwise.curate.stats_image import classes_at, points, shown_classes
from pixelwise.curate.stats_pass import shown_labels, spread
from pixelwise.draw.colours import rgb_bytes

_POINTS = 256  # a side, at which image and class map are looked at
_TOGETHER = 16  # images a round, so that memory does not grow with the set


def mean_colours(dataset: Dataset, most: int, progress: Progress | None = None) -> tuple[dict[int, Colour], int]:
    """Average the colour of each shown class over at most ``most`` images; give with it how many could be looked at.

    Means are of sRGB values as stored. Images that cannot be read are passed over: counting tells them.
    """
    shown = shown_labels(dataset)
    if dataset.kind == "regions":
        return {}, 0
    sums: FloatArray = np.zeros((len(shown), 4))
    seen = 0
    rows = spread(len(dataset), most)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(rows), _TOGETHER):
            for found in pool.map(lambda row: _sums(dataset[row], shown), rows[start : start + _TOGETHER]):
                if found is not None:
                    sums += found
                    seen += 1
            if progress is not None:
                progress("colours", min(start + _TOGETHER, len(rows)), len(rows))
    held = np.flatnonzero(sums[:, 3])
    means = np.rint(sums[held, :3] / sums[held, 3:]).astype(int).tolist()
    return {int(index): (red, green, blue) for index, (red, green, blue) in zip(held, means, strict=True)}, seen


def _sums(sample: Sample, shown: LabelSet) -> FloatArray | None:
    """Add up red, green and blue of each class, and count its points: (L, 4)."""
    try:
        truths, _ = sample.salvaged()
        if not truths:
            return None
        pixels = rgb_bytes(sample.image)
    except (PixelwiseError, OSError):
        return None
    truth = truths[0]
    if truth.size != pixels.shape[:2] or 0 in truth.size:
        return None
    rows, columns = points(truth.size, _POINTS)
    picked = pixels[rows[:, None], columns].reshape(-1, 3)
    sums = np.zeros((len(shown), 4))
    if truth.kind == "multilabel":
        for place, index in enumerate(shown_classes(truth, shown).tolist()):
            there = truth.masks.mask(place)[rows[:, None], columns].ravel()
            sums[index] += [*picked[there].sum(axis=0), there.sum()]
        return sums
    seen = classes_at(truth, shown, rows, columns).ravel()
    for band, weights in enumerate(_bands(picked)):
        sums[:, band] = np.bincount(seen, weights, len(shown))[: len(shown)]
    return sums


def _bands(picked: IntArray) -> Iterator[IntArray | None]:
    yield from (picked[:, band] for band in range(3))
    yield None  # counts the points themselves
