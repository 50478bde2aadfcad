"""Every recipe is read without a complaint, and opens with what one must know to repeat it."""

import inspect
from pathlib import Path

import pytest

from pixelwise.models import MODELS
from pixelwise.train.options import read_recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_read_and_its_network_takes_its_options(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.data.path
    options = set(inspect.signature(MODELS[recipe.model["name"]].build).parameters)
    assert set(recipe.model) - {"name"} <= options


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_opens_with_source_command_machine_time_and_score(path: Path) -> None:
    head = path.read_text("utf-8").partition("\n[")[0]
    assert all(line.startswith("#") for line in head.splitlines() if line)
    for word in ("source", "command", "machine", "time", "score"):
        assert word in head.casefold(), f"{path.name} does not say its {word}"
