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
    from pixelwise.curate.fix import Mended

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
FixOption = Annotated[bool, typer.Option("--fix", help="Write a cleaned copy to the new folder --out DIR.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="Page (.html) to write with pictures of what was found; with --fix, a folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]


@app.command("check")
def check_data(
    path: DataPath,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
    out: OutOption = None,
    fix: FixOption = False,
) -> int:
    """Audit a data set, and change nothing in it.

    Told are values and classes, broken files, missing partners, sizes; copies and leaks between splits; blurred, resized and
    swapped masks; images far from the rest; rare and absent classes. Exit code 1 if anything is wrong.
    """
    _check_out(path, out, fix)
    audit = _audit(path, void, classes, format, full=True)
    mended = _mend(audit, out, path) if fix and out is not None else None
    if out is not None and not fix:
        from pixelwise.cli.audit_page import write_page

        write_page(audit, out, _verdict(audit))
    if as_json:
        data = audit.to_json() | ({} if mended is None else {"fixed": mended.to_json()})
        print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print_audit(audit)
        if mended is not None:
            _print_mended(_console(), mended)
        elif out is not None:
            _console().print(f"the page is {out}", soft_wrap=True, markup=False)
    return 0 if audit.clean or (mended is not None and not mended.left) else 1


def _check_out(path: Path, out: Path | None, fix: bool) -> None:
    """Refuse a wrong ``--out`` before minutes are spent on the audit."""
    from pixelwise.core.errors import OptionError
    from pixelwise.curate.fix import check_place

    if fix and out is None:
        raise OptionError("--fix writes a cleaned copy to a new place and never touches the data: say where with --out DIR")
    if out is None:
        return
    if fix:
        check_place(out, path)
    elif out.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--out {out}: expected a page to write, such as audit.html; or add --fix to write a cleaned copy")
    elif out.is_dir():
        raise OptionError(f"--out {out}: expected a page to write, found a folder of that name; choose another name")


def _mend(audit: "Audit", out: Path, path: Path) -> "Mended":
    from pixelwise.curate.fix import write_fixed

    return write_fixed(audit, out, path)


@app.command("info")
def info(
    path: DataPath,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> int:
    """Describe a data set: images, splits, sizes, and the pixels of each class."""
    audit = _audit(path, void, classes, format, full=False)
    pixels: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for row in audit.rows:
        pixels[row.name or "void"] += row.pixels
        images[row.name or "void"] = max(images[row.name or "void"], row.images)
    total = max(sum(pixels.values()), 1)
    painted = [name for name in pixels if name not in audit.labels.names and name != "void"]  # background around objects
    names = [*painted, *audit.labels.names, *(["void"] if pixels["void"] else [])]
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


def _audit(path: Path, void: str | None, classes: str | None, format: str | None, full: bool) -> "Audit":
    from pixelwise.curate.check import check
    from pixelwise.formats import read

    with _Steps() as steps:
        steps("layout", 0, 1)
        dataset = read(path, format=format)
        return check(dataset, void=void, classes=classes, progress=steps, full=full)


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


def _print_audit(audit: "Audit") -> None:
    console = _console()
    _print_head(console, audit)
    _print_values(console, audit)
    _print_problems(console, audit)
    for reason in audit.reasons:
        console.print(f"not settled: {reason.text}", style="bold yellow", soft_wrap=True, markup=False)
        console.print(f"  settle it with {reason.flag}", soft_wrap=True, markup=False)
    console.print(_verdict(audit), style="green" if audit.clean else None, soft_wrap=True, markup=False)


def _print_mended(console: "Console", mended: "Mended") -> None:
    console.print(
        f"the cleaned copy is {mended.folder}: {mended.kept} images, {len(mended.dropped)} left out, "
        f"{len(mended.moved)} taken out of a second split",
        soft_wrap=True,
        markup=False,
    )
    if mended.left:
        console.print(f"not mended: {len(mended.left)}", style="bold", markup=False)
    for problem in mended.left[:_SHOWN]:
        console.print(f"  {problem.text}", soft_wrap=True, markup=False)
    if len(mended.left) > _SHOWN:
        console.print(f"  … and {len(mended.left) - _SHOWN} more (see --json)", markup=False)


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
        table.add_column(name, justify="left" if name in ("class", "found", "") else "right", no_wrap=name != "class")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _print_problems(console: "Console", audit: "Audit") -> None:
    styles = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in (*audit.problems, *audit.notes):
        groups.setdefault((problem.severity, problem.kind), []).append(problem)
    if len(groups) > 1:
        rows = [(severity, kind, str(len(problems))) for (severity, kind), problems in groups.items()]
        _print_table(console, ("", "found", "items"), rows)
    for (severity, kind), problems in groups.items():
        console.print(f"{severity}: {kind}: {len(problems)}", style=styles[severity], markup=False)
        for problem in problems[:_SHOWN]:
            console.print(f"  {problem.text}", soft_wrap=True, markup=False)
        if len(problems) > _SHOWN:
            console.print(f"  … and {len(problems) - _SHOWN} more (see --json)", markup=False)


def _verdict(audit: "Audit") -> str:
    """Sum up the audit in a sentence."""
    told = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in audit.counts.items() if count]
    found = ", ".join(told) or "no problems"
    if audit.clean:
        notes = f" ({found})" if told else ""
        return f"all good: the map is settled and nothing is wrong{notes}"
    tail = f"{found}, {len(audit.dataset) - len(audit.good)} images left out"
    if audit.settled:
        return f"the map is settled; {tail}"
    return f"training will refuse this data until the map is settled{f'; {tail}' if told else ''}"
