"""Training curves: what was recorded, on one scale, few points and round numbers."""

import re

import numpy as np
import pytest

from pixelwise.report.charts import ticks, training_charts

HISTORY = [{"step": step, "loss": 1 / step, "lr": 0.1, "val_miou": 0.5 if step % 2 else None} for step in range(1, 31)]


def test_charts_leave_out_what_was_not_recorded():
    assert [chart.title for chart in training_charts(HISTORY)] == ["Loss", "Validation scores", "Learning rate"]
    assert [chart.title for chart in training_charts([{"step": 1, "loss": float("nan"), "lr": 0.1}])] == ["Learning rate"]
    assert training_charts([]) == []


def test_charts_share_one_scale_of_steps():
    rows = [{"step": step, "loss": 1.0, "val_miou": 0.5 if step in (50, 100) else None} for step in range(1, 201)]
    loss, scores = (chart.drawing for chart in training_charts(rows))
    ticks_of = [re.findall(r'text-anchor="middle">([\d,]+)<', drawing) for drawing in (loss, scores)]
    assert ticks_of == [["0", "50", "100", "150", "200"]] * 2
    assert re.findall(r'cx="([\d.]+)"', scores) == ["141.0", "230.0"]  # a quarter and a half of 52 .. 408


def test_a_chart_of_many_steps_stays_small():
    rows = [{"step": step, "loss": 1 / (1 + step)} for step in range(50_000)]
    (chart,) = training_charts(rows)
    assert len(chart.drawing) < 30_000


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 1e-4), (0, 3), (-2, 5), (0, 12345), (1, 2)])
def test_ticks_are_few_and_within_the_range(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 7
    assert low <= found[0] < found[-1] <= high
    assert np.allclose(np.diff(found), found[1] - found[0])


def test_ticks_of_no_range_are_one():
    assert ticks(2, 2) == [2]
