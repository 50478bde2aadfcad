"""What is laid around a predictor is a predictor: every wrapper around every other one, over tiny predictors in NumPy."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

import pixelwise as pw
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Following, Streamer
from pixelwise.predict.divided import Divided
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.limited import Limited

LABELS = LabelSet.of(["dark", "middle", "bright"])
LEAF = LabelSet.of(["leaf"], things=["leaf"])
IMAGES = [
    Image(np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8))
    for seed, size in enumerate([(20, 33), (12, 12), (20, 33)])
]


class Levels:
    """Classes by brightness, with probabilities."""

    card = Card("levels", "semantic", LABELS, field_of_view=(1, 1), gives_probabilities=True)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.threshold is not None:
            raise OptionError("a threshold is for models of two classes")
        if request.prompts:
            raise OptionError("no prompts here")
        return [self._one(image, request) for image in images]

    def _one(self, image: Image, request: Request) -> Segmentation:
        grey = image.unit().mean(axis=2)
        values = np.exp(-10 * np.abs(grey - np.array([0.2, 0.5, 0.8], np.float32)[:, None, None]))
        spread = (values / values.sum(axis=0)).astype(np.float32)
        kept = spread if request.probabilities else None
        return Segmentation.from_class_map(spread.argmax(axis=0).astype(np.uint8), LABELS, np.full(3, 0.5), kept)


class Squares:
    """Two objects of fixed place, one score each."""

    card = Card("squares", "instance", LEAF)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        if request.probabilities or request.prompts:
            raise OptionError("neither probabilities nor prompts here")
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Segmentation:
        masks = np.zeros((2, *image.size), bool)
        masks[0, 1:5, 1:5] = masks[1, 6:10, 2:9] = True
        return Segmentation.from_masks("instance", masks, [0, 0], LEAF, scores=np.array([0.9, 0.6]))


BASES: dict[str, Predictor] = {"levels": Levels(), "squares": Squares()}
REFUSED = {(outer, "refined") for outer in ("flipped", "views", "calibrated", "uncertain")}  # it leaves no probabilities
WRAPPERS: dict[str, Callable[[Predictor], Predictor]] = {
    "tiled": lambda inner: pw.Tiled(inner, (12, 16), 4),
    "flipped": pw.Flipped,
    "views": lambda inner: pw.Views(inner, scales=(1.0, 1.25)),
    "refined": lambda inner: pw.Refined(inner, "smallest(area=3)"),
    "ensemble": lambda inner: pw.Ensemble([inner, inner]),
    "calibrated": lambda inner: pw.Calibrated(inner, 2.0),
    "uncertain": pw.Uncertain,
    "limited": lambda inner: Limited(inner, 60.0),
    "divided": lambda inner: Divided([inner, inner]),
    "smoothed": pw.Smoothed,
    "tracked": pw.Tracked,
}


def built(base: str, outer: str, inner: str) -> Predictor:
    within = WRAPPERS[inner](BASES[base]) if inner else BASES[base]
    return WRAPPERS[outer](within)


def fit(base: str, outer: str, inner: str) -> bool:
    try:
        built(base, outer, inner)
    except OptionError:
        return False
    return True


PAIRS = [(base, outer, inner) for base in BASES for outer in WRAPPERS for inner in ("", *WRAPPERS) if fit(base, outer, inner)]


def test_wrappers_of_classes_go_together_in_any_order() -> None:
    of_classes = [name for name in WRAPPERS if name not in ("tracked", "smoothed")]
    assert {pair for pair in PAIRS if pair[0] == "levels"} >= {
        ("levels", outer, inner) for outer in of_classes for inner in of_classes if (outer, inner) not in REFUSED
    }


@pytest.mark.parametrize(("base", "outer", "inner"), PAIRS)
def test_a_wrapped_predictor_is_a_predictor(base: str, outer: str, inner: str) -> None:
    predictor = built(base, outer, inner)
    card = predictor.card
    assert isinstance(predictor, pw.Predictor)
    assert card.labels == BASES[base].card.labels
    found = predictor(IMAGES)
    assert [one.size for one in found] == [image.size for image in IMAGES]
    assert all(one.kind == card.kind and one.labels == card.labels and one.probabilities is None for one in found)
    assert predictor([]) == []


@pytest.mark.parametrize(("base", "outer", "inner"), PAIRS)
def test_probabilities_are_given_as_the_card_says(base: str, outer: str, inner: str) -> None:
    predictor = built(base, outer, inner)
    if not predictor.card.gives_probabilities:
        with pytest.raises(OptionError):
            predictor(IMAGES, Request(probabilities=True))
        return
    for one in predictor(IMAGES, Request(probabilities=True)):
        assert one.probabilities is not None
        assert one.probabilities.shape == (3, *one.size)
        np.testing.assert_allclose(one.probabilities.sum(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize(("base", "outer", "inner"), PAIRS)
def test_a_fingerprint_is_the_same_for_the_same_and_another_for_what_changes_results(base: str, outer: str, inner: str) -> None:
    first, second = built(base, outer, inner), built(base, outer, inner)
    assert fingerprint(first) == fingerprint(second)
    neutral = outer in ("limited", "divided")  # they change how it is worked, not what comes out
    if not inner:
        assert (fingerprint(first) == fingerprint(BASES[base])) == neutral
    else:
        assert (fingerprint(first) == fingerprint(WRAPPERS[inner](BASES[base]))) == neutral


@pytest.mark.parametrize(("base", "outer", "inner"), PAIRS)
def test_a_stream_gives_what_a_call_gives(base: str, outer: str, inner: str) -> None:
    predictor = built(base, outer, inner)
    if isinstance(predictor, Following) or not isinstance(predictor, Streamer):
        return  # a film is another thing; a plain predictor goes through pw.stream
    if inner in ("smoothed", "tracked"):
        with pytest.raises(OptionError, match="outermost"):
            list(predictor.stream(IMAGES))
        return
    assert list(predictor.stream(iter(IMAGES), batch=2)) == predictor(IMAGES)
    assert list(pw.stream(predictor, IMAGES)) == predictor(IMAGES)


@pytest.mark.parametrize(("base", "outer", "inner"), PAIRS)
def test_what_cannot_be_asked_is_refused_in_a_sentence(base: str, outer: str, inner: str) -> None:
    predictor = built(base, outer, inner)
    if predictor.card.kind == "semantic":
        with pytest.raises(OptionError):
            predictor(IMAGES, Request(threshold=0.5))
    with pytest.raises(OptionError):
        predictor(IMAGES, Request(prompts=((Prompt(points=((1, 1, True),)),), (), ())))


def test_every_class_that_wraps_is_tried_here() -> None:
    names = {"Tiled", "Flipped", "Views", "Refined", "Ensemble", "Calibrated", "Uncertain", "Smoothed", "Tracked"}
    assert names <= set(pw.__all__)
    assert {name.lower() for name in names} <= set(WRAPPERS)
