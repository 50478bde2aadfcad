"""Views: the mean over scales, flips and turns, each brought back to where it was seen."""

import numpy as np
import pytest
from opinionated import LABELS, WANTED, Given, Objects, always, brightness, noise, ramp

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Request
from pixelwise.methods.predictor import Method
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.views import View, Views


def test_each_scale_is_seen_with_each_flip():
    predictor = Given(brightness)
    Views(predictor, scales=(0.5, 1, 2))([noise((8, 6))])
    assert sorted(predictor.sizes) == sorted([(4, 3), (8, 6), (16, 12)] * 2)


def test_one_scale_is_what_flips_give_to_the_last_bit():
    images = [noise((7, 11)), noise((12, 5), 1)]
    for options in ({}, {"vertical": True}, {"turns": True}):
        one = Views(Given(ramp), scales=(1.0,), **options)(images, WANTED)
        other = Flipped(Given(ramp), **options)(images, WANTED)
        assert all((a.probabilities == b.probabilities).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("options", [{}, {"turns": True}, {"flips": False}, {"vertical": True}])
def test_what_does_not_depend_on_the_scale_comes_back_where_it_was(options):
    pixels = np.zeros((24, 36, 3), np.uint8)
    pixels[3:15, 6:30] = 255
    (found,) = Views(Given(brightness), scales=(0.5, 1, 1.5), **options)([Image(pixels)], WANTED)
    inside = np.abs(found.probabilities[1] - pixels[:, :, 0] / 255)
    assert inside[5:13, 8:28].max() < 1e-6  # away from the borders, which small views blur
    assert (found.class_map() == (pixels[:, :, 0] > 0)).mean() > 0.97
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1, atol=1e-6)


def test_turned_and_mirrored_views_are_brought_back():
    image = noise((5, 9))
    for turn in range(4):
        for mirrored in (False, True):
            view = View(1.0, turn, mirrored)
            seen = view.shown(image)
            back = list(view.undone(np.moveaxis(seen.pixels, 2, 0).astype(np.float32), image.size))
            assert (np.stack(back, axis=2) == image.pixels).all()


def test_weights_say_what_a_view_counts():
    views = Views(Given(ramp), scales=(1.0,), weights=(3, 1))
    (found,) = views([noise((2, 4))], WANTED)
    one = ramp(np.zeros((2, 4, 3)))
    np.testing.assert_allclose(found.probabilities[1], 0.75 * one + 0.25 * one[:, ::-1], atol=1e-6)


def test_a_view_that_counts_nothing_is_not_asked():
    predictor = Given(brightness)
    Views(predictor, scales=(1.0,), weights=(1, 0))([noise((3, 4))])
    assert len(predictor.sizes) == 1


def test_many_bands_are_scaled_too():
    bands = tuple(f"b{index}" for index in range(12))
    image = Image(np.full((8, 8, 12), 51, np.uint16), bands)
    seen = View(1.5).shown(image)
    assert seen.pixels.shape == (12, 12, 12)
    assert (seen.pixels == 51).all()
    grey = Image(np.full((8, 8, 1), 51, np.uint8), ("grey",))
    assert View(0.5).shown(grey).pixels.shape == (4, 4, 1)


def test_a_small_view_looks_further():
    predictor = Given(brightness, field_of_view=(10, 20))
    assert Views(predictor, scales=(0.5, 1)).card.field_of_view == (20, 40)
    assert Views(predictor, scales=(1.0,), turns=True).card.field_of_view == (20, 20)


def test_views_and_tiles_go_into_each_other_both_ways():
    image = noise((30, 44))
    for views in (lambda one: Views(one, scales=(1.0,)), Flipped):
        inside = Tiled(views(Given(brightness)), (16, 16), 4)([image], WANTED)
        outside = views(Tiled(Given(brightness), (16, 16), 4))([image], WANTED)
        (alone,) = Given(brightness)([image], WANTED)
        for (one,) in (inside, outside):
            np.testing.assert_allclose(one.probabilities, alone.probabilities, atol=1e-6)


def test_thresholds_hold_for_the_mean():
    (found,) = Views(Given(brightness), scales=(1.0,))([noise((8, 9))], Request(threshold=0.7))
    assert (found.class_map() == (noise((8, 9)).pixels[:, :, 0] / 255 > 0.7)).all()


@pytest.mark.parametrize("scales", [(), (0,), (-1, 1), (1, 9), (float("nan"),)])
def test_scales_that_make_no_sense_are_refused(scales):
    with pytest.raises(OptionError, match="expected scales above 0 and up to 4, such as"):
        Views(Given(brightness), scales=scales)


@pytest.mark.parametrize("weights", [(1,), (1, -1), (0, 0), (1, float("inf"))])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(OptionError, match="expected 2 weights, one a view"):
        Views(Given(brightness), scales=(1.0,), weights=weights)


def test_predictors_without_probabilities_are_refused():
    with pytest.raises(OptionError, match="'otsu' gives semantic segments without probabilities; views take the mean"):
        Views(Method("otsu"))


def box(size, top, left, bottom, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def bright_boxes(image):
    """Find the bright left part and the dark rest of an image as an object each."""
    bright = image.pixels[:, :, 0] > 127
    return np.stack([bright]), [0], [0.8]


@pytest.mark.parametrize("options", [{}, {"turns": True}, {"scales": (0.5, 1, 2)}])
def test_an_object_that_all_views_see_is_one_with_its_score(options):
    pixels = np.zeros((20, 32, 3), np.uint8)
    pixels[4:12, 2:10] = 255
    (found,) = Views(Objects(bright_boxes), **{"scales": (1.0,), **options})([Image(pixels)])
    assert len(found) == 1
    assert (found.masks.mask(0) == (pixels[:, :, 0] > 0)).all()
    np.testing.assert_allclose(found.scores, [0.8])


def test_an_object_that_half_of_the_views_see_has_half_its_score():
    seen = iter([[0.8], []])

    def once(image):
        scores = next(seen)
        return (
            np.stack([box(image.size, 0, 0, 2, 2)] * len(scores)) if scores else np.zeros((0, *image.size)),
            [0][: len(scores)],
            scores,
        )

    (found,) = Views(Objects(once), scales=(1.0,))([noise((4, 4))])
    np.testing.assert_allclose(found.scores, [0.4])


def test_a_threshold_is_for_what_the_views_say_together():
    scores = iter([0.8, 0.4])
    views = Views(Objects(lambda image: (np.stack([box(image.size, 0, 0, 2, 4)]), [0], [next(scores)])), scales=(1.0,))
    (found,) = views([noise((4, 4))], Request(threshold=0.5))
    np.testing.assert_allclose(found.scores, [0.6])


def test_probabilities_of_objects_are_refused():
    with pytest.raises(OptionError, match="gives objects, and no probabilities"):
        Views(Objects(bright_boxes))([noise((4, 4))], WANTED)


def test_a_card_that_gives_panoptic_segments_is_refused():
    predictor = Given(always(0.5))
    predictor.card = Card("pan", "panoptic", LABELS)
    with pytest.raises(OptionError, match="'pan' gives panoptic segments"):
        Views(predictor)
