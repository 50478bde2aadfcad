"""From logits and from class maps to the IoU of every class: Pixelwise against the textbook's loop, and torchmetrics.

The textbook peer is the loop of segmentation tutorials: softmax and argmax in torch, then for each class ``prediction == c``,
``truth == c``, ``logical_and``, ``logical_or`` and their sums fetched with ``.item()``, on int64 maps, for that is what argmax
and mask tensors are there. Pixelwise holds class maps as bytes; that is part of what is compared, and the loop in NumPy on
those bytes, its fastest form, is printed beside it.

All give the same IoU, checked first, and the counts are those of scikit-learn's confusion matrix. Rounds alternate and medians
are compared, so above 1 is faster. torchmetrics' MeanIoU is fed strips of 500 rows, as whole maps would take it several
gigabytes; what it gives is another quantity (a mean over strips), so its time alone is compared.

Before all that, 400 different maps are scored one after the other, as ``evaluate`` does, and the most memory that the process
ever had is printed. Run: python benchmarks/miou.py
"""

import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor
from torchmetrics.segmentation import MeanIoU

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.pixel import highest
from pixelwise.metrics import overlap
from pixelwise.metrics.overlap import confusion

CLASSES, VOID, ROUNDS = 23, 255, 5
SIZE, LOGITS = (4000, 6000), (3, CLASSES, 704, 1056)
MANY = 400


