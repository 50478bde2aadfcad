"""``pixelwise data merge``: several data sets as one, through an explicit map of their classes."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.convert import (
    AsOption,
    JsonOption,
    StrictOption,
    WorkersOption,
    kind_of,
    print_conversion,
    writing_of,
)
from pixelwise.cli.terminal import Steps, console

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.core.sample import Dataset
    from pixelwise.core.segmentation import Kind
    from pixelwise.curate.merge import Merged

_SHOWN = 20
_DEFAULTS = {"semantic": "masks", "multilabel": "coco", "instance": "coco", "panoptic": "coco_panoptic"}

MapOption = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="MAP",
        help="'a:car=vehicle,b:auto=vehicle,bg=void', or a TOML or JSON file with a table a set; void and drop leave out.",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--to", metavar="FORMAT", help="Format to write; if not given: coco, masks or coco_panoptic, by the kind."),
]


def merge_data(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Two or more data sets, each may be NAME=PATH; last, the folder to make.", metavar="SRC… DST"),
    ],
    map_: MapOption = None,
    to: FormatOption = None,
    as_kind: AsOption = None,
    strict: StrictOption = False,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Merge data sets into a new one; their classes are joined where they have the same name or the map says so.

    Classes that one set alone has are listed, splits of one name are joined, and what was written is proved as by 'data
    convert'. The data sets themselves are never changed.
    """
    from pixelwise.core.errors import OptionError
    from pixelwise.curate.merge import merge
    from pixelwise.curate.merge_map import ClassMap, class_map
    from pixelwise.formats import FORMATS
    from pixelwise.formats.convert import convert, folder_of, require_apart

    if len(paths) < 3:
        raise OptionError(f"expected two or more data sets and the folder to make, got {len(paths)} paths")
    kind = kind_of(as_kind)
    sources, target = _named(paths[:-1]), paths[-1]
    if to is not None:
        _ = FORMATS[to]  # a wrong name is said before minutes are spent on reading
    require_apart(target, list(sources.values()))
    with Steps() as steps:
        steps("layout", 0, 1)
        sets = {name: _read(path) for name, path in sources.items()}
        classes = ClassMap({}, {}) if map_ is None else class_map(map_, list(sets))
        merged = merge(sets, classes, kind)
        writing = replace(writing_of(strict, workers, steps), resume=repr(classes))
        folders = [folder for one in sets.values() for folder in folder_of(one)]
        done = convert(merged.dataset, target, to or _default(merged.dataset.kind), writing=writing, sources=folders)
    if as_json:
        print(json.dumps({"merge": merged.to_json(), **done.to_json()}, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print_merged(console(), merged)
        print_conversion(console(), done)
    return 0 if done.clean else 1


def _named(paths: list[Path]) -> dict[str, Path]:
    """Name the data sets: as said, else after their folders.

    Raises:
        OptionError: two have the same name.
    """
    from pixelwise.core.errors import OptionError

    found: dict[str, Path] = {}
    for path in paths:
        name, sign, rest = str(path).partition("=")
        is_named = bool(sign) and re.fullmatch(r"\w[\w.\-]*", name) is not None and not path.exists()
        place = Path(rest) if is_named else path
        name = name if is_named else place.resolve().stem if place.is_file() else place.resolve().name
        if name in found:
            raise OptionError(f"two data sets are called '{name}': {found[name]} and {place}; name one, as in {name}2={place}")
        found[name] = place
    return found


def _read(path: Path) -> "Dataset":
    """Read a data set whose classes are settled.

    Raises:
        UnsettledLabels: they are not; the message says how to settle them.
    """
    from pixelwise.core.errors import UnsettledLabels
    from pixelwise.formats import read
    from pixelwise.formats.convert import require_settled

    dataset = read(path)
    try:
        require_settled(dataset)
    except UnsettledLabels as error:
        hint = f"pixelwise data convert {path} DST --to masks --void …"
        raise UnsettledLabels(f"{error} Write it settled first, and merge that: {hint}") from None
    return dataset


def _default(kind: "Kind") -> str:
    from pixelwise.core.errors import OptionError
    from pixelwise.formats import FORMATS

    name = _DEFAULTS.get(kind, "")
    if name not in FORMATS:
        name = "coco" if kind == "panoptic" else ""
    if not name:
        raise OptionError(f"say what to write a data set of {kind} to, with --to FORMAT; see 'pixelwise list formats'")
    return name


def _print_merged(terminal: "Console", merged: "Merged") -> None:
    """Print which classes became which, and what to look at."""

    def say(text: str, style: str | None = None) -> None:
        terminal.print(text, style=style, soft_wrap=True, markup=False)

    for new, olds in merged.origins.items():
        if len({old for _, old in olds} | {new}) > 1:
            say(f"joined   {', '.join(f'{name}:{old}' for name, old in olds)} → {new}")
    for name, old, word in merged.left_out:
        say(f"left out {name}:{old} ({'void' if word == 'void' else 'its objects are dropped'})")
    for name in dict.fromkeys(merged.only.values()):
        classes = [one for one, owner in merged.only.items() if owner == name]
        say(f"only in  {name}: {', '.join(classes[:_SHOWN])}{' …' if len(classes) > _SHOWN else ''}")
    for one, other in merged.alike:
        say(f"alike    '{one}' and '{other}' are kept apart; map one to the other if they are the same", "bold yellow")
    for note in merged.notes:
        say(f"note     {note}")
    if merged.renamed:
        new, old = next(iter(merged.renamed.items()))
        say(f"renamed  {len(merged.renamed)} samples whose names clash, such as {old} → {new}")
