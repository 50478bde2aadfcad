"""``pixelwise data prepare``: full truth for every image, ready to be trained on."""

from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import (
    FormatOption,
    JsonOption,
    ListsOption,
    SourceArgument,
    StrictOption,
    TargetArgument,
    VoidOption,
)
from pixelwise.cli.terminal import (
    INDENT,
    RESUMES,
    Steps,
    console,
    counted,
    named_classes,
    print_json,
    say,
    say_failed,
    say_some,
)

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.core.arrays import Size
    from pixelwise.curate.prepare import Prepared
    from pixelwise.curate.prepare_options import PrepareOptions

_SHOWN = 20

KeptOption = Annotated[str | None, typer.Option("--classes", metavar="A,B", help="Keep these; the rest is background.")]
MergeOption = Annotated[
    str | None,
    typer.Option("--merge", metavar="MAP", help="car=vehicle,truck=vehicle, or a .toml or .json file; =void: not counted."),
]
AreaOption = Annotated[int, typer.Option("--min-area", min=0, help="Leave out objects of fewer pixels, and count them.")]
ResizeOption = Annotated[str | None, typer.Option("--resize", metavar="H,W", help="Resize images and masks.")]
SideOption = Annotated[int | None, typer.Option("--max-side", min=1, help="Reduce images whose longer side is longer.")]
TileOption = Annotated[str | None, typer.Option("--tile", metavar="H,W", help="Cut into tiles; each remembers its scene.")]
OverlapOption = Annotated[int, typer.Option("--overlap", min=0, help="Pixels that neighbouring tiles share at least.")]
BinaryOption = Annotated[bool, typer.Option("--binary", help="Two classes in one channel: background 0 and foreground 1.")]
CopyOption = Annotated[bool, typer.Option("--copy", help="Copy photos; else they are linked where the file system can.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; the result is the same. One a core.")]


def prepare_data(
    source: SourceArgument,
    target: TargetArgument,
    classes: KeptOption = None,
    merge: MergeOption = None,
    min_area: AreaOption = 0,
    resize: ResizeOption = None,
    max_side: SideOption = None,
    tile: TileOption = None,
    overlap: OverlapOption = 0,
    binary: BinaryOption = False,
    copy: CopyOption = False,
    split: Annotated[str | None, typer.Option(help="Prepare this split alone.")] = None,
    lists: ListsOption = None,
    void: VoidOption = None,
    names: Annotated[str | None, typer.Option("--class-names", metavar="NAMES", help="As --classes of 'data check'.")] = None,
    format: FormatOption = None,
    workers: WorkersOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> int:
    """Write class maps, segment maps and run lengths for every image; photos are linked, not encoded again.

    Objects are painted as classes by one rule: smaller over larger, crowds void. What is wrong with the labels is left out and
    listed; exit code 1 then. A preparation that was killed goes on when the same command is given again.
    """
    from pixelwise.curate.prepare import prepare, workers_for
    from pixelwise.curate.prepare_options import PrepareOptions, merge_of
    from pixelwise.curate.split_lists import read_with_lists
    from pixelwise.formats.convert import require_apart
    from pixelwise.formats.writing import Writing

    options = PrepareOptions(
        classes=tuple(one.strip() for one in classes.split(",") if one.strip()) if classes else (),
        merge=merge_of(merge) if merge else {},
        min_area=min_area,
        size=_size(resize, "--resize"),
        max_side=max_side,
        tile=_size(tile, "--tile"),
        overlap=overlap,
        binary=binary,
        copy=copy,
    )
    require_apart(target, [source])
    with Steps(RESUMES) as steps:
        steps("layout", 0, 1)
        dataset = read_with_lists(source, lists, format=format, void=void, classes=names, split=split)
        writing = Writing(strict=strict, progress=steps, workers=workers or workers_for(dataset, options))
        done = prepare(dataset, target, options, writing, [source])
    if as_json:
        print_json(done.to_json())
    else:
        _print(console(), done, options)
    return 0 if done.clean else 1


def _size(text: str | None, flag: str) -> "Size | None":
    from pixelwise.core.errors import OptionError

    if text is None:
        return None
    parts = [part.strip() for part in text.lower().replace("x", ",").split(",")]
    if len(parts) > 2 or not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise OptionError(f"{flag} {text}: expected height,width in pixels as in {flag} 512,768, or one number for a square")
    return int(parts[0]), int(parts[-1])


def _print(terminal: "Console", done: "Prepared", options: "PrepareOptions") -> None:
    """Print what was read and written, what was left out, and what was wrong."""
    written = done.written
    say(terminal, f"read     {done.name}: {counted(done.read, 'image')}")
    say_some(terminal, [note for note in done.notes if note not in done.failed], _SHOWN, INDENT, "more notes")
    what = f"{counted(written.images, 'image')}, {counted(written.segments, 'segment')} in {named_classes(done.classes)}"
    say(terminal, f"written  {done.folder} ({done.kind}): {what}")
    if options.changes_images:
        say(terminal, f"{INDENT}images that were cut or resized are PNG, without loss; others are the files they were")
    if done.rule:
        say(terminal, f"rule     {done.rule}")
    for what, number in written.counts.items():
        say(terminal, f"left out {number:,} {what}")
    if written.dropped:
        say(terminal, f"dropped  {len(written.dropped):,}: what a prepared set cannot hold")
        say_some(terminal, written.dropped, _SHOWN, INDENT)
    say_failed(terminal, done.failed)
    say(terminal, f"train on it: pixelwise train --data {done.folder}")
