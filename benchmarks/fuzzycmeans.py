"""Fuzzy c-means of a photo of a megapixel: Pixelwise against scikit-fuzzy's ``cmeans``, or the plain published update.

The picture is six photos of CamVid side by side at their own size (1,036,800 pixels, no pixel invented), or a drawn scene where
CamVid is not to be had; the features are Lab colours, and there are four clusters. Pixelwise starts from the picture (counts
its colours, converts them, finds the centres and labels every pixel); the peer is given the Lab colours of all pixels. The peer
stops when memberships change by 0.001 on average (root of the mean square), which is far looser than scikit-fuzzy's own
default, and Pixelwise when no centre moves by 0.0001. Both are then held against centres that stand still to 1e-7, so that
nobody wins by stopping early: Pixelwise must have come as near as the peer.

scikit-fuzzy is no dependency; where it is not installed, its place is taken by the update as published (Bezdek 1981) in plain
NumPy, in double precision. Rounds alternate and medians are compared. Run: python benchmarks/fuzzycmeans.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from textbook import photographs

from pixelwise.core.arrays import FloatArray
from pixelwise.core.image import Image, as_image, read_image
from pixelwise.methods.clusters import fuzzycmeans
from pixelwise.methods.clusters.features import Features, colours
from pixelwise.methods.clusters.points import Points
from pixelwise.scenes import scenes

CLUSTERS, FUZZINESS, ROUNDS, MOST_UPDATES = 4, 2.0, 3, 300
CHANGE = 1e-3  # of the peer's memberships, root of the mean square


def picture() -> tuple[Image, str]:
    with photographs(60) as photos:
        if photos.name != "CamVid":
            return scenes(1, (1000, 1000), seed=0)[0].image, "a drawn scene"
        parts = [read_image(path).pixels for path in photos.images[::10]]
    return as_image(np.concatenate([np.concatenate(parts[row : row + 3], axis=1) for row in (0, 3)])), "six photos of CamVid"


def published(values: FloatArray, seed: int) -> tuple[FloatArray, int]:
    """Update memberships (K, N) and centres of values (N, C) as in Bezdek's book, until memberships change little."""
    shares = np.random.default_rng(seed).random((CLUSTERS, len(values)))
    shares /= shares.sum(axis=0)
    change, updates = np.inf, 0
    while change >= CHANGE and updates < MOST_UPDATES:
        weights = shares**FUZZINESS
        centres = weights @ values / weights.sum(axis=1, keepdims=True)
        apart = ((values[None] - centres[:, None]) ** 2).sum(axis=2)
        inverse = np.maximum(apart, np.finfo(float).eps) ** (-1 / (FUZZINESS - 1))
        before, shares = shares, inverse / inverse.sum(axis=0)
        change, updates = float(np.sqrt(np.mean((shares - before) ** 2))), updates + 1
    return centres, updates


def scikit_fuzzy(values: FloatArray, seed: int) -> tuple[FloatArray, int]:
    from skfuzzy.cluster import cmeans

    change = CHANGE * np.sqrt(CLUSTERS * len(values))  # it compares the norm of the whole matrix
    centres, *_, done, _ = cmeans(values.T, CLUSTERS, FUZZINESS, change, MOST_UPDATES, seed=seed)
    return centres, done


def peer() -> tuple[Callable[[FloatArray, int], tuple[FloatArray, int]], str]:
    try:
        import skfuzzy
    except ImportError:
        return published, "the published update in NumPy (scikit-fuzzy is not installed)"
    return scikit_fuzzy, f"scikit-fuzzy {skfuzzy.__version__}"


def farthest(centres: FloatArray, others: FloatArray) -> float:
    """Give how far the centre is that lies farthest from its nearest of the others."""
    return float(np.sqrt(((centres[:, None] - others[None]) ** 2).sum(axis=2)).min(axis=1).max())


def main() -> None:
    image, what = picture()
    values = colours(image, "lab").reshape(-1, 3).astype(np.float64)
    found = Points(image, Features()).all()
    theirs, name = peer()
    if found is None:
        raise SystemExit("the picture's colours cannot be counted")
    print(f"{what}, {len(values):,} pixels of {len(found[0]):,} colours; the peer is {name}")
    start = fuzzycmeans.first_centres(*found, CLUSTERS, 0)
    still, _ = fuzzycmeans.updated(*found, start, FUZZINESS, 1e-7, 2000)
    ours, _ = fuzzycmeans.fitted(*found, CLUSTERS, FUZZINESS, 1e-4, MOST_UPDATES, 0)
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        fuzzycmeans.segment(image, clusters=CLUSTERS, fuzziness=FUZZINESS)
        middle = time.perf_counter()
        centres, updates = theirs(values, 0)
        times["ours"].append(middle - began)
        times["peer"].append(time.perf_counter() - middle)
    mine, other = farthest(still, ours), farthest(still, centres)
    seconds, longer = (statistics.median(each) for each in times.values())
    print(f"ours {seconds:.3f} s, {mine:.5f} from where the centres stand still")
    print(f"peer {longer:.2f} s, {updates} updates, {other:.5f} from there")
    if mine > max(other, 1e-3):
        raise SystemExit("ours stopped farther from the fixed point than the peer")
    print(f"RATIO fuzzycmeans ours/peer {longer / seconds:.1f}")


if __name__ == "__main__":
    main()
