"""Warnings follow from figures of the data: streets have an above, cells have none, grey has no hue."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.augment import AugmentOptions, warnings_for
from pixelwise.augment.options import Policy
from pixelwise.augment.realism import Facts, look_at
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.scenes import scenes

LABELS = LabelSet.of(["ground", "roof"])
NONE = AugmentOptions("none")


def made(classes: list[np.ndarray], labels: LabelSet = LABELS, grey: bool = False, dtype: type = np.uint8) -> Dataset:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    top = {np.uint8: 255, np.uint16: 65535}[dtype]
    samples = []
    for index, one in enumerate(classes):
        pixels = rng.integers(0, top, (*one.shape, 3)).astype(dtype)
        image = Image(np.repeat(pixels[:, :, :1], 3, axis=2) if grey else pixels)
        samples.append(Sample.of(str(index), image, Segmentation.from_class_map(one, labels)))
    return Dataset(samples, labels, "semantic")


def circles(count: int = 8) -> list[np.ndarray]:  # type: ignore[type-arg]
    y, x = np.mgrid[:120, :160]
    rng = np.random.default_rng(1)
    return [
        np.any([np.hypot(y - cy, x - cx) < 12 for cy, cx in rng.uniform(12, 108, (6, 2))], axis=0).astype(np.uint8)
        for _ in range(count)
    ]


def roofs(count: int = 8) -> list[np.ndarray]:  # type: ignore[type-arg]
    found = []
    for index in range(count):
        one = np.zeros((120, 160), np.uint8)
        one[20 + index : 60 + index, 30:80] = one[65:110, 90 - index : 150 - index] = 1
        found.append(one)
    return found


@pytest.mark.parametrize("policy", ["default", "light", "medium"])
def test_scenes_of_a_landscape_suit_the_policies_without_upside_down(policy: Policy) -> None:
    assert warnings_for(AugmentOptions(policy), scenes(8)) == []


def test_a_landscape_turned_upside_down_is_warned_of_with_its_figures() -> None:
    found = warnings_for(replace(NONE, flip_vertically=0.5), scenes(8))
    assert len(found) == 1
    assert "sky above, grass below" in found[0]
    assert found[0].endswith("set flip_vertically = 0")
    assert ["turn" in one for one in warnings_for(replace(NONE, turn=0.5), scenes(8))] == [True]
    assert ["rotate = 90" in one for one in warnings_for(replace(NONE, rotate=90), scenes(8))] == [True]
    assert warnings_for(replace(NONE, rotate=10), scenes(8)) == []


def test_cells_may_be_turned_and_bent_any_way() -> None:
    assert (
        warnings_for(replace(NONE, flip=0.5, flip_vertically=0.5, turn=1, rotate=180, elastic=1, grid=1), made(circles())) == []
    )


def test_bending_straight_outlines_is_warned_of() -> None:
    found = warnings_for(replace(NONE, elastic=0.5, grid=0.5), made(roofs()))
    assert len(found) == 1
    assert found[0].startswith("elastic and grid bend outlines")
    assert found[0].endswith("set elastic = 0, grid = 0")


def test_sides_in_the_names_of_classes_forbid_a_mirror() -> None:
    labels = LabelSet.of(["left_lung", "right_lung"])
    assert "left_lung, right_lung" in warnings_for(AugmentOptions(), made(circles(), labels))[0]
    assert warnings_for(AugmentOptions(), made(circles(), LabelSet.of(["left", "lung"]))) == []


def test_a_layout_from_side_to_side_is_warned_of_when_mirrored() -> None:
    halves = [np.repeat([[0] * 80 + [1] * 80], 120, axis=0).astype(np.uint8)] * 6
    assert "set flip = 0" in warnings_for(replace(NONE, flip=0.5), made(halves))[0]
    assert warnings_for(replace(NONE, flip_vertically=0.5), made(halves)) == []


def test_three_images_say_nothing_about_a_layout() -> None:
    assert warnings_for(replace(NONE, flip_vertically=1), scenes(3)) == []


def test_hue_and_gain_on_grey_images_are_warned_of() -> None:
    found = warnings_for(replace(NONE, hue=10, grey=0.1, gain=0.1, shuffle=0.5), made(circles(), grey=True))
    assert found == [
        "hue and grey change nothing: the images are grey",
        "gain gives colour to images that are all grey; set gain = 0",
        "shuffle changes nothing: the channels of these images are alike",
    ]
    assert warnings_for(replace(NONE, hue=10, gain=0.1, shuffle=0.5), made(circles())) == []


def test_one_band_has_no_hue_and_16_bits_have_no_jpeg() -> None:
    grey = Dataset([Sample.of("a", Image(np.zeros((9, 9, 1), np.uint8), ("grey",)))], LABELS, "semantic")
    assert warnings_for(replace(NONE, hue=10), grey) == ["hue changes nothing: the images are grey"]
    bands = ("near infrared", "red", "green")
    other = Dataset([Sample.of("a", Image(np.arange(27, dtype=np.uint8).reshape(3, 3, 3) * 9, bands))], LABELS, "semantic")
    assert warnings_for(replace(NONE, hue=10), other) == [
        "hue changes nothing: the images have other bands than red, green and blue"
    ]
    assert "jpeg" in warnings_for(replace(NONE, jpeg=0.5), made(circles(), dtype=np.uint16))[0]


def test_facts_are_taken_from_a_few_samples_and_broken_ones_are_skipped() -> None:
    facts = look_at(scenes(400, (64, 64)))
    assert facts.samples == 16
    assert facts.above_below > 0.5 > facts.left_right
    assert look_at(Dataset([], LABELS, "semantic")) == Facts()
    assert warnings_for(AugmentOptions("strong"), Dataset([], LABELS, "semantic")) == []


def test_a_policy_set_on_top_of_options_that_are_all_given_is_told_of() -> None:
    found = warnings_for(replace(AugmentOptions(), policy="strong"), Facts())
    assert found == [
        "policy = strong changes nothing: every option is given beside it, with the values of 'default'; "
        "leave out those that the policy is to fill"
    ]
    assert warnings_for(AugmentOptions("medium", rotate=3), Facts()) == []


def test_objects_to_paste_are_looked_for_and_one_image_is_no_mixture() -> None:
    mixing = replace(NONE, copy_paste=0.5, objects=0.3, cutmix=0.5)
    assert warnings_for(mixing, made(circles())) == [
        "copy_paste and objects change nothing: no image that was looked at has an object of a class that is a thing"
    ]
    assert warnings_for(mixing, scenes(4)) == []
    assert warnings_for(replace(NONE, copy_paste=0.5), scenes(4, kind="instance").instances()) == []
    assert warnings_for(mixing, scenes(1)) == ["there is one image, which copy_paste and cutmix would mix with itself"]


def test_a_mosaic_of_landscapes_is_warned_of_and_one_of_cells_is_not() -> None:
    assert ["set mosaic = 0" in one for one in warnings_for(replace(NONE, mosaic=0.5), scenes(8))] == [True]
    assert warnings_for(replace(NONE, mosaic=0.5), made(circles())) == []
