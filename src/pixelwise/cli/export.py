"""``pixelwise export``: a run as a file of another runtime, with the proof that it does the same."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import ClassesOption, JsonOption, ListsOption, VoidOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixelwise.export.bounds import Bounds
    from pixelwise.jobs.exported import Exported, Wanted
    from pixelwise.jobs.material import Material


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, or a checkpoint with its card beside it.", metavar="RUN")],
    to: Annotated[str, typer.Option("--to", help="Targets, with commas; 'list exporters' names them.", metavar="A,B")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files and parity.json.", metavar="DIR")],
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16 or int8.")] = "fp32",
    output: Annotated[
        str,
        typer.Option(help="What the file gives: classes, or probabilities too (blending, flips and calibration need them)."),
    ] = "classes",
    size: Annotated[str, typer.Option(help="Height and width of the input, fixed; dynamic: any.", metavar="H,W")] = "dynamic",
    batch: Annotated[int, typer.Option(help="Images of one call, fixed; 0: any number.", min=0)] = 0,
    opset: Annotated[int | None, typer.Option(help="Version of ONNX operators; the exporter's usual one without it.")] = None,
    values: Annotated[
        str, typer.Option("--input", help="What the file takes: uint8, or float32 for images of more than 8 bits.")
    ] = "uint8",
    keep: Annotated[
        str | None, typer.Option(help="int8: layers that stay in 32 bits, with commas; patterns as in '*head*'.", metavar="A,B")
    ] = None,
    name: Annotated[str, typer.Option(help="What the files are called, without their endings.")] = "model",
    data: Annotated[
        Path | None, typer.Option(help="Images to prove it on, labelled or not; those of the run without it.", metavar="PATH")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which split; without it val, else test, else all.")] = None,
    lists: ListsOption = None,
    void: VoidOption = None,
    classes: ClassesOption = None,
    images: Annotated[int, typer.Option(help="Images to prove it on, evenly apart; 0: all.", min=0)] = 0,
    bound_equal: Annotated[
        float | None, typer.Option(help="Least share of equal pixels, from 0 to 1; 0.999 in fp32.", min=0, max=1)
    ] = None,
    bound_drop: Annotated[
        float | None, typer.Option(help="Most points the score may fall; 0.1, in int8 0.5.", min=0, max=100)
    ] = None,
    bound_probability: Annotated[
        float | None, typer.Option(help="Most that a probability may differ; 0.01 in fp32.", min=0, max=1)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export a model to other runtimes, and prove each file on real images, from the file to the segmentation.

    A file that differs by more than the bounds is not kept; pictures and figures of what differs are, in DIR/failed. The exit
    code is 1 if a target failed; the others are kept.
    """
    from pixelwise.cli.terminal import print_json
    from pixelwise.core.errors import OptionError
    from pixelwise.jobs.export import check_targets
    from pixelwise.jobs.exported import Wanted

    targets = [one.strip() for one in to.split(",") if one.strip()]
    check_targets(targets)
    if output not in ("classes", "probabilities"):
        from pixelwise.core.errors import nearest

        raise OptionError(f"--output {output}: {nearest(output, ['classes', 'probabilities'])}")
    wanted = Wanted(
        precision=precision,
        probabilities=output == "probabilities",
        values=values,
        size=None if size == "dynamic" else _size(size),
        batch=batch or None,
        opset=opset,
        keep=tuple(part.strip() for part in (keep or "").split(",") if part.strip()),
        name=name,
        bounds=_bounds(precision, bound_equal, bound_drop, bound_probability),
    )
    material = _material(run, data, split, lists, void, classes, images)
    found = _with_progress(run, targets, out, wanted, material)
    if as_json:
        print_json({"run": str(run), "out": str(out), "targets": [one.to_json() for one in found]})
    else:
        _tell(found, out)
    if any(one.problem for one in found):
        raise typer.Exit(1)


def _with_progress(run: Path, targets: "Sequence[str]", out: Path, wanted: "Wanted", material: "Material") -> "list[Exported]":
    """Export to each target; what is being done is told on stderr, with a bar while images are compared."""
    from pixelwise.cli.progress import progress_bar
    from pixelwise.jobs.export import export_each

    found = []
    for target in targets:
        print(f"{target}: exporting", file=sys.stderr, flush=True)
        with progress_bar(f"{target}: proving") as progress:
            found += export_each(run, [target], out, wanted, material, progress=progress)
    return found


def _material(
    run: Path,
    data: Path | None,
    split: str | None,
    lists: Path | None,
    void: str | None,
    classes: str | None,
    images: int,
) -> "Material":
    from pixelwise.core.errors import MissingFile, OptionError
    from pixelwise.jobs.material import material_of, read_or_list

    if not run.exists():
        raise MissingFile(f"{run}: expected a run folder or a checkpoint, found nothing there")
    if data is None and (lists, void, classes) != (None, None, None):
        raise OptionError("--lists, --void and --classes say how --data is read; the run's own data is read as it was taught")
    dataset = None if data is None else read_or_list(data, run, lists, void, classes)
    material = material_of(run, dataset, split=split, images=images or None)
    for note in material.notes:
        print(note, file=sys.stderr)
    return material


def _bounds(precision: str, equal: float | None, points: float | None, probability: float | None) -> "Bounds":
    from dataclasses import replace

    from pixelwise.export.bounds import bounds_of

    given = {"equal": equal, "drop": None if points is None else points / 100, "probability": probability}
    bounds = replace(bounds_of(precision), **{name: value for name, value in given.items() if value is not None})
    return bounds if equal is None else replace(bounds, equal_alone=equal)


def _size(text: str) -> tuple[int, int]:
    from pixelwise.core.errors import OptionError

    try:
        height, width = (int(part) for part in text.split(","))
    except ValueError:
        height = width = 0
    if height < 1 or width < 1:
        raise OptionError(f"--size {text}: expected height and width, as in 360,480, or dynamic")
    return height, width


def _tell(found: "Sequence[Exported]", out: Path) -> None:
    """Print a table with a line a target, then why some failed."""
    from pixelwise.metrics.comparison import words_for

    scores = [one.parity.scores for one in found if one.parity is not None and one.parity.scores is not None]
    name = words_for(scores[0][0]) if scores else "score"
    header = ("target", "file", "MB", "equal pixels", f"{name} of model", "of file", "speed", "proof")
    lines = [header, *(_row(one) for one in found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for one in found:
        for note in one.parity.notes if one.parity is not None else ():
            print(f"{one.target}: {note}")
        if one.problem:
            kept = "" if one.evidence is None else f"; what differs: {one.evidence}"
            print(f"{one.target} failed: {one.problem}{kept}")
    if any(one.path is not None for one in found):
        print(f"proof: {out / 'parity.json'}")


def _row(one: "Exported") -> tuple[str, ...]:
    from pixelwise.export.parity import share_words

    file, size = ("–", "–") if one.path is None else (one.path.name, f"{one.bytes / 1e6:.1f}")
    verdict = "failed" if one.problem else "holds"
    if one.parity is None:
        return (one.target, file, size, "–", "–", "–", "–", verdict)
    model, exported = one.parity.seconds
    scores = one.parity.scores
    told = ("–", "–") if scores is None else (f"{100 * scores[1]:.2f}", f"{100 * scores[2]:.2f}")
    return (one.target, file, size, share_words(one.parity.total.share), *told, f"{model / max(exported, 1e-9):.2f}x", verdict)
