"""``pixelwise show``: what a network is made of, and what its options do."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from pixelwise.cli.app import _register, app
from pixelwise.core.errors import UnknownName

if not app.registered_commands:
    _register()


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["show", *arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_options_are_told_with_defaults_and_what_they_do() -> None:
    told: dict[str, Any] = {one["name"]: one for one in json.loads(shown("panoptic_fpn", "--options", "--json"))["options"]}
    assert told["finest"]["default"] == "4"
    assert "stride of the finest level" in told["finest"]["text"]
    assert "finest" in shown("panoptic_fpn", "--options")


def test_an_unknown_network_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="panoptic_fpn"):
        shown("panoptic_fpm", "--options")


def test_layers_and_costs_are_those_of_the_size_and_classes_asked_for() -> None:
    found = json.loads(shown("enet", "--size", "64,96", "--classes", "3", "--json"))
    assert (found["size"], found["layers"][0]["name"]) == ([64, 96], "enet")
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"] if row["depth"] == 1)
