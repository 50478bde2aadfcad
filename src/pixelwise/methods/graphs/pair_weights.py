"""Weigh pairs of touching regions: how likely people would part them, by a logistic function of a few cues.

The constants of ``RULE`` are ten round numbers: different colours and textures part regions, and so do borders that are strong,
even, and stronger than what is within; a small region is joined sooner, and so is one whose outline is mostly shared. They are
set by hand: signs and rough sizes after a logistic regression on half of BSDS500's validation photographs (one on COCO's has
the same signs but for unevenness and the coarsest border), then the best of some ten variants on all 100 of them.
"""

from dataclasses import dataclass

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.methods.graphs.region_cues import CUES, cues
from pixelwise.methods.graphs.region_graph import RegionGraph

_SEAM = 1e-3  # of Lab: what differs less differs by rounding alone
_BORDER, _DISTANCE = CUES.index("border_1"), CUES.index("distance")


@dataclass(frozen=True, eq=False)
class PairWeights:
    """How much each of ``CUES`` says for parting a pair (F,), and the log odds where all cues are 0."""

    weights: FloatArray
    offset: float

    def __call__(self, graph: RegionGraph) -> FloatArray:
        """Weigh each pair of neighbours (E,), from 0 to 1; those that differ in nothing weigh 0."""
        found = cues(graph)
        odds = (found @ self.weights).astype(np.float64) + self.offset
        return np.where((found[:, _BORDER] < _SEAM) & (found[:, _DISTANCE] < _SEAM), 0, 1 / (1 + np.exp(-odds)))


_CONSTANTS = {
    "chi_joint": 3.0,
    "chi_lightness": -1.5,  # light and shade on one thing differ in lightness and not in colour; chi_joint knows both
    "chi_slopes": 2.0,
    "border_1": 1.0,
    "border_8": 0.5,
    "border_texture": 1.0,
    "uneven_1": -0.5,
    "inner_high": -0.5,
    "area_low": 0.4,
    "share_low": -1.0,
}
RULE = PairWeights(np.array([_CONSTANTS.get(name, 0) for name in CUES], np.float32), -2.0)
