"""Covering, Rand index and variation of information of methods on BSDS500's validation photographs, and the time of all levels.

Each method is run at ten settings of one option. ODS is the best setting for all photographs, OIS the best for each; "two-fold"
is the covering of one half of the photographs at the setting that is best on the other half, the mean of both ways. The fitted
row is ragmerge with weights learned on the half it is not scored on. gPb-OWT-UCM's published covering is 0.59 ODS and 0.65 OIS
on the 200 test photographs [1]; these are the other 100.

The peer of the last line is scikit-image's ``felzenszwalb`` at ten scales. Ours is every one of ragmerge's ten levels, from the
image to segmentations. Photographs alternate, CPU seconds of one thread are added up, so above 1 is faster.

Run: python benchmarks/segment_bsds.py [--every 4] [--methods ragmerge,felzenszwalb]

[1] Arbelaez, Maire, Fowlkes and Malik, Contour Detection and Hierarchical Image Segmentation, PAMI 2011.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

import pixelwise as pw
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.graphs import ragmerge
from pixelwise.methods.predictor import Method
from pixelwise.metrics import partition

SCALES = [float(round(scale)) for scale in np.geomspace(50, 6400, 10)]
HEIGHTS = [round(float(height), 3) for height in np.linspace(0.36, 0.81, 10)]
SETTINGS: dict[str, tuple[str, Sequence[float]]] = {
    "ragmerge": ("level", HEIGHTS),
    "felzenszwalb": ("scale", SCALES),
    "watershed": ("contrast", [0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.06, 0.09, 0.12]),
    "slic": ("superpixels", [2, 3, 4, 6, 8, 12, 20, 40, 80, 160]),
    "kmeans": ("clusters", [2, 3, 4, 5, 6, 7, 8, 10, 12, 16]),
}
COLUMNS = ("cov. ODS", "OIS", "two-fold", "PRI ODS", "OIS", "VI ODS", "OIS", "seconds")
Levels = Callable[[Image], list[Segmentation]]


def levels_of(name: str, **options: object) -> Levels:
    option, values = SETTINGS[name]
    methods = [Method(name, **options, **{option: value}) for value in values]
    return lambda image: [method([image])[0] for method in methods]


def counted(levels_of_row: Callable[[int], Levels], data: pw.Dataset) -> list[partition.Counts]:
    """Count each photograph at all levels, against all of its truths."""
    return [partition.count(levels_of_row(row)(sample.image), sample.truths) for row, sample in enumerate(data)]


def two_fold(counts: Sequence[partition.Counts]) -> float:
    """Give the covering at the level that is best on the other half."""
    halves = [sum(counts[start::2]) for start in (0, 1)]
    curves = [[each["covering"] for each in partition.details(half, [])["by_level"]] for half in halves]
    return float(np.mean([scored[int(np.argmax(chosen))] for chosen, scored in (curves, curves[::-1])]))


def row_of(name: str, counts: Sequence[partition.Counts], seconds: float) -> str:
    found = partition.score(sum(counts))
    figures = [found[f"{score}_{scale}"] for score in ("covering", "pri", "vi") for scale in ("ods", "ois")]
    figures.insert(2, two_fold(counts))
    return f"{name:22}" + "".join(f"{figure:10.3f}" for figure in figures) + f"{seconds:10.2f}"


def fitted(data: pw.Dataset) -> Callable[[int], Levels]:
    """Learn on each half; give the levels of a photograph from what the other half taught."""
    taught = [ragmerge.fit(data.take(range(1 - half, len(data), 2))) for half in (0, 1)]
    heights = np.linspace(0.2, 0.8, 10)
    return lambda row: partial(ragmerge.levels, heights=heights, model=taught[row % 2])


def time_both(data: pw.Dataset) -> float:
    """Print the CPU seconds a photograph of all levels of both; give how many times ours go into the peer's."""
    from skimage.segmentation import felzenszwalb

    ours = theirs = 0.0
    for sample in data:
        image = sample.image
        began = time.process_time()
        ragmerge.levels(image, HEIGHTS)
        middle = time.process_time()
        for scale in SCALES:
            felzenszwalb(image.pixels, scale=scale, sigma=0.8, min_size=50)
        ours, theirs = ours + middle - began, theirs + time.process_time() - middle
    print(f"all ten levels: ours {ours / len(data):.3f} s, scikit-image's felzenszwalb {theirs / len(data):.3f} s a photograph")
    return theirs / ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take one photograph in so many")
    parser.add_argument("--methods", default=",".join([*SETTINGS, "fitted"]))
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    whole = pw.read(Path(os.environ.get("PIXELWISE_SHARED_DATA", "../shared/data")) / "bsds500_val")
    data = whole.take(range(0, len(whole), asked.every))
    print(f"{len(data)} photographs".ljust(22) + "".join(f"{name:>10}" for name in COLUMNS))
    for name in asked.methods.split(","):
        began = time.process_time()
        if name == "fitted":
            counts = counted(fitted(data), data)
        else:
            levels = levels_of(name)
            counts = counted(lambda _, levels=levels: levels, data)
        print(row_of(name, counts, (time.process_time() - began) / len(data)), flush=True)
    print(f"RATIO segment_bsds ours/peer {time_both(data.take(range(0, len(data), 5))):.1f}")


if __name__ == "__main__":
    main()
