"""``pixelwise evaluate``: score a model, a method, or a folder of predictions on labelled data."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.sample import Dataset, Sample
    from pixelwise.core.segmentation import Segmentation
    from pixelwise.metrics.result import Report


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, a checkpoint, a method's name, or a folder that predict wrote.", metavar="MODEL|PREDICTIONS"
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Labelled images.", metavar="DATA")],
    split: Annotated[str | None, typer.Option(help="Which split; without it val, else test, else all.")] = None,
    metrics: Annotated[str, typer.Option(help="Metrics or single scores, with commas: overlap, or miou,dice.")] = "overlap",
    void: Annotated[str | None, typer.Option(help="Mask values that mean not labelled: 255, or 0,255, or none.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class names: a file, names in value order, or value=name.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Foreground above this probability (one-class models), from 0 to 1.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Images of one size segmented at once.", min=1)] = 8,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for scores.json and report.html.", metavar="DIR")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON, alone on stdout.")] = False,
) -> None:
    """Score predictions against labels: IoU, accuracy, Dice, F1 … by class, image and data set.

    Methods without classes are matched to classes by majority on the training split, and the report says so. A bad image is
    listed at the end and the rest go on; the exit code is then 1.
    """
    from pixelwise.formats import read
    from pixelwise.metrics.evaluate import with_about

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    dataset = with_held_out(read(data, void=void, classes=classes), Path(model))
    chosen = choose_split(dataset, split)
    if chosen.note:
        print(chosen.note, file=sys.stderr)
    scored = _score(model, chosen, names, threshold, batch)
    report = with_about(scored.report, {}, dataset.notes)
    scored = replace(scored, report=report)
    if out is not None:
        _write(scored, model, out)
    print(json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False) if as_json else report)
    if as_json:
        for name, error in report.failures:
            print(f"failed: {name}: {error}", file=sys.stderr)
    if report.failures or any(note.endswith("it is left out") for note in dataset.notes):  # no partner
        raise typer.Exit(1)


@dataclass(frozen=True)
class Chosen:
    """The samples to score, those to match or train methods on, and what to say about the choice."""

    dataset: "Dataset"
    train: "Dataset | None"
    split: str
    note: str = ""


def with_held_out(dataset: "Dataset", run: Path) -> "Dataset":
    """Name the samples a run kept aside for validation ``val``, where the data has no such split of its own."""
    from pixelwise.core.files import read_json
    from pixelwise.core.sample import Dataset

    if dataset.splits or not (run / "card.json").is_file():
        return dataset
    card = read_json(run / "card.json")
    training = card.get("training") if isinstance(card, dict) else None
    names = set(map(str, training.get("val_names") or ())) if isinstance(training, dict) else set()
    held = [row for row, sample in enumerate(dataset) if sample.name in names]
    if not held or len(held) != len(names):  # other data than the run was trained on
        return dataset
    rest = [row for row in range(len(dataset)) if row not in set(held)]
    return Dataset(dataset.samples, dataset.labels, dataset.kind, {"train": rest, "val": held}, dataset.name, dataset.notes)


def choose_split(dataset: "Dataset", name: str | None) -> Chosen:
    """Choose what to score: the split named, else val, else test, else everything.

    Raises:
        OptionError: there is no split of that name.
    """
    from pixelwise.formats.names import SPLITS

    train = dataset.split("train") if "train" in dataset.splits else None
    if name == "all":
        return Chosen(dataset, train, "all")
    if name is not None:
        alias = SPLITS.get(name.casefold(), name)
        found = name if name in dataset.splits else alias
        return Chosen(dataset.split(found if found in dataset.splits else name), train, found)
    for usual in ("val", "test"):
        if usual in dataset.splits:
            return Chosen(dataset.split(usual), train, usual, f"no --split given: scoring '{usual}'")
    note = f"no --split given: scoring all {len(dataset)} samples" if dataset.splits else ""
    return Chosen(dataset, train, "all", note)


@dataclass(frozen=True)
class Scored:
    """A report, and what its pictures are made from.

    Attributes:
        dataset: what was scored, read as it was scored.
        segment: gives a sample's prediction once more.
        facts: what the model was trained on, as its card says.
    """

    report: "Report"
    dataset: "Dataset"
    segment: "Callable[[Sample], Segmentation]"
    facts: Mapping[str, object] = field(default_factory=dict)


def _score(model: str, chosen: Chosen, metrics: list[str], threshold: float | None, batch: int) -> Scored:
    from pixelwise.metrics.evaluate import families_of

    families_of(metrics)  # a typo is told before the work, not after
    from pixelwise.methods import METHODS
    from pixelwise.metrics.predictions import is_predictions

    if model not in METHODS and is_predictions(Path(model)):
        return _score_predictions(Path(model), chosen, metrics)
    return _score_model(model, chosen, metrics, threshold, batch)


def _score_predictions(folder: Path, chosen: Chosen, metrics: list[str]) -> Scored:
    from pixelwise.cli.progress import progress_bar
    from pixelwise.metrics.evaluate import with_about
    from pixelwise.metrics.predictions import evaluate_predictions, read_predictions
    from pixelwise.metrics.settle import under_model

    found = read_predictions(folder)
    with progress_bar("evaluate") as progress:
        report = evaluate_predictions(found, chosen.dataset, metrics, progress=progress)
    dataset = chosen.dataset if found.labels is None else under_model(chosen.dataset, found.labels)
    return Scored(with_about(report, {"split": chosen.split}), dataset, found.read)


def _score_model(model: str, chosen: Chosen, metrics: list[str], threshold: float | None, batch: int) -> Scored:
    from pixelwise.cli.progress import progress_bar
    from pixelwise.cli.scoring import run_facts
    from pixelwise.core.predictor import Request
    from pixelwise.load import load
    from pixelwise.metrics.evaluate import evaluate as score
    from pixelwise.metrics.evaluate import with_about
    from pixelwise.metrics.settle import under_model

    predictor, chosen, notes = prepare(load(model), chosen, batch)
    with progress_bar("evaluate") as progress:
        report = score(predictor, chosen.dataset, metrics, batch=batch, threshold=threshold, progress=progress)
    request = Request(threshold=threshold)
    trained_on = str(predictor.card.training.get("data", ""))
    if chosen.split == "all" and trained_on and Path(trained_on).name == chosen.dataset.name:
        notes.append(f"the images scored may include those the model was trained on ({trained_on})")
    return Scored(
        with_about(report, {"split": chosen.split}, notes),
        under_model(chosen.dataset, predictor.card.labels),
        lambda sample: predictor([sample.image], request)[0],
        run_facts(Path(model), predictor) if predictor.card.training and Path(model).is_dir() else predictor.card.training,
    )


def prepare(predictor: "Predictor", chosen: Chosen, batch: int) -> "tuple[Predictor, Chosen, list[str]]":
    """Train a method that must be, and match to classes one that knows none, on the training split.

    Raises:
        UnsettledLabels: what the data's values mean is in doubt, and no model says it.
        OptionError: there are too few samples to set some aside.
    """
    from pixelwise.methods.predictor import Method
    from pixelwise.metrics.majority import match
    from pixelwise.metrics.settle import require_settled, unknown_to

    if not isinstance(predictor, Method):
        return predictor, chosen, []
    require_settled(chosen.dataset)
    if predictor.is_ready and predictor.card.kind != "regions" and not unknown_to(predictor.card.labels, chosen.dataset):
        return predictor, chosen, []
    verb = "matched to classes by majority" if predictor.is_ready else "trained"
    train, notes = chosen.train, []
    if train is None:
        train, rest = chosen.dataset.divided(0.5)
        chosen = Chosen(rest, train, f"{chosen.split}, the random half not {verb} on")
        notes.append(f"the data has no training split: a random half of it ({len(train)} images) served as one")
    elif chosen.split in ("train", "all"):
        notes.append("the images scored include those of the training split")
    notes.append(f"the method was {verb} on {len(train)} training images")
    ready = match(predictor, train, batch) if predictor.is_ready else predictor.fit(train)
    return ready, chosen, notes


def _write(scored: Scored, model: str, out: Path) -> None:
    from pixelwise.core.files import write_json
    from pixelwise.draw.curves import read_history
    from pixelwise.report.evaluation import page_of
    from pixelwise.report.page import write_page

    history = Path(model) / "history.csv"
    rows = read_history(history) if history.is_file() else []
    title = f"{scored.report.about['model']} on {scored.dataset.name}"
    write_json(out / "scores.json", scored.report.to_json())
    write_page(out / "report.html", page_of(scored.report, scored.dataset, scored.segment, title, scored.facts, rows))
