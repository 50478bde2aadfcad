"""Average precision equals pycocotools': arrays and numbers, bit for bit, on drawn and on real data."""

import json

import numpy as np
import pytest
from average_precision_data import LABELS, counted, drawn, with_boxes
from average_precision_oracle import BoundaryEval, evaluated, listed, results
from noisy import Noise, noisy

from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import coco, coco_results
from pixelwise.metrics import average_precision
from pixelwise.metrics.average_precision import boundary, box
from pixelwise.metrics.average_precision.accumulation import curves
from pixelwise.metrics.average_precision.overlaps import mask_iou, sides
from pixelwise.metrics.average_precision.tables import LIMITS, ranking
from pixelwise.metrics.context import Context

REAL = Noise(again=2, invented=8)


def require_equal(family, counts, reference):
    """Compare every number of every array, then the twelve scores."""
    found, length = curves(ranking(counts), LIMITS), len(counts.labels)
    for name, axis in (("precision", 2), ("scores", 2), ("recall", 1)):
        own, expected = getattr(found, name), reference.eval[name]
        whole = np.full((*own.shape[:axis], length, *own.shape[axis + 1 :]), -1.0)
        whole[(slice(None),) * axis + (found.classes,)] = own
        assert (whole == expected).all(), name
    expected = np.where(reference.stats == -1, np.nan, reference.stats)
    assert np.array_equal(list(family.score(counts).values()), expected, equal_nan=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("family", "iou_type"), [(average_precision, "segm"), (box, "bbox")])
def test_drawn_data_score_as_pycocotools_scores_them(family, iou_type, seed):
    truths, predictions = drawn(seed)
    require_equal(family, counted(family, predictions, truths), evaluated(listed(truths), results(predictions), iou_type))


@pytest.mark.parametrize(("family", "iou_type"), [(average_precision, "segm"), (box, "bbox")])
def test_stated_boxes_decide_as_with_pycocotools(family, iou_type):
    rng = np.random.default_rng(5)
    truths, predictions = drawn(5)
    truths, true_sides = with_boxes(truths, rng)
    predictions, found_sides = with_boxes(predictions, rng)
    reference = evaluated(listed(truths, true_sides), results(predictions, found_sides), iou_type)
    require_equal(family, counted(family, predictions, truths), reference)


def test_sides_of_boxes_are_those_that_a_file_states():
    rng = np.random.default_rng(6)
    for digits in (0, 1, 2, 3, 6):
        stated = np.round(rng.random((5000, 4)) * 700, digits)
        whole = Segmentation.from_masks("instance", np.zeros((1, 2, 2), bool), [0], LABELS)[[0] * 5000]
        boxes = np.column_stack([stated[:, :2], stated[:, :2] + stated[:, 2:]])
        assert (sides(Segmentation("instance", whole.masks, whole.class_ids, LABELS, boxes=boxes)) == stated).all()


def test_sides_of_single_precision_are_kept():
    rng = np.random.default_rng(6)
    stated = (rng.random((5000, 4)) * 700).astype(np.float32).astype(np.float64)
    whole = Segmentation.from_masks("instance", np.zeros((1, 2, 2), bool), [0], LABELS)[[0] * 5000]
    boxes = np.column_stack([stated[:, :2], stated[:, :2] + stated[:, 2:]])
    assert (sides(Segmentation("instance", whole.masks, whole.class_ids, LABELS, boxes=boxes)) == stated).all()


def test_more_than_a_hundred_objects_of_a_class_are_cut_as_pycocotools_cuts_them():
    truths, predictions = drawn(7, images=2)
    rng = np.random.default_rng(7)
    predictions = {key: one[rng.integers(0, len(one), 400)] if len(one) else one for key, one in predictions.items()}
    for family, iou_type in ((average_precision, "segm"), (box, "bbox")):
        require_equal(family, counted(family, predictions, truths), evaluated(listed(truths), results(predictions), iou_type))


def test_boundaries_score_as_a_slow_evaluation_scores_them():
    for seed in range(2):
        truths, predictions = drawn(seed)
        reference = evaluated(listed(truths), results(predictions), evaluation=BoundaryEval)
        require_equal(boundary, counted(boundary, predictions, truths), reference)


@pytest.mark.parametrize("family", [average_precision, boundary])
def test_hotcoco_and_pycocotools_give_the_same_tables(family, monkeypatch):
    from pycocotools import mask as peer

    pytest.importorskip("hotcoco")
    truths, predictions = drawn(8)
    assert mask_iou() is not peer.iou
    fast = counted(family, predictions, truths)
    monkeypatch.setattr("pixelwise.metrics.average_precision.overlaps.mask_iou", lambda: peer.iou)
    slow = counted(family, predictions, truths)
    assert [one.content for one in fast.images] == [one.content for one in slow.images]


@pytest.fixture(scope="module")
def real(shared_data):
    """The objects of real photos with crowds, and noisy predictions of them, by image id; and their file."""
    file = shared_data / "coco_tiny160" / "annotations" / "instances_val2017.json"
    rng = np.random.default_rng(0)
    truths = {sample.meta["image_id"]: sample.truth for sample in coco.read(file)}
    return file, truths, {key: noisy(truth, rng, REAL) for key, truth in truths.items()}


@pytest.mark.shared_data
@pytest.mark.parametrize("states_boxes", [False, True])
def test_real_photos_score_as_pycocotools_scores_them(real, states_boxes):
    file, truths, predictions = real
    boxes, numbers = None, {index: number for number, index in next(iter(truths.values())).labels.values.items()}
    assert any(truth.is_crowd.any() for truth in truths.values())
    if states_boxes:
        predictions, boxes = with_boxes(predictions, np.random.default_rng(1))
    found = results(predictions, boxes, numbers.get)
    for family, iou_type in ((average_precision, "segm"), (box, "bbox")):
        require_equal(family, counted(family, predictions, truths), evaluated(file, found, iou_type))


@pytest.mark.shared_data
def test_real_boundaries_score_as_a_slow_evaluation_scores_them(real):
    _, truths, predictions = real
    chosen = sorted(truths)[:6]
    truths, predictions = ({key: each[key] for key in chosen} for each in (truths, predictions))
    reference = evaluated(listed(truths), results(predictions), evaluation=BoundaryEval)
    require_equal(boundary, counted(boundary, predictions, truths), reference)


@pytest.mark.shared_data
def test_a_file_of_results_scores_as_pycocotools_reads_it(real, tmp_path):
    file, truths, predictions = real
    numbers = {index: number for number, index in next(iter(truths.values())).labels.values.items()}
    entries = results(*with_boxes(predictions, np.random.default_rng(2)), numbers.get)
    for one in entries:
        one["segmentation"]["counts"] = one["segmentation"]["counts"].decode()
    path = tmp_path / "val_results.json"
    path.write_text(json.dumps(entries))
    read = {sample.meta["image_id"]: sample.truth for sample in coco_results.read_with(path, file)}
    for family, iou_type in ((average_precision, "segm"), (box, "bbox")):
        require_equal(family, counted(family, read, truths), evaluated(file, path, iou_type))


@pytest.mark.shared_data
def test_real_truth_is_perfect_against_itself(real):
    _, truths, _ = real
    for family in (average_precision, box, boundary):
        counts = sum(family.count(truth, truth, Context((0, key, ""))) for key, truth in truths.items())
        found = {key: value for key, value in family.score(counts).items() if key not in family.LIMITED}
        assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-12), family.__name__
