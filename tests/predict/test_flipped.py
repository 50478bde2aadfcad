"""Flips: the mean over views, exact where they agree."""

import numpy as np
import pytest
from opinionated import LABELS, WANTED, Given, brightness, noise, ramp

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict import views
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled


@pytest.mark.parametrize("options", [{}, {"vertical": True}, {"turns": True}])
def test_a_symmetrical_predictor_gives_the_same_to_the_last_bit(options):
    images = [noise((7, 11)), noise((12, 5), 1)]
    alone, flipped = Given(brightness)(images, WANTED), Flipped(Given(brightness), **options)(images, WANTED)
    assert alone == flipped
    for one, other in zip(alone, flipped, strict=True):
        assert (one.probabilities == other.probabilities).all()


def test_the_mean_of_the_views_is_taken():
    (found,) = Flipped(Given(ramp))([noise((3, 4))], WANTED)
    np.testing.assert_allclose(found.probabilities, 0.5)


@pytest.mark.parametrize(("options", "views"), [({}, 2), ({"vertical": True}, 4), ({"turns": True}, 8)])
def test_each_view_is_seen_once(options, views):
    seen = []
    predictor = Given(lambda pixels: seen.append(pixels.copy()) or brightness(pixels))
    image = noise((4, 4))
    Flipped(predictor, **options)([image])
    assert len(seen) == views
    assert len({one.tobytes() for one in seen}) == views
    assert any((one == image.pixels[:, ::-1]).all() for one in seen)
    assert any((one == image.pixels[::-1]).all() for one in seen) == bool(options)


def test_scores_are_the_mean_probability_over_the_pixels_of_a_class():
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0, :, 0] = 0, 51, 204, 255
    (found,) = Flipped(Given(brightness))([Image(pixels)])
    assert found.class_map().tolist() == [[0, 0, 1, 1]]
    np.testing.assert_allclose(found.scores, [0.9, 0.9], atol=1e-6)
    assert found.probabilities is None


@pytest.mark.parametrize("of_card", [False, True])
def test_thresholds_hold_for_the_mean(of_card):
    predictor = Given(brightness, threshold=0.7 if of_card else None)
    (found,) = Flipped(predictor)([noise((8, 9))], Request(threshold=None if of_card else 0.7))
    assert (found.class_map() == (noise((8, 9)).pixels[:, :, 0] / 255 > 0.7)).all()


def test_flips_and_tiles_go_into_each_other_both_ways():
    image = noise((30, 44))
    inside = Tiled(Flipped(Given(brightness)), (16, 16), 4)([image], WANTED)
    outside = Flipped(Tiled(Given(brightness), (16, 16), 4))([image], WANTED)
    (alone,) = Given(brightness)([image], WANTED)
    for (one,) in (inside, outside):
        assert one == alone
        np.testing.assert_allclose(one.probabilities, alone.probabilities, atol=1e-6)
    assert Tiled(Flipped(Given(brightness)), (16, 16), 4)([image])[0] == alone


def test_many_images_are_given_in_portions(monkeypatch):
    monkeypatch.setattr(views, "VALUES", 2 * 2 * 5 * 6)  # two images of 5 x 6 with two classes
    predictor = Given(brightness)
    images = [noise((5, 6), seed) for seed in range(5)]
    assert Flipped(predictor)(images) == Given(brightness)(images)
    assert predictor.calls == 2 * 3


def test_what_a_predictor_gave_is_not_written_to():
    kept = np.random.default_rng(0).random((2, 4, 6)).astype(np.float32)
    before = kept.copy()

    class Keeping(Given):
        def __call__(self, images, request=PLAIN):
            return [Segmentation.from_class_map(np.zeros((4, 6), np.uint8), LABELS, probabilities=kept) for _ in images]

    (found,) = Flipped(Keeping(brightness))([noise((4, 6))], WANTED)
    assert (kept == before).all()
    np.testing.assert_allclose(found.probabilities, (kept + kept[:, :, ::-1]) / 2, atol=1e-6)


def test_predictors_that_give_no_probabilities_are_refused_in_a_sentence():
    with pytest.raises(OptionError, match="'otsu' gives semantic segments without probabilities; flips take the mean"):
        Flipped(Method("otsu"))
    with pytest.raises(OptionError, match="'kmeans' gives regions segments"):
        Flipped(Method("kmeans"))


def test_requests_that_flips_cannot_meet_are_refused():
    with pytest.raises(OptionError, match="prompts"):
        Flipped(Given(brightness))([noise((4, 4))], Request(prompts=((Prompt(points=((1, 1, True),)),),)))


def test_a_card_that_promises_too_much_is_named():
    class Empty(Given):
        def __call__(self, images, request=PLAIN):
            return super().__call__(images)

    with pytest.raises(DataError, match="promises probabilities of 2 classes; it gave those of none"):
        Flipped(Empty(brightness))([noise((4, 4))])
