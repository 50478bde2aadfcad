"""``pixelwise bench``: how fast models are on this machine, and which is the fastest that can be trusted."""

from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.options import JsonOption


def bench(
    models: Annotated[
        list[str], typer.Argument(help="Run folders, checkpoints, exported files, methods' names.", metavar="MODEL…")
    ],
    precision: Annotated[
        str, typer.Option(help="Of networks as they were trained, with commas: fp32, bf16. Exported files have their own.")
    ] = "fp32",
    threads: Annotated[
        str | None, typer.Option(help="Cores a model may use, with commas: 1,2. All without it.", metavar="N,…")
    ] = None,
    batch: Annotated[str, typer.Option(help="Images a call, with commas.", metavar="N,…")] = "1",
    size: Annotated[
        list[str] | None, typer.Option("--size", help="Height and width of the images; may be given again.", metavar="H,W")
    ] = None,
    seconds: Annotated[float, typer.Option("--time", help="Seconds of timing for all together, about.")] = 20.0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for bench.csv, .json and .png.", metavar="DIR")] = None,
    as_json: JsonOption = False,
) -> None:
    """Time models in turns, each in a process of its own, by runtime, precision, threads, batch and size.

    The answer names the fastest of those whose proof of export holds, of networks in 32 bits, and of methods. The exit code is
    1 if a model could not be timed.
    """
    from pixelwise.cli.progress import progress_bar
    from pixelwise.cli.terminal import print_json
    from pixelwise.core.errors import OptionError, nearest
    from pixelwise.core.files import make_folder
    from pixelwise.jobs.bench import BenchOptions
    from pixelwise.jobs.bench import bench as time_models

    precisions = tuple(name.strip() for name in precision.split(",") if name.strip())
    if unknown := [name for name in precisions if name not in ("fp32", "bf16")]:
        raise OptionError(f"--precision {unknown[0]}: {nearest(unknown[0], ['fp32', 'bf16'])}; an exported file has its own")
    options = BenchOptions(
        precisions=precisions or ("fp32",),
        threads=_numbers("threads", threads) if threads is not None else (),
        batches=_numbers("batch", batch),
        sizes=tuple(_pair(one) for one in size or ["512,512"]),
        seconds=seconds,
    )
    if out is not None:
        make_folder(out)  # one that cannot be made is told before the work, not after
    with progress_bar("bench") as progress:
        found = time_models(models, options, progress=progress)
    if out is not None:
        found.write(out)
    if as_json:
        print_json(found.to_json())
    else:
        print(found)
    if any(row.problem for row in found.rows):
        raise typer.Exit(1)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    from pixelwise.core.errors import OptionError

    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise OptionError(f"--{name} {text}: expected whole numbers from 1 up with commas between them, as in 1,2")
    return found


def _pair(text: str) -> tuple[int, int]:
    numbers = _numbers("size", text)
    if len(numbers) != 2:
        from pixelwise.core.errors import OptionError

        raise OptionError(f"--size {text}: expected height and width, as in 360,480")
    return numbers[0], numbers[1]
