"""Overlays: the right pixels change, to the right colours, for every kind of image and segmentation."""

import numpy as np
import pytest

from pixelwise.core.errors import OptionError, SizeMismatch
from pixelwise.core.image import Image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.segmentation import KINDS, Segmentation
from pixelwise.draw.colours import class_colours, rgb_bytes, segment_colours
from pixelwise.draw.overlay import overlay
from pixelwise.scenes import scenes, video

RED_GREEN = LabelSet((Label("one", True, (255, 0, 0)), Label("two", True, (0, 255, 0))))
GREY = np.full((3, 4, 3), 100, np.uint8)


def test_half_opacity_lies_half_way_between_image_and_class_colour():
    one = Segmentation.from_class_map(np.array([[0, 255, 1, 1]] * 3, np.uint8), RED_GREEN)
    drawn = overlay(GREY, one, opacity=0.5, outline=False)
    assert drawn.dtype == np.uint8
    assert drawn[0].tolist() == [[178, 50, 50], [100, 100, 100], [50, 178, 50], [50, 178, 50]]


def test_opacity_nought_leaves_the_image_and_one_hides_it():
    one = Segmentation.from_class_map(np.zeros((3, 4), np.uint8), RED_GREEN)
    assert (overlay(GREY, one, 0, outline=False) == GREY).all()
    assert (overlay(GREY, one, 1) == (255, 0, 0)).all()


def test_outlines_have_the_full_colour():
    one = Segmentation.from_class_map(np.array([[0, 0, 255, 255]] * 3, np.uint8), RED_GREEN)
    drawn = overlay(GREY, one, 0.5, outline=True)
    assert drawn[0].tolist() == [[178, 50, 50], [255, 0, 0], [100, 100, 100], [100, 100, 100]]


def test_the_smaller_of_two_overlapping_masks_is_on_top():
    masks = np.zeros((2, 3, 4), bool)
    masks[0, 1, 1], masks[1] = True, True
    one = Segmentation.from_masks("instance", masks, [0, 1], RED_GREEN)
    drawn = overlay(GREY, one, 1.0, outline=False)
    assert drawn[1, 1].tolist() == [255, 0, 0]
    assert drawn[0, 0].tolist() == [0, 255, 0]


def test_a_background_class_is_not_painted():
    labels = LabelSet.of(["background", "cell"])
    one = Segmentation.from_class_map(np.array([[0, 0, 1, 1]] * 3, np.uint8), labels)
    drawn = overlay(GREY, one)
    assert (drawn[:, :2] == 100).all()
    assert (drawn[:, 2:] != 100).any()


def test_the_image_given_is_not_written_to():
    image = GREY.copy()
    overlay(image, Segmentation.from_class_map(np.zeros((3, 4), np.uint8), RED_GREEN))
    assert (image == 100).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_an_empty_one_can_be_drawn(kind):
    sample = scenes(1, (40, 50), kind)[0]
    drawn = overlay(sample.image, sample.truth)
    assert drawn.shape == (40, 50, 3)
    assert (drawn != sample.image.pixels).any()
    assert (overlay(sample.image, sample.truth[[]]) == sample.image.pixels).all()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((2, 2), 7, np.uint8), 7),
        (np.full((2, 2, 1), 65535, np.uint16), 255),
        (np.full((2, 2, 3), 0.2, np.float32), 51),
        (np.full((2, 2, 5), 9, np.uint8), 9),
        (np.full((2, 2, 2), 9, np.uint8), 9),
        (np.ones((2, 2), bool), 255),
    ],
)
def test_any_image_becomes_three_bytes_a_pixel(image, expected):
    drawn = rgb_bytes(image)
    assert drawn.shape == (2, 2, 3)
    assert drawn.dtype == np.uint8
    assert (drawn == expected).all()


def test_named_bands_are_drawn_as_their_colours():
    pixels = np.dstack([np.full((1, 1), value, np.uint8) for value in (1, 2, 3, 4)])
    assert rgb_bytes(Image(pixels, ("blue", "green", "red", "infrared")))[0, 0].tolist() == [3, 2, 1]


def test_sizes_that_differ_are_named():
    with pytest.raises(SizeMismatch, match=r"3 x 4 .* 2 x 2"):
        overlay(GREY, Segmentation.from_class_map(np.zeros((2, 2), np.uint8), RED_GREEN))


def test_an_opacity_above_one_is_refused():
    with pytest.raises(OptionError, match="between 0 and 1"):
        overlay(GREY, Segmentation.from_class_map(np.zeros((3, 4), np.uint8), RED_GREEN), 50)


def test_neighbouring_objects_of_a_class_differ_in_colour():
    masks = np.eye(6, dtype=bool)[:, None, :]
    colours = segment_colours(Segmentation.from_masks("instance", masks, [0, 0, 0, 1, 1, 1], RED_GREEN))
    assert len(np.unique(colours, axis=0)) == 6
    alone = segment_colours(Segmentation.from_masks("instance", masks, [0] * 6, RED_GREEN))
    assert len(np.unique(alone, axis=0)) == 6


def test_a_thing_keeps_its_colour_through_a_film():
    first, last = (sample.truth for sample in video(2, (64, 64), seed=1))
    colours = [dict(zip(one.track_ids.tolist(), segment_colours(one).tolist(), strict=True)) for one in (first, last)]
    shared = colours[0].keys() & colours[1].keys()
    assert shared
    assert all(colours[0][track] == colours[1][track] for track in shared)


def test_classes_without_a_stated_colour_are_told_apart():
    colours = class_colours(LabelSet((Label("one"), Label("two"), Label("three", False, (9, 9, 9)))))
    assert len(np.unique(colours, axis=0)) == 3
    assert colours[2].tolist() == [9, 9, 9]
    assert class_colours(LabelSet((Label("black"), Label("white", False, (255, 255, 255)))))[0].tolist() == [0, 0, 0]
