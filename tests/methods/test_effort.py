"""Long loops can be stopped and followed, and cost nothing where nobody asks."""

import pytest

from pixelwise.core.errors import OutOfTime
from pixelwise.methods.effort import advance, effort


def test_without_a_limit_nothing_is_stopped() -> None:
    advance(0.3)


def test_a_loop_stops_when_its_time_is_over() -> None:
    with pytest.raises(OutOfTime, match="the time limit of 0 s is over with 20% done"), effort(seconds=0):
        advance(0.2)


def test_shares_are_told_to_whoever_asked_and_to_nobody_after() -> None:
    outer: list[float] = []
    inner: list[float] = []
    with effort(tell=outer.append):
        with effort(tell=inner.append):
            advance(0.1)
        advance(0.2)
    advance(0.3)
    assert (outer, inner) == ([0.2], [0.1])


def test_the_limit_of_an_outer_block_holds_in_an_inner_one() -> None:
    with pytest.raises(OutOfTime, match="time limit of 0 s"), effort(seconds=0), effort(seconds=60), effort():
        advance(0.2)
