"""Scores in files: CSV gives the same numbers back, Markdown shows names as text, and neither runs anything."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.comparison import compare
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.result import Report, Slice
from pixelwise.metrics.tally import families_of, report_of, tally
from pixelwise.metrics.truths import Truths
from pixelwise.report.tables import (
    class_table,
    comparison_markdown,
    difference_table,
    escaped,
    image_table,
    inert,
    report_markdown,
    score_table,
    write_comparison_tables,
    write_tables,
)
from pixelwise.scenes import scenes

HOSTILE = "=cmd|' /C calc'!A1"
REPORT = Report(
    scores={"miou": 1 / 3, "dice": math.nan},
    per_class={HOSTILE: {"iou": 0.1 + 0.2, "pixels": 12345}, "sky": {"iou": 1.0, "pixels": 7}},
    per_image=({"name": "-2+3", "miou": 2 / 3}, {"name": "b", "miou": math.nan}),
    count=2,
    rules={"miou": "mean of a|b over *classes*"},
    failures=(("c|d", "<b>broken</b>"),),
    about={"model": "unet", "data": "leaves"},
    notes=("first line\nsecond line",),
    intervals={"miou": (0.25, 0.5), "dice": None},
    class_intervals={HOSTILE: {"iou": (0.1, 0.4)}, "sky": {"iou": None}},
    slices=(Slice("time", "night", 1, {"miou": 0.2}, {"miou": (0.1, 0.3)}), Slice("time", "day", 1, {"miou": 0.4})),
)
FILES = ("scores.csv", "per_class.csv", "per_image.csv")


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_numbers_come_back_from_csv_to_the_last_bit(tmp_path):
    write_tables(tmp_path, REPORT, "title")
    scores, classes, images = (read(tmp_path / name) for name in FILES)
    assert float(scores[0]["value"]) == 1 / 3
    assert (float(scores[0]["low"]), float(scores[0]["high"])) == (0.25, 0.5)
    assert float(classes[0]["iou"]) == 0.1 + 0.2
    assert classes[0]["pixels"] == "12345"
    assert float(images[0]["miou"]) == 2 / 3


def test_what_is_undefined_is_an_empty_cell():
    _, scores = score_table(REPORT)
    assert scores[1][3:7] == ["dice", "", "", ""]
    assert image_table(REPORT)[1][1] == ["b", ""]
    assert class_table(REPORT)[1][1] == ["sky", 1.0, "", "", 7]


def test_slices_stand_below_the_whole():
    _, rows = score_table(REPORT)
    assert [row[:5] for row in rows[2:]] == [["time", "night", 1, "miou", 0.2], ["time", "day", 1, "miou", 0.4]]


def test_every_row_is_as_long_as_the_header():
    for header, rows in (score_table(REPORT), class_table(REPORT), image_table(REPORT)):
        assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_a_name_that_a_spreadsheet_would_run_is_made_text(name):
    assert inert(name) == "'" + name


@pytest.mark.parametrize("name", ["sky", "a=b", "tree-merged", "1", ""])
def test_other_names_are_left_as_they_are(name):
    assert inert(name) == name


def test_hostile_names_reach_csv_as_text_and_numbers_stay_numbers(tmp_path):
    write_tables(tmp_path, REPORT, "title")
    assert read(tmp_path / "per_class.csv")[0]["class"] == "'" + HOSTILE
    assert read(tmp_path / "per_image.csv")[0]["image"] == "'-2+3"


def test_markdown_has_all_of_a_report_with_four_decimals():
    text = report_markdown(REPORT, "unet on leaves")
    assert text.startswith("# unet on leaves\n")
    for part in (
        "0.3333",
        "0.2500 to 0.5000",
        "0.3000",
        "12,345",
        "night",
        "0.2000 (0.1000 to 0.3000)",
        "- first line second line",
    ):
        assert part in text


def test_names_are_nothing_but_text_in_markdown():
    text = report_markdown(REPORT, "a\n# <script>")
    assert text.startswith("# a \\# \\<script\\>\n")
    assert "\n- c\\|d: \\<b\\>broken\\</b\\>\n" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    bars = [line.replace("\\|", "").count("|") for line in rows]
    assert bars == [5] * 4 + [5] * 4 + [4] * 4
    assert escaped("[x](javascript:1)") == "\\[x\\](javascript:1)"


DATA = scenes(4, (48, 64), seed=2)
OVERLAP = families_of(["overlap"])


def counted(by):
    """Count the truth moved by some pixels as if it were predicted."""
    told = [Segmentation.from_class_map(np.roll(one.truth.class_map(), by, axis=1), DATA.labels) for one in DATA]
    return tally(enumerate(told), Truths.of(DATA, OVERLAP), OVERLAP, [])


def test_the_tables_of_an_evaluation_have_its_numbers(tmp_path):
    report = report_of(counted(3), OVERLAP, ["overlap"], Bootstrap(resamples=100))
    write_tables(tmp_path, report, "moved")
    assert {row["score"]: float(row["value"]) for row in read(tmp_path / "scores.csv")} == dict(report.scores)
    assert {row["class"]: float(row["iou"]) for row in read(tmp_path / "per_class.csv")} == {
        name: scores["iou"] for name, scores in report.per_class.items()
    }
    assert [row["image"] for row in read(tmp_path / "per_image.csv")] == [sample.name for sample in DATA]


@pytest.fixture(scope="module")
def compared():
    found = compare(counted(4), counted(1), OVERLAP, ["overlap"], Bootstrap(resamples=100))
    return replace(found, about={"a": "one|two", "b": "b", "data": "scenes"})


def test_a_comparison_comes_back_from_csv_to_the_last_bit(tmp_path, compared):
    write_comparison_tables(tmp_path, compared)
    rows = read(tmp_path / "comparison.csv")
    whole = {row["score"]: row for row in rows if not row["class"]}
    assert float(whole["miou"]["difference"]) == compared.scores["miou"].value
    assert float(whole["miou"]["low"]) == compared.scores["miou"].interval[0]
    by_class = {(row["class"], row["score"]): row for row in rows if row["class"]}
    assert float(by_class["ring", "iou"]["b"]) == compared.per_class["ring"]["iou"].b
    assert len(difference_table(compared)[1]) == len(rows)


def test_a_comparison_in_markdown_has_the_verdict_and_the_images(compared):
    text = comparison_markdown(compared)
    assert text.startswith("# one\\|two against b\n")
    assert escaped(compared.verdict) in text
    assert f"{compared.scores['miou'].value:+.4f}" in text
    assert escaped(compared.images[0]["name"]) in text


def test_a_report_without_classes_and_images_has_no_tables_of_them(tmp_path):
    write_tables(tmp_path, Report(scores={"ap": 0.5}, count=1), "bare")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.csv", "scores.md"]
