"""Queries become segmentations, by the rules of each kind."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode import enlarged, query
from pixelwise.decode.frame import Frame
from pixelwise.decode.query import QueryReduced, Rules, decode

LABELS = LabelSet.of(["land", "tree"], things=["tree"])
SURE = 20.0


def found(
    kind: Kind,
    classes: list[list[float]],
    masks: list[list[list[float]]],
    request: Request = PLAIN,
    rules: Rules = query.PAPER,
    frame: Frame | None = None,
) -> Segmentation:
    """Decode one image whose masks, given as logits, are at its own size."""
    logits = np.array(masks, np.float32)
    size = logits.shape[1], logits.shape[2]
    reduced = QueryReduced(np.array([classes], np.float32), logits[None], np.array([size]))
    return decode(reduced, [frame or Frame(size)], LABELS, request, kind, rules)[0]


YES, NO = SURE, -SURE
LEFT, RIGHT = [[YES, YES, NO, NO]], [[NO, NO, YES, YES]]


def test_semantic_takes_the_largest_sum_of_class_times_mask() -> None:
    one = found("semantic", [[0.6, 0.4, 0.0], [0.3, 0.5, 0.2]], [LEFT, [[YES, NO, YES, YES]]], Request(probabilities=True))
    assert one.class_map().tolist() == [[0, 0, 1, 1]]  # 0.6 + 0.3 against 0.4 + 0.5 goes to the first
    assert one.probabilities is not None
    np.testing.assert_allclose(one.probabilities[:, 0, 1], [0.6, 0.4], atol=1e-5)
    np.testing.assert_allclose(one.probabilities.sum(axis=0), 1, atol=1e-5)
    assert one.scores is not None
    np.testing.assert_allclose(one.scores, [(0.5 + 0.6) / 2, 0.5 / 0.8], atol=1e-5)


def test_semantic_of_two_classes_takes_a_threshold() -> None:
    one = found("semantic", [[0.6, 0.4, 0.0], [0.2, 0.8, 0.0]], [LEFT, RIGHT], Request(threshold=0.3))
    assert one.class_map().tolist() == [[1, 1, 1, 1]]


def test_an_instances_score_is_its_class_times_the_mean_of_its_mask() -> None:
    one = found("instance", [[0.0, 0.8, 0.2], [0.0, 0.1, 0.9]], [[[1.0, 1.0, -1.0, -1.0]], RIGHT], rules=Rules(detections=1))
    assert one.masks.dense().tolist() == [[[True, True, False, False]]]
    assert one.class_ids.tolist() == [1]
    assert one.scores is not None
    assert one.scores.tolist() == [pytest.approx(0.8 / (1 + math.exp(-1)))]


def test_one_query_may_be_an_instance_of_two_classes_and_a_threshold_drops_the_less_sure() -> None:
    classes, masks = [[0.3, 0.6, 0.1]], [LEFT]
    assert found("instance", classes, masks).class_ids.tolist() == [1, 0]
    assert found("instance", classes, masks, Request(threshold=0.5)).class_ids.tolist() == [1]


def test_instances_may_overlap_and_empty_masks_are_none() -> None:
    one = found(
        "instance", [[0.0, 0.9, 0.1], [0.0, 0.8, 0.2], [0.0, 0.7, 0.3]], [LEFT, LEFT, [[NO] * 4]], rules=Rules(detections=3)
    )
    assert len(one) == 2
    assert (one.masks.dense()[0] == one.masks.dense()[1]).all()


def test_panoptic_gives_each_pixel_to_one_query_and_leaves_out_unsure_ones() -> None:
    classes = [[0.9, 0.05, 0.05], [0.0, 0.95, 0.05], [0.0, 0.7, 0.3], [0.05, 0.0, 0.95]]
    one = found("panoptic", classes, [LEFT, RIGHT, LEFT, LEFT])
    assert one.panoptic_ids().tolist() == [[1, 1, 2, 2]]
    assert one.names == ["land", "tree"]
    assert one.scores is not None
    assert one.scores.tolist() == [pytest.approx(0.9), pytest.approx(0.95)]


def test_panoptic_drops_what_others_cover_mostly() -> None:
    wide = [[YES, YES, YES, NO]]
    one = found("panoptic", [[0.0, 0.9, 0.1], [0.0, 0.95, 0.05]], [wide, LEFT])
    assert one.panoptic_ids().tolist() == [[1, 1, 0, 0]]  # a third of the first is left to it


def test_panoptic_joins_stuff_of_one_class_but_not_things() -> None:
    classes = [[0.9, 0.0, 0.1], [0.95, 0.0, 0.05]]
    stuff = found("panoptic", classes, [LEFT, RIGHT])
    assert stuff.panoptic_ids().tolist() == [[1, 1, 1, 1]]
    assert stuff.scores is not None
    assert stuff.scores.tolist() == [pytest.approx(0.95)]
    things = found("panoptic", [[0.0, 0.9, 0.1], [0.0, 0.95, 0.05]], [LEFT, RIGHT])
    assert things.panoptic_ids().tolist() == [[1, 1, 2, 2]]


def test_a_pixel_whose_best_mask_is_below_a_half_is_void() -> None:
    assert found("panoptic", [[0.0, 0.9, 0.1]], [[[YES, YES, YES, -0.5]]]).panoptic_ids().tolist() == [[1, 1, 1, 0]]


def test_a_request_lowers_the_score_of_panoptic_objects() -> None:
    classes, masks = [[0.0, 0.5, 0.5]], [LEFT]
    assert len(found("panoptic", classes, masks)) == 0
    assert len(found("panoptic", classes, masks, Request(threshold=0.4))) == 1


def test_nothing_found_is_an_empty_segmentation() -> None:
    for kind in ("panoptic", "instance"):
        one = found(kind, [[0.0, 0.0, 1.0]], [[[NO] * 4]], rules=Rules(detections=1))
        assert (len(one), one.size) == (0, (1, 4))


@pytest.mark.parametrize("kind", ["semantic", "panoptic", "instance"])
def test_strips_give_what_the_whole_gives(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    classes = rng.dirichlet([0.3] * 3, 6).astype(np.float32)
    reduced = QueryReduced(classes[None], 3 * rng.standard_normal((1, 6, 8, 8)).astype(np.float32), np.array([[32, 32]]))
    (whole,) = decode(reduced, [Frame((30, 31))], LABELS, Request(threshold=0.1), kind)
    monkeypatch.setattr(enlarged, "_STRIP", 400)
    (strips,) = decode(reduced, [Frame((30, 31))], LABELS, Request(threshold=0.1), kind)
    assert len(whole)
    assert whole == strips


def test_probabilities_of_objects_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="semantic"):
        found("panoptic", [[0.0, 0.9, 0.1]], [LEFT], Request(probabilities=True))
    with pytest.raises(DataError, match="NaN"):
        found("panoptic", [[float("nan"), 0.9, 0.1]], [LEFT])


@pytest.mark.parametrize("rules", [{"object_score": 1.5}, {"overlap": -0.1}, {"mask": 1.0}, {"detections": 0}])
def test_rules_outside_their_range_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(rules))):
        Rules(**rules)  # type: ignore[arg-type]


def test_a_temperature_gives_a_pixel_to_the_query_that_is_sure_of_one_class() -> None:
    """0.6 and 0.58 for two classes is less sure than 0.5 for one of them alone, by a softmax at 0.06."""
    classes = np.array([[[0.6, 0.58, 0.0], [0.0, 0.5, 0.0]]], np.float32)
    reduced = QueryReduced(classes, np.array([[LEFT, LEFT]], np.float32), np.array([[1, 4]]))
    for temperature, winner in ((0.0, 0), (0.06, 1)):
        one = decode(reduced, [Frame((1, 4))], LABELS, PLAIN, "panoptic", Rules(0.25), temperature)[0]
        assert one.class_ids.tolist() == [winner]
        assert one.scores is not None
        assert one.scores.tolist() == pytest.approx([[0.6], [0.5]][winner])
