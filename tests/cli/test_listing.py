"""``pixelwise list``: every row of a table is told, formats with the layouts they read."""

import json

import pytest
from typer.testing import CliRunner

from pixelwise.cli import listing
from pixelwise.cli.app import _register, app
from pixelwise.formats import FORMATS
from pixelwise.models import MODELS

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
    assert "costs: 0.37 M parameters, 1.3 G multiply-adds" in lines
    assert any(line.startswith("code: Apache-2.0") for line in lines)


def test_models_are_told_with_the_size_that_costs_are_for() -> None:
    assert listed("models").startswith("costs: at the default options, for one image of 352 x 480 and 11 classes\n")
    rows = {row["name"]: row for row in json.loads(listed("models", "--json"))}
    assert set(rows) == set(MODELS)
    assert all(row["parameters"] > 0 and row["multiply_adds"] > 0 and row["licence_of_weights"] for row in rows.values())


def test_a_line_too_long_for_a_terminal_goes_on_below_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    listing._print_hung("enet  a network for speed, of small bottlenecks", "      ")
    assert capsys.readouterr().out == "enet  a network for speed, of small bottlenecks\n"  # no terminal: one line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    listing._print_hung("enet  a network for speed, of small bottlenecks", "      ")
    assert capsys.readouterr().out == "enet  a network for speed, of\n      small bottlenecks\n"


def test_a_refiner_is_told_with_what_it_does_to_each_kind() -> None:
    rows = {row["name"]: row for row in json.loads(listed("refiners", "--json"))}
    assert "semantic" in rows["crf"]["rules"]
    assert "regions" in rows["crf"]["refused"]
    assert "instance: each object against the rest of a window around it" in listed("refiners")
