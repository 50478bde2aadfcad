"""Look at a training set: the fingerprint from which the plan is made [1].

Every mask is read, so that no class looks absent; images are read for a spread of at most 64 (their sizes for 400).

[1] The idea is nnU-Net's data fingerprint: Isensee et al., Nature Methods 18, 2021; what is kept of it here suits photographs.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan, pi

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.resources import usable_cores
from pixelwise.core.sample import Dataset, Sample

SIZES, PIXELS = 400, 64  # images whose sizes, and whose pixels, are looked at


@dataclass(frozen=True)
class Facts:
    """What the plan is made from.

    Attributes:
        count: training images.
        size: their median (H, W).
        bands: of the first image.
        depth: its type, ``uint8`` …
        shares: (L,) share of the labelled pixels of each class.
        presence: (L,) share of the images that hold the class.
        widths: (L,) mean width in pixels of what belongs to a class, 2 area / boundary; nan for a class without pixels.
        mean, deviation: of each band, in [0, 1]; empty where the first images differ in bands.
        largest: (H, W) of the image with the most pixels.
        names: of the classes.
        objects: the most that an image holds; of panoptic labels all segments.
        side: the median object's, in pixels: the root of its area; nan without objects.
    """

    count: int
    size: Size
    bands: tuple[str, ...]
    depth: str
    shares: FloatArray
    presence: FloatArray | None = None
    widths: FloatArray | None = None
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    largest: Size = (0, 0)
    names: tuple[str, ...] = ()
    objects: int = 0
    side: float = nan


def look_at(train: Dataset) -> Facts:
    """Look at a training set.

    Raises:
        OptionError: no pixel is labelled, or, where there are no objects to tell apart, only one class is.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        rows = list(pool.map(_looked_at, train))
    pixels = np.array([counts for counts, _, _ in rows], np.float64)
    boundaries = np.sum([edges for _, edges, _ in rows], axis=0)
    areas = np.concatenate([own for _, _, own in rows])
    totals = pixels.sum(axis=0)
    if train.kind == "semantic":
        _refuse_one_class(train, totals)
    elif not totals.any():
        raise OptionError(f"{train.name}: the training images hold no object; look at them with: pixelwise data check")
    sizes = np.array([sample.size for sample in _spread(train, SIZES)])
    middle = (int(np.median(sizes[:, 0])), int(np.median(sizes[:, 1])))
    largest = sizes[np.argmax(sizes.prod(axis=1))]
    chosen = _spread(train, PIXELS if middle[0] * middle[1] < 4_000_000 else PIXELS // 4)
    first = chosen[0].image
    mean, deviation = _statistics(chosen, first.bands)
    with np.errstate(divide="ignore", invalid="ignore"):
        widths = np.where(totals > 0, 2 * totals / np.maximum(boundaries * (pi / 4), 1), np.nan)
    return Facts(
        count=len(train),
        size=middle,
        bands=first.bands,
        depth=first.pixels.dtype.name,
        shares=totals / totals.sum(),
        presence=(pixels > 0).mean(axis=0),
        widths=widths,
        mean=mean,
        deviation=deviation,
        largest=(int(largest[0]), int(largest[1])),
        names=tuple(train.labels.names),
        objects=max(len(own) for _, _, own in rows),
        side=float(np.median(np.sqrt(areas))) if areas.size else nan,
    )


def _spread(train: Dataset, limit: int) -> Dataset:
    """Take at most ``limit`` samples, evenly spaced."""
    return train.take(sorted({round(place) for place in np.linspace(0, len(train) - 1, min(limit, len(train)))}))


def _refuse_one_class(train: Dataset, totals: FloatArray) -> None:
    if np.count_nonzero(totals) >= 2:
        return
    seen = [label.name for label, count in zip(train.labels.labels, totals, strict=True) if count]
    raise OptionError(
        f"{train.name}: the training masks hold {f'only one class ({seen[0]})' if seen else 'no labelled pixel'}; "
        f"a network needs at least two to tell apart. Look at them with: pixelwise data check"
    )


def _looked_at(sample: Sample) -> tuple[IntArray, IntArray, IntArray]:
    """Give what ``_class_pixels`` does, and the area of each object in pixels; crowds are none."""
    truth = sample.truth
    if truth.kind not in ("instance", "panoptic"):
        return *_class_pixels(sample), np.zeros(0, np.int64)
    return *_class_pixels(sample), truth.masks.areas()[~truth.is_crowd]


def _class_pixels(sample: Sample) -> tuple[IntArray, IntArray]:
    """Count each class's pixels, and the pixel sides at which it ends inside the image."""
    classes = sample.truth.class_map()
    count, void = len(sample.labels), sample.labels.void
    edges = np.zeros(void + 1, np.int64)
    for one, other in ((classes[:, 1:], classes[:, :-1]), (classes[1:], classes[:-1])):
        changes = one != other
        edges += np.bincount(one[changes], minlength=void + 1) + np.bincount(other[changes], minlength=void + 1)
    return np.bincount(classes.ravel(), minlength=void + 1)[:count].copy(), edges[:count].copy()  # views would keep the bins


def _statistics(samples: Sequence[Sample], bands: tuple[str, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give mean and standard deviation of each band in [0, 1], over about a hundred thousand pixels of each image."""
    sums = np.zeros((3, len(bands)))
    for sample in samples:
        image = sample.image
        if image.bands != bands:
            return (), ()
        values = _unit(image.pixels[:: _step(image.size[0]), :: _step(image.size[1])]).reshape(-1, len(bands))
        sums += values.sum(axis=0), np.square(values).sum(axis=0), np.full(len(bands), len(values))
    mean = sums[0] / sums[2]
    deviation = np.sqrt(np.maximum(sums[1] / sums[2] - mean**2, 0))
    return tuple(map(float, mean)), tuple(map(float, deviation))


def _step(side: int) -> int:
    return max(1, side // 320)


def _unit(pixels: AnyArray) -> FloatArray:
    top = {"uint8": 255.0, "uint16": 65535.0}.get(pixels.dtype.name, 1.0)
    return pixels.astype(np.float64) / top
