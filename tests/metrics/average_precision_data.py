"""Objects drawn by a seeded rule for the tests of average precision: all that its rules speak of, in a few small images."""

from dataclasses import replace

import numpy as np
from noisy import Noise, noisy

from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import encode
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.context import Context

LABELS = LabelSet.of(["ant", "bee", "cat", "never"], things=["ant", "bee", "cat", "never"])
SIZE = (40, 60)
AREAS = (7.5, 1023.9, 1024.0, 1024.1, 9215.0, 9216.0, 40000.0)  # as stated, around the bounds of the ranges and on them


def truth_of(rng, count):
    """Draw rectangles of three classes, some of them crowds, with areas that are not those of the masks."""
    masks = np.zeros((count, *SIZE), bool)
    for mask in masks:
        top, left = rng.integers(0, 30), rng.integers(0, 45)
        mask[top : top + rng.integers(4, 14), left : left + rng.integers(4, 18)] = True
    held = OverlappingMasks(tuple(encode(mask) for mask in masks), SIZE)
    areas, crowd = rng.choice(AREAS, count), rng.random(count) < 0.15
    return Segmentation("instance", held, rng.integers(0, 3, count), LABELS, crowd=crowd, areas=areas)


def drawn(seed, images=12, digits=1):
    """Give truths and predictions by image id; ids are not in order, some images lack one or the other."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.arange(1, images + 1) * 7).tolist()
    truths = {number: truth_of(rng, int(rng.integers(0, 9))) for number in numbers}
    noise = Noise(shift=2, again=3, digits=digits)
    predictions = {number: noisy(truth, rng, noise) for number, truth in truths.items()}
    predictions[numbers[0]] = predictions[numbers[0]][:0]
    truths[numbers[1]] = truths[numbers[1]][:0]
    return truths, predictions


def with_boxes(segments, rng):
    """State boxes that are not the masks', with two digits; give them as COCO writes them, too."""
    sides = {}
    for number, one in segments.items():
        boxes = one.masks.boxes().astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        sides[number] = np.round(np.abs(boxes + rng.normal(0, 0.7, boxes.shape)), 2)
    stated = {
        number: replace(one, boxes=np.column_stack([sides[number][:, :2], sides[number][:, :2] + sides[number][:, 2:]]))
        for number, one in segments.items()
    }
    return stated, sides


def counted(family, predictions, truths):
    """Count images by a family's module, each with its id as the key."""
    return sum(family.count(predictions[key], truth, Context((0, key, ""))) for key, truth in truths.items())
