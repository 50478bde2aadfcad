"""What clustering compares: colour spaces, place, textures and smoothing."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from pixelwise.core.image import as_image
from pixelwise.methods.clusters import points, textures
from pixelwise.methods.clusters.features import Features, colours
from pixelwise.methods.clusters.points import Points
from pixelwise.methods.predictor import Method


def heaps(size=(12, 15), noise=6, seed=0):
    """Three colours in stripes with noise, uint8 (H, W, 3), and the stripe (H, W) of each pixel."""
    rng = np.random.default_rng(seed)
    stripes = np.repeat([np.arange(size[1]) * 3 // size[1]], size[0], axis=0)
    colour = np.array([[40, 40, 60], [180, 60, 50], [220, 220, 210]])[stripes]
    return np.clip(colour + rng.normal(0, noise, colour.shape), 0, 255).astype(np.uint8), stripes


PIXELS, STRIPES = heaps()


def found(name, pixels, **options):
    return Method(name, **options)([as_image(pixels)])[0].panoptic_ids()


@pytest.mark.parametrize("texture", ["gabor", "patterns", "structure"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2, 3), (1, 40, 3), (40, 1), (9, 13, 5)])
def test_textures_and_place_take_any_size_and_bands(texture, shape):
    pixels = np.random.default_rng(0).random(shape).astype(np.float32)
    for name in ("kmeans", "agglomerative"):
        assert found(name, pixels, texture=texture, place=0.5, smooth=1.0, clusters=2).shape == shape[:2]


def test_gabor_energies_equal_scikit_images():
    from skimage.filters import gabor

    grey = np.random.default_rng(0).random((30, 41)).astype(np.float32)
    for angle in (0, np.pi / 4, 1.9):
        deviation = textures._OCTAVE / 0.125
        real, imaginary = gabor(grey, 0.125, angle, sigma_x=deviation, sigma_y=deviation, mode="reflect")
        assert textures.stripes(grey, 0.125, angle) == pytest.approx(np.hypot(real, imaginary), abs=1e-5)


@pytest.mark.parametrize("texture", ["gabor", "structure"])
def test_texture_parts_stripes_of_one_mean_colour(texture):
    """Left across, right down: no colour tells them apart."""
    grey = np.full((48, 96), 80, np.uint8)
    grey[::4, :48] = grey[1::4, :48] = 170
    grey[:, 48::4] = grey[:, 49::4] = 170
    ids = found("kmeans", grey, texture=texture, texture_weight=20, clusters=2)
    truth = np.repeat([[1] * 48 + [2] * 48], 48, axis=0)
    assert adjusted_rand_score(truth.ravel(), ids.ravel()) > 0.6


def test_patterns_part_stripes_from_grain_of_the_same_levels():
    """They do not tell directions apart: a pattern that is turned is the same."""
    grey = np.full((48, 96), 80, np.uint8)
    grey[::4, :48] = grey[1::4, :48] = 170
    grey[:, 48:] = np.random.default_rng(0).choice([80, 170], (48, 48))
    ids = found("kmeans", grey, texture="patterns", texture_weight=20, clusters=2)
    assert adjusted_rand_score(np.repeat([[1] * 48 + [2] * 48], 48, axis=0).ravel(), ids.ravel()) > 0.6


def test_place_parts_one_colour_into_halves():
    image = np.random.default_rng(0).integers(100, 104, (10, 40)).astype(np.uint8)
    ids = found("kmeans", image, place=3.0, clusters=2)
    assert len(np.unique(ids[:, :15])) == len(np.unique(ids[:, 25:])) == 1
    assert ids[0, 0] != ids[0, -1]


def test_smoothing_calms_noise():
    pixels, stripes = heaps((30, 60), noise=60)
    rough, smooth = (found("kmeans", pixels, clusters=3, smooth=width) for width in (0, 1.5))
    assert (smooth == stripes + 1).mean() > (rough == stripes + 1).mean()
    assert (smooth == stripes + 1).mean() > 0.93


@pytest.mark.parametrize("space", ["lab", "luv", "hsv", "bands"])
def test_every_space_keeps_brightness_and_scale(space):
    ramp = as_image(np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, axis=2))
    values = colours(ramp, space)
    level = Points(ramp, Features(space)).brightness(values[0])
    assert all(a < b for a, b in pairwise(level))
    assert (level[0], level[-1]) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))


def test_texture_of_a_large_image_is_looked_up_between_pixels_and_noted(monkeypatch):
    monkeypatch.setattr(points, "reduced", lambda image: (as_image(np.ascontiguousarray(image.pixels[::2, ::2])), ("smaller",)))
    made = Points(as_image(PIXELS), Features(texture="gabor"))
    assert made.notes == ("texture was worked out on 6 x 8 of 12 x 15 pixels",)
    assert made.at(slice(0, None)).shape == (PIXELS[:, :, 0].size, 3 + 8)
