"""A small data set of every kind, with what is hard to keep: holes, parts, single pixels, overlap, crowds, void, nothing."""

from collections.abc import Callable

import numpy as np

from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["land", "lake", "tree"], things=["tree"])
REGIONS = LabelSet(())


def hard() -> dict[str, np.ndarray]:
    """Class maps with holes, several parts, one-pixel objects, void, and none of some classes."""
    holes = np.zeros((9, 11), int)
    holes[1:8, 1:8] = 1
    holes[3:6, 3:6] = 0
    holes[4, 4] = 1  # an island in the hole
    parts = np.zeros((9, 11), int)
    parts[0, 0] = parts[8, 10] = parts[4, 5] = 2  # one pixel each, two in corners
    parts[2:4, 7:9] = 2
    void = np.full((9, 11), 255)
    void[2:5, 2:5] = 1
    void[3, 3] = 255
    checks = np.indices((9, 11)).sum(axis=0) % 3
    return {
        "holes": holes,
        "parts": parts,
        "void": void,
        "checks": checks,
        "flat": np.zeros((9, 11), int),
        "10": holes.T,
        "9": parts,
    }


def semantic_data() -> Dataset:
    rng = np.random.default_rng(0)
    samples = [
        Sample.of(
            name,
            Image(rng.integers(0, 256, (*classes.shape, 3)).astype(np.uint8)),
            Segmentation.from_class_map(classes, LABELS),
        )
        for name, classes in hard().items()
    ]
    return Dataset(samples, LABELS, "semantic", {"train": [0, 1, 2, 3], "val": [4, 5], "test": [6]}, "hard")


def objects() -> Segmentation:
    """Instances that overlap, with a hole, in two parts, of one pixel, equal to another, and a crowd."""
    masks = np.zeros((6, 9, 11), bool)
    masks[0, 1:8, 1:8] = True
    masks[0, 3:6, 3:6] = False
    masks[1, 0, 0] = masks[1, 5:9, 5:9] = True
    masks[2, 8, 10] = True
    masks[3] = masks[4] = masks[0]
    masks[5, :, 6:] = True
    crowd = np.array([False, False, False, False, False, True])
    return Segmentation.from_masks("instance", masks, [2, 0, 2, 2, 1, 2], LABELS, crowd=crowd)


def instance_data() -> Dataset:
    apart = objects()[[1, 2]]
    samples = [
        Sample.of("many", grey(), objects()),
        Sample.of("none", grey(), objects()[[]]),
        Sample.of("apart", grey(), apart),
    ]
    return Dataset(samples, LABELS, "instance", {"train": [0], "val": [1, 2]}, "objects")


def panoptic_data() -> Dataset:
    """Stuff with a hole, things in parts and side by side, a crowd, void; and an image that is void everywhere."""
    ids = np.zeros((9, 11), np.uint8)
    ids[:5], ids[5:] = 1, 2
    ids[1:4, 1:4] = 3
    ids[1:4, 4:7] = ids[8, 0] = 4
    ids[6:, 8:] = 5
    ids[2, 2] = ids[0, 10] = 0
    crowd = np.array([False, False, False, False, True])
    full = Segmentation("panoptic", DisjointMasks(ids, 5), np.array([0, 1, 2, 2, 2]), LABELS, crowd=crowd)
    samples = [Sample.of("whole", grey(), full), Sample.of("void", grey(), full[[]])]
    return Dataset(samples, LABELS, "panoptic", {"train": [0], "val": [1]}, "scene")


def multilabel_data() -> Dataset:
    masks = np.zeros((2, 9, 11), bool)
    masks[0, 1:6, 1:6] = masks[1, 3:9, 3:9] = True
    truth = Segmentation.from_masks("multilabel", masks, [0, 2], LABELS)
    return Dataset([Sample.of("both", grey(), truth)], LABELS, "multilabel", {}, "layers")


def partition(columns: int) -> Segmentation:
    """Regions side by side, the last in two parts."""
    ids = (np.indices((9, 11))[1] * columns // 11 + 1).astype(np.uint8)
    ids[0, 0] = columns
    return Segmentation("regions", DisjointMasks(ids, columns), np.zeros(columns, int), REGIONS)


def regions_data() -> Dataset:
    samples = [Sample.of("three", grey(), partition(3)), Sample.of("five", grey(), partition(5))]
    return Dataset(samples, REGIONS, "regions", {}, "regions")


def several_data() -> Dataset:
    """Two and three truths an image."""
    samples = []
    for name, counts in (("two", (2, 4)), ("three", (3, 5, 7))):
        one = Sample.of(name, grey(), partition(counts[0]))
        truths = TruthArray(tuple(partition(count) for count in counts))
        samples.append(Sample(name, one.pixels, truths, REGIONS))
    return Dataset(samples, REGIONS, "regions", {}, "several")


def grey() -> Image:
    return Image(np.arange(9 * 11 * 3, dtype=np.uint8).reshape(9, 11, 3))


DATA: dict[str, Callable[[], Dataset]] = {
    "semantic": semantic_data,
    "instance": instance_data,
    "panoptic": panoptic_data,
    "multilabel": multilabel_data,
    "regions": regions_data,
    "several": several_data,
}
