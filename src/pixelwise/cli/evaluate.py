"""``pixelwise evaluate``: score a model, a method, or a folder of predictions on labelled data."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.opinions import ENSEMBLE, SCALES, VIEWS, parse_opinions
from pixelwise.cli.opinions import named as named_opinions
from pixelwise.cli.options import ListsOption
from pixelwise.cli.wrapping import FLIPS, JOIN, MEMORY, OVERLAP, REFINE, TILE, TURNS, parse_refine, sentence, told, wrapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pixelwise.cli.subject import Subject
    from pixelwise.core.sample import Dataset
    from pixelwise.metrics.interval import Bootstrap
    from pixelwise.metrics.result import Report

METRICS = (
    "Metrics or single scores, with commas: overlap, or miou,dice. Without it, those usual for the truth: overlap for classes, "
    "average precision for objects, panoptic quality, partition."
)


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, a checkpoint, a method's name; or predictions: a folder that predict wrote, COCO results, "
            "or anything that reads as labelled images.",
            metavar="MODEL|PREDICTIONS",
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Labelled images.", metavar="DATA")],
    split: Annotated[str | None, typer.Option(help="Which split; without it val, else test, else all.")] = None,
    lists: ListsOption = None,
    metrics: Annotated[str | None, typer.Option(help=METRICS)] = None,
    void: Annotated[str | None, typer.Option(help="Mask values that mean not labelled: 255, or 0,255, or none.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class names: a file, names in value order, or value=name.")] = None,
    tile: Annotated[str, typer.Option(help=TILE, metavar="H,W")] = "auto",
    overlap: Annotated[int | None, typer.Option(help=OVERLAP)] = None,
    join: Annotated[str, typer.Option(help=JOIN)] = "auto",
    memory: Annotated[str | None, typer.Option(help=MEMORY, metavar="SIZE")] = None,
    flips: Annotated[bool, typer.Option("--flips", help=FLIPS)] = False,
    turns: Annotated[bool, typer.Option("--turns", help=TURNS)] = False,
    views: Annotated[str | None, typer.Option(help=VIEWS, metavar="A,B")] = None,
    scales: Annotated[str | None, typer.Option(help=SCALES, metavar="A,B")] = None,
    ensemble: Annotated[str | None, typer.Option(help=ENSEMBLE, metavar="MODEL,…")] = None,
    refine: Annotated[str | None, typer.Option(help=REFINE, metavar="A,B")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Foreground above this probability (one-class models), from 0 to 1.")
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            help="One method at several settings: partitions are scored at the best for all images (ODS) and for each (OIS).",
            metavar="OPTION=A,B",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Images of one size segmented at once.", min=1)] = 8,
    resamples: Annotated[int, typer.Option(help="Data sets drawn for the 95 % intervals; 0: no intervals.", min=0)] = 2000,
    group: Annotated[
        str | None,
        typer.Option(help="Draw images of one group together: sequence (as the data says), or name (less its last number)."),
    ] = None,
    slices: Annotated[
        str | None,
        typer.Option(
            help="Score parts of the data too, with commas: brightness, contrast, image_size, what the data says of an image "
            "(sequence …), or a column of --table.",
            metavar="A,B",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="CSV file with a header and a row an image, its name first: columns for --slices.", metavar="CSV"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html, and scores.json, .md and .csv.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON, alone on stdout.")] = False,
) -> None:
    """Score predictions against labels: IoU, Dice, AP, PQ … by class, image and data set, each with its interval.

    Methods without classes are matched to classes by majority on the training split, and the report says so. A bad image is
    listed at the end and the rest go on; the exit code is then 1. With --out, the page also has calibration, sizes, borders
    and kinds of errors, where they cost little.
    """
    from pixelwise.cli.scoring import page_metrics, tell
    from pixelwise.cli.subject import Running, choose_split, open_subject, read_to_score
    from pixelwise.core.files import make_folder
    from pixelwise.metrics.evaluate import with_about
    from pixelwise.metrics.tally import families_of

    names = named(metrics)
    if names is not None:
        families_of(names)  # a typo is told before the work, not after
    bootstrap = bootstrap_of(resamples, group)
    asked = told(tile, overlap, flips, turns, refine, join, memory) | named_opinions(views, scales, ensemble)
    opinions = parse_opinions(flips, turns, views, scales, ensemble, None)
    wrap = wrapping(tile, overlap, flips, turns, refine, join, memory, opinions) if asked else None
    dataset = read_to_score(data, lists, Path(model), void=void, classes=classes)
    chosen = choose_split(dataset, split)
    if chosen.note:
        print(chosen.note, file=sys.stderr)
    subject = open_subject(model, chosen, names, Running(batch, threshold, wrap, levels, parse_refine(refine)))
    if out is not None:
        make_folder(out)  # one that cannot be made is told before the work, not after
    names, note = list(subject.metrics), ""
    if out is not None:
        names, note = page_metrics(names, subject.gives_probabilities, subject.dataset)
    by = columns_of(slices, table, subject.dataset)
    report = score(subject, names, bootstrap, by)
    with_how = {"predicted_with": asked} if asked else {}
    report = with_about(report, with_how, [*sentence(asked), *([note] if note else []), *dataset.notes])
    if out is not None:
        _write(report, subject, model, out)
    tell(report, as_json, dataset.notes)


def named(metrics: str | None) -> "Sequence[str] | None":
    """Take the metrics a person names; None for those that are usual."""
    return None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]


def bootstrap_of(resamples: int, group: str | None) -> "Bootstrap | None":
    """Take the options of intervals together; None for no intervals."""
    from pixelwise.metrics.interval import Bootstrap

    return Bootstrap(resamples=resamples, group=group) if resamples else None


def columns_of(slices: str | None, table: Path | None, dataset: "Dataset") -> "Mapping[str, Mapping[str, Any]]":
    """Find the values of the columns a person asks for; of a table alone, all its columns."""
    from pixelwise.core.errors import OptionError
    from pixelwise.metrics.slices import columns, columns_in

    if table is not None and not table.is_file():
        raise OptionError(f"--table {table}: expected a CSV file, found none; check the path")
    if slices is None:
        return columns(dataset, columns_in(table), table) if table is not None else {}
    return columns(dataset, [name.strip() for name in slices.split(",") if name.strip()], table)


def score(
    subject: "Subject",
    names: list[str],
    bootstrap: "Bootstrap | None",
    by: "Mapping[str, Mapping[str, Any]] | None" = None,
) -> "Report":
    """Count a subject on its data, and score the sums."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.metrics.evaluate import with_about
    from pixelwise.metrics.films import drawn_as
    from pixelwise.metrics.slices import with_slices
    from pixelwise.metrics.tally import families_of, report_of

    families = families_of(names)
    bootstrap = drawn_as(bootstrap, families, subject.dataset)
    with progress_bar("evaluate") as progress:
        found = subject.count(families, None if bootstrap is None else bootstrap.group, progress)
    about = {"model": subject.name, "data": subject.chosen.dataset.name, "split": subject.chosen.split}
    report = with_slices(report_of(found, families, names, bootstrap), found, families, names, by or {}, bootstrap)
    return with_about(report, about, subject.notes)


def _write(report: "Report", subject: "Subject", model: str, out: Path) -> None:
    from pixelwise.core.files import write_json
    from pixelwise.draw.curves import read_history
    from pixelwise.report.evaluation import page_of
    from pixelwise.report.page import write_page
    from pixelwise.report.tables import write_tables

    history = Path(model) / "history.csv"
    rows = read_history(history) if history.is_file() else []
    title = f"{report.about['model']} on {subject.dataset.name}"
    write_json(out / "scores.json", report.to_json())
    write_tables(out, report, title)
    write_page(out / "report.html", page_of(report, subject.dataset, subject.segment, title, subject.facts, rows))
