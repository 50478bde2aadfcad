"""A progress bar on stderr, so that stdout holds results alone; in a log file, a line now and then instead."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

APART = 30.0  # seconds between two lines in a log file
_SETTLING = 1.0  # seconds before a pace is told: the first images wait for files and caches


class Pace:
    """How fast work goes, and what it holds."""

    def __init__(self, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to count in ``unit``, as in images."""
        self.unit = unit
        self.done: float = 0.0
        self.total: float | None = None
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def update(self, done: float, total: float) -> None:
        """Say how much is done of how much; what was done at the first call was done by an earlier run."""
        if self._first is None:
            self._first = (self._clock(), done)
        self.done, self.total = done, total

    @property
    def a_second(self) -> float | None:
        """What is done in a second, on the mean; None where that cannot be told yet."""
        if self._first is None:
            return None
        seconds, done = self._clock() - self._first[0], self.done - self._first[1]
        return done / seconds if seconds >= _SETTLING and done > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this pace; None where that cannot be told yet."""
        pace = self.a_second
        return None if pace is None or self.total is None else max(self.total - self.done, 0.0) / pace

    def __str__(self) -> str:
        """Say the pace and the memory, as in ``12.3 images/s, 812 MB``."""
        from pixelwise.core.resources import resident_memory

        pace, held = self.a_second, resident_memory()
        words = [] if pace is None else [_speed(pace, self.unit)]
        return ", ".join([*words, *([f"{held / 1e6:.0f} MB"] if held else [])])


def _speed(pace: float, unit: str) -> str:
    """Say a pace by what reads better.

    >>> _speed(12.34, "images"), _speed(0.25, "images")
    ('12.3 images/s', '4.0 s/image')
    """
    return f"{pace:.1f} {unit}/s" if pace >= 1 else f"{1 / pace:.1f} s/{unit.removesuffix('s')}"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float, int], None]]:
    """Show a bar while the block runs; the block calls what it is given with (done, in all).

    What is done may be a part of one. Where stderr is no terminal nothing is drawn: log files stay readable.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def pace_bar(title: str, pace: Pace) -> Iterator[Callable[[float, float], None]]:
    """Show a bar with the pace, the time left and the memory held while the block runs.

    The block calls what it is given with (done, in all), in the unit of ``pace``. Where stderr is no terminal, the same is
    written as a line every half minute.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _drawn(title, pace, console) as update:
            yield update
    else:
        yield _logged(title, pace)


@contextmanager
def _drawn(title: str, pace: Pace, console: "Console") -> Iterator[Callable[[float, float], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    shown = "{task.completed:.0f}/{task.total:.0f}"
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(shown), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(title, total=0, pace="")

        def update(done: float, total: float) -> None:
            pace.update(done, total)
            bar.update(task, completed=done, total=total, pace=str(pace))

        yield update


def _logged(title: str, pace: Pace) -> Callable[[float, float], None]:
    told = time.monotonic()

    def update(done: float, total: float) -> None:
        nonlocal told
        pace.update(done, total)
        if (now := time.monotonic()) - told >= APART:
            told = now
            left = pace.seconds_left
            rest = "" if left is None else f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"
            print(f"{title}: {done:.0f} of {total:.0f} {pace.unit}, {pace}{rest}", file=sys.stderr, flush=True)

    return update
