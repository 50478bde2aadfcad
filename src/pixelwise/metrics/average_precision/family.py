"""What the families of average precision share; they differ in how alike two objects are said to be, and in their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.average_precision import resampling
from pixelwise.metrics.average_precision.accumulation import TWELVE, curves, of_classes, twelve
from pixelwise.metrics.average_precision.graphs import graphs
from pixelwise.metrics.average_precision.matching import match, require_same_size
from pixelwise.metrics.average_precision.overlaps import Overlap, areas_of
from pixelwise.metrics.average_precision.tables import LIMITS, Counts, ranking
from pixelwise.metrics.context import ALONE, Context
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.views import as_kind

_WORDS = {
    "ap": "average precision: mean over classes, and over IoU thresholds of 0.50 to 0.95 in steps of 0.05, of the mean "
    "precision at 101 recalls",
    "ap50": "average precision at an IoU threshold of 0.50 alone",
    "ap75": "average precision at an IoU threshold of 0.75 alone",
    "ap_small": "ap of objects with areas up to 32 x 32 pixels",
    "ap_medium": "ap of objects with areas from 32 x 32 to 96 x 96 pixels",
    "ap_large": "ap of objects with areas from 96 x 96 pixels on",
    "ar1": "average recall: mean over classes and over the same IoU thresholds of the share of objects found, with at most 1 "
    "predicted object of a class in an image",
    "ar10": "average recall with at most 10 predicted objects of a class in an image",
    "ar100": "average recall with at most 100 predicted objects of a class in an image",
    "ar_small": "ar100 of objects with areas up to 32 x 32 pixels",
    "ar_medium": "ar100 of objects with areas from 32 x 32 to 96 x 96 pixels",
    "ar_large": "ar100 of objects with areas from 96 x 96 pixels on",
}
NOTES: dict[str, str] = {
    "average precision": "COCO's rules, and pycocotools' figures to the last bit: at most 100 predicted objects of a class in "
    "an image count, best scores first; of equal scores those of the image with the lower id, then the one listed first",
    "crowds": "predicted objects that match a crowd of the truth, or an object of another size, count neither as right nor "
    "as wrong",
    "areas": "an object of the truth has the area that its file states, a predicted one that of its stated box, and either "
    "that of its mask where none is stated",
    "classes": "means are over the classes of which the truth has objects; a predicted object of a class that its image lacks "
    "is wrong, one of a class that the truth does not know at all is left out",
    "nothing to find": "a score is null where the truth has no object for it, and 0 where it has some and none is predicted",
}


@dataclass(frozen=True)
class Family:
    """One family: the module it is in offers these methods as its functions.

    Attributes:
        prefix: what the names of scores begin with.
        what: what the IoU is of, in words.
        overlap: compares predicted with true objects.
    """

    prefix: str
    what: str
    overlap: Overlap

    @property
    def rules(self) -> dict[str, str]:
        """Each score's name, and what it means."""
        return {f"{self.prefix}{name}": f"{_WORDS[name]}; IoU of {self.what}" for name in TWELVE}

    @property
    def limited(self) -> frozenset[str]:
        """The scores that truth itself may miss, where an image has more objects of a class than count."""
        return frozenset(f"{self.prefix}{name}" for name, (_, _, _, limit) in TWELVE.items() if limit < LIMITS[-1])

    def count(self, prediction: Segmentation, truth: Segmentation, context: Context = ALONE) -> Counts:
        """Match the objects of one image; classes are joined by name, and images put in order by ``context.key``.

        What is kept is some 26 bytes a predicted object.

        Raises:
            SizeMismatch: the two differ in size.
            DataError: one of them has no objects (classes alone, regions), or a score is no number from 0 to 1.
        """
        require_same_size(prediction, truth)
        prediction, truth = as_kind(prediction, "instance"), as_kind(truth, "instance")
        found = match(prediction, truth, context.key, self.overlap(prediction, truth), areas_of(prediction))
        return Counts(truth.labels, (found,))

    def score(self, counts: Counts) -> dict[str, float]:
        """Give every score of ``RULES`` by name; NaN where the truth has no object for it."""
        return {f"{self.prefix}{name}": value for name, value in twelve(curves(ranking(counts))).items()}

    def per_class(self, counts: Counts) -> dict[str, dict[str, float]]:
        """Give ap, ap50, ap75, ar100 and the number of true objects by class name; NaN for a class without any."""
        found = of_classes(curves(ranking(counts)), counts.labels.names)
        return {name: {self._named(key): value for key, value in values.items()} for name, values in found.items()}

    def resampled(self, counts: Counts, weights: IntArray) -> Resampled:
        """Score B data sets in which image n stands ``weights[b, n]`` times: every score, as arrays (B,)."""
        parts = list(resampling.draws(counts, weights))
        scores = {f"{self.prefix}{name}": np.concatenate([scores[name] for scores, _ in parts]) for name in TWELVE}
        columns = {key: np.concatenate([classes[key] for _, classes in parts], axis=1) for key in parts[0][1]}
        names = enumerate(counts.labels.names)
        by_class = {name: {self._named(key): values[index] for key, values in columns.items()} for index, name in names}
        return Resampled(scores, by_class)

    def details(self, counts: Counts, names: Sequence[str]) -> dict[str, Any]:
        """Give the curves of precision over recall, as ``graphs`` says."""
        return {f"{self.prefix}precision_recall": graphs(curves(ranking(counts)), counts.labels.names)}

    def _named(self, key: str) -> str:
        return key if key == "objects" else f"{self.prefix}{key}"
