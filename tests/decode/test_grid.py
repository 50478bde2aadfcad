"""Detections of a grid head become segmentations at the image's own pixels."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.decode import grid
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.frame import Frame
from pixelwise.decode.grid import GridReduced, decode

LABELS = LabelSet.of(["cell", "dot"], things=["cell", "dot"])


def reduced(masks: np.ndarray, scores: list[float], padded: tuple[int, int], count: int | None = None) -> GridReduced:
    classes = np.arange(len(scores)) % 2
    given = np.where(masks > 0, 20.0, -20.0).astype(np.float32)
    number = np.array([len(scores) if count is None else count])
    return GridReduced(classes[None], np.array([scores], np.float32), given[None], number, np.array([padded]))


LEFT = np.array([[[1, 1, 0, 0]] * 2])
TOP = np.array([[[1, 1, 1, 1], [0, 0, 0, 0]]])


def test_masks_may_overlap_and_come_with_class_and_score() -> None:
    one = decode(reduced(np.concatenate([LEFT, TOP]), [0.9, 0.4], (2, 4)), [Frame((2, 4))], LABELS, PLAIN)[0]
    assert (one.kind, one.class_ids.tolist()) == ("instance", [0, 1])
    assert one.scores is not None
    assert one.scores.tolist() == pytest.approx([0.9, 0.4])
    assert one.masks.dense().astype(int).tolist() == [LEFT[0].tolist(), TOP[0].tolist()]


def test_padding_is_cut_off_and_scale_undone() -> None:
    frame = Frame((4, 6), scale=(0.5, 0.5), padding=(0, 1))  # 2 x 3 pixels of the batch's 2 x 4
    one = decode(reduced(LEFT, [0.9], (2, 4)), [frame], LABELS, PLAIN)[0]
    assert one.masks.dense()[0].astype(int).tolist() == [[1, 1, 1, 1, 0, 0]] * 4


def test_a_threshold_keeps_scores_from_it_on_and_rows_beyond_the_count_are_none() -> None:
    given = reduced(np.repeat(LEFT, 3, axis=0), [0.9, 0.5, 0.4], (2, 4), count=2)
    assert len(decode(given, [Frame((2, 4))], LABELS, PLAIN)[0]) == 2
    assert len(decode(given, [Frame((2, 4))], LABELS, Request(threshold=0.5))[0]) == 2
    assert len(decode(given, [Frame((2, 4))], LABELS, Request(threshold=0.6))[0]) == 1


def test_a_detection_without_a_pixel_is_left_out() -> None:
    given = reduced(np.concatenate([LEFT * 0, LEFT]), [0.9, 0.8], (2, 4))
    assert decode(given, [Frame((2, 4))], LABELS, PLAIN)[0].class_ids.tolist() == [1]


def test_the_probability_that_a_pixel_must_exceed_is_an_option_of_the_decoder() -> None:
    given = reduced(LEFT, [0.9], (2, 4))._replace(masks=np.full((1, 1, 2, 4), math.log(0.6 / 0.4), np.float32))
    assert len(Decoder("grid", {"mask": 0.59})(given, [Frame((2, 4))], LABELS, PLAIN)[0]) == 1
    assert len(Decoder("grid", {"mask": 0.61})(given, [Frame((2, 4))], LABELS, PLAIN)[0]) == 0


def test_a_broken_score_is_told() -> None:
    with pytest.raises(DataError, match="NaN"):
        decode(reduced(LEFT, [math.nan], (2, 4)), [Frame((2, 4))], LABELS, PLAIN)


def test_masks_made_in_strips_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    given = reduced(rng.random((3, 6, 7)) < 0.5, [0.9, 0.8, 0.7], (24, 28))
    whole = decode(given, [Frame((21, 26))], LABELS, PLAIN)[0]
    monkeypatch.setattr(grid, "_AT_ONCE", 40)
    assert decode(given, [Frame((21, 26))], LABELS, PLAIN)[0] == whole
    assert whole.masks.areas().min() > 50
