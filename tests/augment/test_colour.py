"""What pixels look like: known levels in, known levels out."""

import numpy as np
import pytest

from pixelwise.augment import colour
from pixelwise.core.image import GREY as GREY_BAND
from pixelwise.core.image import Image

GREY = np.array([[[0, 0, 0], [100, 100, 100], [255, 255, 255]]], np.uint8)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_jitter_of_ones_changes_nothing(dtype: type[np.generic], bands: int) -> None:
    pixels = RNG.random((4, 5, bands)).astype(np.float32)
    pixels = pixels if dtype == np.float32 else (pixels * np.iinfo(dtype).max).astype(dtype)
    found = colour.jitter(pixels, 1.0, 1.0, np.ones(bands))
    assert found.dtype == dtype
    assert np.allclose(found, pixels, atol=1e-6)


def test_contrast_is_about_mid_grey_and_brightness_scales() -> None:
    ones = np.ones(3)
    assert colour.jitter(GREY, 1.0, 0.5, ones)[0, :, 0].tolist() == [64, 114, 191]
    assert colour.jitter(GREY, 0.5, 1.0, ones)[0, :, 0].tolist() == [0, 50, 128]
    assert colour.jitter(GREY, 2.0, 1.0, ones)[0, :, 0].tolist() == [0, 200, 255]
    assert colour.jitter(GREY, 1.0, 1.0, np.array([1.0, 0.5, 2.0]))[0, 1].tolist() == [100, 50, 200]


def test_jitter_is_the_same_at_every_depth() -> None:
    gains = np.array([0.9, 1.0, 1.1])
    levels = RNG.integers(0, 256, (6, 6, 3), np.uint8)
    eight = colour.jitter(levels, 1.1, 0.8, gains) / 255
    sixteen = colour.jitter(levels.astype(np.uint16) * np.uint16(257), 1.1, 0.8, gains) / 65535
    floats = colour.jitter((levels / 255).astype(np.float32), 1.1, 0.8, gains)
    assert np.abs(eight - sixteen).max() < 0.003
    assert np.abs(floats - sixteen).max() < 0.001


def test_a_turn_of_the_hue_takes_red_to_green_and_leaves_grey() -> None:
    red = np.array([[[255, 0, 0]]], np.uint8)
    assert colour.turn_hue(red, 120).tolist() == [[[0, 255, 0]]]
    assert colour.turn_hue(red, 240).tolist() == [[[0, 0, 255]]]
    assert colour.turn_hue(GREY, 77).tolist() == GREY.tolist()


def test_hue_and_saturation_are_the_same_at_every_depth() -> None:
    levels = RNG.integers(0, 256, (6, 6, 3), np.uint8)
    mix = colour.saturation_change(1.3) @ colour.hue_turn(25)
    eight = colour.mixed(levels, mix) / 255
    sixteen = colour.mixed(levels.astype(np.uint16) * np.uint16(257), mix) / 65535
    floats = colour.mixed((levels / 255).astype(np.float32), mix)
    assert np.abs(eight - sixteen).max() < 0.006
    assert np.abs(floats - sixteen).max() < 0.001
    assert floats.dtype == np.float32
    assert 0 <= floats.min() <= floats.max() <= 1


def test_no_saturation_is_the_grey_of_the_image_reader() -> None:
    levels = RNG.integers(0, 256, (6, 6, 3), np.uint8)
    grey = colour.mixed(levels, colour.saturation_change(0))
    assert np.abs(grey.astype(int) - Image(levels).to_bands(GREY_BAND).pixels).max() <= 1


def test_gamma_keeps_black_and_white_and_moves_what_is_between() -> None:
    assert colour.jitter(GREY, 1.0, 1.0, np.ones(3), gamma=2.0)[0, :, 0].tolist() == [0, 39, 255]  # 255 * (100 / 255)^2 = 39.2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_matrix_does_what_the_table_does(dtype: type[np.generic]) -> None:
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]  # type: ignore[index]
    pixels = (RNG.random((8, 8, 3)) * top).astype(dtype)
    gains = np.array([0.9, 1.0, 1.1])
    by_matrix = colour.mixed(pixels, colour.linear(1.1, 0.8, gains, top))
    assert np.abs(by_matrix.astype(float) - colour.jitter(pixels, 1.1, 0.8, gains)).max() / top < 0.006
