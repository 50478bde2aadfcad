"""Uncertainty: known values of each measure, and numbers for pixels, segments and images that agree."""

import numpy as np
import pytest
from opinionated import LABELS, WANTED, Given, Objects, always, brightness, noise, ramp

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.methods.predictor import Method
from pixelwise.predict import uncertainty
from pixelwise.predict.ensemble import Ensemble
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.uncertainty import Uncertain, entropy, margin
from pixelwise.predict.views import Views


def planes(*columns):
    """Take the probabilities of each pixel as a column."""
    return np.array(columns, np.float32).T[:, None]


def test_entropy_is_a_share_of_the_largest():
    found = entropy(planes((1, 0, 0), (0.5, 0.5, 0), (1 / 3, 1 / 3, 1 / 3)))
    np.testing.assert_allclose(found, [[0, np.log(2) / np.log(3), 1]], atol=1e-6)


def test_margins_are_between_the_best_two():
    np.testing.assert_allclose(margin(planes((0.2, 0.7, 0.1), (0.4, 0.2, 0.4), (0, 0, 1))), [[0.5, 1, 0]], atol=1e-6)


def test_one_class_is_never_unsure():
    assert entropy(np.ones((1, 2, 3), np.float32)).tolist() == margin(np.ones((1, 2, 3), np.float32)).tolist() == [[0] * 3] * 2


def test_disagreement_is_the_information_that_an_opinion_gives():
    """Two members, each sure of another class: one bit. Two that are both unclear: none."""
    image = noise((2, 3))

    def of(*members, weights=None):
        return Uncertain(Ensemble([Given(always(one)) for one in members], weights), "disagreement").assess([image])[0].pixels

    np.testing.assert_allclose(of(0.0, 1.0), 1, atol=1e-5)
    np.testing.assert_allclose(of(0.5, 0.5), 0, atol=1e-5)
    np.testing.assert_allclose(of(0.0, 1.0, weights=(3, 1)), 1, atol=1e-5)  # as much as there can be between such weights
    mean, own = entropy(planes((0.5, 0.5))), entropy(planes((0.9, 0.1)))
    np.testing.assert_allclose(of(0.1, 0.9), float(mean[0, 0] - own[0, 0]), atol=1e-5)


def test_one_opinion_disagrees_with_nobody():
    found = Uncertain(Views(Given(brightness), flips=False, scales=(1.0,)), "disagreement").assess([noise((2, 3))])[0]
    assert (found.pixels == 0).all()


@pytest.mark.parametrize("measure", ["entropy", "margin", "disagreement"])
def test_what_is_found_is_what_the_predictor_gives(measure):
    images = [noise((7, 11)), noise((12, 5), 1)]
    flipped = Flipped(Given(ramp, threshold=0.4))
    for one, other in zip(Uncertain(flipped, measure).assess(images), flipped(images), strict=True):
        assert one.segmentation == other
        np.testing.assert_allclose(one.segmentation.scores, other.scores)
        assert one.segmentation.probabilities is None
        assert one.pixels.shape == other.size
        assert one.pixels.dtype == np.float32
        assert one.pixels.min() >= 0
        assert one.pixels.max() <= 1


def test_segments_are_means_over_pixels_and_images_are_means_over_segments():
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0, :, 0] = 0, 51, 0, 204
    (found,) = Uncertain(Given(brightness), "margin").assess([Image(pixels)], WANTED)
    np.testing.assert_allclose(found.pixels, [[0, 0.4, 0, 0.4]], atol=1e-6)
    np.testing.assert_allclose(found.segments, [0.4 / 3, 0.4], atol=1e-6)
    assert found.image == pytest.approx((0.4 / 3 + 0.4) / 2)  # a class counts alike whatever its area
    assert found.mean == pytest.approx(0.2)
    assert found.segmentation.probabilities is not None


def test_an_object_is_unsure_at_a_score_of_one_half():
    def two(image):
        masks = np.zeros((2, *image.size), bool)
        masks[0, :, :4], masks[1, :, 2:] = True, True
        return masks, [0, 1], [1.0, 0.5]

    (found,) = Uncertain(Objects(two)).assess([noise((3, 6))])
    np.testing.assert_allclose(found.segments, [0, 1], atol=1e-9)
    assert found.pixels.tolist() == [[0, 0, 1, 1, 1, 1]] * 3
    assert found.image == pytest.approx(0.5)


def test_no_object_is_nothing_to_be_unsure_of():
    (found,) = Uncertain(Objects(lambda image: (np.zeros((0, *image.size), bool), [], []))).assess([noise((3, 6))])
    assert found.image == 0
    assert (found.pixels == 0).all()


def test_many_images_are_assessed_in_portions(monkeypatch):
    monkeypatch.setattr(uncertainty, "VALUES", 2 * 2 * 5 * 6)
    images = [noise((5, 6), seed) for seed in range(5)]
    together = Uncertain(Flipped(Given(ramp)), "disagreement").assess(images)
    alone = [Uncertain(Flipped(Given(ramp)), "disagreement").assess([image])[0] for image in images]
    assert all((one.pixels == other.pixels).all() for one, other in zip(together, alone, strict=True))


def test_tiles_go_inside():
    image = noise((30, 44))
    (whole,) = Uncertain(Given(brightness)).assess([image])
    (tiled,) = Uncertain(Tiled(Given(brightness), (16, 16), 4)).assess([image])
    np.testing.assert_allclose(tiled.pixels, whole.pixels, atol=1e-5)


@pytest.mark.parametrize(
    ("predictor", "measure", "message"),
    [
        (Given(always(0.5)), "variance", "expected an uncertainty of entropy, margin, disagreement, got 'variance'"),
        (Given(always(0.5)), "disagreement", "'given' gives one; lay Views, Ensemble or Dropout around"),
        (Method("otsu"), "entropy", "'otsu' gives classes without probabilities"),
        (Method("kmeans"), "entropy", "'kmeans' gives regions segments"),
        (Objects(None), "margin", "a margin is between classes of a pixel; 'objects' gives instance"),
    ],
)
def test_what_says_nothing_of_uncertainty_is_refused(predictor, measure, message):
    with pytest.raises(OptionError, match=message):
        Uncertain(predictor, measure)


def test_prompts_are_refused():
    with pytest.raises(OptionError, match="without prompts"):
        Uncertain(Given(always(0.5))).assess([noise((3, 3))], Request(prompts=((Prompt(points=((1, 1, True),)),),)))


def test_it_is_a_predictor_too():
    uncertain = Uncertain(Given(brightness))
    assert uncertain([noise((3, 4))]) == Given(brightness)([noise((3, 4))])
    assert uncertain.card == Card("given", "semantic", LABELS, gives_probabilities=True)
