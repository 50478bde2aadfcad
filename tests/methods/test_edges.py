"""Edge methods: the libraries' edges on the same numbers, closing on drawn scenes, and contours that settle on known shapes."""

import itertools

import cv2
import numpy as np
import pytest
from skimage import filters, segmentation

from pixelwise.core.errors import OptionError, OutOfTime
from pixelwise.core.image import as_image
from pixelwise.core.prompt import Prompt
from pixelwise.methods.edges import chanvese, morphgac, snakes
from pixelwise.methods.edges.canny import canny_edges
from pixelwise.methods.edges.closing import closed
from pixelwise.methods.edges.laplacian import zero_crossings
from pixelwise.methods.edges.start import shrunk, stretched
from pixelwise.methods.edges.strength import edge_strength, gradient
from pixelwise.methods.effort import effort
from pixelwise.methods.predictor import Method

REGIONS = ("sobel", "prewitt", "scharr", "roberts", "laplacian", "canny")
MOVING = ("snakes", "chanvese", "morphgac")


def noise(size=(40, 50), seed=0):
    return np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)


def ellipse(size=(80, 100), noise_of=4.0):
    """An ellipse (H, W) bool, and a picture of it: bright on dark, uint8."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = (rows - 40) ** 2 / 22**2 + (columns - 50) ** 2 / 30**2 < 1
    grey = np.where(inside, 190, 60) + np.random.default_rng(0).normal(0, noise_of, size)
    return inside, np.clip(grey, 0, 255).astype(np.uint8)


def found(name, pixels, **options):
    return Method(name, **options)([as_image(pixels)])[0]


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("operator", ["sobel", "prewitt", "scharr", "roberts"])
def test_strength_is_scikit_images(operator):
    levels = noise() / np.float32(255)
    assert gradient(levels, operator).strength() == pytest.approx(getattr(filters, operator)(levels), abs=1e-6)


def test_of_several_bands_the_strongest_edge_counts():
    pixels = np.stack([noise(seed=band) for band in range(3)], axis=2)
    each = [edge_strength(as_image(pixels[:, :, band]), "sobel") for band in range(3)]
    assert edge_strength(as_image(pixels), "sobel") == pytest.approx(np.max(each, axis=0), abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(100, 300), (37.5, 210.25), (0, 500)])
def test_canny_is_opencvs(low, high):
    grey = cv2.GaussianBlur(noise((60, 70)), (0, 0), 1.5)
    edges, _ = canny_edges(as_image(grey), 0.0, low / 1020, high / 1020)
    assert (edges == (cv2.Canny(grey, low, high, L2gradient=True) > 0)).all()


def test_canny_of_colours_is_opencvs():
    pixels = np.stack([cv2.GaussianBlur(noise((60, 70), seed), (0, 0), 1.5) for seed in range(3)], axis=2)
    edges, _ = canny_edges(as_image(pixels), 0.0, 100 / 1020, 300 / 1020)
    assert (edges != (cv2.Canny(pixels, 100, 300, L2gradient=True) > 0)).mean() < 0.001  # bands with edges of equal strength


def test_canny_takes_its_levels_from_the_image_whatever_its_contrast():
    _, grey = ellipse()
    faint = (grey.astype(np.uint16) * 16).astype(np.uint16)  # a sixteenth of the full range
    assert (canny_edges(as_image(grey), 1.0)[0] == canny_edges(as_image(faint), 1.0)[0]).mean() > 0.999


@pytest.mark.parametrize("name", REGIONS)
def test_things_and_ground_become_regions_whose_borders_are_the_outlines(name):
    inside, grey = ellipse()
    ids = found(name, grey).panoptic_ids()
    assert overlap(ids == ids[40, 50], inside) > 0.95
    assert overlap(ids == ids[0, 0], ~inside) > 0.95


@pytest.mark.parametrize("name", REGIONS)
def test_the_edges_can_be_shown_themselves(name):
    inside, grey = ellipse()
    edges = found(name, grey, show="edges").panoptic_ids() == 2
    near = cv2.dilate(inside.view(np.uint8), np.ones((9, 9))) != cv2.erode(inside.view(np.uint8), np.ones((9, 9)))
    assert edges.any()
    assert near[edges].mean() > 0.9


def test_a_gap_that_is_narrow_beside_what_it_connects_is_closed():
    is_edge = np.zeros((60, 120), bool)
    is_edge[:, 60] = True
    is_edge[27:34, 60] = False  # 7 of 60
    parts = closed(is_edge.astype(np.float32), is_edge, 0.35, 5)
    assert len(np.unique(parts)) == 2
    assert len(np.unique(parts[:, :55])) == len(np.unique(parts[:, 66:])) == 1
    assert len(np.unique(closed(is_edge.astype(np.float32), is_edge, 0.0, 5))) == 1


def test_a_gap_as_wide_as_what_it_connects_stays_open():
    is_edge = np.zeros((60, 120), bool)
    is_edge[:15, 60] = True
    assert len(np.unique(closed(is_edge.astype(np.float32), is_edge, 0.35, 5))) == 1


def test_regions_meet_where_the_edge_is_strongest():
    strength = np.tile(np.exp(-((np.arange(40) - 23.0) ** 2) / 8), (20, 1))
    parts = closed(strength, strength > 0.1, 0.35, 5)
    assert set(np.flatnonzero(np.diff(parts[10]))) <= {22, 23}


def test_zero_crossings_are_marked_once():
    assert zero_crossings(np.array([[2.0, 1, -3], [2.0, 1, -3]])).tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("invert", [False, True])
def test_contours_fill_what_is_enclosed_bright_or_dark(invert):
    inside, grey = ellipse()
    filled = found("contours", 255 - grey if invert else grey).class_map() > 0
    assert overlap(filled, inside) > 0.93


def test_contours_fill_bright_and_dark_things_at_once_but_no_lines():
    grey = np.full((80, 120), 120, np.uint8)
    cv2.circle(grey, (30, 40), 14, 220, -1)
    cv2.circle(grey, (80, 40), 14, 20, -1)
    grey[:, 110:] = 220
    filled = found("contours", grey, sigma=0.0, gap=0).class_map() > 0
    assert filled[40, 30]
    assert filled[40, 80]
    assert filled.sum() == pytest.approx(2 * np.pi * 14**2, rel=0.15)


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("invert", [False, True])
def test_contours_settle_on_a_thing_without_prompts(name, invert):
    inside, grey = ellipse()
    assert overlap(found(name, 255 - grey if invert else grey).class_map() > 0, inside) > 0.9


@pytest.mark.parametrize("name", MOVING)
def test_contours_settle_from_a_box(name):
    inside, grey = ellipse()
    box = Prompt(box=(14, 12, 86, 68))
    assert overlap(found(name, grey, prompts=(box,)).class_map() > 0, inside) > 0.9


def test_from_a_point_a_contour_grows():
    inside, grey = ellipse()
    point = Prompt(points=((50, 40, True),))
    assert overlap(found("morphgac", grey, prompts=(point,)).class_map() > 0, inside) > 0.9


def test_what_is_not_pointed_at_is_left_alone():
    grey = np.full((60, 120), 60, np.uint8)
    cv2.circle(grey, (30, 30), 14, 200, -1)
    cv2.circle(grey, (90, 30), 14, 200, -1)
    for name in ("snakes", "morphgac"):
        classes = found(name, grey, prompts=(Prompt(box=(12, 12, 48, 48)),)).class_map()
        assert classes[30, 30] == 1
        assert classes[:, 60:].sum() == 0


@pytest.mark.parametrize("name", MOVING)
def test_prompts_outside_or_without_an_inside_are_refused(name):
    _, grey = ellipse()
    with pytest.raises(OptionError, match="outside the image"):
        found(name, grey, prompts=(Prompt(box=(50, 50, 300, 60)),))
    with pytest.raises(OptionError, match="nothing as inside"):
        found(name, grey, prompts=(Prompt(points=((5, 5, False),)),))


@pytest.mark.parametrize("balloon", [-1, 1])
def test_morphgac_is_scikit_images_from_its_first_smoothing_on(balloon, monkeypatch):
    from skimage.segmentation import morphsnakes

    orders = [
        lambda mask: morphsnakes.sup_inf(morphsnakes.inf_sup(mask)),
        lambda mask: morphsnakes.inf_sup(morphsnakes.sup_inf(mask)),
    ]
    monkeypatch.setattr(morphsnakes._curvop, "funcs", itertools.cycle(orders))
    inside, grey = ellipse()
    levels = grey / np.float32(255)
    start = np.zeros(levels.shape, bool)
    start[36:44, 46:54] = True
    if balloon < 0:
        start = cv2.dilate(inside.view(np.uint8), np.ones((15, 15))).view(bool)
    speed = segmentation.inverse_gaussian_gradient(levels, alpha=1000, sigma=2)
    expected = segmentation.morphological_geodesic_active_contour(
        speed, 9, start.astype(np.int8), 1, threshold=0.4, balloon=balloon
    )
    assert (morphgac.settled(levels, start, 2, 1000, 9, 1, balloon) == expected.astype(bool)).all()


def test_chanvese_in_parts_is_scikit_images_at_once():
    _, grey = ellipse(noise_of=40)
    levels = grey / np.float32(255)
    start = np.zeros(levels.shape, bool)
    start[20:60, 20:60] = True
    expected = segmentation.chan_vese(
        levels, 0.1, tol=1e-3, max_num_iter=35, init_level_set=np.where(start, 1.0, -1.0).astype(np.float32)
    )
    assert (chanvese.evolved(levels, start, 0.1, (1.0, 1.0), 35, 1e-3) == expected).all()


def test_a_snake_in_a_window_settles_where_one_in_the_whole_image_does():
    _, grey = ellipse()
    levels = cv2.GaussianBlur(grey / np.float32(255), (0, 0), 2)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    start = np.stack([40 + 26 * np.sin(angle), 50 + 34 * np.cos(angle)], axis=1)
    moved = snakes.settled(levels, start, 0.015, 0.1, 0.01, 300)
    distance = np.hypot((moved[:, 0] - 40) / 22, (moved[:, 1] - 50) / 30)
    assert distance == pytest.approx(np.ones(len(moved)), abs=0.1)


def test_only_the_largest_things_get_a_snake_and_the_result_says_so():
    grey = np.full((60, 150), 60, np.uint8)
    for index, radius in enumerate((6, 12, 8)):
        cv2.circle(grey, (25 + 50 * index, 30), radius, 200, -1)
    seen = found("snakes", grey, most=1)
    assert seen.notes == ("1 of 3 things were looked at, the largest ones",)
    assert [bool(seen.class_map()[30, column]) for column in (25, 75, 125)] == [False, True, False]


@pytest.mark.parametrize("name", MOVING)
def test_a_large_image_is_worked_on_smaller_and_says_so(name, monkeypatch):
    from pixelwise.methods import reduced

    inside, grey = ellipse()
    module = Method(name).module
    monkeypatch.setattr(module, "reduced", lambda image: reduced.reduced(image, 3000))
    seen = found(name, grey)
    assert "worked out on" in seen.notes[0]
    assert overlap(seen.class_map() > 0, inside) > 0.85


@pytest.mark.parametrize("name", [*MOVING, "sobel"])
def test_the_time_limit_holds(name):
    with pytest.raises(OutOfTime), effort(seconds=0.0):
        found(name, ellipse()[1])


@pytest.mark.parametrize("name", sorted({*REGIONS, *MOVING, "contours"}))
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)])
def test_tiny_images_are_parted_whole(name, size):
    pixels = (np.arange(size[0] * size[1], dtype=np.uint8) * 60).reshape(size)
    assert found(name, pixels).masks.areas().sum() == pixels.size


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sobel", {"sigma": -1.0}, "0 to 100 pixels"),
        ("sobel", {"level": 3.0}, "sobel: the level"),
        ("sobel", {"gap": 1.0}, "below 1; got"),
        ("sobel", {"smallest": 0}, "at least 1 pixel"),
        ("sobel", {"show": "edge"}, "did you mean 'edges'"),
        ("laplacian", {"sigma": 0.0}, "from 0.5 to 100"),
        ("canny", {"low": 0.5, "high": 0.1}, "low must not be above high"),
        ("contours", {"gap": -1}, "from 0 to 100 pixels"),
        ("snakes", {"rounds": 0}, "rounds must be from 1"),
        ("snakes", {"step": 0.0}, "step must be above 0"),
        ("chanvese", {"mu": -1.0}, "mu must be from 0"),
        ("chanvese", {"inside": 0.0}, "above 0"),
        ("morphgac", {"way": "grwo"}, "did you mean 'grow'"),
        ("chanvese", {"inside": float("inf")}, "at most 1000"),
        ("chanvese", {"tolerance": float("nan")}, "tolerance must be from 0 to 1"),
        ("morphgac", {"sigma": 0.0}, "sigma must be above 0"),
        ("morphgac", {"steepness": float("inf")}, "steepness must be above 0 and at most 1e"),
    ],
)
def test_options_out_of_range_are_refused_by_name(name, options, message):
    with pytest.raises(OptionError, match=message):
        found(name, ellipse()[1], **options)


@pytest.mark.parametrize("name", sorted({*REGIONS, *MOVING, "contours"}))
@pytest.mark.parametrize("size", [(0, 7, 3), (4, 0, 3)])
def test_an_image_without_pixels_has_no_region(name, size):
    assert found(name, np.zeros(size, np.uint8)).masks.areas().sum() == 0


def test_a_start_too_small_for_the_smaller_image_is_not_lost():
    mask = np.zeros((40, 40), bool)
    mask[20, 20] = True
    assert np.argwhere(shrunk(mask, (10, 10))).tolist() == [[5, 5]]
    mask[:, :11] = True
    assert np.argwhere(shrunk(mask, (10, 10)))[:, 1].max() == 2


def test_a_single_level_is_not_stretched():
    assert (stretched(np.full((2, 3), 0.4, np.float32)) == 0).all()
