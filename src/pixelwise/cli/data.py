"""``pixelwise data``: look at a labelled data set before anything is trained on it."""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.augment import augment_data

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.curate.check import Audit, Problem

app = typer.Typer(help="Check and describe labelled data.", no_args_is_help=True)
app.command("augment")(augment_data)

_SHOWN = 20  # problems of one kind
_SHOWN_VALUES = 64

DataPath = Annotated[Path, typer.Argument(help="Folder of the data set.", metavar="PATH", show_default=False)]
VoidOption = Annotated[
    str | None,
    typer.Option("--void", metavar="VALUES", help="Mask values that mean 'not labelled': 11, '0,255', none, or rest."),
]
ClassesOption = Annotated[
    str | None,
    typer.Option("--classes", metavar="NAMES", help="Class names: a file, names in value order, or value=name,…"),
]
FormatOption = Annotated[str | None, typer.Option("--format", metavar="NAME", help="Label format; found out if not given.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]


@app.command("check")
def check_data(
    path: DataPath,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> int:
    """Audit a data set: values and classes, sizes, missing partners, broken files. Exit code 1 if anything is wrong."""
    audit = _audit(path, void, classes, format)
    if as_json:
        print(json.dumps(audit.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        console = _console()
        _print_head(console, audit)
        _print_values(console, audit)
        _print_problems(console, audit)
        _print_verdict(console, audit)
    return 0 if audit.clean else 1


@app.command("info")
def info(
    path: DataPath,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> int:
    """Describe a data set: images, splits, sizes, and the pixels of each class."""
    audit = _audit(path, void, classes, format)
    pixels: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for row in audit.rows:
        pixels[row.name or "void"] += row.pixels
        images[row.name or "void"] = max(images[row.name or "void"], row.images)
    total = max(sum(pixels.values()), 1)
    names = [*audit.labels.names, *(["void"] if pixels["void"] else [])]
    if as_json:
        figures = {name: {"pixels": pixels[name], "share": pixels[name] / total, "images": images[name]} for name in names}
        data = {key: value for key, value in audit.to_json().items() if key in ("name", "images", "settled", "splits", "sizes")}
        print(json.dumps({**data, "kind": audit.dataset.kind, "classes": figures}, indent=2, ensure_ascii=False))
    else:
        console = _console()
        _print_head(console, audit)
        _print_table(
            console,
            ("class", "pixels", "share", "images"),
            [(name, f"{pixels[name]:,}", f"{100 * pixels[name] / total:.2f} %", str(images[name])) for name in names],
        )
        if not audit.clean:
            console.print(f"run 'pixelwise data check {path}' to see what is wrong with it", soft_wrap=True, markup=False)
    return 0


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _audit(path: Path, void: str | None, classes: str | None, format: str | None) -> "Audit":
    from pixelwise.curate.check import check
    from pixelwise.formats import read

    with _Steps() as steps:
        steps("layout", 0, 1)
        dataset = read(path, format=format)
        return check(dataset, void=void, classes=classes, progress=steps)


class _Steps:
    """Show progress on standard error once the work has taken two seconds: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._told = self._start
        self._on_terminal = sys.stderr.isatty()
        self._drawn = False

    def __enter__(self) -> "_Steps":
        return self

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._start < 2 or now - self._told < (0.1 if self._on_terminal else 5):
            return
        self._told = now
        if self._on_terminal:
            filled = 30 * done // max(of, 1)
            print(f"\r{what:>6} {'━' * filled}{' ' * (30 - filled)} {done}/{of}", end="", file=sys.stderr, flush=True)
            self._drawn = True
        else:
            print(f"reading {what}: {done} of {of}", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)


def _print_head(console: "Console", audit: "Audit") -> None:
    dataset = audit.dataset
    splits = ", ".join(f"{name} {len(rows)}" for name, rows in dataset.splits.items()) or "none"
    sizes = ", ".join(f"{height} x {width} ({count})" for (height, width), count in list(audit.sizes.items())[:4])
    more = f" and {len(audit.sizes) - 4} more" if len(audit.sizes) > 4 else ""
    console.print(f"{dataset.name}: {len(dataset)} images with masks, splits: {splits}", soft_wrap=True, markup=False)
    console.print(f"sizes (height x width): {sizes or 'none could be read'}{more}", soft_wrap=True, markup=False)


def _print_values(console: "Console", audit: "Audit") -> None:
    rows = sorted(audit.rows, key=lambda row: -row.pixels)[:_SHOWN_VALUES]
    kept = {row.value for row in rows}
    _print_table(
        console,
        ("value", "class", "pixels", "share", "images"),
        [
            (row.shown, "(void)" if row.name is None else row.name, f"{row.pixels:,}", _percent(row.share), str(row.images))
            for row in audit.rows
            if row.value in kept
        ],
    )
    if len(audit.rows) > _SHOWN_VALUES:
        console.print(f"… and {len(audit.rows) - _SHOWN_VALUES} rarer values (see --json)", markup=False)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %" if share >= 0.0001 else "< 0.01 %"


def _print_table(console: "Console", header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, justify="left" if name == "class" else "right", no_wrap=name != "class")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _print_problems(console: "Console", audit: "Audit") -> None:
    by_kind: dict[str, list[Problem]] = {}
    for problem in audit.problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    for kind, problems in by_kind.items():
        console.print(f"{kind}: {len(problems)}", style="bold", markup=False)
        for problem in problems[:_SHOWN]:
            console.print(f"  {problem.text}", soft_wrap=True, markup=False)
        if len(problems) > _SHOWN:
            console.print(f"  … and {len(problems) - _SHOWN} more (see --json)", markup=False)


def _print_verdict(console: "Console", audit: "Audit") -> None:
    for reason in audit.reasons:
        console.print(f"not settled: {reason.text}", style="bold yellow", soft_wrap=True, markup=False)
        console.print(f"  settle it with {reason.flag}", soft_wrap=True, markup=False)
    left_out = len(audit.dataset) - len(audit.good)
    if audit.clean:
        console.print("all good: the map is settled and nothing is wrong", style="green", markup=False)
    elif audit.settled:
        console.print(
            f"the map is settled; {len(audit.problems)} problems, {left_out} images left out", soft_wrap=True, markup=False
        )
    else:
        tail = f"; {len(audit.problems)} problems, {left_out} images left out" if audit.problems else ""
        console.print(f"training will refuse this data until the map is settled{tail}", soft_wrap=True, markup=False)
