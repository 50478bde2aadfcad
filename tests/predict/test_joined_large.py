"""Joined objects of huge images: the goal that is stated for them, and what they take of memory."""

import tracemalloc

import numpy as np
import pytest
from placed_objects import Oracle, Places, Scene

from pixelwise.core import runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import average_precision
from pixelwise.predict.tiles.joined import Joined
from pixelwise.predict.tiles.tiling import Tiling

_ALL = 100  # objects of a class in an image that average precision looks at


def drawn(size, small, large, least=3):
    """Draw cells of a few to some dozen pixels, and larger objects, some of them larger than a tile of a fifth of the side."""
    rng = np.random.default_rng(0)
    return Scene(size).draw(small, (least, 20), rng).draw(large, (min(size) / 40, min(size) / 5), rng)


def average_precision_in_parts(found: Segmentation, truth: Segmentation) -> float:
    """Score objects as images of their own, as many at a time as the metric looks at: found ones go with those they cover.

    What covers no true object goes to the first image, where it counts as wrong.
    """
    alike = runs.intersection_over_union(found.masks.run_lengths(), truth.masks.run_lengths())
    alike *= found.class_ids[:, None] == truth.class_ids
    step = _ALL // 2
    homes = np.where(alike.max(axis=1) > 0, alike.argmax(axis=1) // step, 0)
    parts = range(-(-len(truth) // step))
    counts = [average_precision.count(found[homes == part], truth[part * step : part * step + step]) for part in parts]
    return float(average_precision.score(sum(counts))["ap"])


def times_found(found: Segmentation, truth: Segmentation) -> np.ndarray:
    alike = runs.intersection_over_union(truth.masks.run_lengths(), found.masks.run_lengths())
    return ((alike > 0.5) & (truth.class_ids[:, None] == found.class_ids)).sum(axis=1)


@pytest.mark.parametrize(
    ("side", "small", "large", "tile"),
    [(800, 90, 10, 160), pytest.param(4000, 1800, 200, 640, marks=pytest.mark.slow)],
)
def test_an_oracle_in_tiles_scores_at_least_99_and_finds_no_object_twice(side, small, large, tile):
    scene = drawn((side, side), small, large)
    found = Joined(Oracle(scene), Tiling((tile, tile), tile // 5)).segment(Places(scene.size))
    truth = scene.truth()
    assert max(mask.box[2] - mask.box[0] for mask in truth.masks.run_lengths()) > tile
    assert average_precision_in_parts(found, truth) >= 0.99
    assert (times_found(found, truth) == times_found(truth, truth)).all()  # some that are alike lie on one another
    assert len(found) == len(truth)


@pytest.mark.slow
def test_objects_that_tiles_see_differently_are_found_once_each():
    scene = drawn((2000, 2000), 450, 50, least=8)  # of smaller ones a border of a pixel is too much
    oracle = Oracle(scene, jitter=1, missed=0.02, invented=2)
    found = Joined(oracle, Tiling((420, 420), 100)).segment(Places(scene.size))
    times, truth = times_found(found[found.scores >= 0.5], scene.truth()), scene.truth()
    assert (times > times_found(truth, truth)).mean() < 0.01
    assert (times > 0).mean() > 0.95


def test_memory_does_not_grow_with_the_image_but_with_its_objects():
    scene = Scene((20_000, 20_000)).draw(12, (20, 200), np.random.default_rng(0))
    predictor = Joined(Oracle(scene), Tiling((2048, 2048), 256))
    tracemalloc.start()
    try:
        found = predictor.segment(Places(scene.size))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == len(scene.things)
    assert peak < 64 * 2**20  # a mask of the image has 381 MiB
