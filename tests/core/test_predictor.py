"""The waist: what a request may ask, and what counts as a predictor."""

from collections.abc import Sequence

import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation


class Nothing:
    card = Card("nothing", "regions", LabelSet(()))

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        return []


def test_a_plain_request_asks_for_masks_alone() -> None:
    assert Request() == PLAIN
    assert (PLAIN.probabilities, PLAIN.threshold, PLAIN.prompts) == (False, None, ())


@pytest.mark.parametrize("threshold", [0, 0.5, 1])
def test_a_threshold_lies_between_0_and_1(threshold: float) -> None:
    assert Request(threshold=threshold).threshold == threshold


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), 50])
def test_any_other_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        Request(threshold=threshold)


def test_whatever_has_a_card_and_can_be_called_is_a_predictor() -> None:
    assert isinstance(Nothing(), Predictor)
    assert not isinstance(object(), Predictor)
