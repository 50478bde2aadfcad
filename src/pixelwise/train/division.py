"""Divide a data set into what is trained on, what is validated on, and what is kept for a test."""

from pixelwise.core.errors import OptionError
from pixelwise.core.sample import Dataset
from pixelwise.train.folds import make_folds
from pixelwise.train.options import Recipe


def with_test(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Set the fraction ``[data] test`` aside as the split ``test``, which no later division touches.

    Raises:
        OptionError: it is no fraction, or the data says its own splits.
    """
    if not recipe.data.test:
        return dataset
    if clash := [name for name in ("train", "test") if name in dataset.splits]:
        raise OptionError(f"[data] test: {dataset.name} has a split '{clash[0]}' of its own; leave it out")
    _, held = dataset.divided(recipe.data.test, recipe.train.seed)
    names = {sample.name for sample in held}
    rows = [row for row, sample in enumerate(dataset) if sample.name in names]
    return Dataset(dataset.samples, dataset.labels, dataset.kind, {**dataset.splits, "test": rows}, dataset.name, dataset.notes)


def divide(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Dataset]:
    """Divide into training and validation data as ``[data] train`` and ``val``, or ``folds`` and ``fold``, say."""
    options, seed = recipe.data, recipe.train.seed
    if options.folds:
        pool = pool_of(dataset, recipe)
        return make_folds(pool, options.folds, seed).of(pool, options.fold)
    train_name = options.train or ("train" if "train" in dataset.splits else "")
    val_name = options.val or next((name for name in ("val", "valid", "validation") if name in dataset.splits), "0.2")
    try:
        fraction = float(val_name)
    except ValueError:
        val = dataset.split(val_name)
        if train_name:
            return dataset.split(train_name), val
        held = set(dataset.splits[val_name]) | set(dataset.splits.get("test", ()))
        return dataset.take([row for row in range(len(dataset)) if row not in held]), val
    test = set(dataset.splits.get("test", ()))
    pool = dataset.split(train_name) if train_name else dataset.take([row for row in range(len(dataset)) if row not in test])
    if fraction == 0:
        return pool, pool.take([])
    if len(pool) == 1:
        raise OptionError(
            f"{dataset.name}: its only image cannot be both trained and validated on; add images, or train without validation: "
            f"--split 0"
        )
    return pool.divided(fraction, seed)


def pool_of(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Give what folds are made of: the split that ``[data] train`` names, else all but the test split."""
    if recipe.data.train:
        return dataset.split(recipe.data.train)
    test = set(dataset.splits.get("test", ()))
    return dataset.take([row for row in range(len(dataset)) if row not in test])
