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
    model: Annotated[
        str | None,
        typer.Option(help="The network: see 'pixelwise list models'; or a method that learns: randomforest, ragmerge."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="semantic, multilabel, instance or panoptic; the labels' kind unless given.")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="The encoder: 'plain', or a timm or smp name.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start from a run folder, a weight file, imagenet, none, timm:NAME[.TAG], torchvision:NAME[.TAG], smp:TAG, or "
            "a whole network: hub:OWNER/NAME, detectron2:FILE, mmdet:FILE, where its page says so."
        ),
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(help="Encoder stages that do not learn: a number, from the finest, or 'encoder'.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to fill; becomes a number of steps after a short warm-up.")
    ] = None,
    void: Annotated[str | None, typer.Option(help="Mask values that mean 'not labelled': 11, 0,255, none or rest.")] = None,
    classes: Annotated[str | None, typer.Option(help="Class names in value order, value=name pairs, or a file.")] = None,
    split: Annotated[str | None, typer.Option(help="Validate on this split, or keep this fraction aside.")] = None,
    lists: Annotated[str | None, typer.Option(metavar="DIR", help="Splits of these list files, as of 'data split'.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="Cross-validate: so many runs in OUT/fold_1 …, scored out of fold; --minutes is for all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/run"),
    set_: Annotated[list[str] | None, typer.Option("--set", help="table.key=value, as in train.rate=5e-4; repeatable.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out exactly where it stopped; start it if there is none.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Train nothing: try learning rates, write OUT/find_rate.png, suggest one.")
    ] = False,
    find_batch: Annotated[
        bool, typer.Option("--find-batch", help="Train nothing: try batches; give the largest that fits and the fastest.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Train a network, score it, and write report.html. Bad label maps are stopped before a minute is spent.

    A method that learns (randomforest, ragmerge) is trained by the same command; its options are given as model.trees=60.
    """
    from pixelwise.jobs.train_method import is_method
    from pixelwise.train import start as starting
    from pixelwise.train.devices import leads
    from pixelwise.train.options import read_recipe

    flags = {
        "data": {"path": data, "void": void, "classes": classes, "lists": lists, "val": split, "folds": folds},
        "model": {"name": model, "kind": kind, "encoder": encoder, "weights": weights},
        "train": {"epochs": epochs, "minutes": minutes, "device": device, "seed": seed, "freeze": _number(freeze)},
    }
    if find_lr or find_batch:
        from pixelwise.cli.trials import find

        return find(_recipe(recipe, flags, set_ or []), out, find_lr, find_batch, quiet)
    is_open = resume and (out / "recipe.toml").is_file()
    place, set_ = _place(flags, set_ or []) if is_open else ({}, set_)
    if (
        is_open
        and not quiet
        and (recipe is not None or set_ or any(v is not None for one in flags.values() for v in one.values()))
    ):
        typer.echo(f"resuming {out} with the recipe it was started with; the options given now are not used", err=True)
    given = None if is_open or (resume and recipe is None and data is None) else _recipe(recipe, flags, set_ or [])
    if given is not None and is_method(given):
        return _method(given, out, quiet)
    asked = read_recipe(out / "recipe.toml").data if is_open else given.data if given is not None else None
    if asked is not None and asked.folds and not asked.fold:
        return _cross_validate(given, out, resume, quiet)
    run, prepared, done = starting.resume(out, quiet, place) if given is None else starting.start(given, out, quiet)
    if run.stopped == "interrupted":
        return 130
    if not leads(done.train):  # of several processes, one scores and reports
        return 0
    _score(run, prepared, out, done.train.device, quiet)
    return _left_out(prepared.audit)


def _place(flags: dict[str, dict[str, Any]], settings: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Take out what says where a resumed run is computed, which may change; leave what says what it is, which may not."""
    from pixelwise.core.options import override
    from pixelwise.train.options import PLACE

    device = flags["train"].pop("device")
    ours = [
        one for one in settings if one.partition("=")[0].strip().removeprefix("train.") in PLACE and one.startswith("train.")
    ]
    place = override({}, ours).get("train", {}) | ({"device": device} if device is not None else {})
    return place, [one for one in settings if one not in ours]


def _method(recipe: "Recipe", out: Path, quiet: bool) -> int:
    """Train a method that learns, score it on the validation data, and write the report."""
    from pixelwise.cli.scoring import score_and_report
    from pixelwise.jobs.train_method import train_method
    from pixelwise.metrics.settle import unknown_to

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    trained, prepared = train_method(recipe, out, say)
    if len(prepared.val) and (trained.card.kind == "regions" or not unknown_to(trained.card.labels, prepared.val)):
        score_and_report(trained, prepared.val, out, quiet)
    return _left_out(prepared.audit)


def _cross_validate(recipe: "Recipe | None", out: Path, resume: bool, quiet: bool) -> int:
    """Train and score all folds; each fold's run is scored and reported as any other is."""
    from pixelwise.jobs.folds import cross_validate

    audits = []

    def finish(run: Any, prepared: Any, done: "Recipe", folder: Path) -> None:
        _score(run, prepared, folder, done.train.device, quiet)
        audits.append(prepared.audit)

    found = cross_validate(recipe, out, resume, quiet, finish)
    if found.stopped:
        return 130
    if not quiet:
        print(f"\nout of fold, {found}\n\nfolds: {out / 'folds.json'}\nreport: {out / 'report.html'}")
    return _left_out(audits[-1])


def _left_out(audit: Any) -> int:
    """List what could not be trained on; give the exit code that says whether there was any."""
    problems = [problem for problem in audit.problems if problem.fatal]
    for problem in problems:
        print(f"left out: {problem.text}", file=sys.stderr)
    return 1 if problems else 0


def _number(text: str | None) -> int | str | None:
    """Read a whole number where there is one."""
    return int(text) if text is not None and text.lstrip("-").isdigit() else text


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
    from pixelwise.predict.network import Network, with_agreement
    from pixelwise.train.goal import goal_of

    done = {"steps": run.progress.step, "best_step": run.progress.best_step}
    run.model.card = replace(run.model.card, training={**run.model.card.training, **done})
    network = Network(run.model, device, "32-true")
    if len(prepared.val):
        report = score_and_report(network, prepared.val, out, quiet)
        main = goal_of(run.model.card.kind).main
        run.model.card = replace(run.model.card, training={**run.model.card.training, f"val_{main}": report[main]})
        run.model.card = with_agreement(network, (sample.image for sample in prepared.val[:: max(1, len(prepared.val) // 16)]))
    write_json(out / "card.json", run.model.card.to_json())
