"""Average precision of masks, as COCO defines it: whether objects are found, told apart, and ranked.

Equal to pycocotools to the last bit: the arrays of precision, recall and scores, and with them the twelve numbers [1]. An
image's table of matches is what counts are made of, so scores, curves and intervals of any number of images come from a few
kilobytes an image; ``matching`` says how objects are matched, ``accumulation`` how tables become scores.

The same with other ways to compare objects: ``box`` and ``boundary``.

[1] Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and the evaluation code that came with it.
"""

from pixelwise.metrics.average_precision import family, overlaps
from pixelwise.metrics.average_precision.tables import Counts

__all__ = ["Counts", "count", "details", "per_class", "resampled", "score"]

_MASKS = family.Family("", "masks", overlaps.of_masks)
RULES: dict[str, str] = _MASKS.rules
NOTES: dict[str, str] = family.NOTES
KIND = "instance"
LOWER_IS_BETTER: frozenset[str] = frozenset()
WANTS_CONTEXT = True
LIMITED: frozenset[str] = _MASKS.limited

count = _MASKS.count
score = _MASKS.score
per_class = _MASKS.per_class
resampled = _MASKS.resampled
details = _MASKS.details
