"""What commands print with: the console, tables, shares, and progress once the work has taken two seconds."""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Give the terminal, or the file that the output goes to."""
    from rich.console import Console

    return Console(highlight=False)


def percent(share: float) -> str:
    """Write a share as people read it."""
    return f"{100 * share:.2f} %" if share >= 0.0001 else "< 0.01 %"


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
    """Show progress on standard error once the work has taken two seconds: a bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
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

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
