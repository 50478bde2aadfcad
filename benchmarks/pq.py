"""Panoptic quality: Pixelwise against a plain evaluation in NumPy, of the kind the COCO task published, and against hotcoco.

The plain way, written here from its published rules: an image at a time, the two maps of segment numbers are joined into one of
64 bits, ``np.unique`` counts its values, and loops over dictionaries match segments. The maps are those of coco_panoptic, each
several times over, with predictions made of the truth by a seeded rule: segments are moved, dropped, merged, cut off and given
other classes. Counts of all three are compared before anything is timed. Rounds alternate and medians are compared, so above 1
is faster.

``pq`` starts from maps in memory: what each side gets when a PNG is decoded. ``pq_files`` starts from JSON and PNGs on disk, as
hotcoco must: the plain way reads them with json and Pillow. Hotcoco has no way in for maps, so it is measured from files alone.
The last part counts one pair of maps of 6000x4000 pixels and says how much memory that took beside them.

Run: python benchmarks/pq.py [--copies 10] [--rounds 5]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from pixelwise.core.arrays import IntArray
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import coco_panoptic
from pixelwise.metrics import panoptic_quality

DATA = Path(os.environ.get("PIXELWISE_SHARED_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")) / "coco_panoptic"
Pair = tuple[Segmentation, Segmentation]
Numbered = tuple[IntArray, dict[int, dict[str, int]]]


def worse(truth: Segmentation, rng: np.random.Generator) -> Segmentation:
    """Predict a truth badly."""
    ids = np.roll(truth.panoptic_ids(), rng.integers(-5, 6, 2), (0, 1))
    numbers = np.arange(len(truth) + 1)
    numbers[rng.random(len(numbers)) < 0.1] = 0
    merged = rng.random(len(numbers)) < 0.1
    numbers[merged] = rng.integers(0, len(numbers), int(merged.sum()))
    ids = numbers[ids]
    for _ in range(5):  # things nobody sees
        top, left = rng.integers(0, ids.shape)
        ids[top : top + 30, left : left + 40] = rng.integers(0, len(numbers))
    kept = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(numbers))[1:])
    classes = np.where(rng.random(len(truth)) < 0.05, rng.integers(0, len(truth.labels), len(truth)), truth.class_ids)
    whole = Segmentation("panoptic", DisjointMasks(ids, len(truth)), classes, truth.labels)
    return whole[kept]


def numbered(one: Segmentation) -> Numbered:
    """Give a segmentation as an evaluator of files has it: numbers of 24 bits (H, W), and what is known of each."""
    numbers = np.append(0, 257 * np.arange(1, len(one) + 1))
    rows = zip(one.class_ids.tolist(), one.is_crowd.tolist(), one.masks.areas().tolist(), strict=True)
    known = {257 * row: {"class": index, "crowd": int(crowd), "area": area} for row, (index, crowd, area) in enumerate(rows, 1)}
    return numbers[one.panoptic_ids()].astype(np.uint32), known


def plain(pairs: list[tuple[Numbered, Numbered]]) -> dict[int, list[float]]:
    """Count TP, FP, FN and added IoU by class."""
    found: dict[int, list[float]] = {}
    for (predicted, own), (true, known) in pairs:
        for row in own.values():
            row["area"] = 0
        for number, area in zip(*np.unique(predicted, return_counts=True), strict=True):
            if number:
                own[int(number)]["area"] = int(area)
        joined = true.astype(np.uint64) * 2**24 + predicted.astype(np.uint64)
        shared = {}
        for number, area in zip(*np.unique(joined, return_counts=True), strict=True):
            shared[int(number) >> 24, int(number) & 0xFFFFFF] = int(area)
        matched_true, matched_own = set(), set()
        for (t, p), area in shared.items():
            if t not in known or p not in own or known[t]["crowd"] or known[t]["class"] != own[p]["class"]:
                continue
            iou = area / (own[p]["area"] + known[t]["area"] - area - shared.get((0, p), 0))
            if iou > 0.5:
                sums = found.setdefault(known[t]["class"], [0, 0, 0, 0])
                sums[0], sums[3] = sums[0] + 1, sums[3] + iou
                matched_true.add(t)
                matched_own.add(p)
        crowds = {}
        for t, row in known.items():
            if row["crowd"]:
                crowds[row["class"]] = t
            elif t not in matched_true:
                found.setdefault(row["class"], [0, 0, 0, 0])[2] += 1
        for p, row in own.items():
            aside = shared.get((0, p), 0) + shared.get((crowds.get(row["class"], -1), p), 0)
            if p not in matched_own and aside / row["area"] <= 0.5:
                found.setdefault(row["class"], [0, 0, 0, 0])[1] += 1
    return found


def ours(pairs: list[Pair]) -> panoptic_quality.Counts:
    return sum(panoptic_quality.count(*pair) for pair in pairs)  # type: ignore[return-value]


def ours_from_files(prediction: Path, truth: Path) -> panoptic_quality.Counts:
    datasets = coco_panoptic.read(prediction), coco_panoptic.read(truth)
    return ours([(one.truth, other.truth) for one, other in zip(*datasets, strict=True)])


def plain_from_files(prediction: Path, truth: Path) -> dict[int, list[float]]:
    pairs = zip(plainly_read(prediction), plainly_read(truth), strict=True)
    found: dict[int, list[float]] = {}
    for pair in pairs:
        for index, sums in plain([pair]).items():
            found[index] = [a + b for a, b in zip(sums, found.get(index, [0, 0, 0, 0]), strict=True)]
    return found


def plainly_read(file: Path) -> "Any":
    """Give the maps and segments of a file, one image at a time."""
    for row in json.loads(file.read_bytes())["annotations"]:
        with PIL.Image.open(file.with_suffix("") / row["file_name"]) as image:
            colours = np.array(image, np.uint32)
        known = {
            one["id"]: {"class": one["category_id"], "crowd": one["iscrowd"], "area": one["area"]}
            for one in row["segments_info"]
        }
        yield colours[:, :, 0] + 256 * colours[:, :, 1] + 65536 * colours[:, :, 2], known


def write(file: Path, segmentations: list[Segmentation]) -> Path:
    """Write segmentations as the task wants them, and pictures without anything on them."""
    folder = file.with_suffix("")
    folder.mkdir(parents=True)
    (file.parent / "images").mkdir(exist_ok=True)
    images, annotations = [], []
    for image, one in enumerate(segmentations, 1):
        ids, known = numbered(one)
        PIL.Image.fromarray(np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=2).astype(np.uint8)).save(
            folder / f"{image}.png"
        )
        picture = file.parent / "images" / f"{image}.jpg"
        if not picture.exists():
            PIL.Image.new("RGB", one.size[::-1]).save(picture)
        images.append({"id": image, "height": one.size[0], "width": one.size[1], "file_name": picture.name})
        boxes = one.masks.boxes()
        segments = [
            {"id": number, "category_id": row["class"] + 1, "iscrowd": row["crowd"], "area": row["area"]}
            | {"bbox": [int(box[0]), int(box[1]), int(box[2] - box[0]), int(box[3] - box[1])]}
            for (number, row), box in zip(known.items(), boxes, strict=True)
        ]
        annotations.append({"image_id": image, "file_name": f"{image}.png", "segments_info": segments})
    labels = segmentations[0].labels.labels
    categories = [{"id": row, "name": one.name, "isthing": int(one.is_thing)} for row, one in enumerate(labels, 1)]
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


def alternating(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Time the ways in turn; give each one's median seconds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in times.items()}


def require_equal(counts: panoptic_quality.Counts, theirs: dict[int, list[float]], first: int = 0) -> None:
    """Compare counts of every class with those of the plain way, whose classes are numbered from ``first`` on."""
    for index, own in enumerate(panoptic_quality.per_class(counts).values()):
        tp, fp, fn, iou = theirs.get(index + first, [0, 0, 0, 0])
        if [own["tp"], own["fp"], own["fn"]] != [tp, fp, fn]:
            raise SystemExit(f"class {index}: the two do not agree: {own} and {tp, fp, fn}")
        if tp and abs(own["sq"] - iou / tp) > 1e-12:
            raise SystemExit(f"class {index}: the two do not agree on IoU: {own['sq']} and {iou / tp}")


def from_maps(pairs: list[Pair], rounds: int) -> None:
    decoded = [(numbered(one), numbered(truth)) for one, truth in pairs]
    require_equal(ours(pairs), plain(decoded))
    times = alternating(rounds, {"ours": lambda: ours(pairs), "peer": lambda: plain(decoded)})
    each = {name: value / len(pairs) * 1000 for name, value in times.items()}
    print(f"maps: ours {each['ours']:.2f} ms an image, plain {each['peer']:.2f} ms")
    print(f"RATIO pq ours/peer {times['peer'] / times['ours']:.2f}")


def from_files(pairs: list[Pair], rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = "prediction", "truth"
        files = [
            write(Path(folder) / name / f"panoptic_{name}.json", list(each))
            for name, each in zip(names, zip(*pairs, strict=True), strict=True)
        ]
        require_equal(ours_from_files(*files), plain_from_files(*files), first=1)
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: ours_from_files(*files),
            "peer": lambda: plain_from_files(*files),
        }
        try:
            from hotcoco.panoptic import PanopticEval
        except ImportError:
            print("hotcoco is not installed and left out")
        else:
            theirs = PanopticEval(files[1], files[0])
            theirs.evaluate()
            own, other = panoptic_quality.score(ours(pairs))["pq"], theirs.results()["All"]["pq"]
            if abs(own - other) > 1e-12:
                raise SystemExit(f"hotcoco does not agree: {own} and {other}")
            ways["hotcoco"] = lambda: PanopticEval(files[1], files[0]).evaluate()
        times = alternating(rounds, ways)
    print("files: " + ", ".join(f"{name} {value / len(pairs) * 1000:.2f} ms an image" for name, value in times.items()))
    print(f"RATIO pq_files ours/peer {times['peer'] / times['ours']:.2f}")
    if "hotcoco" in times:
        print(f"RATIO pq_files_hotcoco hotcoco/peer {times['peer'] / times['hotcoco']:.2f}")


def huge(one: Segmentation, rng: np.random.Generator) -> None:
    """Count one pair of large maps: segments side by side until there are 24 megapixels."""
    ids = one.panoptic_ids().astype(np.uint16)
    down, across = -(-4000 // ids.shape[0]), -(-6000 // ids.shape[1])
    steps = np.arange(down * across, dtype=np.uint16).reshape(down, 1, across, 1) * len(one)
    tiled = (ids[None, :, None] + steps * (ids > 0)[None, :, None]).reshape(down * ids.shape[0], -1)[:4000, :6000]
    count = len(one) * down * across
    truth = replace(
        one,
        crowd=None,
        masks=DisjointMasks(np.ascontiguousarray(tiled), count),
        class_ids=np.tile(one.class_ids, down * across),
    )
    prediction = worse(truth, rng)
    begun = time.perf_counter()
    panoptic_quality.count(prediction, truth)
    seconds = time.perf_counter() - begun
    tracemalloc.start()
    panoptic_quality.count(prediction, truth)
    extra = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f"one pair of 6000x4000 with {count:,} segments: {seconds * 1000:.0f} ms and {extra:.0f} MB beside the maps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=10, help="of each truth")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA}: the truths are not there; set PIXELWISE_SHARED_DATA")
    samples = [*coco_panoptic.read(DATA / "val20"), *coco_panoptic.read(DATA / "sample2" / "panoptic_examples.json")]
    truths = [replace(each.truth, boxes=None, areas=None, source_ids=None, attributes=()) for each in samples]
    rng = np.random.default_rng(0)
    pairs = [(worse(one, rng), one) for _ in range(asked.copies) for one in truths]
    print(f"{len(pairs)} images of {len(truths)} truths, {sum(len(one) for _, one in pairs):,} segments")
    huge(truths[0], rng)
    from_files(pairs, asked.rounds)
    from_maps(pairs, asked.rounds)


if __name__ == "__main__":
    main()
