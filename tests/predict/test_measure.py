"""Measurements of segments, against scikit-image and against figures counted by hand."""

import cv2
import numpy as np
import pytest

from pixelwise.core.image import Image, as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict import measure as measuring
from pixelwise.predict.measure import figures, measure, perimeter


def blobs(seed, size=(60, 50), count=6):
    """An id map of ``count`` segments and background, with ragged outlines, holes and several parts."""
    noise = np.random.default_rng(seed).random((count + 1, *size)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 1 + seed) for one in noise]).argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_perimeter_equals_scikit_images(seed):
    from skimage.measure import perimeter as peer

    mask = blobs(seed, count=1) == 1
    assert perimeter(mask) == pytest.approx(peer(np.pad(mask, 1), neighborhood=4))


@pytest.mark.parametrize("block", [1, 350, 2**18])
@pytest.mark.parametrize("seed", range(3))
def test_all_segments_at_once_equal_scikit_images_one_by_one(seed, block, monkeypatch):
    from skimage.measure import perimeter as peer
    from skimage.measure import regionprops

    monkeypatch.setattr(measuring, "_BLOCK", block)  # one row, some rows, all rows at once
    ids = blobs(seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (*ids.shape, 3)).astype(np.uint8)
    found = figures(ids, int(ids.max()), pixels)
    for row, one in enumerate(regionprops(ids, pixels)):
        assert found.areas[row] == one.area
        assert found.centroids[row] == pytest.approx(one.centroid[::-1])
        assert found.colours[row] == pytest.approx(one.intensity_mean)
        assert found.perimeters[row] == pytest.approx(peer(np.pad(ids == row + 1, 1), neighborhood=4))


def test_a_worked_case():
    ids = np.array([[0, 1, 1], [0, 1, 1], [2, 0, 0]], np.uint8)
    pixels = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    found = figures(ids, 3, pixels)
    assert found.areas.tolist() == [4, 1, 0]
    assert found.centroids[:2].tolist() == [[1.5, 0.5], [0, 2]]
    assert found.perimeters.tolist() == [4, 0, 0]
    assert found.colours[:2].tolist() == [[3.0], [6.0]]  # (1 + 2 + 4 + 5) / 4
    assert np.isnan(found.colours[2]).all()


def test_overlapping_segments_are_measured_each_for_itself():
    masks = np.zeros((2, 12, 14), bool)
    masks[0, 1:9, 1:9] = True
    masks[1, 4:12, 6:14] = True
    pixels = np.zeros((12, 14, 1), np.uint8)
    pixels[1:9, 1:9] = 100
    found = Segmentation.from_masks("instance", masks, [0, 0], LabelSet.of(["cell"], things=["cell"]))
    first, second = measure(Image(pixels, ("grey",)), found)
    assert (first["box"], first["area"], first["centroid"], first["mean_colour"]) == ([1, 1, 9, 9], 64, [4.5, 4.5], [100])
    assert (second["centroid"], second["perimeter"], second["mean_colour"]) == ([9.5, 7.5], 28, [100 * 15 / 64])


@pytest.mark.parametrize(("top", "depth"), [(255, np.uint8), (65535, np.uint16), (1.0, np.float32)])
def test_colours_are_measured_by_band_on_a_scale_of_255(top, depth):
    pixels = np.zeros((2, 2, 3), depth)
    pixels[:, :, 1] = top
    found = Segmentation.from_class_map(np.zeros((2, 2), np.uint8), LabelSet.of(["a"]))
    assert next(measure(as_image(pixels), found))["mean_colour"] == [0, 255, 0]


def test_an_image_without_segments_has_no_figures():
    found = Segmentation.from_class_map(np.full((3, 4), 255, np.uint8), LabelSet.of(["a"]))
    assert list(measure(as_image(np.zeros((3, 4), np.uint8)), found)) == []


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_few_segments_are_measured_mask_by_mask_and_many_in_one_pass_with_the_same_figures(bands, monkeypatch):
    from pixelwise.predict import measure as module

    rng = np.random.default_rng(0)
    ids, pixels = rng.integers(0, 5, (40, 30)).astype(np.uint8), rng.integers(0, 256, (40, 30, bands)).astype(np.uint8)
    ids[ids == 3] = 0  # a segment without pixels
    monkeypatch.setattr(module, "_BLOCK", 300)
    few = module.figures(ids, 4, pixels)
    monkeypatch.setattr(module, "_FEW", 0)
    many = module.figures(ids, 4, pixels)
    for name in ("areas", "centroids", "perimeters", "colours"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name))
    assert many.boxes is None
    np.testing.assert_array_equal(few.boxes, DisjointMasks(ids, 4).boxes())
