"""One draw for an image and its masks: they stay together, and the same generator draws the same."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment import AugmentOptions, Draw, apply, draw
from pixelwise.augment.policy import NONE, apply_image, apply_truth
from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation

LABELS = LabelSet.of(["a", "b", "c", "d"], things=["d"])
WILD = AugmentOptions(flip_vertically=0.5, rotate=30, shear=15, scale=(0.5, 2.0), stretch=0.3)
GEOMETRY = replace(WILD, brightness=0, contrast=0, gain=0, hue=0, noise=0, blur=0)


def blocks(side: int = 20) -> AnyArray:
    """Classes in blocks large enough to have an inside at half the size."""
    return np.kron(np.array([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2]], np.uint8), np.ones((side, side), np.uint8))


def pair(dtype: type[np.generic] = np.uint8, bands: int = 3) -> tuple[Image, Segmentation]:
    """An image whose every band is the class map, at 50 levels a class."""
    classes = blocks()
    pixels = np.repeat(classes[:, :, None] * np.array(50, dtype), bands, axis=2)
    return Image(pixels, tuple(f"band {index}" for index in range(bands))), Segmentation.from_class_map(classes, LABELS)


@pytest.mark.parametrize(("dtype", "bands"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 3), (np.uint8, 5), (np.uint16, 5)])
@pytest.mark.parametrize("seed", range(6))
def test_image_and_masks_agree_away_from_edges(seed: int, dtype: type[np.generic], bands: int) -> None:
    image, truth = pair(dtype, bands)
    drawn = draw(GEOMETRY, np.random.default_rng(seed), image.size, (60, 66), bands)
    moved, found = apply(image, truth, drawn)
    classes = found.class_map().astype(int)
    assert moved.pixels.dtype == dtype
    assert moved.size == found.size == (60, 66)
    inside = classes < 4
    for shift in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1), (0, 2), (0, -2), (2, 0), (-2, 0)]:
        inside &= np.roll(classes, shift, axis=(0, 1)) == classes
    inside[[0, 1, -2, -1], :] = inside[:, [0, 1, -2, -1]] = False
    assert inside.sum() > 100
    assert (np.abs(moved.pixels[inside].astype(int) - 50 * classes[inside][:, None]) <= 1).all()


def test_no_augmentation_changes_nothing() -> None:
    image, truth = pair()
    moved, found = apply(image, truth, draw(NONE, np.random.default_rng(0), image.size, image.size))
    assert (moved.pixels == image.pixels).all()
    assert found == truth


def test_an_object_of_one_pixel_moves_to_the_right_place() -> None:
    masks = np.zeros((1, 4, 6), bool)
    masks[0, 1, 2] = True
    truth = Segmentation.from_masks("instance", masks, [3], LABELS)

    def place(matrix: AnyArray, size: tuple[int, int]) -> list[list[int]]:
        return np.argwhere(apply_truth(truth, Draw(matrix, size)).masks.dense().any(axis=0)).tolist()

    assert place(np.array([[-1, 0, 5], [0, 1, 0], [0, 0, 1.0]]), (4, 6)) == [[1, 3]]
    assert place(np.array([[1, 0, -2], [0, 1, -1], [0, 0, 1.0]]), (2, 2)) == [[0, 0]]
    assert place(np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]]), (8, 12)) == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert place(np.array([[1, 0, -3], [0, 1, 0], [0, 0, 1.0]]), (4, 3)) == []


def test_what_lies_outside_the_image_is_void_and_of_mean_colour() -> None:
    pixels = np.full((4, 4, 3), (10, 200, 30), np.uint8)
    truth = Segmentation.from_class_map(np.zeros((4, 4), np.uint8), LABELS)
    drawn = draw(replace(NONE), np.random.default_rng(0), (4, 4), (8, 8))
    moved, found = apply(Image(pixels), truth, drawn)
    assert (moved.pixels == np.array([10, 200, 30])).all()
    assert (found.class_map() == 255).sum() == 64 - 16
    assert (found.class_map() == 0).sum() == 16


def test_instances_keep_their_rows_and_lose_what_no_longer_holds() -> None:
    stack = np.zeros((2, 8, 8), bool)
    stack[0, 0:6, 0:6] = stack[1, 4:8, 4:8] = True
    truth = Segmentation.from_masks(
        "instance", stack, [3, 3], LABELS, crowd=[False, True], source_ids=[7, 9], boxes=np.ones((2, 4)), areas=[1, 2]
    )
    moved = apply_truth(truth, draw(replace(NONE, flip=1), np.random.default_rng(0), (8, 8), (8, 8)))
    assert (moved.masks.dense() == stack[:, :, ::-1]).all()
    assert moved.is_crowd.tolist() == [False, True]
    assert moved.source_ids is not None
    assert moved.source_ids.tolist() == [7, 9]
    assert (moved.boxes, moved.areas) == (None, None)
    assert moved.stated_areas().tolist() == [36, 16]


def test_the_same_generator_draws_the_same_and_another_does_not() -> None:
    image, truth = pair()
    first, again, other = (
        apply(image, truth, draw(WILD, np.random.default_rng((1, 2, seed)), image.size, (24, 24))) for seed in (3, 3, 4)
    )
    assert (first[0].pixels == again[0].pixels).all()
    assert first[1] == again[1]
    assert (first[0].pixels != other[0].pixels).any()


def test_the_input_is_not_touched() -> None:
    image, truth = pair()
    before = image.pixels.copy(), truth.panoptic_ids().copy()
    image.pixels.setflags(write=False)
    apply(image, truth, draw(WILD, np.random.default_rng(2), image.size, (24, 24)))
    assert (image.pixels == before[0]).all()
    assert (truth.panoptic_ids() == before[1]).all()


@pytest.mark.parametrize("drawn_for", [1, 3, 5])
@pytest.mark.parametrize(("dtype", "bands"), [(np.uint8, 1), (np.uint8, 2), (np.uint8, 4), (np.uint8, 5), (np.uint16, 5)])
def test_a_draw_for_another_number_of_bands_is_no_obstacle(drawn_for: int, dtype: type[np.generic], bands: int) -> None:
    image, _ = pair(dtype, bands)
    drawn = draw(WILD, np.random.default_rng(0), image.size, (16, 16), drawn_for)
    moved = apply_image(image, replace(drawn, noise=0.01, blur=0.8))
    assert (moved.pixels.shape, moved.pixels.dtype, moved.bands) == ((16, 16, bands), dtype, image.bands)


def test_crops_fall_everywhere_inside_a_larger_image() -> None:
    rows = np.repeat(np.arange(100, dtype=np.uint8)[:, None, None], 20, axis=1)
    seen = set()
    for seed in range(60):
        drawn = draw(NONE, np.random.default_rng(seed), (100, 20), (20, 20))
        crop = apply_image(Image(rows, ("grey",)), drawn).pixels[:, 10, 0]
        assert np.abs(np.diff(crop.astype(int)) - 1).max() <= 1  # the image alone, nothing from outside
        seen.add(int(crop[0]) // 20)
    assert seen >= {0, 1, 2, 3}


def test_the_scale_is_drawn_within_its_bounds_and_halves_as_often_as_it_doubles() -> None:
    options = replace(NONE, scale=(0.5, 2.0))
    factors = [draw(options, np.random.default_rng(seed), (10, 10), (10, 10)).matrix[0, 0] for seed in range(400)]
    assert min(factors) >= 0.5
    assert max(factors) <= 2.0
    assert 160 < sum(factor < 1 for factor in factors) < 240


@pytest.mark.parametrize("change", [{"scale": (0, 1)}, {"scale": (2, 1)}, {"flip": 1.5}, {"flip_vertically": -0.1}])
def test_options_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=rf"\[augment\] {next(iter(change))}: expected"):
        AugmentOptions(**change)  # type: ignore[arg-type]
