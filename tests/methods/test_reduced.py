"""A smaller image to work on, and its regions brought back along the edges."""

import numpy as np
import pytest

from pixelwise.core.image import Image, as_image
from pixelwise.methods.reduced import enlarged, reduced


def halves(height: int, width: int, edge: int) -> np.ndarray:
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[:, edge:] = (200, 180, 60)
    return pixels


def test_a_small_image_is_taken_as_it_is() -> None:
    image = as_image(halves(30, 40, 11))
    assert reduced(image, 1200) == (image, ())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_large_one_is_averaged_in_its_own_type_and_says_so(dtype: type) -> None:
    image = as_image(
        (halves(300, 400, 150) / 255).astype(dtype) if dtype is np.float32 else halves(300, 400, 150).astype(dtype)
    )
    small, notes = reduced(image, 1200)
    assert small.size == (30, 40)
    assert small.pixels.dtype == dtype
    assert "30 x 40 of 300 x 400" in notes[0]


def test_regions_come_back_along_the_edges_of_the_image() -> None:
    pixels = halves(300, 400, 173)  # within a pixel of the small image
    small, _ = reduced(as_image(pixels), 1200)
    ids = (small.pixels[:, :, 0] > 120).astype(np.uint8)
    assert (enlarged(ids, small, as_image(pixels)) == (pixels[:, :, 0] > 120)).all()


def test_no_region_appears_that_was_not_there() -> None:
    rng = np.random.default_rng(0)
    image = as_image(rng.random((50, 70, 4), np.float32))
    small, _ = reduced(image, 300)
    ids = rng.choice([3, 7, 1000], small.size)
    found = enlarged(ids, small, image)
    assert found.shape == (50, 70)
    assert set(np.unique(found)) <= {3, 7, 1000}


def test_a_strip_of_one_pixel_stays_one() -> None:
    image = as_image(np.zeros((1, 5000), np.uint8))
    small, _ = reduced(image, 100)
    assert enlarged(np.zeros(small.size, np.uint8), small, image).shape == (1, 5000)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_any_number_of_bands_is_averaged_each_by_itself(dtype: type) -> None:
    pixels = np.random.default_rng(0).random((40, 50, 9))
    pixels = (pixels if dtype is np.float32 else pixels * 255).astype(dtype)
    small, _ = reduced(as_image(pixels), 500)
    for band in range(9):
        alone, _ = reduced(as_image(pixels[:, :, band]), 500)
        assert small.pixels[:, :, band] == pytest.approx(alone.pixels[:, :, 0], abs=1e-6)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (2, 5000), (70, 71)])
def test_the_small_image_has_no_more_pixels_than_asked_for(size: tuple[int, int]) -> None:
    height, width = reduced(as_image(np.zeros(size, np.uint8)), 100)[0].size
    assert 50 <= height * width <= 100


def test_pixels_that_are_no_numbers_come_back_with_a_region() -> None:
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    pixels[3, 4], pixels[5, 6], pixels[7, 8] = np.inf, -np.inf, np.nan
    small, _ = reduced(Image(pixels), 100)
    assert (enlarged(np.full(small.size, 7, np.uint8), small, Image(pixels)) == 7).all()
