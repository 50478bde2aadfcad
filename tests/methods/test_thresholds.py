"""Threshold methods: scikit-image's results on the same numbers, known answers, and options out of range."""

import numpy as np
import pytest
from skimage import filters

from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.methods.grey import levels_of
from pixelwise.methods.predictor import Method
from pixelwise.methods.thresholds.histogram import codes_of, histogram_of
from pixelwise.methods.thresholds.minimum import minimum_level
from pixelwise.methods.thresholds.multiotsu import multiotsu_levels
from pixelwise.methods.thresholds.yen import yen_level

ONE_LEVEL = {
    "otsu": filters.threshold_otsu,
    "li": filters.threshold_li,
    "yen": filters.threshold_yen,
    "triangle": filters.threshold_triangle,
    "isodata": filters.threshold_isodata,
    "minimum": filters.threshold_minimum,
    "mean": filters.threshold_mean,
}
LOCAL = ("adaptive", "niblack", "sauvola", "bernsen")


def blobs(seed=0, bright=170, dark=70, size=(90, 120)):
    """Round things on a ground of another level, with noise: uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = np.zeros(size, bool)
    for row, column, radius in zip(rng.uniform(15, 75, 6), rng.uniform(15, 105, 6), rng.uniform(5, 13, 6), strict=True):
        inside |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return np.clip(np.where(inside, bright, dark) + rng.normal(0, 14, size), 0, 255).astype(np.uint8)


def foreground(name, pixels, **options):
    return Method(name, **options)([as_image(pixels)])[0].class_map() > 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", sorted(ONE_LEVEL))
def test_8_bits_are_split_as_scikit_image_splits_them(name, seed):
    grey = blobs(seed, bright=150 + 20 * seed)
    assert (foreground(name, grey, foreground="bright") == (grey > ONE_LEVEL[name](grey.copy()))).all()


@pytest.mark.parametrize("name", ["otsu", "li", "yen", "isodata", "mean"])
def test_16_bits_are_split_as_scikit_image_splits_them(name):
    deep = blobs().astype(np.uint16) * 40 + np.random.default_rng(1).integers(0, 40, (90, 120), dtype=np.uint16)
    differing = foreground(name, deep, foreground="bright") != (deep > ONE_LEVEL[name](deep.copy()))
    assert differing.sum() <= 2  # its sums are in single precision


@pytest.mark.parametrize("name", ["otsu", "li", "yen", "triangle", "isodata", "minimum"])
@pytest.mark.parametrize("step", [1, 16, 257])
def test_a_stretched_image_is_split_as_before(name, step):
    grey = blobs()
    assert (foreground(name, grey.astype(np.uint16) * step) == foreground(name, grey)).all()


@pytest.mark.parametrize("name", sorted(ONE_LEVEL))
@pytest.mark.parametrize("bright", [1, 5])
def test_two_levels_are_parted_whatever_their_distance(name, bright):
    for levels in ((7, 8), (0, 255), (0, 65535)):
        pixels = np.full((3, 2), levels[0], np.uint8 if levels[1] < 256 else np.uint16)
        pixels.ravel()[:bright] = levels[1]
        assert (foreground(name, pixels, foreground="bright") == (pixels == levels[1])).all()


@pytest.mark.parametrize("name", sorted({*ONE_LEVEL, "hysteresis", *LOCAL}))
def test_the_negative_has_the_same_foreground(name):
    grey = blobs()
    differing = foreground(name, grey) != foreground(name, 255 - grey)
    assert differing.mean() < (0.2 if name in ("li", "yen", "triangle") else 0.02)  # these rules tell dark from bright


@pytest.mark.parametrize("name", ["otsu", "isodata", "minimum", "adaptive", "sauvola", "bernsen", "hysteresis"])
@pytest.mark.parametrize("invert", [False, True])
def test_things_are_found_bright_or_dark(name, invert):
    grey = np.full((60, 60), 60, np.uint8)
    grey[20:26, 12:20] = grey[40:47, 30:36] = 200
    assert (foreground(name, 255 - grey if invert else grey, **_window(name)) == (grey == 200)).all()


def _window(name):
    return {"window": 31} if name in LOCAL else {}


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_multiotsu_parts_as_scikit_image_does(classes):
    grey = np.concatenate([blobs(), blobs(1, bright=240, dark=120)])
    found = Method("multiotsu", classes=classes)([as_image(grey)])[0].panoptic_ids()
    assert (found - 1 == np.digitize(grey, filters.threshold_multiotsu(grey, classes), right=True)).all()


def test_multiotsu_of_many_classes_is_no_worse_than_any_random_cut():
    grey, rng = blobs(), np.random.default_rng(0)

    def spread(levels):
        parts = np.digitize(grey, levels, right=True)
        return sum(grey[parts == part].var() * (parts == part).sum() for part in np.unique(parts))

    best = spread(multiotsu_levels(grey, 6))
    assert all(best <= spread(np.sort(rng.choice(np.arange(30, 220), 5, replace=False))) for _ in range(50))


def test_multiotsu_gives_no_more_regions_than_levels():
    assert len(Method("multiotsu", classes=5)([as_image(np.array([[3, 9, 9]], np.uint8))])[0]) == 2


def test_a_histogram_without_two_peaks_takes_otsus_level_and_says_so():
    ramp = np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32)
    assert minimum_level(np.bincount(ramp.ravel())) is None
    found = Method("minimum")([as_image(ramp)])[0]
    assert "Otsu" in found.notes[0]
    assert (found.class_map() == Method("otsu")([as_image(ramp)])[0].class_map()).all()


def test_single_pixels_count_in_an_image_of_24_million():
    counts = np.array([24_000_000, 0, 0, 1, 0, 1])
    assert yen_level(counts) == 0
    assert np.isfinite(yen_level(counts[::-1]))


@pytest.mark.parametrize("window", [15, 31])
@pytest.mark.parametrize("name", ["niblack", "sauvola"])
def test_local_levels_are_scikit_images(name, window):
    grey = blobs()
    levels = filters.threshold_niblack(grey, window, 0.2)
    if name == "sauvola":
        levels = filters.threshold_sauvola(grey, window, 0.2, r=127.5)
    assert (foreground(name, grey, window=window, foreground="dark") == (grey <= levels)).all()


@pytest.mark.parametrize("weights", ["gaussian", "mean"])
def test_adaptive_levels_are_scikit_images(weights):
    grey = blobs()
    levels = filters.threshold_local(grey, 31, weights, offset=10.3)
    found = foreground("adaptive", grey, weights=weights, window=31, offset=10.3 / 255, foreground="dark")
    assert (found == (grey <= levels)).all()


def test_bernsen_is_midway_between_the_extremes_of_the_window():
    grey = blobs()
    from scipy import ndimage

    low, high = ndimage.minimum_filter(grey, 15).astype(int), ndimage.maximum_filter(grey, 15).astype(int)
    found = foreground("bernsen", grey, window=15, contrast=0, foreground="dark")
    assert (found == (2 * grey.astype(int) < low + high))[high > low].all()


@pytest.mark.parametrize("name", LOCAL)
def test_plain_ground_is_background_wherever_light_falls(name):
    light = np.where(np.arange(120) < 60, 90, 210).astype(np.uint8) * np.ones((60, 1), np.uint8)
    light[20:24, 20:24] -= 70
    light[20:24, 90:94] -= 70
    found = foreground(name, light, window=15, foreground="dark")
    assert found[20:24, 20:24].all()
    assert found[20:24, 90:94].all()
    assert not found[:, 100:].any()


def test_hysteresis_is_scikit_images():
    grey = blobs()
    expected = filters.apply_hysteresis_threshold(grey / 255, 0.4, 0.7)
    assert (foreground("hysteresis", grey, low=0.4, high=0.7, foreground="bright") == expected).all()


def test_hysteresis_keeps_faint_pixels_only_beside_strong_ones():
    row = np.array([[10, 90, 200, 90, 10, 90, 10]], np.uint8)
    assert foreground("hysteresis", row, foreground="bright").tolist() == [[False, True, True, True, False, False, False]]
    assert foreground("hysteresis", 255 - row, foreground="dark").tolist() == [[False, True, True, True, False, False, False]]


def test_a_threshold_may_be_of_one_channel():
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = (200, 0, 0), (0, 200, 0), (200, 200, 200)
    assert foreground("threshold", pixels, channel="green").tolist() == [[False, True, True]]
    assert foreground("threshold", pixels, channel="saturation").tolist() == [[True, True, False]]


def test_ranges_are_in_the_units_of_their_space():
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0] = [(250, 10, 10), (250, 10, 60), (10, 250, 10), (128, 128, 128)]
    red = {"space": "hsv", "low": (340, 0.5, 0), "high": (20, 1, 1)}
    assert foreground("threshold", pixels, **red).tolist() == [[True, True, False, False]]
    grey = {"space": "lab", "low": (0, -5, -5), "high": (100, 5, 5)}
    assert foreground("threshold", pixels, **grey).tolist() == [[False, False, False, True]]
    bright_red = {"space": "bands", "low": (0.9, 0, 0)}
    assert foreground("threshold", pixels, **bright_red).tolist() == [[True, True, False, False]]


def test_a_band_without_any_number_is_left_out():
    pixels = np.repeat((blobs() / 255).astype(np.float32)[:, :, None], 3, axis=2)
    alone = foreground("otsu", pixels[:, :, 0])
    pixels[:, :, 1] = np.nan
    assert (foreground("otsu", pixels) == alone).all()


def test_an_image_without_any_number_is_one_segment():
    assert len(Method("otsu")([Image(np.full((4, 5, 3), np.nan, np.float32))])[0]) == 1


def test_codes_of_8_and_16_bits_are_the_stored_levels():
    grey = blobs()
    assert (codes_of(as_image(grey)) == grey).all()
    deep = grey.astype(np.uint16) * 201
    assert (codes_of(as_image(deep)) == deep).all()


def test_a_deep_histogram_is_grouped_without_losing_a_pixel():
    codes = np.random.default_rng(3).integers(900, 5000, (50, 60)).astype(np.uint16)
    counts, lasts = histogram_of(codes, 256)
    assert len(counts) == 256
    assert counts.sum() == codes.size
    assert [int((codes <= last).sum()) for last in lasts] == np.cumsum(counts).tolist()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("otsu", {"channel": "rde"}, "did you mean 'red'"),
        ("otsu", {"foreground": "brigth"}, "did you mean 'bright'"),
        ("multiotsu", {"classes": 1}, "from 2 to 32, got 1"),
        ("adaptive", {"window": 4}, "must be odd"),
        ("niblack", {"window": 10001}, "from 3 to 9999"),
        ("threshold", {"low": (float("nan"),)}, "low needs numbers"),
        ("adaptive", {"offset": 2.0}, "from -1 to 1"),
        ("adaptive", {"weights": "median"}, "weights"),
        ("niblack", {"k": 9.0}, "from -5 to 5"),
        ("sauvola", {"contrast": 0.0}, "above 0"),
        ("sauvola", {"k": 2.0}, "from 0 to 1"),
        ("bernsen", {"contrast": -1.0}, "from 0 to 1"),
        ("hysteresis", {"low": 0.8, "high": 0.2}, "low must not be above high"),
        ("hysteresis", {"low": 8.0}, "from 0 to 1"),
        ("threshold", {"space": "hsv"}, "needs ranges"),
        ("threshold", {"low": (0.1, 0.2)}, "each of 1 channels"),
        ("threshold", {"space": "lab", "low": (9, 0, 0), "high": (1, 1, 1)}, "only hue goes round"),
    ],
)
def test_options_out_of_range_are_refused_by_name(name, options, message):
    with pytest.raises(OptionError, match=message):
        foreground(name, np.stack([blobs()] * 3, axis=2), **options)


def test_colour_channels_need_colours():
    with pytest.raises(OptionError, match="channel: got 'hue'"):
        levels_of(Image(np.zeros((2, 2, 5), np.uint8), tuple("vwxyz")), "hue")
