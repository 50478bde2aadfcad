"""``pixelwise data``: check, describe, convert, prepare, split, merge and fetch labelled data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.augment import augment_data
from pixelwise.cli.convert import convert_data
from pixelwise.cli.download import download_data
from pixelwise.cli.info import info
from pixelwise.cli.merge import merge_data
from pixelwise.cli.options import ClassesOption, DataArgument, FormatOption, JsonOption, ListsOption, VoidOption
from pixelwise.cli.prepare import prepare_data
from pixelwise.cli.split import split_data
from pixelwise.cli.terminal import Steps, console, counted, print_json, print_table, say, say_some
from pixelwise.core.percent import percent

if TYPE_CHECKING:
    from rich.console import Console

    from pixelwise.curate.check import Audit, Problem
    from pixelwise.curate.fix import Mended

app = typer.Typer(help="Check, describe, convert, prepare, split, merge and fetch labelled data.", no_args_is_help=True)
app.command("augment")(augment_data)
app.command("convert")(convert_data)
app.command("download")(download_data)
app.command("info")(info)
app.command("merge")(merge_data)
app.command("prepare")(prepare_data)
app.command("split")(split_data)

_SHOWN = 20  # problems of one kind
_SHOWN_VALUES = 64

FixOption = Annotated[bool, typer.Option("--fix", help="Write a cleaned copy to the new folder --out DIR.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="Page (.html) to write with pictures of what was found; with --fix, a folder."),
]


@app.command("check")
def check_data(
    path: DataArgument,
    void: VoidOption = None,
    classes: ClassesOption = None,
    format: FormatOption = None,
    lists: ListsOption = None,
    as_json: JsonOption = False,
    out: OutOption = None,
    fix: FixOption = False,
) -> int:
    """Audit a data set, and change nothing in it.

    Told are values and classes, broken files, missing partners, sizes; copies and leaks between splits; blurred, resized and
    swapped masks; images far from the rest; rare and absent classes. Exit code 1 if anything is wrong.
    """
    _check_out(path, out, fix)
    audit = _audit(path, void, classes, format, lists)
    mended = _mend(audit, out, path) if fix and out is not None else None
    if out is not None and not fix:
        from pixelwise.cli.audit_page import write_page

        write_page(audit, out, _verdict(audit))
    if as_json:
        data = audit.to_json() | ({} if mended is None else {"fixed": mended.to_json()})
        print_json(data)
    else:
        _print_audit(audit)
        if mended is not None:
            _print_mended(console(), mended)
        elif out is not None:
            say(console(), f"the page is {out}")
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


def _audit(path: Path, void: str | None, classes: str | None, format: str | None, lists: Path | None) -> "Audit":
    from pixelwise.curate.check import check
    from pixelwise.curate.split_lists import read_with_lists

    with Steps() as steps:
        steps("layout", 0, 1)
        return check(read_with_lists(path, lists, format=format), void=void, classes=classes, progress=steps)


def _print_audit(audit: "Audit") -> None:
    terminal = console()
    _print_head(terminal, audit)
    _print_values(terminal, audit)
    _print_problems(terminal, audit)
    for reason in audit.reasons:
        say(terminal, f"not settled: {reason.text}", "bold yellow")
        say(terminal, f"  settle it with {reason.flag}")
    say(terminal, _verdict(audit), "green" if audit.clean else None)


def _print_mended(terminal: "Console", mended: "Mended") -> None:
    say(
        terminal,
        f"the cleaned copy is {mended.folder}: {counted(mended.kept, 'image')}, {len(mended.dropped)} left out, "
        f"{len(mended.moved)} taken out of a second split",
    )
    if mended.left:
        say(terminal, f"not mended: {len(mended.left)}", "bold")
        say_some(terminal, [problem.text for problem in mended.left], _SHOWN, "  ")


def _print_head(terminal: "Console", audit: "Audit") -> None:
    dataset = audit.dataset
    splits = ", ".join(f"{name} {len(rows)}" for name, rows in dataset.splits.items()) or "none"
    sizes = ", ".join(f"{height} x {width} ({count})" for (height, width), count in list(audit.sizes.items())[:4])
    more = f" and {len(audit.sizes) - 4} more" if len(audit.sizes) > 4 else ""
    say(terminal, f"{dataset.name}: {counted(len(dataset), 'image')} with masks, splits: {splits}")
    say(terminal, f"sizes (height x width): {sizes or 'none could be read'}{more}")


def _print_values(terminal: "Console", audit: "Audit") -> None:
    rows = sorted(audit.rows, key=lambda row: -row.pixels)[:_SHOWN_VALUES]
    kept = {row.value for row in rows}
    print_table(
        terminal,
        ("value", "class", "pixels", "share", "images"),
        [
            (row.shown, "(void)" if row.name is None else row.name, f"{row.pixels:,}", percent(row.share), str(row.images))
            for row in audit.rows
            if row.value in kept
        ],
    )
    if len(audit.rows) > _SHOWN_VALUES:
        say(terminal, f"… and {len(audit.rows) - _SHOWN_VALUES} rarer values (see --json)")


def _print_problems(terminal: "Console", audit: "Audit") -> None:
    styles = {"error": "bold red", "warning": "bold yellow", "note": "bold"}
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in (*audit.problems, *audit.notes):
        groups.setdefault((problem.severity, problem.kind), []).append(problem)
    if len(groups) > 1:
        rows = [(severity, kind, str(len(problems))) for (severity, kind), problems in groups.items()]
        print_table(terminal, ("", "found", "items"), rows)
    for (severity, kind), problems in groups.items():
        say(terminal, f"{severity}: {kind}: {len(problems)}", styles[severity])
        say_some(terminal, [problem.text for problem in problems], _SHOWN, "  ")


def _verdict(audit: "Audit") -> str:
    """Sum up the audit in a sentence."""
    told = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in audit.counts.items() if count]
    found = ", ".join(told) or "no problems"
    if audit.clean:
        notes = f" ({found})" if told else ""
        return f"all good: the map is settled and nothing is wrong{notes}"
    tail = f"{found}, {counted(len(audit.dataset) - len(audit.good), 'image')} left out"
    if audit.settled:
        return f"the map is settled; {tail}"
    return f"training will refuse this data until the map is settled{f'; {tail}' if told else ''}"
