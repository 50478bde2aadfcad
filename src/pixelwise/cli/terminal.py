"""What commands print with: the console, lines, tables, JSON, and progress once the work has taken two seconds."""

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

RESUMES = "what is done is kept, and the same command goes on from there"
INDENT = " " * 11  # of what belongs to the line above, below its text
_SHOWN_FAILED = 20


def console() -> "Console":
    """Give the terminal, or the file that the output goes to."""
    from rich.console import Console

    return Console(highlight=False)


def say(terminal: "Console", text: str, style: str | None = None) -> None:
    """Print a line as it is, however long."""
    terminal.print(text, style=style, soft_wrap=True, markup=False)


def say_some(terminal: "Console", sentences: Sequence[str], most: int, before: str = "", of: str = "more") -> None:
    """Print the first sentences, a line each, and how many are not shown."""
    for sentence in sentences[:most]:
        say(terminal, f"{before}{sentence}")
    if len(sentences) > most:
        say(terminal, f"{before}… and {len(sentences) - most:,} {of} (see --json)")


def say_failed(terminal: "Console", failed: Sequence[str]) -> None:
    """Print what was wrong in a source, if anything was."""
    if failed:
        say(terminal, f"failed   {len(failed):,}: wrong in the source, and left out", "bold red")
        say_some(terminal, failed, _SHOWN_FAILED, INDENT)


def print_json(data: Any) -> None:
    """Print JSON values on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    >>> counted(1, "image"), counted(1200, "class")
    ('1 image', '1,200 classes')
    """
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def named_classes(names: Sequence[str]) -> str:
    """Write how many classes there are, and the first of their names."""
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return counted(len(names), "class") + (f" ({shown})" if names else "")


def print_table(terminal: "Console", header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table; columns of words stand to the left, those of figures to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, justify="left" if name in ("class", "found", "") else "right", no_wrap=name != "class")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    terminal.print(table)


class Steps:
    """Show progress on standard error once the work has taken two seconds: a bar on a terminal, plain lines elsewhere.

    Where Ctrl-C ends the work, ``kept`` says what of it is there.
    """

    def __init__(self, kept: str = "nothing was written") -> None:
        self._kept = kept
        self._start = time.monotonic()
        self._told = self._start
        self._on_terminal = sys.stderr.isatty()
        self._drawn = False

    def __enter__(self) -> "Steps":
        return self

    def __call__(self, what: str, done: int, of: int) -> None:
        """Take note of how far the work is; what is told as ``writing`` is said so, all else is being read."""
        now = time.monotonic()
        if now - self._start < 2 or now - self._told < (0.1 if self._on_terminal else 5):
            return
        self._told = now
        if self._on_terminal:
            filled = 30 * done // max(of, 1)
            print(f"\r{what:>6} {'━' * filled}{' ' * (30 - filled)} {done}/{of}", end="", file=sys.stderr, flush=True)
            self._drawn = True
        else:
            doing = what if what.endswith("ing") else f"reading {what}"
            print(f"{doing}: {done} of {of}", file=sys.stderr, flush=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._drawn:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
        say_interrupted(kind, self._kept)


def say_interrupted(kind: type[BaseException] | None, kept: str) -> None:
    """Say on standard error what is left of a work that Ctrl-C ended; ``kind`` is of what ended it."""
    if kind is not None and issubclass(kind, KeyboardInterrupt):
        print(f"interrupted; {kept}", file=sys.stderr, flush=True)
