"""Blurs, sharpening and JPEG: known kernels, flat areas kept, every depth and number of bands."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from pixelwise.augment import focus
from pixelwise.augment.focus import BLURS

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("kind", BLURS)
def test_blur_keeps_shape_type_and_flat_areas(kind: str, dtype: type[np.generic], bands: int) -> None:
    flat = np.full((9, 9, bands), 1, dtype)
    blurred = focus.blurred(flat, kind, 2.0, 30)  # type: ignore[arg-type]
    assert (blurred.shape, blurred.dtype) == (flat.shape, dtype)
    assert np.allclose(blurred, flat)


def test_a_gaussian_blur_is_that_of_scipy() -> None:
    pixels = RNG.random((40, 40, 1)).astype(np.float32)
    expected = ndimage.gaussian_filter(pixels[:, :, 0], 1.5, mode="mirror", truncate=2.2)
    assert np.allclose(focus.blurred(pixels, "blur", 1.5)[:, :, 0], expected, atol=1e-5)


def test_a_median_is_that_of_scipy() -> None:
    pixels = RNG.integers(0, 256, (20, 20, 5), np.uint8)
    expected = ndimage.median_filter(pixels, (5, 5, 1), mode="nearest")
    assert (focus.blurred(pixels, "median", 2.0) == expected).all()


def test_a_motion_blur_draws_a_dot_out_along_its_path() -> None:
    dot = np.zeros((15, 15, 1), np.float32)
    dot[7, 7] = 1
    across = focus.blurred(dot, "motion", 6, 0)[:, :, 0]
    assert across.sum() == pytest.approx(1, abs=1e-5)
    assert np.count_nonzero(across.sum(axis=1) > 0.001) == 1
    assert np.count_nonzero(across.sum(axis=0) > 0.001) == 7
    assert np.allclose(focus.blurred(dot, "motion", 6, 90)[:, :, 0], across.T, atol=1e-6)
    slanted = focus.path_kernel(6, 45)
    assert slanted[0, -1] + slanted[1, -2] > 10 * slanted[-1, -1]  # up to the right


def test_a_lens_out_of_focus_draws_a_dot_as_a_disk() -> None:
    kernel = focus.disk_kernel(3)
    y, x = np.mgrid[-3:4, -3:4]
    assert kernel.sum() == pytest.approx(1)
    assert np.ptp(kernel[np.hypot(x, y) <= 2.5]) < 1e-7
    assert (kernel[np.hypot(x, y) > 3.6] == 0).all()


def test_sharpening_steepens_an_edge_and_leaves_flat_areas() -> None:
    edge = np.repeat([80, 80, 80, 80, 80, 160, 160, 160, 160, 160], 3).reshape(1, 10, 3).repeat(9, axis=0).astype(np.uint8)
    sharp = focus.sharpened(edge, 1.0)
    assert sharp[4, 4, 0] < 80 < 160 < sharp[4, 5, 0]
    assert (sharp[4, 0], sharp[4, 9]) == (pytest.approx(80), pytest.approx(160))


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_sharpening_keeps_shape_type_and_range(dtype: type[np.generic], bands: int) -> None:
    top = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}[dtype]  # type: ignore[index]
    pixels = (RNG.random((12, 12, bands)) * top).astype(dtype)
    sharp = focus.sharpened(pixels, 3.0)
    assert (sharp.shape, sharp.dtype) == (pixels.shape, dtype)
    assert 0 <= sharp.min() <= sharp.max() <= top


def test_jpeg_loses_little_at_high_quality_and_much_at_low() -> None:
    scene = cv2.GaussianBlur(RNG.integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 3)
    losses = [np.abs(focus.jpeg(scene, quality).astype(int) - scene).mean() for quality in (98, 60, 5)]
    assert losses[0] < 2 < losses[2]
    assert losses == sorted(losses)


def test_jpeg_keeps_the_order_of_channels_and_the_shape_of_grey() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[:, :, 0] = 200
    assert np.abs(focus.jpeg(red, 95).astype(int) - red).max() < 6
    assert focus.jpeg(red[:, :, :1], 95).shape == (16, 16, 1)


@pytest.mark.parametrize(("dtype", "bands"), [(np.uint16, 3), (np.float32, 1), (np.uint8, 2), (np.uint8, 5)])
def test_what_jpeg_cannot_hold_is_given_back(dtype: type[np.generic], bands: int) -> None:
    pixels = np.ones((8, 8, bands), dtype)
    assert focus.jpeg(pixels, 20) is pixels
