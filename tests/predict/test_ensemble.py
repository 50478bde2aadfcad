"""Ensembles: the weighted mean of members joined by the names of their classes, and weights chosen on labelled pixels."""

import numpy as np
import pytest
from opinionated import LABELS, WANTED, Given, Objects, always, brightness, noise

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.ensemble import Ensemble
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.uncertainty import Uncertain
from pixelwise.predict.views import Views


def test_probabilities_are_averaged_by_weight():
    (found,) = Ensemble([Given(always(0.2)), Given(always(0.8))], (1, 3))([noise((3, 4))], WANTED)
    np.testing.assert_allclose(found.probabilities[1], 0.65, atol=1e-6)
    assert (found.class_map() == 1).all()
    np.testing.assert_allclose(found.scores, [0.65], atol=1e-6)


def test_classes_are_joined_by_name():
    other = Given(always(0.9), LabelSet.of(["a", "background"]))  # its second class is the background
    (found,) = Ensemble([Given(always(0.9)), other])([noise((3, 4))], WANTED)
    np.testing.assert_allclose(found.probabilities, 0.5, atol=1e-6)


def test_a_member_without_probabilities_votes_and_the_result_says_so():
    silent = Given(always(0.9), name="silent", gives_probabilities=False)
    (found,) = Ensemble([Given(always(0.2)), silent])([noise((3, 4))], WANTED)
    np.testing.assert_allclose(found.probabilities[1], 0.6, atol=1e-6)
    assert found.notes == ("'silent' gives no probabilities, so it votes with its classes",)
    (unsure,) = Uncertain(Ensemble([Given(always(0.2)), silent]), "disagreement").assess([noise((3, 4))])
    assert unsure.segmentation.notes == found.notes


def test_a_void_pixel_of_a_vote_says_nothing():
    silent = Given(always(0.9), gives_probabilities=False)

    def voiding(images, request):
        return [Segmentation.from_class_map(np.full(image.size, 255, np.uint8), LABELS) for image in images]

    silent.__class__ = type("Voiding", (Given,), {"__call__": lambda self, images, request=None: voiding(images, request)})
    (found,) = Ensemble([Given(always(0.2)), silent])([noise((3, 4))], WANTED)
    np.testing.assert_allclose(found.probabilities[1], (0.2 + 0.5) / 2, atol=1e-6)


def test_methods_can_be_members():
    image = noise((16, 16))
    (found,) = Ensemble([Method("otsu"), Method("otsu")])([image])
    assert found == Method("otsu")([image])[0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Given(always(0.5), LabelSet.of(["background", "b"])), r"'given' lacks a and has b besides beside 'given'"),
        (Given(always(0.5), LabelSet.of(["background", "a", "b"])), r"'given' has b besides"),
        (Objects(None), r"'given' gives semantic segments and 'objects' instance ones"),
    ],
)
def test_members_that_do_not_fit_are_named(other, message):
    with pytest.raises(OptionError, match=message):
        Ensemble([Given(always(0.5)), other])


def test_an_ensemble_of_nothing_is_refused():
    with pytest.raises(OptionError, match="at least one predictor"):
        Ensemble([])
    with pytest.raises(OptionError, match="expected 1 weights, one a member"):
        Ensemble([Given(always(0.5))], (1, 2))


def test_the_card_is_that_of_the_members_together():
    one = Given(always(0.5), name="unet", stride=4, scale=0.5, field_of_view=(10, 50), training={"crop": [32, 40]})
    two = Given(always(0.5), name="fpn", stride=6, field_of_view=(40, 20), training={"crop": [48, 48]})
    card = Ensemble([one, two]).card
    assert (card.name, card.stride, card.scale, card.field_of_view) == ("unet + fpn", 12, 1.0, (40, 50))
    assert card.training["crop"] == [64, 80]
    assert Ensemble([one, Given(always(0.5))]).card.field_of_view is None


def test_fingerprints_tell_members_and_weights():
    one, two = Given(always(0.5), name="one"), Given(always(0.5), name="two")
    prints = {fingerprint(Ensemble(members, weights)) for members in ([one, two], [two, one]) for weights in (None, (1, 2))}
    assert len(prints) == 4


def test_ensembles_and_views_go_into_each_other():
    image = noise((9, 7))
    inside = Ensemble([Views(Given(brightness), scales=(1.0,)), Given(always(0.5))])([image], WANTED)[0]
    outside = Views(Ensemble([Given(brightness), Given(always(0.5))]), scales=(1.0,))([image], WANTED)[0]
    np.testing.assert_allclose(inside.probabilities, outside.probabilities, atol=1e-6)


def test_objects_of_members_are_joined():
    def one(image):
        mask = np.zeros((1, *image.size), bool)
        mask[0, :3, :3] = True
        return mask, [0], [0.8]

    (found,) = Ensemble([Objects(one), Objects(one)])([noise((6, 6))])
    assert len(found) == 1
    np.testing.assert_allclose(found.scores, [0.8])


def labelled(count=6, size=(10, 10)):
    """Make images whose truth is where they are bright."""
    samples = []
    for seed in range(count):
        image = noise(size, seed)
        truth = Segmentation.from_class_map((image.pixels[:, :, 0] > 127).astype(np.uint8), LABELS)
        samples.append(Sample.of(f"s{seed}", image, truth))
    return Dataset(samples, LABELS, "semantic")


def coin(pixels):
    return np.random.default_rng(int(pixels.sum())).random(pixels.shape[:2])


@pytest.mark.parametrize("goal", ["likelihood", "miou"])
def test_the_member_that_knows_gets_the_weight(goal):
    ensemble = Ensemble.weighed([Given(coin), Given(brightness), Given(coin)], labelled(), goal)
    assert ensemble.shares[1] > 0.9
    assert abs(sum(ensemble.shares) - 1) < 1e-5


def test_members_that_know_different_things_share_the_weight():
    def left(pixels):
        sure = np.where(pixels[:, :, 0] > 127, 0.99, 0.01)
        sure[:, 5:] = 0.5
        return sure

    def right(pixels):
        sure = np.where(pixels[:, :, 0] > 127, 0.99, 0.01)
        sure[:, :5] = 0.5
        return sure

    shares = Ensemble.weighed([Given(left), Given(right)], labelled()).shares
    np.testing.assert_allclose(shares, [0.5, 0.5], atol=0.05)


def test_weights_want_labels_and_a_known_goal():
    empty = Dataset([Sample.of("s", Image(np.zeros((4, 4, 3), np.uint8)), None)], LABELS, "semantic")
    with pytest.raises(DataError, match="expected labelled pixels of background, a"):
        Ensemble.weighed([Given(coin)], empty)
    with pytest.raises(OptionError, match="likelihood or miou"):
        Ensemble.weighed([Given(coin)], labelled(), "accuracy")


def test_thresholds_hold_for_the_mean():
    (found,) = Ensemble([Given(always(0.6)), Given(always(0.7))])([noise((2, 2))], Request(threshold=0.66))
    assert (found.class_map() == 0).all()
