"""``pixelwise data merge``: several data sets as one, through an explicit map of their classes."""

import os.path
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.convert import AsOption, kind_of, print_conversion, writing_of
from pixelwise.cli.options import JsonOption, StrictOption, WorkersOption
from pixelwise.cli.terminal import RESUMES, Steps, console, counted, print_json, say

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
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="FORMAT", help="Format to write; if not given: coco, masks or coco_panoptic, by the kind."),
]
VoidOption = Annotated[
    list[str] | None,
    typer.Option("--void", metavar="[SET:]VALUES", help="Mask values that mean 'not labelled', of one set or all; repeatable."),
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option("--classes", metavar="[SET:]NAMES", help="Class names, as for 'data check', of a set or of all; repeatable."),
]
FormatOption = Annotated[
    list[str] | None,
    typer.Option("--format", metavar="[SET:]NAME", help="Label format of a set or of all; found out if not given; repeatable."),
]


def merge_data(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Two or more data sets, each may be NAME=PATH; last, the folder to make.", metavar="SRC… DST"),
    ],
    map_: MapOption = None,
    to: ToOption = None,
    as_kind: AsOption = None,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    strict: StrictOption = False,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Merge data sets into a new one; their classes are joined where they have the same name or the map says so.

    Classes that one set alone has are listed, splits of one name are joined, and what was written is proved as by 'data
    convert'. The data sets themselves are never changed. --void 11 is of all sets, --void a:11 of the one that is called a.
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
    options = (("--void", void), ("--classes", classes), ("--format", format))
    voids, names, formats = (by_set(said or (), list(sources), flag) for flag, said in options)
    table = ClassMap({}, {}) if map_ is None else class_map(map_, list(sources))
    with Steps(RESUMES) as steps:
        steps("layout", 0, 1)
        sets = {name: _read(name, path, voids.get(name), names.get(name), formats.get(name)) for name, path in sources.items()}
        merged = merge(sets, table, kind)
        resume = repr((table, [one.labels.to_json() for one in sets.values()]))  # the merged labels do not tell these
        writing = replace(writing_of(strict, workers, steps), resume=resume)
        folders = [folder for one in sets.values() for folder in folder_of(one)]
        done = convert(merged.dataset, target, to or _default(merged.dataset.kind), writing=writing, sources=folders)
    if as_json:
        print_json({"merge": merged.to_json(), **done.to_json()})
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


def by_set(values: Iterable[str], sets: Sequence[str], flag: str) -> dict[str, str]:
    """Say which value an option has for which set: ``SET:VALUE`` is of one, a value alone of all others.

    >>> by_set(["11", "new:0,255"], ["old", "new"], "--void")
    {'old': '11', 'new': '0,255'}

    Raises:
        OptionError: there is no such set, or two values are of one.
    """
    from pixelwise.core.errors import OptionError, nearest

    own: dict[str, str] = {}
    of_all: dict[str, str] = {}
    for text in values:
        name, colon, rest = text.partition(":")
        if colon and name not in sets and re.fullmatch(r"\w[\w.\-]+", name) and not os.path.isfile(text):
            raise OptionError(f"{flag} {text}: no data set is called '{name}'; {nearest(name, sets)}")
        found, said = ({name: rest}, own) if colon and name in sets else (dict.fromkeys(sets, text), of_all)
        if found.keys() & said.keys():
            raise OptionError(f"{flag} {text}: said twice of the same data; join the two with a comma, or name a set: SET:…")
        said |= found
    return of_all | own


def _read(name: str, path: Path, void: str | None, classes: str | None, format: str | None) -> "Dataset":
    """Read a data set whose classes are settled.

    Raises:
        UnsettledLabels: they are not; the message says how to settle them.
    """
    from pixelwise.core.errors import UnsettledLabels
    from pixelwise.formats import read
    from pixelwise.formats.convert import require_settled

    dataset = read(path, void=void, classes=classes, format=format)
    try:
        require_settled(dataset)
    except UnsettledLabels as error:
        raise UnsettledLabels(f"{error} Of this set alone it is said as --void {name}:…") from None
    return dataset


def _default(kind: "Kind") -> str:
    from pixelwise.core.errors import OptionError

    if kind not in _DEFAULTS:
        raise OptionError(f"say what to write a data set of {kind} to, with --to FORMAT; see 'pixelwise list formats'")
    return _DEFAULTS[kind]


def _print_merged(terminal: "Console", merged: "Merged") -> None:
    """Print which classes became which, and what to look at."""
    for new, olds in merged.origins.items():
        if len({old for _, old in olds} | {new}) > 1:
            say(terminal, f"joined   {', '.join(f'{name}:{old}' for name, old in olds)} → {new}")
    for name, old, word in merged.left_out:
        say(terminal, f"left out {name}:{old} ({'void' if word == 'void' else 'its objects are dropped'})")
    for name in dict.fromkeys(merged.only.values()):
        classes = [one for one, owner in merged.only.items() if owner == name]
        say(terminal, f"only in  {name}: {', '.join(classes[:_SHOWN])}{' …' if len(classes) > _SHOWN else ''}")
    for one, other in merged.alike:
        say(terminal, f"alike    '{one}' and '{other}' stay apart; map one to the other if they are the same", "bold yellow")
    for note in merged.notes:
        say(terminal, f"note     {note}")
    if merged.renamed:
        new, old = next(iter(merged.renamed.items()))
        say(terminal, f"renamed  {counted(len(merged.renamed), 'sample')} whose names clash, such as {old} → {new}")
