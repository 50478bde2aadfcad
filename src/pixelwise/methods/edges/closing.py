"""Close edges into regions: what methods that find edges share.

Edges of an image have gaps, through which plain connected parts would run together. Here a gap is closed where it is narrow
for what it connects: between two areas free of edges, a throat less than ``gap`` times as wide as the widest disc on either
side parts them. Discs and throats are read off the distance to the nearest edge (its maxima as markers, as in [1], with a
height relative to the throat's). From there the areas are flooded over the strength of the edges [2], so they meet where an
edge is strongest.

Cost: one pass over the pixels for each halving, by thirds, of the widest disc; and the flood, which is only over pixels near
edges and in throats.

[1] Vincent, Soille: Watersheds in digital spaces, IEEE Trans. PAMI 13(6), 1991.
[2] Meyer: Topographic distance and watershed lines, Signal Processing 38(1), 1994.
"""

from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.effort import advance
from pixelwise.methods.partition import as_regions
from pixelwise.methods.thresholds.otsu import above_otsu

Show: TypeAlias = Literal["regions", "edges"]
SHARE = 8000  # of the image's pixels, that a region's core has at least, unless told otherwise
_NARROWEST = 0.75  # pixels from an edge: what is nearer is the edge's own


def check_closing(method: str, level: float | None, gap: float, smallest: int | None, show: Show) -> None:
    """Refuse options of finding and closing edges that are out of range.

    Raises:
        OptionError: one is.
    """
    if level is not None and not 0 <= level <= 1:
        raise OptionError(f"{method}: the level is an edge's strength, from 0 to 1; got {level}")
    if not 0 <= gap < 1:
        raise OptionError(f"{method}: the gap is a share of the widest disc beside it, from 0 to below 1; got {gap}")
    if smallest is not None and smallest < 1:
        raise OptionError(f"{method}: the smallest core must have at least 1 pixel, got {smallest}")
    if show not in get_args(Show):
        raise OptionError(f"{method}: show: got {show!r}; {nearest(str(show), get_args(Show))}")


def strong(strength: FloatArray, level: float | None) -> BoolArray:
    """Mark the pixels whose edge is stronger than ``level``; None is Otsu's level of the strengths, or 0 if all are equal."""
    if level is not None or not strength.size or strength.min() == strength.max():
        return np.asarray(strength > (0 if level is None else level))
    return above_otsu(strength)


def shown(strength: FloatArray, is_edge: BoolArray, gap: float, smallest: int | None, show: Show) -> Segmentation:
    """Give the closed regions; or, to show the edges, two regions: what is none, and the edge pixels."""
    if show == "edges":
        return as_regions(is_edge.astype(np.uint8))
    return as_regions(closed(strength, is_edge, gap, max(1, is_edge.size // SHARE) if smallest is None else smallest))


def closed(strength: FloatArray, is_edge: BoolArray, gap: float, smallest: int) -> IntArray:
    """Give a map (H, W) of regions, numbered from 1, of the widest first.

    Args:
        strength: (H, W) of the edges; regions meet on its crests.
        is_edge: (H, W) where an edge certainly is.
        gap: up to which share of the widest disc on either side a throat is closed; 0 closes none.
        smallest: pixels that a region has at least where it is farthest from edges; what is smaller joins a neighbour.
    """
    if not is_edge.any() or is_edge.all():
        return np.ones(is_edge.shape, np.uint8)
    distance = cv2.distanceTransform((~is_edge).view(np.uint8), cv2.DIST_L2, 5)
    cores = np.zeros(is_edge.shape, np.int32)
    radii = _radii(float(distance.max()), gap)
    for index, radius in enumerate(radii):
        advance(0.5 * index / len(radii))
        widest = min(radius / gap, float(distance.max())) * 0.999 if gap else radius
        cores = _with_cores(cores, distance, radius, widest, smallest)
    if int(cores.max()) < 2:
        return np.ones(is_edge.shape, np.uint8)
    advance(0.5)
    return _flooded(strength, cores)


def _radii(widest: float, gap: float) -> list[float]:
    """List half the widths of throats, from the widest that can be closed downwards."""
    radii = []
    radius = widest * gap
    while radius > _NARROWEST:
        radii.append(radius)
        radius /= 1.5
    return [*radii, _NARROWEST]


def _with_cores(cores: IntArray, distance: FloatArray, radius: float, widest: float, smallest: int) -> IntArray:
    """Look at the parts farther than ``radius`` from edges: new ones become cores, and cores alone in theirs fill it."""
    count, parts = cv2.connectedComponents((distance > radius).view(np.uint8), connectivity=4)
    is_core = cores > 0
    owner, homes = np.zeros(count, np.int32), parts[is_core]
    ids = cores[is_core]
    owner[homes] = ids
    is_shared = np.zeros(count, bool)
    is_shared[homes[owner[homes] != ids]] = True
    has_disc = np.zeros(count, bool)
    has_disc[parts[distance >= widest]] = True
    is_new = has_disc & (owner == 0) & (np.bincount(parts.ravel(), minlength=count) >= smallest)
    is_new[0] = False
    owner[is_new] = int(cores.max()) + np.arange(1, int(is_new.sum()) + 1)
    owner[is_shared] = 0
    owner[0] = 0
    filled = owner[parts]
    return np.where(filled > 0, filled, cores)


def _flooded(strength: FloatArray, cores: IntArray) -> IntArray:
    """Flood from the cores over the strength; only their rims take part, as what lies within is settled."""
    from skimage.segmentation import watershed

    is_open = cores == 0
    near = cv2.dilate(is_open.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    found = watershed(strength, np.where(near, cores, 0), mask=near)
    return np.where(is_open, found, cores)
