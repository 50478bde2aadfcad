"""Per-pixel classes become semantic segmentations."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode.frame import Frame
from pixelwise.decode.pixel import PixelReduced, decode, highest

LABELS = LabelSet.of(["background", "leaf"])
LEAF = np.array([[0.1, 0.4, 0.6], [0.9, 0.45, 0.2]], np.float32)


def reduced(probabilities: bool = True) -> PixelReduced:
    both = np.stack([1 - LEAF, LEAF])[None]
    classes = both.argmax(axis=1)
    confidence = np.array([[0.7125, 0.75]], np.float32)
    return PixelReduced(classes, confidence, both if probabilities else both[:, :0])


def test_the_most_probable_class_wins_and_padding_goes() -> None:
    (found,) = decode(reduced(False), [Frame((2, 2), padding=(0, 1))], LABELS, PLAIN)
    assert found.kind == "semantic"
    assert found.class_map().tolist() == [[0, 0], [1, 0]]
    assert found.probabilities is None
    assert found.scores is not None
    assert found.scores.round(4).tolist() == [0.7125, 0.75]


def test_a_threshold_takes_the_place_of_the_larger_probability() -> None:
    (found,) = decode(reduced(), [Frame((2, 3))], LABELS, Request(threshold=0.42))
    assert found.class_map().tolist() == [[0, 0, 1], [1, 1, 0]]
    (none,) = decode(reduced(), [Frame((2, 3))], LABELS, Request(threshold=1.0))
    assert none.class_map().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_scores_under_a_threshold_are_of_the_pixels_each_class_then_has() -> None:
    (found,) = decode(reduced(), [Frame((2, 3))], LABELS, Request(threshold=0.42))
    assert found.scores is not None
    assert found.scores.round(4).tolist() == [round((0.9 + 0.6 + 0.8) / 3, 4), round((0.6 + 0.9 + 0.45) / 3, 4)]


def test_probabilities_are_kept_when_asked_for_and_of_the_images_size() -> None:
    (found,) = decode(reduced(), [Frame((1, 2))], LABELS, Request(probabilities=True))
    assert found.probabilities is not None
    assert found.probabilities[1].tolist() == LEAF[:1, :2].tolist()


@pytest.mark.parametrize("request_", [Request(threshold=0.5), Request(probabilities=True)])
def test_what_needs_probabilities_is_refused_without_them(request_: Request) -> None:
    with pytest.raises(ValueError, match="expected probabilities of 2 classes, got 0"):
        decode(reduced(False), [Frame((2, 3))], LABELS, request_)


def test_many_classes_keep_their_numbers() -> None:
    many = LabelSet.of(str(index) for index in range(300))
    raw = PixelReduced(np.array([[[299, 255]]]), np.full((1, 300), 0.5), np.zeros((1, 0, 1, 2)))
    (found,) = decode(raw, [Frame((1, 2))], many, PLAIN)
    assert found.class_map().tolist() == [[299, 255]]


def test_each_image_gets_its_own_frame() -> None:
    twice = PixelReduced(*(np.concatenate([part, part]) for part in reduced()))
    small, whole = decode(twice, [Frame((1, 1)), Frame((2, 3))], LABELS, PLAIN)
    assert (small.size, whole.size) == ((1, 1), (2, 3))


@pytest.mark.parametrize("shape", [(2, 5, 30, 40), (1, 23, 300, 400), (1, 1, 3, 3), (1, 300, 4, 5), (1, 3, 0, 4)])
def test_the_highest_logit_is_numpys_argmax(shape):
    logits = np.random.default_rng(0).standard_normal(shape).astype(np.float32).round(1)  # rounded: equals are met often
    assert np.array_equal(highest(logits), logits.argmax(axis=1))
    turned = np.ascontiguousarray(logits.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # channels last
    assert np.array_equal(highest(turned), logits.argmax(axis=1))


def test_infinite_logits_are_ordered_and_nan_is_refused():
    logits = np.zeros((1, 3, 200, 200), np.float32)
    logits[:, 0], logits[:, 2] = -np.inf, np.inf
    assert (highest(logits) == 2).all()
    logits[0, 1, 150, 7] = np.nan
    with pytest.raises(DataError, match="NaN"):
        highest(logits)


def test_no_class_is_refused():
    with pytest.raises(DataError, match="at least one class"):
        highest(np.zeros((1, 0, 2, 2), np.float32))
