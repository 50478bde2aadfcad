"""``pixelwise data split``: divide a data set into list files, and touch nothing in it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.options import ClassesOption, DataArgument, FormatOption, JsonOption, VoidOption
from pixelwise.cli.terminal import Steps, console, print_table, say

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.curate.split import Split

_LISTED = 20
_CLASSES = 40  # rows of the table of classes, the rarest first


def split_data(
    path: DataArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the lists, outside the data; else none are written.")
    ] = None,
    fractions: Annotated[
        str, typer.Option("--fractions", metavar="SHARES", help="train=0.7,val=0.2,test=0.1, or 70/20/10.")
    ] = "70/20/10",
    group: Annotated[
        str,
        typer.Option(
            "--group",
            metavar="WAY",
            help="What stays together: auto, scene, folder, similarity, none, a key of meta, or a pattern of names: '*_slice*' "
            "(the first * is the group), or a regular expression with a (group).",
        ),
    ] = "auto",
    stratify: Annotated[bool, typer.Option("--stratify/--no-stratify", help="Heed the pixels of each class.")] = True,
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="Decode images, to find copies and overlapping tiles; slower.")
    ] = True,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw.")] = 0,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> int:
    """Divide a data set into lists of images: train.txt, val.txt, test.txt and split.json.

    Each split gets its share of the images and of each class's pixels. Copies, overlapping tiles, and images of one scene,
    sequence or patient stay together. Exit code 1 if an item cannot be read or something leaks between the splits.
    """
    from pixelwise.cli.info import compact_json
    from pixelwise.core.files import make_folder
    from pixelwise.curate.split import make_split, read_fractions
    from pixelwise.curate.split_lists import check_out, root_of, write_lists
    from pixelwise.formats import read

    asked = read_fractions(fractions)
    if out is not None:
        check_out(out, path)
    with Steps() as steps:
        steps("layout", 0, 1)
        dataset = read(path, format=format, void=void, classes=classes)
        root = root_of(dataset, path)
        if out is not None:
            make_folder(out)  # one that cannot be made is told before the work, not after
        made = make_split(dataset, asked, group=group, stratify=stratify, seed=seed, look=look, root=root, progress=steps)
    if out is not None:
        write_lists(dataset, made.rows, out, root, {"data": str(path.resolve()), **made.to_json()})
    if as_json:
        print(compact_json(made.to_json()))
    else:
        _print(console(), made, path, out)
    _list_bad(made)
    return 1 if made.problems or made.leaks else 0


def _print(terminal: "Console", made: "Split", path: Path, out: Path | None) -> None:
    whole = f"{made.dataset.name}: {made.images} images in {len(made.groups)} groups: {made.groups.rule}; seed {made.seed}"
    say(terminal, whole)
    rows: list[tuple[str, ...]] = [
        (name, f"{len(inside):,}", f"{100 * made.fractions[name]:.1f} %", f"{100 * len(inside) / max(made.images, 1):.1f} %")
        for name, inside in made.rows.items()
    ]
    print_table(terminal, ("", "images", "asked", "got"), rows)
    _print_classes(terminal, made)
    for text in (*made.groups.notes, *made.warnings):
        say(terminal, f"note: {text}")
    if made.dataset.splits:
        own = ", ".join(f"{name} {len(rows):,}" for name, rows in made.dataset.splits.items())
        say(terminal, f"note: the data's own splits ({own}) were not heeded")
    if not made.dataset.labels.settled:
        say(terminal, f"note: which value means which class is not settled: see 'pixelwise data check {path}'")
    if not made.looked:
        say(terminal, "note: images were not compared (--no-look): copies may be in two splits")
    if out is None:
        say(terminal, "nothing was written: give --out DIR for the lists")
    else:
        names = ", ".join(f"{name}.txt" for name in made.rows)
        say(terminal, f"written to {out}: {names} and split.json")
        say(terminal, f"look at them: pixelwise data info {path} --lists {out}; train, evaluate and convert take --lists, too")


def _print_classes(terminal: "Console", made: "Split") -> None:
    """Print how each class's pixels are shared out, the rarest class first: it is the hardest to share."""
    names = list(next(iter(made.classes.values()), {}))
    totals = {label: sum(shares[label].pixels for shares in made.classes.values()) for label in names}
    shown = sorted((label for label in names if totals[label]), key=lambda label: totals[label])
    rows = [
        (label, f"{totals[label]:,}", *(f"{100 * shares[label].of_class:.1f} %" for shares in made.classes.values()))
        for label in shown[:_CLASSES]
    ]
    if rows:
        print_table(terminal, ("class", "pixels", *made.rows), rows)
    if len(shown) > _CLASSES:
        say(terminal, f"… and {len(shown) - _CLASSES} more frequent classes (see --json)")


def _list_bad(made: "Split") -> None:
    """List on standard error what leaks and what could not be read."""
    for text in [one.text for one in made.leaks][:_LISTED]:
        print(text, file=sys.stderr)
    for text in made.problems[: 5 * _LISTED]:
        print(f"wrong: {text}", file=sys.stderr)
    hidden = max(0, len(made.leaks) - _LISTED) + max(0, len(made.problems) - 5 * _LISTED)
    if hidden:
        print(f"… and {hidden} more (see --json)", file=sys.stderr)
