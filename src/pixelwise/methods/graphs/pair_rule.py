"""Weigh pairs of regions by a rule with few constants, or by what was learned.

The rule adds the distances of histograms to the strength of the border at a fine and a coarse scale, and takes the sum times
the fourth root of the smaller region's share of the image: to lose a small region costs little, however unlike it is.
"""

from collections.abc import Callable

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.methods.graphs.pair_learning import PairWeights
from pixelwise.methods.graphs.region_cues import CUES, cues
from pixelwise.methods.graphs.region_graph import RegionGraph

_RULE = {
    "chi_lightness": 1.0,
    "chi_a": 1.0,
    "chi_b": 1.0,
    "chi_joint": 1.0,
    "chi_slopes": 1.0,
    "border_1": 0.5,
    "border_4": 0.5,
}
_SHARES = np.array([_RULE.get(name, 0.0) for name in CUES], np.float32)
_SMALL = 0.25  # power of the smaller region's share of the image, in the rule
_SMALL_LEARNED = 0.1  # in what was learned, which knows the areas already
_AREA, _BORDER, _DISTANCE = (CUES.index(name) for name in ("area_low", "border_1", "distance"))


def rule(graph: RegionGraph) -> FloatArray:
    """Weigh each pair of neighbours (E,), from 0 for equal ones to 1."""
    found = cues(graph)
    unlike = (found @ _SHARES) * np.exp(_SMALL * found[:, _AREA])
    return np.where(_is_seamless(found), 0, unlike / (1 + unlike))


def learned(model: PairWeights) -> Callable[[RegionGraph], FloatArray]:
    """Give the function that weighs pairs by a model: the probability that they belong apart, less for small regions."""

    def weigh(graph: RegionGraph) -> FloatArray:
        found = cues(graph)
        return np.where(_is_seamless(found), 0, model(found) * np.exp(_SMALL_LEARNED * found[:, _AREA]))

    return weigh


def _is_seamless(found: FloatArray) -> BoolArray:
    """Tell which pairs differ in nothing: no border, and the same mean colour."""
    return np.asarray((found[:, _BORDER] < 1e-3) & (found[:, _DISTANCE] < 1e-3))
