"""``pixelwise predict``: images and folders in; id maps, overlays and measurements out."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.cli.prompting import BOX, POINT, PROMPTS, prompts_of
from pixelwise.cli.wrapping import FLIPS, OVERLAP, REFINE, TILE, TURNS, wrapping


def predict(
    model: Annotated[
        str, typer.Argument(help="A run folder, a checkpoint, a method's name such as otsu, or a method file.", metavar="MODEL")
    ],
    inputs: Annotated[list[str], typer.Argument(help="Images, folders, or patterns such as 'scans/*.tif'.", metavar="INPUT…")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.", metavar="DIR")],
    tile: Annotated[str, typer.Option(help=TILE, metavar="H,W")] = "auto",
    overlap: Annotated[int | None, typer.Option(help=OVERLAP)] = None,
    flips: Annotated[bool, typer.Option("--flips", help=FLIPS)] = False,
    turns: Annotated[bool, typer.Option("--turns", help=TURNS)] = False,
    refine: Annotated[str | None, typer.Option(help=REFINE, metavar="A,B")] = None,
    prompts: Annotated[Path | None, typer.Option("--prompts", help=PROMPTS, metavar="FILE")] = None,
    box: Annotated[list[str] | None, typer.Option("--box", help=BOX, metavar="L,T,R,B")] = None,
    point: Annotated[list[str] | None, typer.Option("--point", help=POINT, metavar="X,Y[,out]")] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(help="Seconds for an image; one that a method's loops take longer for is listed as failed.", metavar="S"),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Foreground above this probability (one-class models), from 0 to 1.")
    ] = None,
    binary: Annotated[bool, typer.Option("--binary", help="Write the one foreground class as 0 and 255.")] = False,
    overlay: Annotated[bool, typer.Option(help="Draw <stem>_overlay.jpg.")] = True,
    batch: Annotated[int, typer.Option(help="Images of one size segmented at once.", min=1)] = 8,
    again: Annotated[bool, typer.Option("--again", "--force", help="Segment images that are done already, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Segment images and write masks, overlays, segments.json, segments.csv and failures.json to a folder.

    Started again, it goes on where it stopped: images done with the same model and options are left as they are. A bad image
    is listed at the end and the rest go on; the exit code is then 1.
    """
    from pixelwise.cli.progress import progress_bar
    from pixelwise.load import load
    from pixelwise.methods.predictor import Method
    from pixelwise.predict.folder import predict as predict_folder

    pointed = prompts_of(prompts, box or (), point or ())
    loaded = load(model)
    if pointed and isinstance(loaded, Method):
        loaded = loaded.for_strokes()
    predictor = wrapping(tile, overlap, flips, turns, refine)(loaded)
    try:
        with progress_bar("predict") as progress:
            summary = predict_folder(
                predictor,
                inputs,
                out,
                threshold=threshold,
                binary=binary,
                overlay=overlay,
                batch=batch,
                again=again,
                prompts=pointed,
                time_limit=time_limit,
                progress=progress,
            )
    except KeyboardInterrupt:
        print(f"interrupted; what is done is in {out}, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(summary.to_json(), indent=2, ensure_ascii=False))
    else:
        print(str(summary).partition("\n")[0])
        for note, images in summary.notes:
            print(f"note: {note} ({images} image{'s' if images > 1 else ''})")
    for file, error in summary.failures:
        print(f"failed: {file}: {error}", file=sys.stderr)
    if summary.failures:
        raise typer.Exit(1)
