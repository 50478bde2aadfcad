"""Average precision of boxes: as that of masks, with the boxes that the source states, else those around the masks."""

from pixelwise.metrics.average_precision import family, overlaps
from pixelwise.metrics.average_precision.tables import Counts

__all__ = ["Counts", "count", "details", "per_class", "resampled", "score"]

_BOXES = family.Family("box_", "boxes", overlaps.of_boxes)
RULES: dict[str, str] = _BOXES.rules
NOTES: dict[str, str] = {**family.NOTES, "boxes": "boxes are those that a file states, else the smallest around the masks"}
KIND = "instance"
LOWER_IS_BETTER: frozenset[str] = frozenset()
WANTS_CONTEXT = True
LIMITED: frozenset[str] = _BOXES.limited

count = _BOXES.count
score = _BOXES.score
per_class = _BOXES.per_class
resampled = _BOXES.resampled
details = _BOXES.details
