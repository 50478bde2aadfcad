"""Average precision of masks: Pixelwise, through its own types, against pycocotools.

The truth is that of coco_tiny160 val, its 80 photos repeated under new ids; the predictions are made of it by a seeded rule,
about 100 an image, and repeated with other scores of two digits, so that there are many ties. Loading is left out on both
sides: pycocotools starts from indexed run lengths of known area (``evaluate``, ``accumulate``, ``summarize``; the conversion
of polygons, which it does once, is over), Pixelwise from run lengths (``count`` of every image, their sum, ``score``), whose
areas it has yet to find. From the files on, both load their own way, and read the same JSON.

All arrays are compared first: precision, scores, recall, the twelve numbers. Rounds alternate and medians are compared, so
above 1 is faster. Then 1,000 bootstrap draws of the 80 photos are timed against one evaluation of them by pycocotools.

Run: python benchmarks/ap.py [--copies 13] [--rounds 3]
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import coco, coco_results
from pixelwise.metrics import average_precision
from pixelwise.metrics.average_precision.accumulation import curves
from pixelwise.metrics.average_precision.tables import LIMITS, Counts, ranking
from pixelwise.metrics.context import Context
from pixelwise.metrics.interval import Bootstrap, draws

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PIXELWISE_SHARED_DATA", ROOT / ".." / "shared" / "data")) / "coco_tiny160"
FILE = DATA / "annotations" / "instances_val2017.json"
DRAWS = 1000

Images = list[tuple[int, Segmentation, Segmentation]]  # id, prediction, truth


def make(copies: int) -> Images:
    """Predict every photo badly, and repeat it under new ids with other scores."""
    sys.path.insert(0, str(ROOT / "tests" / "metrics"))
    from noisy import Noise, noisy

    rng = np.random.default_rng(0)
    samples = sorted(coco.read(FILE), key=lambda sample: sample.meta["image_id"])
    pairs = [(noisy(sample.truth, rng, Noise(again=10, invented=100)), sample.truth) for sample in samples]
    images = []
    for copy in range(copies):
        for row, (prediction, truth) in enumerate(pairs):
            scores = np.round(rng.random(len(prediction)), 2)
            images.append((copy * len(pairs) + row + 1, replace(prediction, scores=scores), truth))
    return images


def as_files(images: Images, folder: Path) -> tuple[Path, Path]:
    """Write truth and results as the JSON files that both sides read; the outlines of the truth are the original ones."""
    original = json.loads(FILE.read_bytes())
    entries: dict[int, list[dict[str, Any]]] = {}
    for one in original["annotations"]:
        entries.setdefault(one["image_id"], []).append(one)
    photos = sorted(original["images"], key=lambda one: one["id"])
    numbers = {index: number for number, index in images[0][2].labels.values.items()}
    infos, annotations, results = [], [], []
    for number, prediction, _ in images:
        photo = photos[(number - 1) % len(photos)]
        infos.append({**photo, "id": number, "file_name": f"{number}.jpg"})
        (folder / "images").mkdir(exist_ok=True)
        os.link(_photo(folder, photo["file_name"]), folder / "images" / f"{number}.jpg")
        for one in entries.get(photo["id"], ()):
            annotations.append({**one, "id": len(annotations) + 1, "image_id": number})
        for index, runs in enumerate(prediction.masks.run_lengths()):
            outline = {"size": [*runs.size], "counts": runs.counts.decode()}
            kind, score = numbers[int(prediction.class_ids[index])], float(prediction.scores[index])
            results.append({"image_id": number, "category_id": kind, "segmentation": outline, "score": score})
    truth, found = folder / "instances_val.json", folder / "results.json"
    truth.write_text(json.dumps({**original, "images": infos, "annotations": annotations}))
    found.write_text(json.dumps(results))
    return truth, found


def _photo(folder: Path, name: str) -> Path:
    """Copy a photo once, so that links to it stay on one disk."""
    copy = folder / "photos" / name
    copy.parent.mkdir(exist_ok=True)
    if not copy.exists():
        copy.write_bytes((DATA / "val2017" / name).read_bytes())
    return copy


def ours(images: Images) -> Counts:
    counts = sum(average_precision.count(prediction, truth, Context((0, key, ""))) for key, prediction, truth in images)
    average_precision.score(counts)
    return counts


def ours_from_files(truth: Path, found: Path) -> Counts:
    predictions = {sample.meta["image_id"]: sample.truth for sample in coco_results.read_with(found, truth)}
    truths = coco.read(truth)
    return ours([(sample.meta["image_id"], predictions[sample.meta["image_id"]], sample.truth) for sample in truths])


def load(truth: Path, found: Path) -> tuple[COCO, COCO]:
    with contextlib.redirect_stdout(io.StringIO()):
        one = COCO(str(truth))
        return one, one.loadRes(str(found))


def peer(truth: COCO, found: COCO) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        one = COCOeval(truth, found, "segm")
        one.evaluate()
        one.accumulate()
        one.summarize()
    return one


def require_equal(counts: Counts, reference: COCOeval) -> None:
    """Compare every number of every array."""
    found, length = curves(ranking(counts), LIMITS), len(counts.labels)
    for name, axis in (("precision", 2), ("scores", 2), ("recall", 1)):
        own = getattr(found, name)
        whole = np.full((*own.shape[:axis], length, *own.shape[axis + 1 :]), -1.0)
        whole[(slice(None),) * axis + (found.classes,)] = own
        if not np.array_equal(whole, reference.eval[name]):
            raise SystemExit(f"{name} differs from pycocotools'")
    if list(average_precision.score(counts).values()) != reference.stats.tolist():
        raise SystemExit("the twelve numbers differ from pycocotools'")


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
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    images = make(options.copies)
    with tempfile.TemporaryDirectory() as name:
        files = as_files(images, Path(name))
        loaded = load(*files)
        require_equal(ours(images), peer(*loaded))
        require_equal(ours_from_files(*files), peer(*load(*files)))
        objects = sum(len(prediction) for _, prediction, _ in images)
        print(f"{len(images)} images, {objects} predicted objects: all arrays equal pycocotools'")
        alone = alternating(options.rounds, ours=lambda: ours(images), peer=lambda: peer(*loaded))
        print(f"evaluation: ours {alone['ours']:.2f} s, pycocotools {alone['peer']:.2f} s")
        whole = alternating(options.rounds, ours=lambda: ours_from_files(*files), peer=lambda: peer(*load(*files)))
        print(f"from the files on: ours {whole['ours']:.2f} s, pycocotools {whole['peer']:.2f} s")
    with tempfile.TemporaryDirectory() as name:
        photos = make(1)
        loaded, counts = load(*as_files(photos, Path(name))), ours(photos)
        weights = np.concatenate(list(draws(range(len(photos)), Bootstrap(resamples=DRAWS))))
        drawn = alternating(
            options.rounds, ours=lambda: average_precision.resampled(counts, weights), peer=lambda: peer(*loaded)
        )
        print(f"{DRAWS} draws of {len(photos)} photos: ours {drawn['ours']:.2f} s, one AP by pycocotools {drawn['peer']:.2f} s")
        print(f"so many draws cost {drawn['ours'] / drawn['peer']:.1f} times one AP by pycocotools")
    print(f"RATIO ap ours/peer {alone['peer'] / alone['ours']:.2f}")


if __name__ == "__main__":
    main()
