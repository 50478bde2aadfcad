"""What pixels look like: known levels in, known levels out."""

import numpy as np
import pytest

from pixelwise.augment import colour

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


@pytest.mark.parametrize(
    "pixels", [np.zeros((1, 1, 1), np.uint8), np.zeros((1, 1, 5), np.uint8), np.zeros((1, 1, 3), np.uint16)]
)
def test_hue_is_for_8_bit_colour_alone(pixels: np.ndarray) -> None:  # type: ignore[type-arg]
    assert colour.turn_hue(pixels, 50) is pixels


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)])
def test_noise_has_the_deviation_asked_for_and_comes_from_the_seed(dtype: type[np.generic], top: float) -> None:
    flat = np.full((80, 80, 3), top / 2).astype(dtype)
    noisy = colour.add_noise(flat, 0.02, 7)
    assert noisy.dtype == dtype
    assert abs((noisy.astype(np.float64) - flat).std() / top - 0.02) < 0.001
    assert (noisy == colour.add_noise(flat, 0.02, 7)).all()
    assert (noisy != colour.add_noise(flat, 0.02, 8)).any()


def test_noise_does_not_wrap_round() -> None:
    assert colour.add_noise(np.zeros((50, 50, 1), np.uint8), 0.02, 1).max() < 60
    assert colour.add_noise(np.full((50, 50, 1), 255, np.uint8), 0.02, 1).min() > 195


@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_blur_keeps_shape_type_and_flat_areas(dtype: type[np.generic], bands: int) -> None:
    flat = np.full((9, 9, bands), 1, dtype)
    blurred = colour.blur(flat, 1.0)
    assert (blurred.shape, blurred.dtype) == (flat.shape, dtype)
    assert np.allclose(blurred, flat)


def test_blur_spreads_a_dot() -> None:
    dot = np.zeros((7, 7, 1), np.uint8)
    dot[3, 3] = 255
    blurred = colour.blur(dot, 0.8)[:, :, 0]
    assert blurred[3, 3] < 100
    assert blurred[3, 2] == blurred[3, 4] == blurred[2, 3] > 0
