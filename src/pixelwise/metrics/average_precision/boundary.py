"""Boundary average precision: as that of masks, but borders must fit, of large objects too [1].

Two objects are as alike as the smaller one of two figures: the IoU of their masks, and that of what lies within 2 % of the
image's diagonal of their borders.

[1] Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021.
"""

from pixelwise.metrics.average_precision import borders, family, overlaps
from pixelwise.metrics.average_precision.tables import Counts

__all__ = ["Counts", "count", "details", "per_class", "resampled", "score"]

_BOUNDARIES = family.Family("boundary_", "masks or of their boundaries, whichever is smaller", overlaps.of_boundaries)
RULES: dict[str, str] = _BOUNDARIES.rules
NOTES: dict[str, str] = {
    **family.NOTES,
    "boundaries": f"a boundary is what of a mask lies within {borders.SHARE:.0%} of the image's diagonal of its outside; "
    "the image's border is outside; beside a crowd, masks alone are compared",
}
KIND = "instance"
LOWER_IS_BETTER: frozenset[str] = frozenset()
WANTS_CONTEXT = True
LIMITED: frozenset[str] = _BOUNDARIES.limited

count = _BOUNDARIES.count
score = _BOUNDARIES.score
per_class = _BOUNDARIES.per_class
resampled = _BOUNDARIES.resampled
details = _BOUNDARIES.details
