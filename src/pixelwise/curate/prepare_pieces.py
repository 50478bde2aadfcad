"""What is stored for one sample: itself with other classes, smaller, or cut into tiles; labels go with the pixels.

Masks are resized by nearest neighbour: each new pixel takes the old one that its centre lies in. Images are reduced by areas.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.grid import tiles
from pixelwise.core.idmaps import stretches
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks
from pixelwise.core.runs import Runs, boxes, encode
from pixelwise.core.sample import ImageArray, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.prepare_classes import Classes
from pixelwise.curate.prepare_options import PrepareOptions
from pixelwise.formats.writing import count


@dataclass(frozen=True)
class Pieces:
    """Gives what is stored for a sample."""

    classes: Classes
    options: PrepareOptions

    def __call__(self, sample: Sample) -> Iterator[Sample]:
        """Give the sample as asked for; of a tile, ``meta`` has the scene it is from and its place there."""
        truth = self._truth(sample)
        size = _target(sample.size, self.options)
        if size != sample.size:
            rows, columns = _nearest(sample.size[0], size[0]), _nearest(sample.size[1], size[1])
            truth = None if truth is None else _reduced(truth, rows, columns)
            sample = replace(sample, pixels=ImageArray(_resized(sample.image, size)))
        if self.options.tile is None:
            yield self._made(sample, truth)
            return
        yield from self._tiles(sample, truth, size)

    def _truth(self, sample: Sample) -> Segmentation | None:
        truths = sample.truths
        if len(truths) > 1:
            raise DataError(
                f"{sample.name}: it has {len(truths)} truths, and a prepared set holds one an image: the others would be lost"
            )
        return self.classes.of(truths[0]) if truths else None

    def _tiles(self, sample: Sample, truth: Segmentation | None, size: Size) -> Iterator[Sample]:
        assert self.options.tile is not None
        meta = {**sample.meta, "scene": sample.meta.get("scene", sample.name)}
        places = list(tiles(size, self.options.tile, self.options.overlap))
        if len(places) == 1:
            yield self._made(replace(sample, meta={**meta, "origin": [0, 0]}), truth)
            return
        image, picker = sample.image, None if truth is None else _Picker(truth)
        for place in places:
            rows = np.arange(place.top, place.top + place.height)
            columns = np.arange(place.left, place.left + place.width)
            own = {**meta, "tile_of": sample.name, "origin": [place.top, place.left]}
            crop = Image(np.ascontiguousarray(image.pixels[place.window]), image.bands)
            piece = replace(sample, name=f"{sample.name}_{place.top}_{place.left}", pixels=ImageArray(crop), meta=own)
            yield self._made(piece, None if picker is None else picker.pick(rows, columns))

    def _made(self, sample: Sample, truth: Segmentation | None) -> Sample:
        """Put a truth in as it is written, less the objects that are too small."""
        if truth is None:
            return replace(sample, truth_source=None, labels=self.classes.labels)
        if self.options.min_area:
            things = np.isin(truth.class_ids, truth.labels.things) | (truth.kind == "instance")
            small = things & ~truth.is_crowd & (truth.masks.areas() < self.options.min_area)
            count(f"objects smaller than {self.options.min_area} pixels", int(small.sum()))
            truth = truth[~small] if small.any() else truth
        truth = self.classes.painted(truth)  # last, as what is painted has no objects to count any more
        return replace(sample, truth_source=TruthArray((truth,)), labels=truth.labels)


def _reduced(truth: Segmentation, rows: IntArray, columns: IntArray) -> Segmentation:
    picked = _Picker(truth).pick(rows, columns)
    if truth.kind in ("instance", "panoptic"):
        count("objects of which resizing leaves no pixel", len(truth) - len(picked))
    return picked


def _target(size: Size, options: PrepareOptions) -> Size:
    if options.size is not None:
        return options.size
    if options.max_side is None or max(size) <= options.max_side:
        return size
    scale = options.max_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _nearest(old: int, new: int) -> IntArray:
    """Give, for each of ``new`` pixels, that of ``old`` in which its centre lies.

    >>> _nearest(6, 3).tolist(), _nearest(2, 4).tolist()
    ([1, 3, 5], [0, 0, 1, 1])
    """
    return (2 * np.arange(new) + 1) * old // (2 * new)


def _resized(image: Image, size: Size) -> Image:
    smaller = size[0] <= image.size[0] and size[1] <= image.size[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    pixels = cv2.resize(image.pixels, (size[1], size[0]), interpolation=how)
    return Image(pixels if pixels.ndim == 3 else pixels[:, :, None], image.bands)


class _Picker:
    """Picks rows and columns out of a truth, again and again; overlapping masks are decoded once, each within its box."""

    def __init__(self, truth: Segmentation) -> None:
        self._truth = truth
        self._boxed = [] if isinstance(truth.masks, DisjointMasks) else _boxed(truth.masks.run_lengths(), truth.size)

    def pick(self, rows: IntArray, columns: IntArray) -> Segmentation:
        """Give the truth at ``rows`` and ``columns``, both rising; objects of which nothing is there are left out."""
        truth = self._truth
        masks: Masks
        if isinstance(truth.masks, DisjointMasks):
            masks = DisjointMasks(np.ascontiguousarray(truth.masks.ids[np.ix_(rows, columns)]), len(truth))
        else:
            masks = OverlappingMasks(tuple(self._runs(rows, columns)), (len(rows), len(columns)))
        picked = replace(truth, masks=masks, boxes=None, areas=None, probabilities=None)
        there = masks.areas() > 0
        return picked if there.all() else picked[there]

    def _runs(self, rows: IntArray, columns: IntArray) -> Iterator[Runs]:
        size = len(rows), len(columns)
        empty = encode(np.zeros(size, bool))
        for left, top, mask in self._boxed:
            first, last = np.searchsorted(rows, [top, top + mask.shape[0]])
            begin, end = np.searchsorted(columns, [left, left + mask.shape[1]])
            if first == last or begin == end:
                yield empty
                continue
            whole = np.zeros(size, bool)
            whole[first:last, begin:end] = mask[np.ix_(rows[first:last] - top, columns[begin:end] - left)]
            yield encode(whole)


def _boxed(masks: Sequence[Runs], size: Size) -> list[tuple[int, int, BoolArray]]:
    """Decode masks, each within its box: (left, top, mask)."""
    firsts, lasts, cuts = stretches(masks)
    found = []
    for (left, top, right, bottom), (begin, end) in zip(boxes(masks).tolist(), pairwise(cuts), strict=True):
        flat = np.zeros((right - left) * size[0], bool)  # whole columns, as run lengths go through them
        for first, last in zip(firsts[begin:end].tolist(), lasts[begin:end].tolist(), strict=True):
            flat[first - left * size[0] : last - left * size[0]] = True
        found.append((left, top, flat.reshape(right - left, size[0])[:, top:bottom].T))
    return found
