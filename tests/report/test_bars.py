"""Bars, dots and rows: as long as their numbers, with the numbers as their tips."""

import re

import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.report.bars import forest_row, gap_row, size_chart, spot_row, stacked_row
from pixelwise.report.page import Page, render

AB = LabelSet.of(["a", "b"])
RELIABILITY = [
    {"low": row / 15, "high": (row + 1) / 15, "pixels": 100 * row, "confidence": (row + 0.5) / 15, "accuracy": 0.9 * row / 15}
    if row
    else {"low": 0.0, "high": 1 / 15, "pixels": 0, "confidence": None, "accuracy": None}
    for row in range(15)
]
BY_SIZE = [
    {"from": 1, "below": 16, "segments": 40, "pixels": 300, "found": 0.25, "recall": 0.31},
    {"from": 16, "below": None, "segments": 0, "pixels": 0, "found": None, "recall": None},
]


def test_calibration_and_sizes_are_drawn_with_their_figures_as_tips():
    page = render(Page("t", {"ece": 0.1}, AB, details={"reliability": RELIABILITY, "by_size": BY_SIZE}))
    assert page.count('<rect class="bar"') == 14 + 1
    assert "0.93 to 1.00: 1,400 pixels, sure 0.967, right 0.840" in page
    assert "1 to 15 pixels: 40 segments, recall 0.310, 0.250 of them at least half right" in page
    assert "Where it can be trusted" not in render(Page("t", {}, AB))


def test_bars_are_as_high_as_their_share():
    chart = size_chart([{"from": 1, "below": None, "segments": 1, "pixels": 1, "found": 1.0, "recall": 0.25}])
    bar = re.search(r'class="bar" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', chart)
    assert float(bar[2]) == pytest.approx(200 * 0.25)
    assert float(bar[1]) == pytest.approx(10 + 200 * 0.75)


def test_a_difference_is_drawn_on_its_side_of_the_middle():
    right, left = forest_row(0.5, (0.25, 1.0), 1.0), forest_row(-1.0, (-1.0, 0.5), 1.0)
    assert 'class="sure"' in right
    assert 'cx="118.0"' in right
    assert 'class="unsure"' in left
    assert 'cx="4.0"' in left


def test_parts_of_a_whole_lie_end_to_end():
    drawn = stacked_row([(0.25, "hit", "hits"), (0.0, "kind-missed", "none"), (0.75, "kind-invented", "rest")])
    assert re.findall(r'class="([\w-]+)" x="([\d.]+)" y="1" width="([\d.]+)"', drawn) == [
        ("hit", "0.0", "50.0"),
        ("kind-invented", "50.0", "150.0"),
    ]


def test_a_value_lies_between_the_ends_of_its_scale():
    drawn = spot_row(0.5, (0.4, 0.6), (0.4, 0.8), 0.6)
    assert 'cx="42.5"' in drawn  # a quarter of 150, from 5 on
    assert 'd="M5.0 9H80.0"' in drawn
    assert 'd="M80.0 0V18"' in drawn


def test_a_share_that_is_not_known_has_no_dot():
    assert gap_row(0.5, None).count("<circle") == 1
    assert gap_row(0.5, 0.25).count("<circle") == 2
