"""``pixelwise predict``: images and folders in; id maps, overlays and measurements out."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.machine import COMPILE, DEVICE, PRECISION, batch_on, loaded_on
from pixelwise.cli.opinions import ENSEMBLE, SCALES, UNCERTAINTY, VIEWS, parse_opinions
from pixelwise.cli.progress import Pace, pace_bar
from pixelwise.cli.prompting import BOX, POINT, PROMPTS, prompts_of
from pixelwise.cli.rasters import SIMPLIFY, VECTORS, RasterOptions, parted, say, told
from pixelwise.cli.video import FIRST, FORMAT, RATE, REALTIME, SMOOTH, TRACK, VideoOptions, run_videos, videos_among
from pixelwise.cli.wrapping import FLIPS, JOIN, MEMORY, OVERLAP, REFINE, TILE, TURNS, wrapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pixelwise.core.predictor import Predictor
    from pixelwise.predict.folder import Summary
    from pixelwise.predict.rasters.summary import RasterSummary


def predict(
    model: Annotated[
        str, typer.Argument(help="A run folder, a checkpoint, a method's name such as otsu, or a method file.", metavar="MODEL")
    ],
    inputs: Annotated[list[str], typer.Argument(help="Images, folders, or patterns such as 'scans/*.tif'.", metavar="INPUT…")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.", metavar="DIR")],
    tile: Annotated[str, typer.Option(help=TILE, metavar="H,W")] = "auto",
    overlap: Annotated[int | None, typer.Option(help=OVERLAP)] = None,
    join: Annotated[str, typer.Option(help=JOIN)] = "auto",
    memory: Annotated[str | None, typer.Option(help=MEMORY, metavar="SIZE")] = None,
    flips: Annotated[bool, typer.Option("--flips", help=FLIPS)] = False,
    turns: Annotated[bool, typer.Option("--turns", help=TURNS)] = False,
    views: Annotated[str | None, typer.Option(help=VIEWS, metavar="A,B")] = None,
    scales: Annotated[str | None, typer.Option(help=SCALES, metavar="A,B")] = None,
    ensemble: Annotated[str | None, typer.Option(help=ENSEMBLE, metavar="MODEL,…")] = None,
    uncertainty: Annotated[str | None, typer.Option(help=UNCERTAINTY, metavar="[HOW]")] = None,
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
    batch: Annotated[int, typer.Option(help="Images of one size segmented at once, on each device.", min=1)] = 8,
    device: Annotated[str, typer.Option(help=DEVICE)] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION)] = "auto",
    compiled: Annotated[str, typer.Option("--compile", help=COMPILE)] = "auto",
    vectors: Annotated[str | None, typer.Option("--vectors", help=VECTORS, metavar="gpkg|geojson")] = None,
    simplify: Annotated[float | None, typer.Option("--simplify", help=SIMPLIFY, metavar="IOU")] = None,
    track: Annotated[bool, typer.Option("--track", help=TRACK)] = False,
    smooth: Annotated[str | None, typer.Option(help=SMOOTH, metavar="FORM")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help=REALTIME)] = False,
    video_format: Annotated[str | None, typer.Option("--video-format", help=FORMAT, metavar="A,B")] = None,
    first_mask: Annotated[Path | None, typer.Option("--first-mask", help=FIRST, metavar="FILE")] = None,
    rate: Annotated[float | None, typer.Option(help=RATE)] = None,
    again: Annotated[bool, typer.Option("--again", "--force", help="Segment images that are done already, too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print sizes, tiles, expected time and memory; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Segment images and write masks, overlays, segments.json, segments.csv and failures.json to a folder.

    Started again, it goes on where it stopped: images done with the same model and options are left as they are. A bad image
    is listed at the end and the rest go on; the exit code is then 1.
    """
    from pixelwise.core.predictor import Request
    from pixelwise.methods.predictor import Method
    from pixelwise.predict.folder import Summary
    from pixelwise.predict.folder import predict as predict_folder

    asked = VideoOptions.read(track, smooth, realtime, video_format, first_mask, rate)
    videos = videos_among(
        inputs, asked, binary=binary, time_limit=time_limit, uncertainty=uncertainty, vectors=vectors, simplify=simplify
    )
    pointed = prompts_of(prompts, box or (), point or ())
    opinions = parse_opinions(flips, turns, views, scales, ensemble, uncertainty)
    pace = Pace("images")
    loaded = loaded_on(model, device, precision, compiled, pace)
    if pointed and isinstance(loaded, Method):
        loaded = loaded.for_strokes()

    def opened(other: str) -> "Predictor":
        return loaded_on(other, device, precision, compiled, pace)

    predictor = wrapping(tile, overlap, flips, turns, refine, join, memory, opinions, opened)(loaded)
    Request(threshold=threshold)  # a wrong one is told before the files are looked at
    if videos:
        at_once = batch_on(device, batch)
        run_videos(predictor, videos, out, asked, pointed, threshold, overlay, at_once, again, as_json, dry_run)
        return
    found = parted(inputs, out, as_pictures=binary or bool(pointed) or uncertainty is not None)
    rasters = RasterOptions.of(found, tile, overlap, join, memory, threshold, vectors, simplify, again)
    untiled = wrapping("none", None, flips, turns, refine, opinions=opinions, load=opened)(loaded) if found.rasters else loaded
    shared = {"threshold": threshold, "binary": binary, "overlay": overlay, "again": again, "prompts": pointed}
    if dry_run:
        from pixelwise.cli.planning import tell_plan

        rasters.tell_plans(untiled, as_json)
        if found.rasters and not found.pictures:
            return
        tell_plan(predictor, found.pictures, out, as_json, **shared)
        return
    try:
        summary = Summary(out, 0, 0, ())
        if found.pictures:
            with pace_bar("predict", pace) as progress:
                at_once = batch_on(device, batch)
                more = {"batch": at_once, "time_limit": time_limit, "progress": progress}
                summary = predict_folder(predictor, found.pictures, out, **shared, **more)
        summary, maps = rasters.predict(untiled, out, summary)
    except KeyboardInterrupt:
        print(f"interrupted; what is done is in {out}, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    _tell(summary, maps, as_json)


def _tell(summary: "Summary", rasters: "Sequence[RasterSummary]", as_json: bool) -> None:
    """Print what was done; exit with 1 where an image failed."""
    if as_json:
        print(json.dumps(summary.to_json() | told(rasters), indent=2, ensure_ascii=False))
    else:
        say(rasters)
        print(str(summary).partition("\n")[0])
        for note, images in summary.notes:
            print(f"note: {note} ({images} image{'s' if images > 1 else ''})")
    for file, error in summary.failures:
        print(f"failed: {file}: {error}", file=sys.stderr)
    if summary.failures:
        raise typer.Exit(1)
