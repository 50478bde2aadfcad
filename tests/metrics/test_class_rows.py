"""Rows by image and class: they add, total and weigh as the tables they stand for."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.metrics.class_rows import ClassRows, exact_mean, ratio

LABELS = LabelSet.of(["sky", "road", "car"])
TABLES = np.array([[[1, 2], [0, 0], [3, 0]], [[0, 0], [0, 0], [0, 0]], [[5, 1], [1, 1], [0, 0]]])


def rows():
    return sum(ClassRows.of(LABELS, table) for table in TABLES)


def test_classes_without_numbers_cost_nothing():
    assert (rows().count, len(rows().values)) == (3, 4)


def test_totals_and_weights_are_those_of_the_tables():
    assert rows().totals().tolist() == TABLES.sum(axis=0).tolist()
    weights = np.array([[0, 1, 2], [3, 0, 1]])
    assert rows().weighted(weights).tolist() == np.einsum("bn,nlv->blv", weights, TABLES).tolist()


def test_image_means_leave_out_what_is_undefined():
    found = rows().image_means(np.array([0.5, math.nan, 1.0, 0.0]))
    assert found[[0, 2]].tolist() == [0.5, 0.5]
    assert math.isnan(found[1])


def test_rows_of_other_classes_do_not_add():
    with pytest.raises(DataError, match="do not add"):
        rows() + ClassRows.of(LabelSet.of(["a"]), np.ones((1, 2)))


def test_means_do_not_depend_on_order():
    values = np.random.default_rng(0).random(1000) ** 20
    assert exact_mean(values) == exact_mean(np.sort(values))
    assert math.isnan(exact_mean(np.array([math.nan])))


def test_a_ratio_of_nothing_is_undefined():
    assert np.isnan(ratio(np.ones((2, 1)), np.array([0, 2]))).tolist() == [[True, False]] * 2
