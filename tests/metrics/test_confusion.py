"""Counting confusion: every way gives scikit-learn's integers, whatever the maps look like."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.metrics import confusion as counting
from pixelwise.metrics.confusion import confusion

VOID = 255


def blocks(rng, shape, classes):
    small = rng.integers(0, classes, (-(-shape[0] // 40), -(-shape[1] // 40))).astype(np.uint8)
    return small.repeat(40, 0).repeat(40, 1)[: shape[0], : shape[1]]


@pytest.mark.parametrize("scattered", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("has_void", [False, True])
@pytest.mark.parametrize("strip", [1000, 2**19])
def test_runs_and_single_pixels_are_counted_as_sklearn_does(scattered, has_void, strip, monkeypatch):
    from sklearn.metrics import confusion_matrix

    monkeypatch.setattr(counting, "STRIP", strip)  # the small one has many strips, so that threads share them
    rng = np.random.default_rng(7)
    truth = blocks(rng, (300, 170), 23)
    noise = rng.integers(0, 23, truth.shape)
    prediction = np.where(rng.random(truth.shape) < scattered, noise, np.roll(truth, 3, 1)).astype(np.uint8)
    if has_void:
        truth[::7] = VOID
    kept = truth != VOID
    found = confusion(truth, prediction, 23, VOID)
    assert np.array_equal(found[:, :23], confusion_matrix(truth[kept], prediction[kept], labels=range(23)))
    assert not found[:, 23].any()


@pytest.mark.parametrize("scattered", [False, True])
def test_predictions_of_no_class_are_in_the_last_column(scattered):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, (60, 50)).astype(np.uint8) if scattered else np.zeros((60, 50), np.uint8)
    prediction = truth.copy()
    prediction[:6], truth[0] = 200, VOID
    found = confusion(truth, prediction, 3, VOID)
    assert found[:, 3].sum() == 5 * 50
    assert found[:, :3].sum() == np.trace(found) == 54 * 50


@pytest.mark.parametrize("scattered", [False, True])
def test_a_strange_truth_is_found_in_any_strip(scattered, monkeypatch):
    monkeypatch.setattr(counting, "STRIP", 64)
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, (40, 64)).astype(np.uint8) if scattered else np.zeros((40, 64), np.uint8)
    truth[33, 5] = 9
    with pytest.raises(DataError, match=r"\[9\]"):
        confusion(truth, truth, 3, VOID)


def test_maps_that_are_no_plain_arrays_are_counted_too():
    rng = np.random.default_rng(2)
    truth, prediction = rng.integers(0, 4, (2, 80, 90)).astype(np.uint8)
    whole = confusion(np.ascontiguousarray(truth[::2, ::3]), np.ascontiguousarray(prediction[::2, ::3]), 4, VOID)
    assert np.array_equal(confusion(truth[::2, ::3], prediction[::2, ::3], 4, VOID), whole)
    assert np.array_equal(confusion(truth.T, prediction.T, 4, VOID), confusion(truth, prediction, 4, VOID))
