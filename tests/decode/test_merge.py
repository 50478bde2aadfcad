"""The merge rule of Panoptic FPN on examples written out by hand, and the decoder that applies it to two heads' output."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.frame import Frame
from pixelwise.decode.fused import FusedReduced
from pixelwise.decode.merge import Merging, merged

LABELS = LabelSet.of(["sky", "car", "grass", "dog"], things=["car", "dog"])
SKY, CAR, GRASS, DOG, VOID = 0, 1, 2, 3, 255
ALL_SKY = np.zeros((2, 6), np.uint8)


def objects(*rows: tuple[int, float, list[str]]) -> Segmentation:
    """Give instances of a class, a score and a mask drawn with ``#``."""
    masks = np.array([[[cell == "#" for cell in line] for line in drawn] for _, _, drawn in rows]).reshape(-1, 2, 6)
    scores = np.array([score for _, score, _ in rows])
    return Segmentation.from_masks("instance", masks, np.array([row[0] for row in rows], np.int64), LABELS, scores=scores)


def test_of_two_that_overlap_the_surer_keeps_the_pixels() -> None:
    found = merged(
        objects((CAR, 0.7, ["###...", "###..."]), (DOG, 0.9, ["..##..", "..##.."])), ALL_SKY, LABELS, Merging(area=1)
    )
    assert found.names == ["dog", "car", "sky"]
    assert found.panoptic_ids().tolist() == [[2, 2, 1, 1, 3, 3]] * 2
    assert found.scores is not None
    assert found.scores.tolist() == [0.9, 0.7, 1.0]


def test_one_that_has_lost_more_than_half_is_dropped_and_one_that_has_lost_half_is_not() -> None:
    sure = (DOG, 0.9, ["..##..", "..##.."])
    half = merged(objects(sure, (CAR, 0.8, [".##...", ".##..."])), ALL_SKY, LABELS, Merging(area=1))
    more = merged(objects(sure, (CAR, 0.8, ["..##..", "..#..."])), ALL_SKY, LABELS, Merging(area=1))
    assert half.names == ["dog", "car", "sky"]
    assert more.names == ["dog", "sky"]


def test_what_was_dropped_takes_no_pixels_from_those_after_it() -> None:
    rows = (DOG, 0.9, ["####..", "......"]), (CAR, 0.8, [".####.", "......"]), (CAR, 0.7, ["....#.", "......"])
    found = merged(objects(*rows), ALL_SKY, LABELS, Merging(area=1))
    assert found.panoptic_ids().tolist() == [[1, 1, 1, 1, 2, 3], [3] * 6]
    assert found.scores is not None
    assert found.scores.tolist() == [0.9, 0.7, 1.0]


def test_objects_below_the_score_are_no_segments() -> None:
    given = objects((CAR, 0.5, ["#.....", "......"]), (CAR, 0.49, ["..#...", "......"]))
    assert merged(given, ALL_SKY, LABELS, Merging(area=1)).names == ["car", "sky"]


def test_small_stuff_and_things_of_the_map_stay_under_no_segment() -> None:
    classes = np.array([[SKY, SKY, SKY, SKY, GRASS, GRASS], [SKY, VOID, CAR, CAR, GRASS, SKY]], np.uint8)
    found = merged(objects((DOG, 0.9, ["......", "....#."])), classes, LABELS, Merging(area=3))
    assert found.names == ["dog", "sky"]
    assert found.panoptic_ids().tolist() == [[2, 2, 2, 2, 0, 0], [2, 0, 0, 0, 1, 2]]  # grass has 2 pixels beside the dog


def test_without_objects_or_stuff_there_is_nothing() -> None:
    found = merged(objects(), np.full((2, 6), VOID, np.uint8), LABELS)
    assert len(found) == 0
    assert not found.panoptic_ids().any()


def test_more_than_255_segments_fit() -> None:
    masks = np.eye(400, dtype=bool).reshape(400, 20, 20)
    many = Segmentation.from_masks("instance", masks, np.full(400, CAR), LABELS, scores=np.linspace(1, 0.6, 400))
    found = merged(many, np.zeros((20, 20), np.uint8), LABELS)
    assert np.array_equal(found.panoptic_ids().ravel(), np.arange(1, 401))


@pytest.mark.parametrize("wrong", [{"score": 1.5}, {"overlap": -0.1}, {"area": -1}])
def test_thresholds_that_do_not_fit_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="expected 0"):
        Merging(**wrong)  # type: ignore[arg-type]


def reduced() -> FusedReduced:
    """Give one image of 4 x 8 pixels, padded to 8 x 8: a dog in columns 0 to 3, and stuff at half the size."""
    stuff = np.full((1, 3, 4, 4), -9.0, np.float32)
    stuff[0, 0, :, :3] = 9.0  # sky
    stuff[0, 1, :, 3] = 9.0  # grass
    boxes = np.array([[[0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0]]])
    one = np.array([[1, 0]]), np.array([[0.9, 0.4]]), np.ones((1, 2, 2, 2)), np.array([2])
    return FusedReduced(boxes, *one, stuff, np.array([[8, 8]]))  # type: ignore[arg-type]


OPTIONS = {"aligned": True, "score": 0.5, "overlap": 0.5, "area": 1}


def test_the_decoder_counts_things_and_stuff_in_the_order_of_the_labels() -> None:
    found = Decoder("fused", OPTIONS)(reduced(), [Frame((4, 8), padding=(4, 0))], LABELS, PLAIN)[0]
    assert found.names == ["dog", "sky", "grass"]
    assert found.panoptic_ids().tolist() == [[1, 1, 1, 1, 2, 2, 3, 3]] * 4
    assert found.scores == pytest.approx([0.9, 1.0, 1.0], abs=1e-3)


def test_a_request_may_lower_the_score_and_the_frame_gives_the_size() -> None:
    frame = Frame((2, 4), scale=(2.0, 2.0), padding=(4, 0))
    found = Decoder("fused", OPTIONS)(reduced(), [frame], LABELS, Request(threshold=0.3))[0]
    assert found.names == ["dog", "car"]
    assert found.panoptic_ids().tolist() == [[1, 1, 2, 2]] * 2


def test_what_is_not_a_number_is_told() -> None:
    broken = reduced()._replace(stuff=np.full((1, 3, 4, 4), np.nan, np.float32))
    with pytest.raises(DataError, match="NaN"):
        Decoder("fused", OPTIONS)(broken, [Frame((4, 8), padding=(4, 0))], LABELS, PLAIN)
