"""A yes or no for each class and pixel becomes a multilabel segmentation."""

import numpy as np
import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode.frame import Frame
from pixelwise.decode.multilabel import MultilabelReduced, decode

LABELS = LabelSet.of(["water", "boat", "fog"])
SPREAD = np.array([[[[0.9, 0.8, 0.2]], [[0.7, 0.1, 0.3]], [[0.1, 0.1, 0.4]]]], np.float32)


def reduced(probabilities: bool = True) -> MultilabelReduced:
    members = SPREAD > 0.5
    confidence = np.array([[0.85, 0.7, 0.0]], np.float32)
    return MultilabelReduced(members, confidence, SPREAD if probabilities else SPREAD[:, :0])


def test_classes_may_share_pixels_and_those_without_any_have_no_segment() -> None:
    (found,) = decode(reduced(False), [Frame((1, 3))], LABELS, PLAIN)
    assert (found.kind, found.names) == ("multilabel", ["water", "boat"])
    assert found.masks.dense().tolist() == [[[True, True, False]], [[True, False, False]]]
    assert found.scores is not None
    assert found.scores.round(4).tolist() == [0.85, 0.7]
    assert found.probabilities is None


def test_a_threshold_takes_the_place_of_one_half() -> None:
    (found,) = decode(reduced(), [Frame((1, 3))], LABELS, Request(threshold=0.25))
    assert found.names == ["water", "boat", "fog"]
    assert found.masks.dense()[1].tolist() == [[True, False, True]]
    assert found.scores is not None
    assert found.scores.round(4).tolist() == [0.85, 0.5, 0.4]


def test_padding_goes_and_probabilities_are_kept_when_asked_for() -> None:
    (found,) = decode(reduced(), [Frame((1, 2), padding=(0, 1))], LABELS, Request(probabilities=True))
    assert found.size == (1, 2)
    assert found.probabilities is not None
    assert found.probabilities.tolist() == SPREAD[0, :, :, :2].tolist()


def test_an_image_of_no_class_is_an_empty_segmentation() -> None:
    none = MultilabelReduced(np.zeros((1, 3, 2, 2), bool), np.zeros((1, 3)), np.zeros((1, 0, 2, 2)))
    (found,) = decode(none, [Frame((2, 2))], LABELS, PLAIN)
    assert (len(found), found.size) == (0, (2, 2))


@pytest.mark.parametrize("request_", [Request(threshold=0.5), Request(probabilities=True)])
def test_what_needs_probabilities_is_refused_without_them(request_: Request) -> None:
    with pytest.raises(ValueError, match="expected probabilities of 3 classes, got 0"):
        decode(reduced(False), [Frame((1, 3))], LABELS, request_)
