"""Sums over the whole batch, where a batch is worked off in parts or divided among processes.

A loss that is a ratio of sums over the batch (cross entropy over the counted pixels, Dice) is not the mean over its parts.
Such a loss passes each sum through ``over_batch``; alone in one process that changes nothing. Where the batch comes in parts,
the trainer puts a gatherer in place: the sum's value is then that of all parts, its gradient that of this part.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from torch import Tensor

Gather: TypeAlias = Callable[[Tensor, bool], Tensor]
_gather: ContextVar[Gather | None] = ContextVar("gather", default=None)


def over_batch(part: Tensor, follows: bool = False) -> Tensor:
    """Give the sum over the whole batch, of which ``part`` is this part's sum.

    Must be called in the same order for every part; ``follows`` says that ``part`` was computed from another such sum.
    """
    gather = _gather.get()
    return part if gather is None else gather(part, follows)


@contextmanager
def gathering(gather: Gather) -> Iterator[None]:
    """Let ``gather`` complete the sums of this block."""
    token = _gather.set(gather)
    try:
        yield
    finally:
        _gather.reset(token)
