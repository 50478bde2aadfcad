"""What is trained on, validated on, and kept for a test."""

from dataclasses import replace

import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset
from pixelwise.scenes import scenes
from pixelwise.train.division import divide, with_test
from pixelwise.train.options import DataOptions, Recipe, TrainOptions

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


def test_one_image_is_told_how_to_train_without_validation() -> None:
    with pytest.raises(OptionError, match="--split 0"):
        divide(scenes(1, (32, 32)), recipe())
    train, val = divide(scenes(1, (32, 32)), recipe(val="0"))
    assert (len(train), len(val)) == (1, 0)
