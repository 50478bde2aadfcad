"""Count the confusion of 24-megapixel class maps: Pixelwise against the textbook's loop over classes.

The textbook compares both maps with every class in turn. Both give the same IoU of every class, which is checked first.
Rounds alternate; the ratio is that of the median speeds, so above 1 is faster. Run: python benchmarks/miou.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.metrics.overlap import confusion

HEIGHT, WIDTH, CLASSES, VOID, ROUNDS = 4000, 6000, 11, 255, 5


def draw_maps() -> tuple[IntArray, IntArray]:
    """Draw a truth of blocks with void borders, and a prediction that is wrong at a tenth of the pixels."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, CLASSES, (HEIGHT // 50, WIDTH // 50)).astype(np.uint8)
    truth = np.kron(blocks, np.ones((50, 50), np.uint8))
    prediction = np.where(rng.random(truth.shape) < 0.1, rng.integers(0, CLASSES, truth.shape), truth).astype(np.uint8)
    truth[::50] = VOID
    return truth, prediction


def ours(truth: IntArray, prediction: IntArray) -> FloatArray:
    table = confusion(truth, prediction, CLASSES, VOID)
    right = np.diagonal(table)
    return right / (table.sum(axis=1) + table[:, :-1].sum(axis=0) - right)


def textbook(truth: IntArray, prediction: IntArray) -> FloatArray:
    labelled = truth != VOID
    found = []
    for index in range(CLASSES):
        true, predicted = (truth == index) & labelled, (prediction == index) & labelled
        found.append((true & predicted).sum() / (true | predicted).sum())
    return np.array(found)


def seconds(function: Callable[[IntArray, IntArray], FloatArray], maps: tuple[IntArray, IntArray]) -> float:
    start = time.perf_counter()
    function(*maps)
    return time.perf_counter() - start


def main() -> None:
    maps = draw_maps()
    if not np.array_equal(ours(*maps), textbook(*maps)):
        raise SystemExit("the two do not agree")
    rounds = [(seconds(ours, maps), seconds(textbook, maps)) for _ in range(ROUNDS)]
    mine, peer = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"{HEIGHT} x {WIDTH}, {CLASSES} classes: ours {mine * 1000:.1f} ms, textbook {peer * 1000:.1f} ms")
    print(f"RATIO miou ours/peer {peer / mine:.2f}")


if __name__ == "__main__":
    main()
