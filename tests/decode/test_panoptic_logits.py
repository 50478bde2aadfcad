"""UPSNet's decoder: from detections and semantic logits to segments at the image's own pixels."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.frame import Frame
from pixelwise.decode.panoptic_logits import PanopticReduced

LABELS = LabelSet.of(["sky", "car", "grass", "dog"], things=["car", "dog"])
DECODER = Decoder("panoptic_logits", {"score": 0.5, "box_overlap": 0.5, "mask_overlap": 0.3, "area": 1})
FRAME = Frame((4, 8), padding=(4, 0))


def reduced() -> PanopticReduced:
    """Give one image of 4 x 8 pixels, padded to 8 x 8.

    Sky in columns 0 to 3, with a dog in 0 to 1; grass in 4 to 5; a car that was hardly found in 6 to 7.
    """
    semantic = np.zeros((1, 4, 8, 8), np.float32)
    semantic[0, 0, :, :4] = 4.0
    semantic[0, 3, :, :2] = 3.0
    semantic[0, 2, :, 4:6] = 4.0
    semantic[0, 1, :, 6:] = 4.0
    boxes = np.array([[[0.0, 0, 2, 4], [6, 0, 8, 4], [0, 0, 0, 0]]])
    classes, scores = np.array([[1, 0, 0]]), np.array([[0.9, 0.4, 0.0]])
    return PanopticReduced(boxes, classes, scores, np.full((1, 3, 2, 2), 5.0), np.array([2]), semantic, np.array([[8, 8]]))  # type: ignore[arg-type]


def test_objects_come_before_stuff_and_what_no_object_explains_is_void() -> None:
    found = DECODER(reduced(), [FRAME], LABELS, PLAIN)[0]
    assert found.names == ["dog", "sky", "grass"]
    assert found.panoptic_ids().tolist() == [[1, 1, 2, 2, 3, 3, 0, 0]] * 4
    assert found.scores is not None
    assert found.scores[0] == pytest.approx(0.9)
    assert found.scores[1] == pytest.approx(np.exp(4) / (np.exp(4) + 3), abs=1e-4)


def test_a_request_may_lower_the_score() -> None:
    found = DECODER(reduced(), [FRAME], LABELS, Request(threshold=0.3))[0]
    assert found.names == ["dog", "car", "sky", "grass"]
    assert found.panoptic_ids()[0].tolist() == [1, 1, 3, 3, 4, 4, 2, 2]


def test_segments_are_as_large_as_the_image_was() -> None:
    found = DECODER(reduced(), [Frame((8, 16), scale=(0.5, 0.5), padding=(4, 0))], LABELS, PLAIN)[0]
    ids = found.panoptic_ids()
    assert ids.shape == (8, 16)
    assert ids[:, ::4].tolist() == [[1, 2, 3, 0]] * 8


def test_stuff_with_few_pixels_is_left_out() -> None:
    options = {**DECODER.options, "area": 9}
    found = Decoder("panoptic_logits", options)(reduced(), [FRAME], LABELS, PLAIN)[0]
    assert found.names == ["dog"]
    assert found.panoptic_ids()[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_strips_of_an_image_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DECODER(reduced(), [FRAME], LABELS, Request(threshold=0.3))[0]
    monkeypatch.setattr("pixelwise.decode.enlarged._STRIP", 4 * 8)
    assert DECODER(reduced(), [FRAME], LABELS, Request(threshold=0.3))[0] == whole


def test_things_alone_are_found_without_stuff() -> None:
    labels = LabelSet.of(["car", "dog"], things=["car", "dog"])
    given = reduced()
    found = DECODER(given._replace(semantic=given.semantic[:, [1, 3]]), [FRAME], labels, PLAIN)[0]
    assert found.names == ["dog"]
    assert found.panoptic_ids()[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_what_is_not_a_number_is_told() -> None:
    broken = reduced()._replace(semantic=np.full((1, 4, 8, 8), np.nan, np.float32))
    with pytest.raises(DataError, match="NaN"):
        DECODER(broken, [FRAME], LABELS, PLAIN)
