"""Refiners around a predictor: what is asked of it, what its card says, and how they go with tiles and flips."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image, as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict import refined as refining
from pixelwise.predict.automatic import arranged
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.refined import Refined
from pixelwise.predict.tiled import Tiled
from pixelwise.refine import crf
from pixelwise.refine.refiner import Refiner, chain

LABELS = LabelSet.of(["background", "a"], things=["a"])


class Given:
    """Take the red band as the probability of class a, and keep what was asked."""

    def __init__(self, threshold=None, gives=True):
        self.card = Card("given", "semantic", LABELS, gives_probabilities=gives, threshold=threshold)
        self.asked = []

    def __call__(self, images, request=PLAIN):
        self.asked.append((len(images), request))
        found = []
        for image in images:
            front = image.pixels[:, :, 0].astype(np.float32) / 255
            both = np.stack([1 - front, front])
            kept = both if request.probabilities else None
            found.append(Segmentation.from_class_map((front > 0.5).astype(np.uint8), LABELS, probabilities=kept))
        return found


def noisy(size=(30, 40), seed=0):
    grey = np.where(np.arange(size[1]) < size[1] // 2, 90, 160) + np.random.default_rng(seed).normal(0, 40, size)
    return Image(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2))


def test_refiners_are_named_made_or_imported():
    image = noisy()
    found = [Refined(Given(), one)([image])[0] for one in ("crf", Refiner("crf"), crf)]
    assert found[0] == found[1] == found[2]
    assert isinstance(Refined(Given(), "crf"), Predictor)


def test_they_are_applied_from_left_to_right():
    image = noisy()
    (alone,) = Given()([image], Request(probabilities=True))
    by_hand = Refiner("smallest", area=9)(image, Refiner("crf")(image, alone))
    assert Refined(Given(), "crf,smallest(area=9)")([image])[0] == by_hand
    assert Refined(Given(), "crf", "smallest(area=9)")([image])[0] == by_hand


def test_probabilities_are_asked_for_where_the_first_refiner_uses_them():
    for names, gives, wanted in (("crf", True, True), ("holes,crf", True, False), ("crf", False, False)):
        predictor = Given(gives=gives)
        (found,) = Refined(predictor, names)([noisy()])
        assert predictor.asked[0][1].probabilities is wanted
        assert found.probabilities is None


def test_probabilities_come_back_from_refiners_that_keep_them():
    (found,) = Refined(Given(), "guided,crf")([noisy()], Request(probabilities=True))
    assert (found.probabilities.argmax(axis=0) == found.class_map()).all()
    assert not Refined(Given(), "crf,holes").card.gives_probabilities
    with pytest.raises(OptionError, match="give no probabilities"):
        Refined(Given(), "crf,holes")([noisy()], Request(probabilities=True))


@pytest.mark.parametrize("of_card", [False, True])
def test_thresholds_hold_for_what_is_refined(of_card):
    predictor = Refined(Given(threshold=0.9 if of_card else None), "crf(rounds=1,appearance=1)")
    (found,) = predictor([noisy()], Request(probabilities=True, threshold=None if of_card else 0.9))
    assert (found.class_map() == (found.probabilities[1] > 0.9)).all()


def test_the_card_tells_the_kind_that_comes_out():
    assert Refined(Method("otsu"), "split").card.kind == "instance"
    assert Refined(Method("otsu"), "split")([noisy()])[0].kind == "instance"
    assert Refined(Method("kmeans"), "merge").card.kind == "regions"


def test_what_makes_no_sense_is_refused_in_a_sentence_before_the_work():
    with pytest.raises(OptionError, match="'crf' does not refine regions segmentations: they are found by colour already"):
        Refined(Method("kmeans"), "crf")
    with pytest.raises(OptionError, match="'merge' does not refine instance segmentations"):
        Refined(Method("otsu"), "split,merge")
    with pytest.raises(OptionError, match="at least one refiner"):
        Refined(Method("otsu"))


def test_many_images_are_given_in_portions_and_keep_their_prompts(monkeypatch):
    monkeypatch.setattr(refining, "_VALUES", 2 * 2 * 30 * 40)  # two images of two classes
    predictor = Given()
    images = [noisy(seed=seed) for seed in range(5)]
    assert Refined(predictor, "crf")(images) == [Refined(Given(), "crf")([image])[0] for image in images]
    assert [count for count, _ in predictor.asked] == [2, 2, 1]


def test_results_of_other_refiners_are_known_apart():
    names = ("crf", "crf(colour=7)", "crf,holes", "holes")
    assert len({fingerprint(Refined(Given(), name)) for name in names}) == 4


def test_in_tiles_probabilities_are_refined_and_shapes_around_them():
    built = arranged(Given(), (16, 16), refiners=chain("crf,guided,smallest,crf"))
    assert isinstance(built, Refined)
    assert [one.name for one in built.refiners] == ["smallest", "crf"]
    assert isinstance(built.predictor, Tiled)
    assert [one.name for one in built.predictor.predictor.refiners] == ["crf", "guided"]


def test_tiles_with_room_around_give_what_the_whole_gives():
    image = noisy((40, 60))
    (whole,) = Refined(Given(), "crf(reach=2)")([image])
    (tiled,) = Tiled(Refined(Given(), "crf(reach=2)"), (40, 40), 20)([image])
    assert (whole.class_map() == tiled.class_map()).mean() > 0.99


def test_a_methods_result_is_refined_too():
    rows, columns = np.mgrid[:50, :80]
    cells = (np.hypot(rows - 25, columns - 28) < 13) | (np.hypot(rows - 25, columns - 50) < 13)
    (found,) = Refined(Method("otsu"), "holes,smallest,split")([as_image(np.where(cells, 200, 30).astype(np.uint8))])
    assert found.masks.areas().tolist() == pytest.approx([cells.sum() / 2] * 2, rel=0.1)
