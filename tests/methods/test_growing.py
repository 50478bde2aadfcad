"""Regions grown, flooded, split and merged: known answers, the libraries' answers, and what is refused."""

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.methods.growing.alike import merged, touching
from pixelwise.methods.growing.changes import colours, steepness
from pixelwise.methods.growing.floodfill import areas_without_jump
from pixelwise.methods.growing.growing import grown
from pixelwise.methods.growing.seeds import farthest, flattest
from pixelwise.methods.growing.splitmerge import even_blocks
from pixelwise.methods.growing.watershed import touching_objects, valleys
from pixelwise.methods.predictor import Method

PROMPTED = ("growing", "floodfill", "watershed")


def squares():
    """Four squares of plain grey, (20, 20): 40, 90, 140, 190."""
    return np.kron(np.array([[40, 90], [140, 190]], np.uint8), np.ones((10, 10), np.uint8))


def noise(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)


def run(name, pixels, *prompts, **options):
    return Method(name, **options)([as_image(pixels)], Request(prompts=(prompts,)) if prompts else Request())[0]


def point(x, y, inside=True):
    return Prompt(points=((x, y, inside),))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("growing", {"smooth": 0.0}),
        ("floodfill", {}),
        ("splitmerge", {"block": 2}),
        ("watershed", {"smooth": 0.0, "smallest": 60}),
    ],
)
def test_four_plain_squares_are_four_regions(name, options):
    found = run(name, squares(), **options).panoptic_ids()
    inner = [found[rows, columns] for rows in (slice(0, 9), slice(11, 20)) for columns in (slice(0, 9), slice(11, 20))]
    assert [len(np.unique(part)) for part in inner] == [1] * 4
    assert len({int(part[0, 0]) for part in inner}) == len(np.unique(found)) == 4


@pytest.mark.parametrize("name", PROMPTED)
def test_each_prompt_has_a_region_in_the_order_given(name):
    options = {} if name == "floodfill" else {"smooth": 0.0}
    found = run(name, squares(), point(15, 5), point(5, 15), **options).panoptic_ids()
    assert found[5, 15] != found[15, 5] != found[5, 5]
    assert found[5, 15] < found[15, 5]
    assert len(np.unique(found[11:, :9])) == 1


@pytest.mark.parametrize("name", [*PROMPTED, "randomwalker", "graphcut", "grabcut"])
@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (point(20, 5), "the point .* lies outside the image of 20 x 20 pixels"),
        (Prompt(box=(5, 5, 30, 9)), "the box .* is empty or outside the image"),
        (Prompt(polygon=((0, 0), (9, 0), (9, 90))), "outside the image"),
        (point(5, 5, False), "inside"),
    ],
)
def test_prompts_that_do_not_fit_are_told(name, prompt, said):
    with pytest.raises(OptionError, match=said):
        run(name, squares(), prompt)


@pytest.mark.parametrize("name", PROMPTED)
def test_a_prompt_that_marks_nothing_is_told(name):
    with pytest.raises(OptionError, match="prompt 2 of 2 marks nothing"):
        run(name, squares(), point(5, 5), Prompt())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("growing", {"tolerance": -1}),
        ("growing", {"tolerance": float("nan")}),
        ("growing", {"seeds": 0}),
        ("floodfill", {"tolerance": 2}),
        ("floodfill", {"like": "neighbor"}),
        ("floodfill", {"like": "seed"}),
        ("watershed", {"of": "grad"}),
        ("watershed", {"depth": -1}),
        ("splitmerge", {"block": 3}),
        ("splitmerge", {"difference": -0.1}),
    ],
)
def test_options_out_of_range_are_told_with_the_methods_name(name, options):
    with pytest.raises(OptionError, match=f"^{name}: "):
        run(name, squares(), **options)


def test_growing_follows_a_mean_that_moves():
    values = np.array([[0.0, 0.04, 0.08, 0.12, 0.16, 0.2]], np.float32)[:, :, None]
    seed = np.array([[1, 0, 0, 0, 0, 0]])
    assert grown(values, seed, 0.05).tolist() == [[1, 1, 0, 0, 0, 0]]  # 0.08 is 0.06 from the mean of 0 and 0.04
    assert grown(values, seed, 0.061).tolist() == [[1, 1, 1, 0, 0, 0]]  # 0.12 is 0.08 from the mean, 0.04
    assert grown(values, seed, 0.05, deviations=1.0).tolist() == [[1, 1, 1, 1, 0, 0]]


def test_growing_asks_a_refused_pixel_again():
    values = np.array([[0.06, 0.0, 0.03, 0.03]], np.float32)[:, :, None]
    assert grown(values, np.array([[0, 1, 0, 0]]), 0.045).tolist() == [[1, 1, 1, 1]]


def test_growth_does_not_pass_what_bars_the_way():
    assert grown(np.zeros((1, 4, 1), np.float32), np.array([[1, 0, -1, 0]]), 1.0).tolist() == [[1, 1, -1, 0]]


