"""Tell scores: as text, as JSON, and on a page with what was trained on what and the best, middle and worst images."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.sample import Dataset, Sample
    from pixelwise.metrics.comparison import Comparison
    from pixelwise.metrics.result import Report

_MOST_BYTES = 2**29  # of the probabilities of one image that a report is worth without being asked
_MOST_PIXELS = 2**30  # of all images, for what costs most: about seven minutes
_BESIDE = {"overlap": ("boundary", "error_kinds"), "average_precision": ("boundary_average_precision",)}


def score_and_report(predictor: "Predictor", val: "Dataset", run: Path, quiet: bool = False) -> "Report":
    """Score a run's best weights on its validation data; write ``scores.json`` and ``report.html`` into the run folder."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.core.files import write_json
    from pixelwise.metrics.evaluate import evaluate, with_about
    from pixelwise.metrics.truths import usual

    with progress_bar("score") as progress:
        metrics, note = page_metrics(usual(val.kind, predictor.card.kind), predictor.card.gives_probabilities, val)
        report = evaluate(predictor, val, metrics, progress=progress)
        report = with_about(report, {"split": "val"}, [note] if note else [])
    write_json(run / "scores.json", report.to_json())
    write_report(report, predictor, val, run, f"{run.name}: {predictor.card.name}")
    if not quiet:
        print(report)
        print(f"\nrun: {run}\nreport: {run / 'report.html'}")
    return report


def page_metrics(names: Sequence[str], gives_probabilities: bool, dataset: "Dataset") -> tuple[list[str], str]:
    """Add what a report page shows besides the families asked for, as far as it costs little.

    Of classes: recall by size, and calibration where there are probabilities; beside ``overlap``, kinds of errors and borders.
    Beside ``average_precision``: that of borders. Probabilities of an image of 24 megapixels and 23 classes take 2 GB, and
    errors and borders some 0.4 microseconds a pixel: what costs much waits to be asked for, and the second part of what is
    given says so.
    """
    from pixelwise.metrics.tally import families_of

    chosen, notes = dict.fromkeys(names), []
    pixels = max(map(_pixels, dataset[:8]), default=0)
    extra = [name for asked, added in _BESIDE.items() if asked in chosen for name in added if name not in chosen]
    if extra and pixels * len(dataset) > _MOST_PIXELS:
        size = f"{len(dataset):,} images of up to {pixels / 1e6:.1f} megapixels"
        notes.append(
            f"{' and '.join(extra)} are left out, for {size} they take long; --metrics {','.join(extra)} asks for them"
        )
    else:
        chosen |= dict.fromkeys(extra)
    if all(module.KIND != "semantic" for module in families_of(names).values()):
        return list(chosen), "; ".join(notes)
    chosen["sizes"] = None
    if gives_probabilities and "calibration" not in chosen:
        if pixels * len(dataset.labels) * 4 <= _MOST_BYTES:
            chosen["calibration"] = None
        else:
            size = f"{pixels * len(dataset.labels) * 4 / 1e9:.1f} GB an image"
            notes.append(f"calibration is left out, its probabilities take {size}; --metrics overlap,calibration asks for it")
    return list(chosen), "; ".join(notes)


def _pixels(sample: "Sample") -> int:
    from pixelwise.core.errors import PixelwiseError

    try:
        height, width = sample.size
    except PixelwiseError:
        return 0  # it is listed as a failure when its turn comes
    return height * width


def write_report(
    report: "Report",
    predictor: "Predictor",
    dataset: "Dataset",
    run: Path,
    title: str,
    others: Mapping[str, Mapping[str, float | None]] | None = None,
) -> None:
    """Write a run's ``report.html`` and its tables; the images shown are predicted once more, the rest were never kept."""
    from pixelwise.draw.curves import read_history
    from pixelwise.report.evaluation import page_of
    from pixelwise.report.page import write_page
    from pixelwise.report.tables import write_tables

    write_tables(run, report, title)
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
    if "steps" not in training:  # a method, which takes none
        return {
            "method": ", ".join([predictor.card.name, *(f"{name} {value}" for name, value in options.items())]),
            "data": str(training.get("data")),
            "images": f"{training.get('train_images')} for training, {training.get('val_images')} for validation",
            "classes": ", ".join(predictor.card.labels.names),
        }
    facts = {
        "network": f"{predictor.card.name}, encoder {options.get('encoder', 'none')}",
        "encoder weights": str(training.get("encoder_weights") or "random"),
        "data": str(training.get("data")),
        "images": f"{training.get('train_images')} for training, {training.get('val_images')} for validation",
        "classes": ", ".join(predictor.card.labels.names),
        **({"labels": str(training["labels"])} if training.get("labels") else {}),
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


def tell(found: "Report | Comparison", as_json: bool, notes: Sequence[str]) -> None:
    """Print what was scored; end with exit code 1 if an image failed, or the data's ``notes`` say that one has no partner."""
    from pixelwise.core.sample import LostLabels

    print(json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False) if as_json else found)
    if as_json:
        for name, error in found.failures:
            print(f"failed: {name}: {error}", file=sys.stderr)
    if found.failures or any(isinstance(note, LostLabels) or note.endswith("it is left out") for note in notes):
        raise typer.Exit(1)
