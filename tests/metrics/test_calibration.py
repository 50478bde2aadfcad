"""Calibration: known answers by hand and from scikit-learn; classes by name; void does not count."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import calibration

LABELS = LabelSet.of(["sky", "road"])
VOID = 255


def seg(rows, labels=LABELS, probabilities=None):
    return Segmentation.from_class_map(np.asarray(rows, np.uint8), labels, probabilities=probabilities)


def told(road, labels=LABELS):
    """Predict road with the probabilities given (H, W), and sky with the rest."""
    road = np.asarray(road, np.float32)
    return seg(road > 0.5, labels, np.stack([1 - road, road]))


def scores(prediction, truth):
    return calibration.score(calibration.count(prediction, truth))


def drawn(count=5000, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), count).T.reshape(classes, 50, -1).astype(np.float32)
    truth = rng.integers(0, classes, probabilities.shape[1:])
    labels = LabelSet.of([f"c{index}" for index in range(classes)])
    return seg(probabilities.argmax(0), labels, probabilities), seg(truth, labels)


def test_ece_by_hand():
    # three pixels in (0.8, 0.867]: mean confidence 0.85, two right; one in (0.6, 0.667] sure 0.65 and wrong
    found = scores(told([[0.84, 0.85, 0.86, 0.65]]), seg([[1, 1, 0, 0]]))
    assert found["ece"] == pytest.approx((3 * (0.85 - 2 / 3) + 0.65) / 4, abs=1e-6)


def test_brier_and_nll_by_hand():
    found = scores(told([[0.9, 0.2]]), seg([[1, 1]]))
    assert found["brier"] == pytest.approx((0.1**2 + 0.8**2) / 2, abs=1e-6)
    assert found["nll"] == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2, abs=1e-5)


def test_brier_and_nll_equal_sklearn():
    from sklearn.metrics import brier_score_loss, log_loss

    prediction, truth = drawn()
    rows = prediction.probabilities.reshape(4, -1).T.astype(np.float64)
    rows /= rows.sum(axis=1, keepdims=True)
    classes = truth.class_map().ravel()
    found = scores(prediction, truth)
    assert found["nll"] == pytest.approx(log_loss(classes, rows, labels=range(4)), rel=1e-4)
    assert found["brier"] == pytest.approx(brier_score_loss(classes, rows, labels=range(4), scale_by_half=True), rel=1e-5)


def test_ece_equals_the_plain_definition():
    prediction, truth = drawn()
    sure, right = prediction.probabilities.max(0).ravel(), (prediction.class_map() == truth.class_map()).ravel()
    homes = np.minimum((sure * 15).astype(int), 14)
    parts = [abs(right[homes == home].sum() - sure[homes == home].sum()) for home in range(15)]
    assert scores(prediction, truth)["ece"] == pytest.approx(sum(parts) / sure.size, abs=1e-5)


def test_adaptive_ece_is_near_that_of_exactly_equal_bins():
    prediction, truth = drawn(60_000, 2, seed=3)
    sure, right = prediction.probabilities.max(0).ravel(), (prediction.class_map() == truth.class_map()).ravel()
    parts = [abs(right[part].sum() - sure[part].sum()) for part in np.array_split(np.argsort(sure), 15)]
    assert scores(prediction, truth)["adaptive_ece"] == pytest.approx(sum(parts) / sure.size, abs=2e-3)


def test_outcomes_drawn_from_the_probabilities_are_calibrated_and_overconfidence_is_seen():
    rng = np.random.default_rng(0)
    road = rng.random((300, 400)).astype(np.float32)
    truth = seg(rng.random(road.shape) < road)
    honest, proud = scores(told(road), truth), scores(told(np.clip(2 * road - 0.5, 0, 1)), truth)
    assert honest["ece"] < 0.01
    assert proud["ece"] > 0.1
    assert proud["adaptive_ece"] > 0.1


def test_void_pixels_of_the_truth_do_not_count():
    assert scores(told([[0.9, 0.6]]), seg([[1, VOID]])) == scores(told([[0.9]]), seg([[1]]))


def test_classes_are_joined_by_name_and_one_the_model_does_not_know_has_probability_0():
    other = LabelSet.of(["road", "sky"])
    swapped = seg([[0, 1]], other, np.array([[[0.9, 0.2]], [[0.1, 0.8]]], np.float32))
    assert scores(swapped, seg([[1, 0]])) == pytest.approx(scores(told([[0.9, 0.2]]), seg([[1, 0]])))
    wider = LabelSet.of(["sky", "road", "car"])
    found = scores(told([[1.0]]), seg([[2]], wider))
    assert (found["ece"], found["brier"]) == (1.0, 1.0)
    assert found["nll"] == pytest.approx(-np.log(1e-6))


def test_a_prediction_without_probabilities_is_taken_at_its_word():
    found = scores(seg([[0, 1, 1, VOID]]), seg([[0, 1, 0, 0]]))
    assert found["ece"] == pytest.approx(1 / 4)  # two right and one wrong with confidence 1, one wrong with confidence 0
    assert found["brier"] == pytest.approx((1 + 1 / 2) / 4)


def test_strips_change_nothing(monkeypatch):
    prediction, truth = drawn()
    whole = calibration.count(prediction, truth)
    monkeypatch.setattr(calibration, "_STRIP", 700)
    parts = calibration.count(prediction, truth)
    assert np.abs(whole.bins[:, :2] - parts.bins[:, :2]).max() == 0
    assert calibration.score(parts) == pytest.approx(calibration.score(whole), abs=1e-6)


def test_the_diagram_holds_every_pixel_once():
    prediction, truth = drawn()
    bins = calibration.details(calibration.count(prediction, truth), ["one"])["reliability"]
    assert len(bins) == 15
    assert sum(one["pixels"] for one in bins) == truth.class_map().size
    assert all(one["low"] - 1e-6 <= one["confidence"] <= one["high"] + 1e-6 for one in bins if one["pixels"])
    assert [one["accuracy"] for one in bins if not one["pixels"]] == [None] * sum(not one["pixels"] for one in bins)


def test_what_does_not_fit_is_refused():
    with pytest.raises(SizeMismatch):
        calibration.count(told([[0.5]]), seg([[0, 1]]))
    with pytest.raises(DataError, match="probabilities of 2 classes, got 3"):
        calibration.count(seg([[0]], LABELS, np.ones((3, 1, 1), np.float32)), seg([[0]]))