@pytest.mark.parametrize("size", [(17, 23), (17, 23, 3)])
@pytest.mark.parametrize("tolerance", [3, 20, 60])
@pytest.mark.parametrize("like", ["neighbour", "seed"])
def test_floodfill_fills_what_opencv_fills(size, tolerance, like):
    pixels = cv2.GaussianBlur(noise(size), (0, 0), 2)
    mask = np.zeros((19, 25), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | (cv2.FLOODFILL_FIXED_RANGE if like == "seed" else 0)
    cv2.floodFill(pixels.copy(), mask, (11, 8), 0, (tolerance,) * 3, (tolerance,) * 3, flags)
    found = run("floodfill", pixels, point(11, 8), tolerance=tolerance / 255, like=like).panoptic_ids()
    assert ((found == found[8, 11]) == (mask[1:-1, 1:-1] == 1)).all()


def test_areas_without_jump_are_the_components_of_the_graph_of_small_steps():
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    values = noise((12, 9)).astype(np.float32)[:, :, None] / 255
    places = np.arange(108).reshape(12, 9)
    down, across = np.stack([places[1:], places[:-1]], -1), np.stack([places[:, 1:], places[:, :-1]], -1)
    pairs = np.concatenate([down.reshape(-1, 2), across.reshape(-1, 2)])
    flat = values.reshape(-1)
    pairs = pairs[np.abs(flat[pairs[:, 0]] - flat[pairs[:, 1]]) <= 0.2]
    _, expected = connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(108, 108)), directed=False)
    found = areas_without_jump(values, 0.2).ravel()
    assert (
        len(set(zip(found.tolist(), expected.tolist(), strict=True))) == len(set(found.tolist())) == len(set(expected.tolist()))
    )


def test_valleys_are_scikit_images_watershed_of_its_h_minima():
    from skimage.measure import label
    from skimage.morphology import h_minima
    from skimage.segmentation import watershed

    relief = cv2.GaussianBlur(noise((40, 50)).astype(np.float32), (0, 0), 2)
    expected = watershed(relief, label(h_minima(relief, 3), connectivity=2))
    found = valleys(relief, 3.0)
    assert len(np.unique(found)) == len(np.unique(expected)) == len(set(zip(found.ravel(), expected.ravel(), strict=True)))


def test_touching_discs_come_apart_and_a_shallow_waist_does_not():
    rows, columns = np.mgrid[:40, :70]
    discs = ((rows - 20) ** 2 + (columns - 20) ** 2 < 14**2) | ((rows - 20) ** 2 + (columns - 45) ** 2 < 14**2)
    found = touching_objects(discs, depth=1)
    assert (found[20, 15], found[20, 50], found[2, 2]) == (1, 2, 0)
    assert ((found > 0) == discs).all()
    assert touching_objects(discs, depth=8).max() == 1


def test_watershed_of_distance_counts_objects_in_front_of_a_background():
    rows, columns = np.mgrid[:40, :70]
    discs = ((rows - 20) ** 2 + (columns - 20) ** 2 < 14**2) | ((rows - 20) ** 2 + (columns - 45) ** 2 < 14**2)
    found = run("watershed", np.where(discs, 200, 30).astype(np.uint8), of="distance")
    assert found.names == ["background", "foreground", "foreground"]
    assert len(found.instances()) == 2


def test_marks_outside_are_the_background_of_a_watershed():
    found = run("watershed", squares(), point(15, 15), Prompt(points=((4, 4, False), (15, 4, True))))
    assert found.names == ["background", "foreground", "foreground"]


def test_blocks_are_split_until_even():
    values = np.zeros((8, 8, 1), np.float32)
    values[0, 0] = 1
    blocks, side = even_blocks(values, 0.01, 1)
    assert side == 1
    assert np.bincount(blocks.ravel())[1:].tolist() == [16, 16, 16, 4, 4, 4, 1, 1, 1, 1]
    assert len(np.unique(even_blocks(values, 0.01, 4)[0])) == 4


def test_too_many_blocks_are_fewer_and_larger_and_it_is_told(monkeypatch):
    from pixelwise.methods.growing import splitmerge

    monkeypatch.setattr(splitmerge, "_MOST_BLOCKS", 20)
    found = run("splitmerge", noise((16, 16)), tolerance=0.0, block=1)
    assert found.notes == ("the smallest block is 4 pixels wide instead of 1: there would be too many",)


def test_the_most_alike_merge_first_and_their_mean_counts():
    ids = np.array([[1, 2, 3, 4]])
    values = np.array([[0.0, 0.1, 0.25, 1.0]])[:, :, None]
    assert merged(ids, values, 0.15).tolist() == [[1, 1, 3, 4]]  # 0.25 is 0.2 from the mean of 0 and 0.1
    assert merged(ids, values, 0.21).tolist() == [[1, 1, 1, 4]]


def test_merging_equals_a_plain_search_for_the_nearest_pair():
    ids = np.kron(np.arange(1, 31).reshape(5, 6), np.ones((2, 2), int))
    values = np.random.default_rng(3).random((10, 12, 2))
    means = {number: values[ids == number].sum(axis=0) for number in range(1, 31)}
    areas = dict.fromkeys(means, 4)
    plain = ids.copy()
    while True:
        gaps = [(float(np.linalg.norm(means[a] / areas[a] - means[b] / areas[b])), a, b) for a, b in touching(plain).tolist()]
        gap, one, other = min(gaps, default=(9.0, 0, 0))
        if gap > 0.25:
            break
        plain[plain == other] = one
        means[one], areas[one] = means[one] + means[other], areas[one] + areas[other]
    assert (merged(ids, values, 0.25) == plain).all()


def test_seeds_are_flat_and_far_apart():
    image = as_image(squares())
    places = flattest(steepness(colours(image)), 10)
    assert len(places) == 4
    assert farthest(np.array([[0.0, 0.0], [0.0, 0.0]]), 2).tolist() == [0]
