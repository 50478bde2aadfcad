"""What is trained on, validated on, and kept for a test."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset
from pixelwise.formats import masks
from pixelwise.scenes import scenes
from pixelwise.train.division import divide, with_test
from pixelwise.train.options import DataOptions, Recipe, TrainOptions
from pixelwise.train.start import prepare

DATA = scenes(40, (32, 32))


def recipe(**data: object) -> Recipe:
    return Recipe(DataOptions(**data), train=TrainOptions(seed=42))  # type: ignore[arg-type]


def names(dataset: Dataset) -> set[str]:
    return {sample.name for sample in dataset}


def test_a_test_part_is_neither_trained_on_nor_validated_on() -> None:
    wanted = recipe(test=0.1, val="0.25")
    data = with_test(DATA, wanted)
    train, val = divide(data, wanted)
    held = names(data.split("test"))
    assert (len(train), len(val), len(held)) == (27, 9, 4)
    assert not held & (names(train) | names(val))
    assert not names(train) & names(val)


def test_the_seed_draws_the_test_part() -> None:
    one, again = (with_test(DATA, recipe(test=0.1)).splits["test"] for _ in range(2))
    other = with_test(DATA, replace(recipe(test=0.1), train=TrainOptions(seed=7))).splits["test"]
    assert one == again != other


def test_data_with_splits_of_its_own_keeps_them() -> None:
    own = Dataset(DATA.samples, DATA.labels, DATA.kind, {"train": range(30)})
    with pytest.raises(OptionError, match="a split 'train' of its own"):
        with_test(own, recipe(test=0.1))


def test_a_fraction_out_of_range_is_refused() -> None:
    with pytest.raises(OptionError, match="test"):
        DataOptions(test=1.0)


def test_the_splits_of_list_files_are_taken(tmp_path: Path) -> None:
    masks.write(scenes(6, (32, 32)), tmp_path / "data")
    (tmp_path / "lists").mkdir()
    for name, rows in (("train", (0, 1, 2)), ("val", (3,)), ("test", (4, 5))):
        (tmp_path / "lists" / f"{name}.txt").write_text("".join(f"images/{DATA[row].name}.png\n" for row in rows))
    prepared = prepare(recipe(path=str(tmp_path / "data"), lists=str(tmp_path / "lists")), lambda text: None)
    assert names(prepared.train) == {DATA[row].name for row in (0, 1, 2)}
    assert names(prepared.val) == {DATA[3].name}


def test_one_image_is_told_how_to_train_without_validation() -> None:
    with pytest.raises(OptionError, match="--split 0"):
        divide(scenes(1, (32, 32)), recipe())
    train, val = divide(scenes(1, (32, 32)), recipe(val="0"))
    assert (len(train), len(val)) == (1, 0)
