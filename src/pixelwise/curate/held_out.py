"""What a run was trained on, as its folder says: its data, and the images it kept aside, which it may be scored on."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pixelwise.core.errors import OptionError
from pixelwise.core.files import read_json
from pixelwise.core.sample import Dataset
from pixelwise.curate.split_lists import read_with_lists


def data_of(run: Path) -> dict[str, str]:
    """Read what a run's recipe says of its data (``path``, ``void``, ``classes``, ``lists``); nothing where it has none."""
    recipe = (run if run.is_dir() else run.parent) / "recipe.toml"
    try:
        table = tomllib.loads(recipe.read_text(encoding="utf-8")).get("data", {}) if recipe.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # the data is asked for, as without a recipe
    return {name: value for name, value in table.items() if isinstance(value, str)} if isinstance(table, dict) else {}


def read_own(run: Path) -> Dataset | None:
    """Read the data a run was trained on, with what it kept aside as ``val``; None where its recipe names none that is there.

    Raises:
        PixelwiseError: the data cannot be read any more.
    """
    stated = data_of(run)
    if not stated.get("path") or not Path(stated["path"]).exists():
        return None
    lists = Path(stated["lists"]) if stated.get("lists") else None
    void, classes = stated.get("void") or None, stated.get("classes") or None
    dataset = read_with_lists(Path(stated["path"]), lists, void=void, classes=classes)
    return dataset if lists is not None else with_held_out(dataset, run)


def with_held_out(dataset: Dataset, *runs: Path) -> Dataset:
    """Name the samples that all the runs kept aside for validation ``val``, where the data has no such split of its own.

    A fold of a cross-validation, or a run with list files, was trained on other splits than the data's: what it kept aside is
    then ``val`` all the same.

    Raises:
        OptionError: the runs kept different samples aside, and none of them in common.
    """
    kept = [rows for run in runs if (rows := _kept_aside(dataset, run))]
    with_lists = any(_training(run).get("lists") for run in runs)
    if dataset.splits and not with_lists and not any(_training(run).get("fold") for run in runs):
        return dataset
    if not kept:
        return dataset
    held = sorted(set.intersection(*kept))
    if not held:
        raise OptionError(
            f"{dataset.name}: the runs kept different images aside, so each was trained on those of the other; score them on "
            f"data that neither has seen"
        )
    tested = set.intersection(*(_rows_named(dataset, run, "test_names") for run in runs))
    own = () if with_lists else dataset.splits.get("test", ())  # with lists, the data's own may have been trained on
    test = {"test": kept_apart} if (kept_apart := own or sorted(tested)) else {}
    seen = set(range(len(dataset))) - {*held, *test.get("test", ())}
    notes = list(dataset.notes)
    if any(rows != kept[0] for rows in kept):
        notes.append(f"the runs kept different images aside; val are the {len(held)} that none was trained on")
    return Dataset(
        dataset.samples, dataset.labels, dataset.kind, {"train": sorted(seen), "val": held, **test}, dataset.name, notes
    )


def _kept_aside(dataset: Dataset, run: Path) -> set[int]:
    """Find the rows of the samples a run kept aside; none where it was trained on other data."""
    return _rows_named(dataset, run, "val_names")


def _rows_named(dataset: Dataset, run: Path, key: str) -> set[int]:
    """Find the rows of the samples a run's card names; none where not all of them are there."""
    listed = _training(run).get(key)
    names = set(map(str, listed)) if isinstance(listed, list) else set()
    rows = {row for row, sample in enumerate(dataset) if sample.name in names}
    return rows if len(rows) == len(names) else set()


def _training(run: Path) -> Mapping[str, object]:
    """Read what a run's card says of its training; nothing where it has no card."""
    card = read_json(run / "card.json") if (run / "card.json").is_file() else None
    training = card.get("training") if isinstance(card, dict) else None
    return training if isinstance(training, dict) else {}
