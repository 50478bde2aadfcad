"""``pixelwise list``: every row of a table is told, formats with the layouts they read."""

import json

from typer.testing import CliRunner

from pixelwise.cli import listing
from pixelwise.cli.app import _register, app
from pixelwise.formats import FORMATS

if not app.registered_commands:
    _register()


def listed(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["list", *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.stdout


def test_every_format_is_told_with_its_layouts() -> None:
    rows = {row["name"]: row for row in json.loads(listed("formats", "--json"))}
    assert set(rows) == set(FORMATS)
    assert {name: row["layouts"] for name, row in rows.items()} == {name: list(FORMATS[name].LAYOUTS) for name in FORMATS}
    assert all(row["about"] for row in rows.values())


def test_formats_that_are_written_say_so() -> None:
    rows = {row["name"]: row for row in json.loads(listed("formats", "--json"))}
    assert rows["coco"]["writes"]
    assert rows["masks"]["writes"]


def test_a_table_is_printed_a_row_a_name() -> None:
    assert "is written too" in listed("formats")
    assert listed("methods").startswith(tuple(json.loads(listed("methods", "--json"))[0]["name"]))


def test_every_score_of_a_metric_is_told_with_its_rule() -> None:
    text = listed("metrics")
    assert "miou: mean IoU = TP / (TP + FP + FN) over the classes in the truth or the prediction" in text
    assert "[1]" not in text


def test_a_network_is_told_with_its_costs_and_licences() -> None:
    told = listing._model("enet")
    assert (told["kinds"], told["parameters"]) == (["semantic", "multilabel"], 365_519)
    lines = listing._lines(told)
    assert "costs: 0.37 M parameters, 1.3 G multiply-adds (352 x 480, 11 classes)" in lines
    assert any(line.startswith("code: Apache-2.0") for line in lines)


def test_costs_that_cannot_be_counted_are_said_to_be_missing() -> None:
    lines = listing._lines({**listing._model("enet"), "multiply_adds": None})
    assert any("multiply-adds not counted" in line for line in lines)
