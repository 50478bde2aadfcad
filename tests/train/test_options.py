"""Recipes: tables read and written back equal; what does not fit is refused with the nearest name."""

from pathlib import Path

import pytest

from pixelwise.core.errors import OptionError
from pixelwise.train.options import Recipe, TrainOptions, read_recipe, recipe_from, write_recipe
from pixelwise.train.schedules import rate_at


def test_a_recipe_comes_back_equal(tmp_path: Path) -> None:
    recipe = recipe_from(
        {
            "data": {"path": "photos", "void": "255"},
            "model": {"name": "unet", "encoder": "resnet18", "class_weights": [1.0, 0.5]},
            "augment": {"scale": [0.5, 2]},
            "train": {"steps": 10, "crop": [64, 96], "rate": 1e-4},
        }
    )
    write_recipe(tmp_path / "recipe.toml", recipe)
    assert read_recipe(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"trian": {}}, "train"),
        ({"train": {"stepps": 3}}, "steps"),
        ({"train": {"steps": "many"}}, "expected int"),
        ({"train": {"crop": [3]}}, "crop"),
        ({"train": {"rate": -1.0}}, "rate"),
        ({"train": {"rate": float("nan")}}, "rate: expected a finite number"),
        ({"train": {"epochs": float("nan")}}, "epochs: expected a finite number"),
        ({"train": {"minutes": float("inf")}}, "minutes: expected a finite number"),
        ({"train": {"encoder_rate": -1.0}}, "encoder_rate"),
        ({"train": {"seed": 2**32}}, "seed: expected a whole number below"),
        ({"train": {"crop": [-32, -32]}}, "crop: expected"),
        ({"train": {"crop": [0, 64]}}, "crop: expected"),
        ({"train": {"ema": 1.0}}, "ema"),
        ({"train": {"device": "gpu"}}, "cpu"),
        ({"train": {"precision": "bf16"}}, "bf16-mixed"),
        ({"train": {"steps": 1, "minutes": 1.0}}, "exclude"),
        ({"augment": {"scale": [2, 1]}}, "scale"),
        ({"augment": {"flip": 1.5}}, "flip"),
        ({"data": "photos"}, "table"),
    ],
)
def test_what_does_not_fit_is_refused(tables: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        recipe_from(tables)


def test_an_empty_file_is_the_default_recipe() -> None:
    assert recipe_from({}) == Recipe()


def test_the_rate_grows_then_falls_to_its_final_share() -> None:
    options = TrainOptions(steps=1000, rate=1.0, warmup=0.1, final_rate=0.01)
    rates = [rate_at(step, options) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[99] == 1.0
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
