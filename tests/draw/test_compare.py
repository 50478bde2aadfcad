"""Error maps and comparisons: what is wrong is shown as wrong, and nothing else."""

import numpy as np
import pytest

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import KINDS, Segmentation
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG, class_errors, compare, differences, error_map, errors, side_by_side
from pixelwise.draw.legend import legend
from pixelwise.draw.text import fitted, width_of
from pixelwise.scenes import scenes

AB = LabelSet.of(["a", "b"])


def semantic(rows, labels=AB):
    return Segmentation.from_class_map(np.array(rows, np.uint8), labels)


def test_right_wrong_and_void_pixels_are_told_apart():
    drawn = error_map(semantic([[0, 1, 0, 255]]), semantic([[0, 0, 255, 1]]))
    assert tuple(drawn[0, 0]) == RIGHT
    assert tuple(drawn[0, 1]) == WRONG
    assert tuple(drawn[0, 2]) not in (RIGHT, WRONG)
    assert tuple(drawn[0, 3]) == WRONG  # void where the truth has a class


def test_classes_are_joined_by_name_not_by_number():
    wrong, void = errors(semantic([[1, 0, 2]], LabelSet.of(["b", "a", "c"])), semantic([[0, 1, 0]]))
    assert wrong.tolist() == [[False, False, True]]
    assert not void.any()


def test_background_of_instances_counts_and_crowds_do_not():
    masks = np.array([[[1, 0, 0, 0]], [[0, 1, 0, 0]]], bool)
    truth = Segmentation.from_masks("instance", masks, [0, 0], AB, crowd=np.array([False, True]))
    wrong, void = errors(Segmentation.from_masks("instance", [[[1, 1, 1, 0]]], [0], AB), truth)
    assert wrong.tolist() == [[False, False, True, False]]
    assert void.tolist() == [[False, True, False, False]]


def test_a_multilabel_pixel_is_right_when_all_its_classes_are():
    truth = Segmentation.from_masks("multilabel", [[[1, 1, 0]], [[0, 1, 0]]], [0, 1], AB)
    told = Segmentation.from_masks("multilabel", [[[1, 1, 1]]], [0], AB)
    assert errors(told, truth)[0].tolist() == [[False, True, True]]


def test_a_region_is_wrong_outside_the_true_region_it_shares_most_with():
    regions = LabelSet.of(["region"])
    truth = Segmentation.from_masks("regions", [[[1, 1, 1, 0]], [[0, 0, 0, 1]]], [0, 0], regions)
    told = Segmentation.from_masks("regions", [[[1, 0, 0, 0]], [[0, 1, 1, 1]]], [0, 0], regions)
    assert errors(told, truth)[0].tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("kind", KINDS)
def test_truth_against_itself_has_no_errors(kind):
    sample = scenes(1, (40, 50), kind)[0]
    wrong, void = errors(sample.truth, sample.truth)
    assert not wrong.any()
    assert not void.any()
    assert (error_map(sample.truth, sample.truth) == RIGHT).all()


def test_errors_stand_out_over_the_image_in_grey():
    image = scenes(1, (40, 50))[0].image
    truth = semantic(np.zeros((40, 50)))
    told = np.zeros((40, 50))
    told[:, :10] = 1
    drawn = error_map(semantic(told), truth, image).astype(int)
    assert (drawn[:, :10, 0] - drawn[:, :10, 2]).min() > 100  # orange
    assert (drawn[:, 10:, 2] - drawn[:, 10:, 0]).min() > 20  # blue
    assert drawn[:, 10:].std() > 5  # the image shows through


def test_sizes_that_differ_are_refused():
    with pytest.raises(SizeMismatch):
        error_map(semantic([[0, 1]]), semantic([[0], [1]]))


def test_a_comparison_has_a_captioned_panel_for_each_picture():
    sample = scenes(1, (40, 50))[0]
    sheet = compare(sample.image, sample.truth, sample.truth, width=100)
    assert sheet.shape[1] == 4 * 108 + 8
    assert sheet.dtype == np.uint8
    assert compare(sample.image, None, sample.truth, width=100).shape[1] == 2 * 108 + 8


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (700, 900)])
def test_panels_of_any_shape_fit(size):
    sheet = side_by_side({"a\nname of two lines": np.zeros((*size, 3), np.uint8), "": np.zeros((9, 9, 3), np.uint8)}, width=64)
    assert sheet.shape[1] == 2 * 72 + 8
    assert sheet.shape[0] <= 128 + 27 + 16


def test_panels_go_into_rows():
    panel = np.zeros((10, 10, 3), np.uint8)
    assert side_by_side({str(n): panel for n in range(5)}, width=50, columns=2).shape[1] == 2 * 58 + 8


def test_a_long_caption_is_shortened_to_fit():
    text = fitted("a very long name of a very long file", 80, 14)
    assert text.endswith("…")
    assert width_of(text, 14) <= 80
    assert fitted("anything", 0, 14) == ""


def test_a_legend_shows_the_colour_of_every_class_it_is_asked_for():
    labels = LabelSet.of([f"class {index}" for index in range(40)])
    whole = {tuple(colour) for colour in legend(labels).reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in labels.colours.tolist()} <= whole
    some = {tuple(colour) for colour in legend(labels, [3]).reshape(-1, 3).tolist()}
    assert tuple(labels.colours[3].tolist()) in some
    assert tuple(labels.colours[4].tolist()) not in some
    assert legend(LabelSet(())).shape[1:] == (480, 3)
    assert legend(LabelSet.of(["Fußgänger " * 30]), width=120).shape[1] == 120


def nearest_of(pixel, colours):
    return min(colours, key=lambda name: np.abs(np.subtract(colours[name], pixel.astype(int))).sum())


COLOURS = {"right": RIGHT, "wrong": WRONG, "extra": EXTRA, "nothing": (174, 174, 174)}  # grey 128, faded
GREY = np.full((1, 5, 3), 128, np.uint8)


def test_a_class_is_right_missed_or_too_much_and_void_is_left_out():
    drawn = class_errors(semantic([[1, 0, 1, 0, 1]]), semantic([[1, 1, 0, 0, 255]]), "b", GREY)
    assert [nearest_of(pixel, COLOURS) for pixel in drawn[0]] == ["right", "wrong", "extra", "nothing", "nothing"]


def test_two_predictions_differ_where_one_alone_is_right_or_both_are_wrong_differently():
    abc = LabelSet.of(["a", "b", "c"])
    left, right, truth = ([[0, 1, 1, 0, 0]], [[0, 0, 2, 1, 1]], [[0, 0, 0, 1, 255]])
    drawn = differences(*(semantic(each, abc) for each in (left, right, truth)), GREY)
    assert [nearest_of(pixel, COLOURS) for pixel in drawn[0]] == ["nothing", "right", "extra", "right", "nothing"]
    turned = differences(*(semantic(each, abc) for each in (right, left, truth)), GREY)
    assert nearest_of(turned[0, 1], COLOURS) == "wrong"


@pytest.mark.parametrize("draw", [class_errors, differences])
def test_maps_over_an_image_of_another_size_are_refused(draw):
    one = semantic([[0, 1]])
    with pytest.raises(SizeMismatch):
        draw(one, one, *(["b"] if draw is class_errors else [one]), GREY)