def draw_maps(shape: tuple[int, ...], rng: np.random.Generator, wrong: float) -> tuple[IntArray, IntArray]:
    """Draw a truth of blocks, and a prediction of blocks a little beside it, that is another class at a share of pixels."""
    height, width = shape[-2:]
    blocks = rng.integers(0, CLASSES, (*shape[:-2], -(-height // 50), -(-width // 50))).astype(np.uint8)
    truth = blocks.repeat(50, axis=-2).repeat(50, axis=-1)[..., :height, :width]
    prediction = np.roll(truth, 3, axis=-1)
    if not wrong:
        return np.ascontiguousarray(truth), prediction
    strange = rng.random(shape) < wrong
    return np.ascontiguousarray(truth), np.where(strange, rng.integers(0, CLASSES, shape), prediction).astype(np.uint8)


def draw_logits(rng: np.random.Generator) -> tuple[Tensor, IntArray]:
    """Draw logits that are right at most pixels of a truth."""
    truth, prediction = draw_maps((LOGITS[0], *LOGITS[2:]), rng, 0.05)
    logits = rng.standard_normal(LOGITS, np.float32)
    np.put_along_axis(logits, prediction[:, None].astype(np.int64), 6.0, axis=1)
    return torch.from_numpy(logits), truth


def ours(truth: IntArray, prediction: IntArray) -> FloatArray:
    table = confusion(truth, prediction, CLASSES, VOID)
    right = np.diagonal(table)
    return right / (table.sum(axis=1) + table[:, :-1].sum(axis=0) - right)


def textbook(truth: Tensor, prediction: Tensor) -> FloatArray:
    found = []
    for index in range(CLASSES):
        predicted, true = prediction == index, truth == index
        both = torch.logical_and(predicted, true).sum().item()
        found.append(both / torch.logical_or(predicted, true).sum().item())
    return np.array(found)


def textbook_on_bytes(truth: IntArray, prediction: IntArray) -> FloatArray:
    found = []
    for index in range(CLASSES):
        predicted, true = prediction == index, truth == index
        found.append(np.logical_and(predicted, true).sum() / np.logical_or(predicted, true).sum())
    return np.array(found)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternating(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Time the ways in turn; give each one's median."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    return {name: statistics.median(values) for name, values in times.items()}


def from_logits(rng: np.random.Generator) -> None:
    logits, truth = draw_logits(rng)
    truth_long = torch.from_numpy(truth).long()

    def mine() -> FloatArray:
        return ours(truth, highest(logits.numpy()))

    def peer() -> FloatArray:
        return textbook(truth_long, torch.argmax(torch.softmax(logits, dim=1), dim=1))

    if not np.allclose(mine(), peer(), rtol=0, atol=1e-12):
        raise SystemExit("the two do not agree on the logits")
    times = alternating(ROUNDS, mine=mine, peer=peer)
    print(f"logits {LOGITS}: ours {times['mine'] * 1000:.1f} ms, textbook {times['peer'] * 1000:.1f} ms")
    print(f"RATIO miou_logits ours/peer {times['peer'] / times['mine']:.2f}")


def from_maps(rng: np.random.Generator, wrong: float) -> float:
    truth, prediction = draw_maps(SIZE, rng, wrong)
    part = slice(0, 500)
    if not np.array_equal(
        confusion(truth[part], prediction[part], CLASSES, VOID)[:, :CLASSES],
        confusion_matrix(truth[part].ravel(), prediction[part].ravel(), labels=range(CLASSES)),
    ):
        raise SystemExit("the counts are not those of scikit-learn")
    longs = [torch.from_numpy(each).long() for each in (truth, prediction)]
    if not np.allclose(ours(truth, prediction), textbook(*longs), rtol=0, atol=1e-12):
        raise SystemExit("the two do not agree on the maps")
    metric = MeanIoU(num_classes=CLASSES, input_format="index")
    strips = [(longs[1][None, top : top + 500], longs[0][None, top : top + 500]) for top in range(0, SIZE[0], 500)]
    times = alternating(
        ROUNDS,
        mine=lambda: ours(truth, prediction),
        loop=lambda: textbook(*longs),
        on_bytes=lambda: textbook_on_bytes(truth, prediction),
        torchmetrics=lambda: [metric.update(*strip) for strip in strips],
    )
    tracemalloc.start()
    ours(truth, prediction)
    extra = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    mine, loop = times["mine"], times["loop"]
    print(
        f"maps {SIZE}, {wrong:.0%} of pixels scattered: ours {mine * 1000:.1f} ms and {extra:.1f} MB extra, textbook "
        f"{loop * 1000:.0f} ms ({loop / mine:.1f}x), in NumPy on bytes {times['on_bytes'] * 1000:.0f} ms "
        f"({times['on_bytes'] / mine:.1f}x), torchmetrics MeanIoU {times['torchmetrics']:.2f} s"
    )
    print(f"RATIO miou_torchmetrics{'_scattered' if wrong else ''} ours/peer {times['torchmetrics'] / mine:.1f}")
    return loop / mine


def peak() -> float:
    """Give the most memory this process ever had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def many_maps(rng: np.random.Generator) -> None:
    """Score many maps in one sum of counts; print the time of counting, and the memory at most, drawing the maps included."""
    labels, before, spent, total = LabelSet.of([f"class {index}" for index in range(CLASSES)]), peak(), 0.0, None
    for done in range(1, MANY + 1):
        truth, prediction = (Segmentation.from_class_map(each, labels) for each in draw_maps(SIZE, rng, 0.0))
        start = time.perf_counter()
        counts = overlap.count(prediction, truth)
        total = counts if total is None else total + counts
        spent += time.perf_counter() - start
        if done in (2, MANY):
            print(f"after {done} maps {SIZE}: at most {peak() - before:.0f} MB above the imports", flush=True)
    if total is None or total.confusion.sum() != MANY * SIZE[0] * SIZE[1]:
        raise SystemExit("pixels were lost")
    print(f"{MANY} maps: {spent / MANY * 1000:.1f} ms a map to count, mIoU {overlap.score(total)['miou']:.4f}")


def main() -> None:
    rng = np.random.default_rng(0)
    many_maps(rng)
    from_logits(rng)
    scattered = from_maps(rng, 0.1)
    print(f"RATIO miou_scattered ours/peer {scattered:.2f}")
    print(f"RATIO miou ours/peer {from_maps(rng, 0.0):.2f}")


if __name__ == "__main__":
    main()
