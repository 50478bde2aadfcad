"""Drawn data sets score as data sets in which images are really repeated, ties included."""

import numpy as np
import pytest
from average_precision_data import counted, drawn

from pixelwise.metrics import average_precision
from pixelwise.metrics.average_precision import boundary, box
from pixelwise.metrics.average_precision.resampling import _recalls_up_to
from pixelwise.metrics.average_precision.tables import RECALLS, Counts
from pixelwise.metrics.interval import Bootstrap, draws


def repeated(counts, times):
    """Put copies of each image beside it, under keys of their own."""
    images = []
    for one, number in zip(counts.images, times.tolist(), strict=True):
        zero, key, name = one.key
        images += [one._replace(key=(zero, 1000 * key + copy, name)) for copy in range(number)]
    return Counts(counts.labels, tuple(images))


@pytest.mark.parametrize("family", [average_precision, box, boundary])
@pytest.mark.parametrize("digits", [0, 1, 12])
def test_draws_score_as_repeated_images(family, digits):
    truths, predictions = drawn(digits, images=9, digits=digits)
    counts = counted(family, predictions, truths)
    weights = np.random.default_rng(1).integers(0, 4, (25, 9))
    weights[0], weights[1] = 1, 0
    found = family.resampled(counts, weights)
    for row, times in enumerate(weights):
        whole = repeated(counts, times)
        expected = family.score(whole)
        assert {key: values[row] for key, values in found.scores.items()} == pytest.approx(expected, abs=1e-12, nan_ok=True)
        for name, scores in family.per_class(whole).items():
            own = {key: values[row] for key, values in found.per_class[name].items()}
            assert own == pytest.approx({key: scores[key] for key in own}, abs=1e-12, nan_ok=True)
            assert set(scores) - set(own) == {"objects"}


def test_blocks_of_draws_score_as_all_at_once(monkeypatch):
    truths, predictions = drawn(5)
    counts = counted(average_precision, predictions, truths)
    (weights,) = draws(range(12), Bootstrap(resamples=100))
    whole = average_precision.resampled(counts, weights).scores["ap"]
    monkeypatch.setattr("pixelwise.metrics.average_precision.resampling._CHUNK", 5000)
    assert average_precision.resampled(counts, weights).scores["ap"] == pytest.approx(whole, abs=1e-14)


def test_draws_do_not_depend_on_the_order_of_adding():
    truths, predictions = drawn(6)
    counts = counted(average_precision, predictions, truths)
    (weights,) = draws(range(12), Bootstrap(resamples=100))
    turned = Counts(counts.labels, counts.images[::-1])
    found = average_precision.resampled(turned, weights[:, ::-1]).scores["ap"]
    assert found == pytest.approx(average_precision.resampled(counts, weights).scores["ap"], abs=1e-12)


def test_recalls_are_counted_as_a_search_counts_them():
    shares = np.array([[found / max(number, 1) if found <= number else 0.0 for found in range(401)] for number in range(401)])
    assert (_recalls_up_to(shares) == np.searchsorted(RECALLS, shares, side="right")).all()
