"""Find masks that were resized or saved in a way that masks must not be: smeared between classes, or in blocks.

*Smeared* (resized with interpolation, blurred, saved as JPEG): along a row, short runs of pixels hold a value strictly
between those of the runs before and after, as class 5 does between 3 and 8. In real masks that is rare: on CamVid at most a
twelfth of the runs, the median mask has a fortieth; smeared ones have three tenths and more. Where a whole set is smeared,
the value map is not settled either, and ``formats.values`` says so.

*In blocks* (enlarged with nearest-neighbour from a smaller mask): all steps between values lie on a grid of k pixels.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import PixelwiseError
from pixelwise.curate.progress import Progress
from pixelwise.formats.cache import Cache
from pixelwise.formats.masks import MaskFile
from pixelwise.formats.masks.scan import MaskRecord

_SHORT = 8  # pixels of a run that interpolation can have left
_LEAST_RUNS = 24  # inner runs of a mask, to judge it by
_LEAST_STEPS = 60  # steps of a mask, to judge its blocks by: the chance that all lie on a grid of 2 is then below 1e-18
_SMEARED = 0.15  # of the inner runs, or of the border pixels
_APART = 5  # times the median mask's share
_BLOCKS = range(2, 33)


@dataclass(frozen=True)
class Grain:
    """How the values of one mask lie.

    Attributes:
        runs: inner runs of its rows and columns.
        between: the share of those that are short and strictly between their neighbours.
        block: the side of the squares it is made of; 1 where it is not.
    """

    runs: int
    between: float
    block: int


@dataclass(frozen=True)
class Smears:
    """The masks, by place, that are smeared, with the share of their border that is, and those in blocks, with their size.

    ``all_alike`` says that the usual mask has such borders too, so that none stands out.
    """

    smeared: dict[int, float]
    blocks: dict[int, int]
    all_alike: bool = False


def grain(stored: IntArray, is_rgb: bool = False) -> Grain:
    """Measure one mask (H, W).

    >>> grain(np.kron(np.tile(np.eye(2, dtype=np.uint8), (8, 8)), np.ones((3, 3), np.uint8))).block
    3
    """
    runs, between = 0, 0
    if not is_rgb:  # packed colours have no order; their ramps are counted band by band
        for turned in (stored, stored.T):
            found = _between(turned)
            runs, between = runs + found[0], between + found[1]
    return Grain(runs, between / max(runs, 1), _block(stored))


def _between(stored: IntArray) -> tuple[int, int]:
    """Count the runs with a run on either side in their row, and those of them that are short and strictly between."""
    height, width = stored.shape
    starts = np.ones((height, width), bool)
    starts[:, 1:] = stored[:, 1:] != stored[:, :-1]
    places = np.flatnonzero(starts)
    values = stored.ravel()[places].astype(np.int64)
    lengths = np.diff(np.append(places, stored.size))
    rows = places // width
    inner = (rows[:-2] == rows[1:-1]) & (rows[2:] == rows[1:-1])
    up, down = values[1:-1] - values[:-2], values[2:] - values[1:-1]
    ramp = inner & (np.sign(up) * np.sign(down) > 0) & (lengths[1:-1] <= _SHORT)
    return int(inner.sum()), int(ramp.sum())


def _block(stored: IntArray) -> int:
    """Find the largest k <= 32 for which all steps lie on a grid of k pixels in both directions; 1 if there is none."""
    down = (stored[1:] != stored[:-1]).sum(axis=1)
    across = (stored[:, 1:] != stored[:, :-1]).sum(axis=0)
    if min(down.sum(), across.sum()) < _LEAST_STEPS or min((down > 0).sum(), (across > 0).sum()) < 8:
        return 1
    sides = [np.flatnonzero(steps) for steps in (down, across)]
    fitting = [block for block in _BLOCKS if all(len(np.unique(places % block)) == 1 for places in sides)]
    return max(fitting, default=1)


def find_smears(
    sources: Sequence[MaskFile | None], records: Mapping[Path, MaskRecord], root: Path, progress: Progress | None = None
) -> Smears:
    """Find smeared and blocky masks among ``sources``, which ``records`` count; None stands for one not to be looked at."""
    cache = Cache("grains", root)
    grains: dict[int, Grain] = {}
    ramps: dict[int, float] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for place, found in enumerate(pool.map(lambda source: _measured(source, cache), sources)):
            source = sources[place]
            if found is not None and source is not None:
                grains[place] = found
                if (record := records.get(source.path)) is not None:
                    ramps[place] = sum(record.ramp) / max(sum(record.border), 1)
            if progress is not None:
                progress("borders", place + 1, len(sources))
    cache.save()
    return judge(grains, ramps)


def judge(grains: Mapping[int, Grain], ramps: Mapping[int, float]) -> Smears:
    """Tell which masks stand out from the usual one; where that has as much of it, as drawn outlines have, none does.

    Args:
        grains: by place.
        ramps: by place, the share of border pixels strictly between their two neighbours; counts colours band by band.
    """
    between = {place: one.between for place, one in grains.items() if one.runs >= _LEAST_RUNS}
    smeared: dict[int, float] = {}
    usual = 0.0
    for shares in (between, ramps):
        middle = float(np.median(list(shares.values()))) if shares else 0.0
        usual = max(usual, middle)
        for place, share in shares.items():
            if share > max(_SMEARED, _APART * middle):
                smeared[place] = max(share, smeared.get(place, 0.0))
    return Smears(smeared, {place: one.block for place, one in grains.items() if one.block > 1}, usual > _SMEARED)


def _measured(source: MaskFile | None, cache: Cache) -> Grain | None:
    if source is None:
        return None
    kept = _from_json(cache.get(source.path))
    if kept is not None:
        return kept
    try:
        found = grain(source.raw()[0], source.encoding == "rgb")
    except PixelwiseError:
        return None  # the scan lists it
    cache.put(source.path, asdict(found))
    return found


def _from_json(data: Any) -> Grain | None:
    try:
        return Grain(int(data["runs"]), float(data["between"]), int(data["block"]))
    except (TypeError, KeyError, ValueError):
        return None
