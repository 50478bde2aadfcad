"""Put a score report on a page: the scores, what was trained on what, and the best, middle and worst images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.sample import Dataset
    from pixelwise.metrics.result import Report


def score_and_report(predictor: "Predictor", val: "Dataset", run: Path, quiet: bool = False) -> "Report":
    """Score a run's best weights on its validation data; write ``scores.json`` and ``report.html`` into the run folder."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.core.files import write_json
    from pixelwise.metrics.evaluate import evaluate, with_about

    with progress_bar("score") as progress:
        metrics = ["overlap", "sizes", *(["calibration"] if predictor.card.gives_probabilities else [])]
        report = with_about(evaluate(predictor, val, metrics, progress=progress), {"split": "val"})
    write_json(run / "scores.json", report.to_json())
    write_report(report, predictor, val, run, f"{run.name}: {predictor.card.name}")
    if not quiet:
        print(report)
        print(f"\nrun: {run}\nreport: {run / 'report.html'}")
    return report


def write_report(
    report: "Report",
    predictor: "Predictor",
    dataset: "Dataset",
    run: Path,
    title: str,
    others: Mapping[str, Mapping[str, float | None]] | None = None,
) -> None:
    """Write a run's ``report.html``; the images shown are predicted once more, the rest were never kept."""
    from pixelwise.draw.curves import read_history
    from pixelwise.report.evaluation import page_of
    from pixelwise.report.page import write_page

    history = read_history(run / "history.csv") if (run / "history.csv").is_file() else []
    facts = run_facts(run, predictor)
    page = page_of(report, dataset, lambda sample: predictor([sample.image])[0], title, facts, history, others)
    write_page(run / "report.html", page)


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
        "data": str(training.get("data")),
        "images": f"{training.get('train_images')} for training, {training.get('val_images')} for validation",
        "classes": ", ".join(predictor.card.labels.names),
        "steps": f"{training.get('steps')}, each of {training.get('batch')} crops of {_size(training.get('crop', ()))}",
        "best step": str(training.get("best_step", "")),
    }
    if (run / "history.csv").is_file() and (rows := read_history(run / "history.csv")):
        facts["time"] = duration(rows[-1].get("seconds") or 0)
    if (run / "environment.json").is_file():
        found = read_json(run / "environment.json")
        facts["machine"] = f"{found.get('processor')}, {found.get('cores')} cores ({found.get('device')})"
        shown = [name for name in ("pixelwise", "torch", "timm", "lightning", "python") if name in found]
        facts["versions"] = ", ".join(f"{name} {found[name]}" for name in shown)
    return facts


def _size(size: Sequence[int]) -> str:
    return " x ".join(map(str, size))
