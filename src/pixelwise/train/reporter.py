"""Tell how training goes: a progress bar on a terminal, plain lines elsewhere, and everything in ``train.log`` too."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Reporter:
    """Print lines and a bar to stderr; ``log`` receives the lines with times."""

    def __init__(self, log: Path | None, total: int, quiet: bool = False, every_seconds: float = 15.0) -> None:
        self.console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self.log, self.quiet, self.every = log, quiet, every_seconds
        self._log_is_whole = True
        self._bar: Progress | None = None
        self._told = time.monotonic()
        if self.console.is_terminal and not quiet:
            columns = (
                TextColumn("train"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[facts]}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._task = self._bar.add_task("train", total=total, facts="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Print a line, and log it with the time."""
        if not self.quiet:
            self.console.print(text, markup=False)
        if self.log is not None:
            try:
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
            except OSError as error:  # a full disk must not end a run for want of its log
                if self._log_is_whole and not self.quiet:
                    self.console.print(f"{self.log}: lines are missing from here on ({error.strerror})", markup=False)
                self._log_is_whole = False

    def step(self, done: int, total: int, loss: float, rate: float, speed: float, left: float) -> None:
        """Show one step: the bar moves; without a terminal a line is printed every quarter of a minute."""
        facts = f"loss {loss:.3f}  lr {rate:.2g}  {speed:.1f} images/s"
        if self._bar:
            self._bar.update(self._task, completed=done, facts=facts)
        elif time.monotonic() - self._told >= self.every:
            self._told = time.monotonic()
            self.line(f"step {done}/{total}  {facts}  {duration(left)} left")


def duration(seconds: float) -> str:
    """Write a duration as people do.

    >>> duration(5), duration(65), duration(7322)
    ('5 s', '1 min 05 s', '2 h 02 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
