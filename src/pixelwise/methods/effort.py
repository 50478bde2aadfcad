"""How long a method may take, and how far it is: asked for around a call, and looked at by every loop that may be long.

A method's loop calls ``advance(done)``; without anyone who asked, that costs a look at a variable.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pixelwise.core.errors import OutOfTime


class _Effort:
    def __init__(self, seconds: float | None, tell: Callable[[float], None] | None) -> None:
        self.seconds, self.tell, self.began = seconds, tell, time.monotonic()
        self.outer = _CURRENT.get()

    def check(self, done: float) -> None:
        """Stop where the time is over, or that of a block around this one."""
        spent = time.monotonic() - self.began
        if self.seconds is not None and spent > self.seconds:
            raise OutOfTime(
                f"the time limit of {self.seconds:g} s is over with {done:.0%} done; allow more time, or give a smaller image"
            )
        if self.outer is not None:
            self.outer.check(done)

    def advance(self, done: float) -> None:
        self.check(done)
        if self.tell is not None:
            self.tell(done)


_CURRENT: ContextVar[_Effort | None] = ContextVar("effort", default=None)


@contextmanager
def effort(seconds: float | None = None, tell: Callable[[float], None] | None = None) -> Iterator[None]:
    """Limit the time of what runs within the block, and be told what share of it is done.

    Loops look at the clock between their rounds, so that the limit is passed by a round at most. Within a block in a block
    both limits hold, and the inner one alone is told.

    Raises:
        OutOfTime: in the block, when the time is over.

    >>> shares = []
    >>> with effort(seconds=60, tell=shares.append):
    ...     advance(0.5)
    >>> shares
    [0.5]
    """
    token = _CURRENT.set(_Effort(seconds, tell))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def advance(done: float) -> None:
    """Say what share of the work is done, from 0 to 1; stop where the time is over.

    Raises:
        OutOfTime: it is.
    """
    if (current := _CURRENT.get()) is not None:
        current.advance(done)
