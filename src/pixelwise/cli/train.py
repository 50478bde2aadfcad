"""``pixelwise train``: a labelled folder (or a recipe) in, a run folder out."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pixelwise.train.options import Recipe


def train(
    recipe: Annotated[Path | None, typer.Argument(help="A run file (TOML); flags override it.")] = None,
    data: Annotated[str | None, typer.Option(help="The labelled folder.")] = None,
    model: Annotated[str | None, typer.Option(help="The network: see 'pixelwise list models'.")] = None,
    kind: Annotated[str | None, typer.Option(help="semantic, instance or panoptic; the labels' kind unless given.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The encoder: 'plain', or a timm or smp name.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to fill; becomes a number of steps after a short warm-up.")
    ] = None,
    void: Annotated[str | None, typer.Option(help="Mask values that mean 'not labelled': 11, 0,255, none or rest.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class names in value order, value=name pairs, or a file.")] = None,
    split: Annotated[str | None, typer.Option(help="Validate on this split, or keep this fraction aside.")] = None,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/run"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="table.key=value, as in train.rate=5e-4; repeatable.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out exactly where it stopped; start it if there is none.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Train a network, score it, and write report.html. Bad label maps are stopped before a minute is spent."""
    from pixelwise.train import start as starting

    flags = {
        "data": {"path": data, "void": void, "classes": classes, "val": split},
        "model": {"name": model, "kind": kind, "encoder": encoder},
        "train": {"epochs": epochs, "minutes": minutes, "device": device, "seed": seed},
    }
    is_open = resume and (out / "recipe.toml").is_file()
    if (
        is_open
        and not quiet
        and (recipe is not None or set_ or any(v is not None for one in flags.values() for v in one.values()))
    ):
        typer.echo(f"resuming {out} with the recipe it was started with; the options given now are not used", err=True)
    if is_open or (resume and recipe is None and data is None):
        run, prepared, done = starting.resume(out, quiet)
    else:
        run, prepared, done = starting.start(_recipe(recipe, flags, set_ or []), out, quiet)
    if run.stopped == "interrupted":
        return 130
    _score(run, prepared, out, done.train.device, quiet)
    left_out = [problem for problem in prepared.audit.problems if problem.fatal]
    for problem in left_out:
        print(f"left out: {problem.text}", file=sys.stderr)
    return 1 if left_out else 0


def _recipe(path: Path | None, flags: dict[str, dict[str, Any]], settings: list[str]) -> "Recipe":
    """Put a recipe together: the file, then flags, then ``--set``."""
    from pixelwise.core.options import override, read_toml
    from pixelwise.train.options import recipe_from

    tables = read_toml(path) if path is not None else {}
    recipe_from(tables, str(path))  # a table that is none is told with the file's name
    for name, given in flags.items():
        said = {key: value for key, value in given.items() if value is not None}
        if said.keys() & {"epochs", "minutes"}:  # a flag says how long; what the file said of that no longer holds
            tables[name] = {
                key: value for key, value in tables.get(name, {}).items() if key not in ("epochs", "minutes", "steps")
            }
        tables[name] = {**tables.get(name, {}), **said}
    return recipe_from(override(tables, settings), str(path or "options"))


def _score(run: Any, prepared: Any, out: Path, device: str, quiet: bool) -> None:
    """Score the best weights on the validation data and write the report."""
    from pixelwise.cli.scoring import score_and_report
    from pixelwise.core.files import write_json
    from pixelwise.predict.network import Network

    done = {"steps": run.progress.step, "best_step": run.progress.best_step}
    run.model.card = replace(run.model.card, training={**run.model.card.training, **done})
    network = Network(run.model, device, "32-true")
    if len(prepared.val):
        report = score_and_report(network, prepared.val, out, quiet)
        run.model.card = replace(run.model.card, training={**run.model.card.training, "val_miou": report["miou"]})
    write_json(out / "card.json", run.model.card.to_json())
