"""Put a score report on a page: the scores, what was trained on what, and the best, middle and worst images."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.sample import Dataset
    from pixelwise.metrics.result import Report
    from pixelwise.report.examples import Example

SHOWN_PER_GROUP = 3


def score_and_report(predictor: "Predictor", val: "Dataset", run: Path, quiet: bool = False) -> "Report":
    """Score a run's best weights on its validation data; write ``scores.json`` and ``report.html`` into the run folder."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.core.files import write_json
    from pixelwise.metrics.evaluate import evaluate, with_about

    with progress_bar("score") as progress:
        report = with_about(evaluate(predictor, val, progress=progress), {"split": "val"})
    write_json(run / "scores.json", report.to_json())
    write_report(report, predictor, val, run, f"{run.name}: {predictor.card.name}", run_facts(run, predictor))
    if not quiet:
        print(report)
        print(f"\nrun: {run}\nreport: {run / 'report.html'}")
    return report


def write_report(
    report: "Report",
    predictor: "Predictor",
    dataset: "Dataset",
    out: Path,
    title: str,
    facts: Mapping[str, str] | None = None,
    others: Mapping[str, Mapping[str, float | None]] | None = None,
) -> None:
    """Write ``report.html`` into ``out``; the images shown are predicted once more, the rest were never kept."""
    from pixelwise.draw.curves import read_history
    from pixelwise.metrics.settle import under_model
    from pixelwise.report.page import Page, write_page

    dataset = under_model(dataset, predictor.card.labels)
    history = read_history(out / "history.csv") if (out / "history.csv").is_file() else []
    page = Page(
        title=title,
        scores=report.scores,
        labels=dataset.labels,
        per_class=report.per_class,
        confusion=report.confusion,
        history=history,
        examples=examples_of(report, predictor, dataset),
        facts=facts or {},
        notes=[*report.notes, *(f"not scored: {name}: {error}" for name, error in report.failures)],
        rules=report.rules,
        others=others or {},
    )
    write_page(out / "report.html", page)


def examples_of(report: "Report", predictor: "Predictor", dataset: "Dataset") -> "list[Example]":
    """Predict the best, middle and worst images of a report once more."""
    from pixelwise.report.examples import Example, best_middle_worst

    scores = [row.get("miou") for row in report.per_image]
    rows = [row for group in best_middle_worst(scores, SHOWN_PER_GROUP).values() for row in group]
    samples = {sample.name: sample for sample in dataset}
    shown = []
    for row in rows:
        sample = samples[report.per_image[row]["name"]]
        image = sample.image
        shown.append(Example(sample.name, image, sample.truth, predictor([image])[0], scores[row]))
    return shown


def run_facts(run: Path, predictor: "Predictor") -> dict[str, str]:
    """Say what was trained on what and how long, from the run folder and the card."""
    from pixelwise.core.files import read_json
    from pixelwise.draw.curves import read_history
    from pixelwise.train.reporter import duration

    training: Mapping[str, Any] = predictor.card.training
    options: Mapping[str, Any] = predictor.card.options
    facts = {
        "network": f"{predictor.card.name}, encoder {options.get('encoder', 'none')}",
        "encoder weights": str(training.get("encoder_weights") or "random"),
        "data": f"{training.get('data')}: {training.get('train_images')} training, {training.get('val_images')} validation images",
        "classes": ", ".join(predictor.card.labels.names),
        "steps": f"{training.get('steps')} of {training.get('batch')} crops of {' x '.join(map(str, training.get('crop', ())))}",
        "best step": str(training.get("best_step", "")),
    }
    if (run / "history.csv").is_file() and (rows := read_history(run / "history.csv")):
        facts["time"] = duration(rows[-1].get("seconds") or 0)
    if (run / "environment.json").is_file():
        found = read_json(run / "environment.json")
        facts["machine"] = f"{found.get('processor')}, {found.get('cores')} cores ({found.get('device')})"
        facts["versions"] = ", ".join(
            f"{name} {found[name]}" for name in ("pixelwise", "torch", "timm", "lightning", "python") if name in found
        )
    return facts
