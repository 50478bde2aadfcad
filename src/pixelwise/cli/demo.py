"""``pixelwise demo``: the whole road on drawn scenes, on any machine, without the internet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pixelwise.metrics.result import Report

TRAIN, VAL, SIZE = 160, 40, (128, 160)
STEPS = 320
MARK = ".pixelwise-demo"  # only a folder with this mark is ever replaced


def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, run and masks.")] = Path("pixelwise-demo"),
    seed: Annotated[int, typer.Option(help="Of the scenes and the training.")] = 0,
) -> int:
    """Draw scenes, check them, train a network, score it against Otsu and k-means, and write masks and a report."""
    import time

    from pixelwise.cli.scoring import write_report
    from pixelwise.core.files import write_json, write_text
    from pixelwise.curate.check import check
    from pixelwise.formats import masks
    from pixelwise.metrics.evaluate import with_about
    from pixelwise.predict.folder import predict
    from pixelwise.predict.network import Network
    from pixelwise.train import start as starting
    from pixelwise.train.options import recipe_from

    began = time.monotonic()
    data, run_folder, results = out / "scenes", out / "run", out / "masks"
    _refuse_strangers(out)
    write_text(out / MARK, "made by pixelwise demo; the next demo may replace this folder\n")
    typer.echo(f"1. drawing {TRAIN + VAL} scenes of {SIZE[0]} x {SIZE[1]} -> {data}")
    masks.write(_scenes(seed), data)
    typer.echo("2. checking them")
    audit = check(data, full=False)
    names = ", ".join(audit.labels.names)
    typer.echo(f"   {len(audit.dataset)} images, {len(audit.labels)} classes: {names}; {len(audit.problems)} problems")
    typer.echo(f"3. training a U-Net -> {run_folder}")
    tables = {
        "data": {"path": str(data)},
        "model": {"name": "unet", "encoder": "tf_efficientnet_lite0"},
        "augment": {"scale": [0.8, 1.25]},
        "train": {"steps": STEPS, "seed": seed, "rate": 2e-3, "validations": 5},
    }
    run, prepared, _ = starting.start(recipe_from(tables), run_folder)
    if run.stopped == "interrupted":
        return 130
    typer.echo("4. scoring it against classical methods")
    network = Network(run.model, precision="32-true")
    reports = _scores(network, prepared.train, prepared.val)
    ours = with_about(reports["U-Net"], {"split": "val"})
    write_json(run_folder / "scores.json", ours.to_json())
    others = {name: report.scores for name, report in reports.items() if name != "U-Net"}
    write_report(ours, network, prepared.val, run_folder, "Pixelwise demo", others)
    _print_table(reports)
    typer.echo(f"5. writing masks and overlays -> {results}")
    predict(network, [data / "images" / file.name for file in _val_files(prepared.val)][:8], results)
    typer.echo(f"done in {time.monotonic() - began:.0f} s. Open {run_folder / 'report.html'}, and look into {results}.")
    return 0


def _refuse_strangers(out: Path) -> None:
    """Make way for a new demo: an earlier one is removed, anything else is not touched.

    Raises:
        RunInUse: the folder holds files that no demo wrote.
    """
    import shutil

    from pixelwise.core.errors import RunInUse

    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    entries = {entry.name for entry in out.iterdir()} if out.is_dir() else set()
    if MARK in entries and entries <= {"scenes", "run", "masks", MARK}:
        shutil.rmtree(out)
        return
    raise RunInUse(f"{out}: expected a new folder or that of an earlier demo, found other files; choose another --out")


def _scenes(seed: int):  # type: ignore[no-untyped-def]  # Dataset, imported only here
    from pixelwise.core.sample import Dataset
    from pixelwise.scenes import scenes

    drawn = scenes(TRAIN + VAL, SIZE, seed=seed)
    splits = {"train": range(TRAIN), "val": range(TRAIN, TRAIN + VAL)}
    return Dataset(drawn.samples, drawn.labels, drawn.kind, splits, drawn.name)


def _scores(network, train, val) -> "dict[str, Report]":  # type: ignore[no-untyped-def]
    from pixelwise.methods.predictor import Method
    from pixelwise.metrics.evaluate import evaluate
    from pixelwise.metrics.majority import match

    reports = {"U-Net": evaluate(network, val)}
    for name in ("otsu", "kmeans"):
        reports[name] = evaluate(match(Method(name), train), val)
    return reports


def _val_files(val):  # type: ignore[no-untyped-def]
    return [sample.source.image for sample in val]


def _print_table(reports: "dict[str, Report]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="validation scenes; methods' segments matched to classes by majority on the training split")
    table.add_column("method")
    for name in ("miou", "pixel_accuracy", "dice"):
        table.add_column(name, justify="right")
    for name, report in reports.items():
        table.add_row(name, *(f"{report[score]:.4f}" for score in ("miou", "pixel_accuracy", "dice")))
    Console().print(table)
