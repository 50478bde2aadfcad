"""``pixelwise calibrate``: make a model's probabilities mean what they say."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import ClassesOption, JsonOption, ListsOption, VoidOption


def calibrate(
    run: Annotated[Path, typer.Argument(help="A run folder, or a checkpoint with its card beside it.", metavar="RUN")],
    data: Annotated[Path | None, typer.Argument(help="Labelled images; those of the run without it.", metavar="[DATA]")] = None,
    split: Annotated[str | None, typer.Option(help="Which split; without it val, else test, else all.")] = None,
    lists: ListsOption = None,
    void: VoidOption = None,
    classes: ClassesOption = None,
    seed: Annotated[int, typer.Option(help="Of the pixels that are looked at.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit a temperature on validation images and keep it in the run's card: predict, evaluate and exports then apply it.

    Classes stay what they were; their probabilities become those with which they are right.
    """
    from pixelwise.cli.progress import progress_bar
    from pixelwise.cli.subject import choose_split, read_to_score
    from pixelwise.core.errors import MissingFile, OptionError
    from pixelwise.curate.held_out import data_of
    from pixelwise.jobs.calibrate import calibrate as fit_temperature

    if not run.exists():
        raise MissingFile(f"{run}: expected a run folder or a checkpoint, found nothing there")
    if data is None:
        stated = data_of(run)
        if not stated.get("path"):
            raise OptionError(
                f"{run}: its recipe does not say what data it was trained on; give it: pixelwise calibrate {run} DATA"
            )
        data = Path(stated["path"])
        lists = lists or (Path(stated["lists"]) if stated.get("lists") else None)
        void, classes = void or stated.get("void") or None, classes or stated.get("classes") or None
    chosen = choose_split(read_to_score(data, lists, run, void=void, classes=classes), split)
    notes = [chosen.note.replace("scoring", "taking")] if chosen.note else []
    if chosen.split in ("train", "all"):
        notes.append("the images may include those the model was trained on, of which it is rightly sure: --split names others")
    for note in notes:
        print(note, file=sys.stderr)
    with progress_bar("calibrate") as progress:
        found = fit_temperature(run, chosen.dataset, seed=seed, progress=progress)
    if as_json:
        print(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        print(f"{found}\nwritten: {run if run.is_dir() else run.parent}/card.json")
    for name, error in found.failures:
        print(f"failed: {name}: {error}", file=sys.stderr)
    if found.failures:
        raise typer.Exit(1)
