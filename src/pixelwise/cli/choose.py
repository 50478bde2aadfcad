"""``pixelwise choose``: which method is good enough for some labelled images, and whether a network is needed."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import ClassesOption, JsonOption, VoidOption

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.jobs.judge import Judge

_LISTS, _RUN = "lists", "network"  # in --out


def choose(
    data: Annotated[Path, typer.Argument(help="Labelled images; a dozen are enough to begin with.", metavar="DATA")],
    metric: Annotated[
        str | None,
        typer.Option(help="One score. Without it: miou for classes, object_f1 for objects, covering_ods for regions."),
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Methods to try, with commas; all without it.", metavar="A,B")] = None,
    minutes: Annotated[float, typer.Option(help="For all methods together, about.")] = 4.0,
    network: Annotated[
        float | None, typer.Option("--network", help="Train a network, too, for so many minutes.", metavar="MINUTES")
    ] = None,
    enough: Annotated[
        float | None, typer.Option(help="The score that is good enough; usual for the metric if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the division of the images.", min=0)] = 0,
    void: VoidOption = None,
    classes: ClassesOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for choose.json, and the network's run if there is one.", metavar="DIR")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try all methods on a few labelled images: one table of score, time and memory, and an answer.

    The answer names the fastest method among those equally good to the best, says whether it is good enough, and whether a
    network is needed at all.
    """
    from pixelwise.cli.progress import progress_bar
    from pixelwise.cli.two_values import read_to_try
    from pixelwise.core.errors import OptionError
    from pixelwise.core.files import write_json
    from pixelwise.jobs.choose import NETWORK
    from pixelwise.jobs.choose import choose as choose_for

    names = [name.strip() for name in methods.split(",") if name.strip()] if methods is not None else []
    if methods is not None and not names:
        raise OptionError("--methods: expected names with commas between them, as in --methods otsu,kmeans; or leave it out")
    _check_places(data, out, network)
    dataset, void = read_to_try(data, void, classes)

    def train(judge: "Judge") -> "Predictor":
        assert network is not None
        assert out is not None
        return _trained(data, void, classes, judge, network, out)

    with progress_bar("choose") as progress:
        found = choose_for(
            dataset,
            metric,
            methods=names,
            minutes=minutes,
            enough=enough,
            train=None if network is None else train,
            seed=seed,
            progress=progress,
        )
    if out is not None:
        write_json(out / "choose.json", found.to_json())
    print(json.dumps(found.to_json(), indent=2, ensure_ascii=False) if as_json else found)
    if not found.chosen:
        print("error: no method could be scored", file=sys.stderr)
        raise typer.Exit(1)
    if problem := next((row.problem for row in found.rows if row.name == NETWORK and row.problem), ""):
        print(f"error: the network could not be scored: {problem}", file=sys.stderr)
        raise typer.Exit(1)


def _check_places(data: Path, out: Path | None, network: float | None) -> None:
    """Refuse now what would be refused only after minutes of work.

    Raises:
        OptionError: the network's minutes are not above 0, or there is no folder for its run.
        StorageError: the folder cannot be made, or holds lists that are not this command's.
        RunInUse: it holds a network's run.
    """
    import math

    from pixelwise.core.errors import OptionError
    from pixelwise.core.files import make_folder
    from pixelwise.curate.split_lists import check_out
    from pixelwise.train.run import RunFolder

    if network is not None and not 0 < network < math.inf:
        raise OptionError(f"--network: expected minutes above 0, got {network:g}")
    if network is not None and out is None:
        raise OptionError("--network: give --out too, a folder for the network's run")
    if out is not None:
        make_folder(out)
    if out is not None and network is not None:
        check_out(out / _LISTS, data)
        RunFolder(out / _RUN).open_new()


def _trained(data: Path, void: str | None, classes: str | None, judge: "Judge", minutes: float, out: Path) -> "Predictor":
    """Train the network usual for the labels on all that may be learned from, by list files; the rest validates it.

    Raises:
        TrainingError: it was interrupted.
    """
    from pixelwise.core.errors import TrainingError
    from pixelwise.core.sample import Dataset
    from pixelwise.curate.split_lists import root_of, write_lists
    from pixelwise.load import load
    from pixelwise.train import start as starting
    from pixelwise.train.options import DataOptions, Recipe, TrainOptions

    both = Dataset([*judge.learn, *judge.held], judge.learn.labels, judge.kind, name=judge.learn.name)
    rows = {"train": range(len(judge.learn)), "val": range(len(judge.learn), len(both))}
    write_lists(both, rows, out / _LISTS, root_of(both, data), {"rule": judge.notes[0]})
    options = DataOptions(path=str(data), void=void or "", classes=classes or "", lists=str(out / _LISTS))
    run, _, _ = starting.start(Recipe(options, train=TrainOptions(minutes=minutes)), out / _RUN, quiet=True)
    if run.stopped == "interrupted":
        raise TrainingError(f"its training was interrupted; go on with: pixelwise train --resume --out {out / _RUN}")
    return load(out / _RUN)
