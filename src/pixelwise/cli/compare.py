"""``pixelwise compare``: which of two is better on the same images, and whether the images can tell."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelwise.cli.evaluate import METRICS, named
from pixelwise.cli.options import ListsOption
from pixelwise.cli.wrapping import FLIPS, OVERLAP, TILE, TURNS, sentence, told, wrapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixelwise.cli.subject import Chosen, Running, Subject
    from pixelwise.metrics.comparison import Comparison
    from pixelwise.metrics.interval import Bootstrap
    from pixelwise.metrics.tally import Tally

_SOURCE = "A run folder, a checkpoint, a method's name, or predictions as evaluate takes them."


def compare(
    a: Annotated[str, typer.Argument(help=_SOURCE, metavar="A")],
    b: Annotated[str, typer.Argument(help=_SOURCE, metavar="B")],
    data: Annotated[Path, typer.Argument(help="Labelled images.", metavar="DATA")],
    split: Annotated[str | None, typer.Option(help="Which split; without it val, else test, else all.")] = None,
    lists: ListsOption = None,
    metrics: Annotated[str | None, typer.Option(help=METRICS)] = None,
    void: Annotated[str | None, typer.Option(help="Mask values that mean not labelled: 255, or 0,255, or none.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class names: a file, names in value order, or value=name.")] = None,
    tile: Annotated[str, typer.Option(help=TILE, metavar="H,W")] = "auto",
    overlap: Annotated[int | None, typer.Option(help=OVERLAP)] = None,
    flips: Annotated[bool, typer.Option("--flips", help=FLIPS)] = False,
    turns: Annotated[bool, typer.Option("--turns", help=TURNS)] = False,
    batch: Annotated[int, typer.Option(help="Images of one size segmented at once.", min=1)] = 8,
    resamples: Annotated[int, typer.Option(help="Data sets drawn for the 95 % intervals.", min=100)] = 2000,
    group: Annotated[
        str | None,
        typer.Option(help="Draw images of one group together: sequence (as the data says), or name (less its last number)."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for comparison.html, .json, .md and .csv.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, alone on stdout.")] = False,
) -> None:
    """Compare A and B on the images both could score: the difference of every score with its paired 95 % interval.

    The verdict is in words and by mIoU, or the first score asked for. Images that only one could score are listed and left out
    for both; the exit code is then 1.
    """
    from pixelwise.cli.scoring import tell
    from pixelwise.cli.subject import Running, choose_split, read_to_score
    from pixelwise.core.files import make_folder
    from pixelwise.metrics.interval import Bootstrap
    from pixelwise.metrics.tally import families_of

    names = named(metrics)
    if names is not None:
        families_of(names)
    dataset = read_to_score(data, lists, Path(a), Path(b), void=void, classes=classes)
    chosen = choose_split(dataset, split)
    if chosen.note:
        print(chosen.note, file=sys.stderr)
    asked = told(tile, overlap, flips, turns)
    running = Running(batch, wrap=wrapping(tile, overlap, flips, turns) if asked else None)
    left, right = _opened(a, b, chosen, names, running)
    if out is not None:
        make_folder(out)  # one that cannot be made is told before the work, not after
    found, tallies = _compared(left, right, list(left.metrics), Bootstrap(resamples=resamples, group=group), dataset.notes)
    if asked:
        found = replace(found, about={**found.about, "predicted_with": asked}, notes=(*found.notes, *sentence(asked)))
    if out is not None:
        _write(found, left, right, tallies, out)
    tell(found, as_json, dataset.notes)


def _opened(a: str, b: str, chosen: "Chosen", names: "Sequence[str] | None", running: "Running") -> "tuple[Subject, Subject]":
    """Open both on one choice of samples: where B had to set some aside to be trained on, A is scored on the rest too."""
    from pixelwise.cli.subject import open_subject

    left = open_subject(a, chosen, names, running)
    right = open_subject(b, left.chosen, left.metrics, running)
    if right.chosen is not left.chosen:
        left = open_subject(a, right.chosen, left.metrics, running)
    return left, right


def _compared(
    left: "Subject", right: "Subject", names: list[str], bootstrap: "Bootstrap", notes: tuple[str, ...]
) -> "tuple[Comparison, list[Tally]]":
    from pixelwise.cli.progress import progress_bar
    from pixelwise.metrics.comparison import compare as compared
    from pixelwise.metrics.films import drawn_as
    from pixelwise.metrics.tally import families_of

    families, tallies = families_of(names), []
    drawn = drawn_as(bootstrap, families, left.dataset)
    assert drawn is not None
    for who, subject in (("A", left), ("B", right)):
        with progress_bar(f"{who}: {subject.name}") as progress:
            tallies.append(subject.count(families, drawn.group, progress))
    found = compared(tallies[0], tallies[1], families, names, drawn)
    said = [f"{who}: {note}" for who, subject in (("A", left), ("B", right)) for note in subject.notes]
    about = {"a": left.name, "b": right.name, "data": left.dataset.name, "split": right.chosen.split}
    return replace(found, about=about, notes=(*found.notes, *said, *notes)), tallies


def _write(found: "Comparison", left: "Subject", right: "Subject", tallies: "Sequence[Tally]", out: Path) -> None:
    from pixelwise.core.files import write_json
    from pixelwise.report.comparison import write_comparison
    from pixelwise.report.tables import write_comparison_tables

    write_json(out / "comparison.json", found.to_json())
    write_comparison_tables(out, found)
    a, b = ({} if len(one.names) != found.count else _details(left.metrics, one) for one in tallies)
    write_comparison(out / "comparison.html", found, left.dataset, left.segment, right.segment, (a, b))


def _details(names: "Sequence[str]", one: "Tally") -> "dict[str, Any]":
    """Take the tables that the page draws curves from."""
    from pixelwise.metrics.tally import families_of

    found: dict[str, Any] = {}
    for family, module in families_of(names).items():
        if hasattr(module, "details"):
            found |= module.details(one.counts[family], one.names)
    return found
