"""Objects of methods that know no classes: as a method parts them, or as connected parts of what it gives.

``metrics.majority`` knows a class of the method's own by that class, so that all objects of a foreground would become one class
and one segment. Here each object and area is matched by its mean colour, as regions are, and objects stay apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.errors import PixelwiseError
from pixelwise.core.idmaps import lookup
from pixelwise.core.image import Image
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.metrics.majority import Matched, match
from pixelwise.metrics.views import REGIONS
from pixelwise.predict.refined import Refined
from pixelwise.refine.refiner import Refiner

_SPECK = 0.1  # of the middle area of the true objects: a smaller part is no object


def parts_objects(predictor: Predictor) -> bool:
    """Tell whether a predictor gives objects, and not classes or regions alone."""
    return predictor.card.kind in ("panoptic", "instance")


def match_objects(method: Predictor, train: Dataset, kind: Literal["instance", "panoptic"]) -> "Objects":
    """Match the objects and areas of ``method`` to the classes of ``train`` by the majority of pixels of their colour.

    What became a thing is an object; of the rest, ``panoptic`` keeps one segment a class, and ``instance`` nothing.

    Raises:
        OptionError: the training data has no classes.
        UnsettledLabels: what its stored values mean is in doubt.
        DataError: not one of its samples could be read.
    """
    found = match(_Regions(method), train)
    return Objects(found, replace(found.card, kind=kind))


def as_objects(method: Method, train: Dataset) -> Predictor:
    """Make objects of what a method gives, by the objects of ``train``, which are painted as classes for it.

    A method that parts objects by itself keeps its own, each with the class of its mean colour. Of any other, parts below a
    tenth of the middle true area go to what is around them, and each connected part of a class that is a thing is an object,
    split at its necks (refiners ``smallest`` and ``split``). A method that must be trained has been.

    Raises:
        OptionError: the training data has no classes.
        UnsettledLabels: what its stored values mean is in doubt.
        DataError: not one of its samples could be read.
    """
    speck = Refiner("smallest", area=max(1, int(_SPECK * _middle_area(train))))
    if parts_objects(method):
        return Refined(match_objects(method, train, "instance"), speck)
    matched: Predictor = method if method.is_trained else match(method, train)
    return Refined(matched, speck, "split", speck)  # first, too: a split of thousands of specks takes long


def _middle_area(dataset: Dataset) -> float:
    """Give the median area of the true objects, in pixels; 0 where there is none."""
    areas = []
    for sample in dataset:
        try:
            areas.append(np.concatenate([one.masks.areas()[~one.is_crowd] for one in sample.truths]))
        except (PixelwiseError, ValueError):
            continue
    found = np.concatenate(areas) if areas else np.zeros(0)
    return float(np.median(found)) if len(found) else 0.0


@dataclass(frozen=True, eq=False)
class Objects:
    """A predictor whose objects were given classes; a ``Predictor``.

    Attributes:
        matched: gives the class of each of its regions.
        card: of its kind, ``instance`` or ``panoptic``.
    """

    matched: Matched
    card: Card

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image, and give every object its class."""
        found = self.matched.predictor(images, request)
        painted = self.matched(images, request)
        return [self._with_classes(one, classes) for one, classes in zip(found, painted, strict=True)]

    def _with_classes(self, found: Segmentation, painted: Segmentation) -> Segmentation:
        """Keep things apart and join the rest by class; ``painted`` has the class of each region of ``found``."""
        ids, labels = found.panoptic_ids(), painted.labels
        numbers, firsts = np.unique(ids, return_index=True)
        classes = painted.class_map().ravel()[firsts].astype(np.int64)
        is_thing = np.isin(classes, labels.things)
        others = (classes != labels.void) & ~is_thing & (self.card.kind == "panoptic")
        stuff, places = np.unique(classes[others], return_inverse=True)
        count = int(is_thing.sum())
        table = np.zeros(len(found) + 1, smallest_dtype(count + len(stuff)))
        table[numbers[is_thing]] = np.arange(1, count + 1)
        table[numbers[others]] = places + count + 1
        masks = DisjointMasks(lookup(table, ids), count + len(stuff))
        owners = np.concatenate([classes[is_thing], stuff])
        return Segmentation(self.card.kind, masks, owners, labels, notes=found.notes)


@dataclass(frozen=True, eq=False)
class _Regions:
    """The objects and areas of a predictor as regions without classes; a ``Predictor``."""

    predictor: Predictor

    @property
    def card(self) -> Card:
        return replace(self.predictor.card, kind="regions", labels=REGIONS)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        found = self.predictor(images, request)
        return [Segmentation("regions", one.masks, np.zeros(len(one), np.int64), REGIONS, notes=one.notes) for one in found]
