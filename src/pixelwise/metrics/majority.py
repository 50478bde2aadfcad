"""Give classes to a predictor that knows none: each of its segments takes the class most common there in training.

A segment with a class of the method's own (Otsu's foreground) is known by that class. A region is known by its mean colour,
on a coarse grid of colours, so that it does not matter how a method numbers its regions. Both ways the table is made of
addable pixel counts, from the training split alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.batches import stream
from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, PixelwiseError
from pixelwise.core.image import RGB, Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import as_disjoint
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.settle import require_settled

LEVELS = 8  # steps a colour band: fine enough to tell sky from road, coarse enough to be met in training


@dataclass(frozen=True, eq=False)
class Matched:
    """A predictor whose segments were matched to classes by majority; a ``Predictor`` of kind 'semantic'.

    Attributes:
        predictor: the one wrapped.
        classes: (K,) the class of each key, where a key is the predictor's class or a cell of the colour grid.
        card: as the wrapped one's, with the classes of the training data; its name says that they were matched.
    """

    predictor: Predictor
    classes: IntArray
    card: Card

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image, and give every segment its class."""
        found = self.predictor(images, request)
        return [self._with_classes(image, each) for image, each in zip(images, found, strict=True)]

    def _with_classes(self, image: Image, found: Segmentation) -> Segmentation:
        labels = self.card.labels
        table = np.full(len(found) + 1, labels.void, np.uint8 if labels.void == 255 else np.uint16)
        table[1:] = self.classes[_keys(image, found)]
        return Segmentation.from_class_map(table[_ids(found)], labels)


def match(predictor: Predictor, train: Dataset, batch: int = 8) -> Matched:
    """Match the segments of ``predictor`` to the classes of ``train`` by majority of pixels.

    A colour never met takes the class of the nearest one that was; samples that cannot be read are left out.

    Raises:
        OptionError: the training data has no classes.
        UnsettledLabels: what its stored values mean is in doubt.
        DataError: not one of its samples could be read.
    """
    train = train.semantic() if train.kind == "instance" else train
    labels = require_settled(train).labels
    if not len(labels):
        raise OptionError(f"{train.name}: its truth has no classes to match segments to")
    keys = LEVELS**3 if predictor.card.kind == "regions" else len(predictor.card.labels)
    votes, used, last = np.zeros((keys, len(labels)), np.int64), 0, ""
    for sample, image, found in stream(predictor, _readable(train), batch):
        try:
            if isinstance(found, PixelwiseError):
                raise found
            truth = sample.truth
        except PixelwiseError as error:
            last = str(error)
            continue
        used += 1
        np.add.at(votes, _keys(image, found), _votes(found, truth, labels))
    if not votes.any():
        raise DataError(f"{train.name}: no labelled pixel could be read to match segments to classes{last and f' ({last})'}")
    name = f"{predictor.card.name}, matched by majority on {used} training images"
    card = replace(predictor.card, name=name, kind="semantic", labels=labels, gives_probabilities=False)
    return Matched(predictor, _majority(votes, labels), card)


def _readable(train: Dataset) -> Iterator[tuple[Sample, Image]]:
    for sample in train:
        try:
            yield sample, sample.image
        except PixelwiseError:
            continue  # evaluate and the audit list broken samples; here they only have no vote


def _votes(found: Segmentation, truth: Segmentation, labels: LabelSet) -> IntArray:
    """Count (S, L): how many pixels of each segment are of each class."""
    classes = truth.class_map().astype(np.int64)
    labelled = classes != labels.void
    pairs = _ids(found)[labelled].astype(np.int64) * len(labels) + classes[labelled]
    return np.bincount(pairs, minlength=(len(found) + 1) * len(labels)).reshape(-1, len(labels))[1:]


def _majority(votes: IntArray, labels: LabelSet) -> IntArray:
    """Choose the class (K,) with most votes; a key without votes takes the nearest key's (colours) or the overall winner."""
    seen = np.flatnonzero(votes.any(axis=1))
    winners = np.full(len(votes), votes.sum(axis=0).argmax())
    winners[seen] = votes[seen].argmax(axis=1)
    if len(votes) == LEVELS**3:
        cells = np.stack(np.unravel_index(np.arange(LEVELS**3), (LEVELS,) * 3), axis=1)
        distances = ((cells[:, None] - cells[seen][None]) ** 2).sum(axis=2)
        winners = winners[seen][distances.argmin(axis=1)]
    return winners


def _keys(image: Image, found: Segmentation) -> IntArray:
    """Give each segment's key (S,): its class, or the grid cell of its mean colour."""
    if found.kind != "regions":
        return found.class_ids
    cells = np.minimum((_mean_colours(image, found) * LEVELS).astype(np.int64), LEVELS - 1)
    return np.asarray(np.ravel_multi_index(tuple(cells.T), (LEVELS,) * 3))


def _mean_colours(image: Image, found: Segmentation) -> FloatArray:
    """Give the mean colour (S, 3) in [0, 1] of each segment; images without three colours repeat their first band."""
    pixels = image.bytes() if image.bands == RGB else cv2.merge([image.bytes()[:, :, 0]] * 3)
    ids, count = _ids(found).ravel(), len(found) + 1
    areas = np.maximum(np.bincount(ids, minlength=count), 1)
    sums = [np.bincount(ids, weights=pixels[:, :, band].ravel(), minlength=count) for band in range(3)]
    return (np.stack(sums, axis=1) / areas[:, None] / 255.0)[1:]


def _ids(found: Segmentation) -> IntArray:
    return as_disjoint(found.masks).ids
