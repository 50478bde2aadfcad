"""Graphs cut and merged: the libraries' answers on the same numbers, exact answers on small graphs, and what is refused."""

import itertools

import cv2
import numpy as np
import pytest
from scipy import linalg, sparse

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.methods.graphs.frame import INSIDE, OUTSIDE
from pixelwise.methods.graphs.graphcut import border_costs, least_cut, neighbours
from pixelwise.methods.graphs.normalizedcut import parted, second_eigenvector
from pixelwise.methods.predictor import Method


def photo(size=(36, 48), seed=0):
    """Blurred noise in colour, with edges."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    pixels = cv2.normalize(cv2.GaussianBlur(pixels, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    pixels[:, : size[1] // 2] //= 2
    return pixels


def thing():
    """A red disc with noise on green, (40, 50, 3), and the disc."""
    rows, columns = np.mgrid[:40, :50]
    disc = (rows - 20) ** 2 + (columns - 25) ** 2 < 10**2
    pixels = np.where(disc[:, :, None], (200, 60, 50), (60, 150, 70)) + np.random.default_rng(0).normal(0, 8, (40, 50, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), disc


def run(name, pixels, *prompts, **options):
    return Method(name, **options)([as_image(pixels)], Request(prompts=(prompts,)) if prompts else Request())[0]


def same_partition(first, second):
    pairs = np.unique(np.stack([first.ravel(), second.ravel()], axis=1), axis=0)
    return len(pairs) == len(np.unique(first)) == len(np.unique(second))


def test_felzenszwalb_is_scikit_images():
    from skimage.segmentation import felzenszwalb

    for pixels in (photo(), photo()[:, :, 0], photo().astype(np.uint16) * 257):
        expected = felzenszwalb(pixels, scale=50, sigma=0.5, min_size=10, channel_axis=-1 if pixels.ndim == 3 else None)
        assert same_partition(run("felzenszwalb", pixels, scale=50, smooth=0.5, smallest=10).panoptic_ids(), expected)


def test_felzenszwalb_gives_fewer_regions_at_larger_scales():
    counts = [len(run("felzenszwalb", photo(), scale=scale, smallest=1)) for scale in (5, 50, 500)]
    assert counts[0] > counts[1] > counts[2]


def test_slic_is_scikit_images():
    from skimage.segmentation import slic

    expected = slic(photo(), n_segments=30, compactness=8, max_num_iter=5, start_label=1)
    assert same_partition(run("slic", photo(), superpixels=30, compactness=8, iterations=5).panoptic_ids(), expected)


def test_quickshift_is_scikit_images():
    from skimage.segmentation import quickshift

    expected = quickshift(photo(), ratio=0.7, kernel_size=2, max_dist=6, rng=3)
    found = run("quickshift", photo(), ratio=0.7, kernel=2, reach=6, seed=3).panoptic_ids()
    assert same_partition(found, expected)


def test_the_random_walker_is_scikit_images():
    from skimage.segmentation import random_walker

    prompts = Prompt(points=((5, 5, True), (24, 30, False))), Prompt(points=((40, 20, True),))
    marks = np.zeros((36, 48), np.int32)
    for (x, y), number in (((24, 30), 1), ((5, 5), 2), ((40, 20), 3)):
        cv2.circle(marks, (x, y), 1, number, -1)
    expected = random_walker(photo() / 255.0, marks, beta=90, mode="bf", channel_axis=-1)
    assert (run("randomwalker", photo(), *prompts, beta=90).panoptic_ids() == expected).mean() > 0.999


@pytest.mark.parametrize("size", [20, 100])
def test_the_eigenvector_is_that_of_a_dense_solve(size):
    rng = np.random.default_rng(size)
    half = np.triu(rng.random((size, size)) * (rng.random((size, size)) < 0.3), 1)
    weights = half + half.T + np.eye(size)
    degrees = np.diag(weights.sum(axis=1))
    values, vectors = linalg.eigh(degrees - weights, degrees)
    expected = vectors[:, 1] / np.linalg.norm(vectors[:, 1])
    found = second_eigenvector(sparse.csr_array(weights))
    assert abs(found @ expected) == pytest.approx(1, abs=1e-7)
    quotient = found @ (degrees - weights) @ found / (found @ degrees @ found)
    assert quotient == pytest.approx(values[1], rel=1e-6)


def test_normalised_cuts_part_blocks_of_strong_weights():
    block = np.full((6, 6), 1.0)
    weights = sparse.csr_array(np.asarray(linalg.block_diag(block, block, block)) + 1e-4)
    found = parted(weights, cut=0.1, regions=10)
    assert [len(set(found[start : start + 6])) for start in (0, 6, 12)] == [1, 1, 1]
    assert len(set(found)) == 3
    assert len(set(parted(weights, cut=0.1, regions=2))) == 2


def test_normalised_cuts_find_a_thing():
    pixels, disc = thing()
    found = run("normalizedcut", pixels, superpixels=60, regions=2).panoptic_ids()
    assert max(np.mean((found == 2) == disc), np.mean((found == 1) == disc)) > 0.97


def energy(inside, gain, borders, size):
    total = gain[~inside].sum()
    for part, (one, other, _) in zip(borders, neighbours(size), strict=True):
        total += part[inside[one] != inside[other]].sum()
    return total


@pytest.mark.parametrize("seed", range(6))
def test_no_other_cut_of_nine_pixels_costs_less(seed):
    rng = np.random.default_rng(seed)
    gain = rng.integers(-60, 60, (3, 3)) / 20  # whole numbers of the steps that the flow counts in
    borders = [rng.integers(0, 40, part.shape) / 20 for part in border_costs(rng.random((3, 3, 1)), 1.0)]
    marks = np.zeros((3, 3), np.uint8)
    marks[0, 0], marks[2, 2] = INSIDE, OUTSIDE
    found = least_cut(gain, borders, marks)
    assert found[0, 0]
    assert not found[2, 2]
    sides = (np.array(one).reshape(3, 3) for one in itertools.product([False, True], repeat=9))
    least = min(energy(one, gain, borders, (3, 3)) for one in sides if one[0, 0] and not one[2, 2])
    assert energy(found, gain, borders, (3, 3)) == pytest.approx(least)


def test_costs_of_borders_fall_with_the_difference_and_the_distance():
    right, below, diagonal, other = border_costs(np.array([[0.0, 0.0], [0.0, 1.0]])[:, :, None], 2.0)
    assert right[0, 0] == pytest.approx(2)
    assert below[0, 1] < 2
    assert other[0, 0] == pytest.approx(2 / np.sqrt(2))
    assert diagonal[0, 0] < other[0, 0]


@pytest.mark.parametrize("name", ["graphcut", "grabcut"])
@pytest.mark.parametrize(
    "prompts",
    [
        (),
        (Prompt(box=(11, 6, 40, 34)),),
        (Prompt(points=((25, 20, True), (3, 3, False))),),
        (Prompt(polygon=((20, 15), (30, 15), (30, 25), (20, 25))),),
        (Prompt(scribbles=((((20, 20), (30, 20)), True), (((2, 2), (48, 2)), False))),),
    ],
    ids=["nothing", "box", "points", "polygon", "strokes"],
)
def test_a_thing_is_cut_out_by(name, prompts):
    pixels, disc = thing()
    found = run(name, pixels, *prompts).class_map() == 1
    assert (found & disc).sum() / (found | disc).sum() > 0.9


@pytest.mark.parametrize("name", ["graphcut", "grabcut"])
def test_what_is_marked_keeps_its_side(name):
    pixels, _ = thing()
    found = run(name, pixels, Prompt(points=((25, 20, False), (5, 5, True)))).class_map()
    assert (found[20, 25], found[5, 5]) == (0, 1)


def test_beyond_the_boxes_is_background():
    pixels, _ = thing()
    for name in ("graphcut", "grabcut"):
        assert not run(name, pixels, Prompt(box=(11, 6, 30, 34))).class_map()[:, 30:].any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("felzenszwalb", {"scale": -1}),
        ("slic", {"superpixels": 0}),
        ("slic", {"compactness": 0}),
        ("quickshift", {"ratio": 2}),
        ("quickshift", {"seed": -1}),
        ("normalizedcut", {"cut": 3}),
        ("normalizedcut", {"regions": 0}),
        ("graphcut", {"smoothness": -1}),
        ("graphcut", {"mixtures": 0}),
        ("grabcut", {"rounds": 0}),
        ("randomwalker", {"beta": -1}),
        ("randomwalker", {"seeds": 0}),
    ],
)
def test_options_out_of_range_are_told_with_the_methods_name(name, options):
    with pytest.raises(OptionError, match=f"^{name}: "):
        run(name, photo(), **options)


@pytest.mark.parametrize("name", ["felzenszwalb", "slic", "quickshift", "normalizedcut", "graphcut", "grabcut", "randomwalker"])
def test_a_large_image_is_worked_out_on_a_smaller_one_and_says_so(name, monkeypatch):
    import importlib

    monkeypatch.setattr(importlib.import_module(f"pixelwise.methods.graphs.{name}"), "_PIXELS", 500)
    found = run(name, photo())
    assert found.size == (36, 48)
    assert "of 36 x 48 pixels" in found.notes[0]


def test_an_eigenvector_that_does_not_settle_is_solved_for_densely(monkeypatch):
    import scipy.sparse.linalg

    def unsettled(*_, **__):
        raise scipy.sparse.linalg.ArpackNoConvergence("not in %d rounds: %d", np.zeros(0), np.zeros((0, 0)))

    half = np.triu(np.random.default_rng(0).random((100, 100)), 1)
    weights = sparse.csr_array(half + half.T + np.eye(100))
    expected = second_eigenvector(weights)
    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", unsettled)
    assert second_eigenvector(weights) == pytest.approx(expected, abs=1e-6)


def test_a_random_walk_that_does_not_settle_is_noted(monkeypatch):
    import warnings

    import skimage.segmentation

    def unsettled(values, marks, **_):
        warnings.warn("Conjugate gradient convergence to tolerance not achieved.", stacklevel=1)
        return marks

    assert run("randomwalker", photo()).notes == ()
    monkeypatch.setattr(skimage.segmentation, "random_walker", unsettled)
    assert "not solved to their tolerance" in run("randomwalker", photo()).notes[0]
