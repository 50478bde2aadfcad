"""``pixelwise tune``: search a method's options on labelled images."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import ClassesOption, JsonOption, VoidOption


def tune(
    method: Annotated[str, typer.Argument(help="A method's name, or a method file to start from.", metavar="METHOD")],
    data: Annotated[Path, typer.Argument(help="Labelled images; a few are enough.", metavar="DATA")],
    metric: Annotated[
        str | None,
        typer.Option(help="One score. Without it: miou for classes, object_f1 for objects, covering_ods for regions."),
    ] = None,
    trials: Annotated[int, typer.Option(help="Sets of options that are scored.", min=1)] = 40,
    minutes: Annotated[float | None, typer.Option(help="Search no longer than this.")] = None,
    seed: Annotated[int, typer.Option(help="Of the search and of the division of the images.", min=0)] = 0,
    void: VoidOption = None,
    classes: ClassesOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Method file to write (.toml), or a folder for a method that is trained; METHOD-tuned without it.",
            metavar="FILE",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search the options of a method that score best, and write a file that takes the method's place in every command.

    A part of the images is searched on; on the others, found and first options are compared, and the gain has an interval.
    """
    from pixelwise.cli.progress import progress_bar
    from pixelwise.cli.two_values import read_to_try
    from pixelwise.core.errors import OptionError
    from pixelwise.jobs.tune import tune as search
    from pixelwise.load import load
    from pixelwise.methods.predictor import Method
    from pixelwise.methods.stored import check_place, write_method

    loaded = load(method)
    if not isinstance(loaded, Method):
        raise OptionError(f"tune is for methods, which have options; '{loaded.card.name}' is a network")
    learns = loaded.is_trained or "model" in loaded.options
    place = out or Path(f"{loaded.name}-tuned" if learns else f"{loaded.name}-tuned.toml")
    check_place(loaded, place)
    dataset, _ = read_to_try(data, void, classes)
    with progress_bar(f"tune {loaded.name}") as progress:
        found = search(loaded, dataset, metric, trials=trials, minutes=minutes, seed=seed, progress=progress)
    written = write_method(found.method, place)
    if as_json:
        print(json.dumps({**found.to_json(), "file": str(place)}, indent=2, ensure_ascii=False))
    else:
        print(found)
        print(f"written: {written}")
    if found.gained.failures:
        for name, error in found.gained.failures:
            print(f"failed: {name}: {error}", file=sys.stderr)
        raise typer.Exit(1)
