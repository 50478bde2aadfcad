"""All partition scores of an image with several truths: Pixelwise against scikit-image and scikit-learn.

Maps are of BSDS500's size, 321 x 481, with five truths of 5 to 60 regions, and predictions of 30 to 2,000. The peer gives the
Rand index (scikit-learn's ``rand_score``, which is its pair confusion matrix) and the two halves of the variation of
information (scikit-image's ``variation_of_information``) of each pair; it has no covering. Pixelwise starts from
``Segmentation`` and gives Rand index, both halves, and covering. Its scores are checked against the peer's first.
scikit-image's ``adapted_rand_error``, another score from the same table, is timed beside them.

Rounds alternate and medians are compared, so above 1 is faster. Run: python benchmarks/partition.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage
from skimage.metrics import adapted_rand_error, variation_of_information
from sklearn.metrics import rand_score

from pixelwise.core.arrays import IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import partition

SIZE, ROUNDS = (321, 481), 5
TRUTHS, PREDICTED = (5, 10, 20, 40, 60), (30, 300, 2000)
LABELS = LabelSet.of(["region"])


def draw_regions(count: int, rng: np.random.Generator) -> IntArray:
    """Divide the map among seeds, each pixel to the nearest, with borders as rough as drawn ones: ids from 1."""
    seeds = np.ones(SIZE, bool)
    places = rng.choice(seeds.size, count, replace=False)
    seeds.ravel()[places] = False
    numbers = np.zeros(SIZE, np.int64)
    numbers.ravel()[places] = np.arange(1, count + 1)
    rows, columns = ndimage.distance_transform_edt(seeds, return_distances=False, return_indices=True)
    jitter = np.rint(ndimage.gaussian_filter(rng.standard_normal((2, *SIZE)), (0, 3, 3)) * 30).astype(int)
    y = np.clip(np.arange(SIZE[0])[:, None] + jitter[0], 0, SIZE[0] - 1)
    x = np.clip(np.arange(SIZE[1]) + jitter[1], 0, SIZE[1] - 1)
    return np.asarray(numbers[rows, columns][y, x], smallest_dtype(count))


def regions(ids: IntArray, count: int) -> Segmentation:
    return Segmentation("regions", DisjointMasks(ids, count), np.zeros(count, np.int64), LABELS)


def peer(prediction: IntArray, truths: list[IntArray]) -> tuple[float, float, float]:
    rows = [(rand_score(one.ravel(), prediction.ravel()), *variation_of_information(one, prediction)) for one in truths]
    rand, over, under = np.mean(rows, axis=0)
    return float(rand), float(over), float(under)


def alternating(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Time the ways in turn; give each one's median."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(count: int, maps: list[IntArray], rng: np.random.Generator) -> float:
    """Time both on a prediction of ``count`` regions, and say how much faster ours is."""
    ids = draw_regions(count, rng)
    prediction = regions(ids, count)
    truths = [regions(one, number) for one, number in zip(maps, TRUTHS, strict=True)]
    found = partition.score(partition.count(prediction, truths))
    mine = [found[f"{name}_ods"] for name in ("pri", "vi_over", "vi_under")]
    if not np.allclose(mine, peer(ids, maps), rtol=0, atol=1e-12):
        raise SystemExit(f"the scores are not the peer's: {mine}")
    times = alternating(
        ROUNDS,
        ours=lambda: partition.count(prediction, truths),
        peer=lambda: peer(ids, maps),
        adapted=lambda: [adapted_rand_error(one, ids) for one in maps],
    )
    ours, theirs, adapted = (value * 1000 for value in times.values())
    print(
        f"{count} regions against {len(maps)} truths: ours {ours:.2f} ms, scikit-learn and scikit-image {theirs:.1f} ms "
        f"({theirs / ours:.0f}x); adapted_rand_error alone {adapted:.1f} ms ({adapted / ours:.0f}x)"
    )
    return theirs / ours


def main() -> None:
    rng = np.random.default_rng(0)
    maps = [draw_regions(count, rng) for count in TRUTHS]
    ratios = [compare(count, maps, rng) for count in PREDICTED]
    print(f"RATIO partition ours/peer {min(ratios):.1f}")


if __name__ == "__main__":
    main()
