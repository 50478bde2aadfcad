"""Threads ahead of and behind a slow step: order, bounds, errors, interruption."""

import os
import signal
import sys
import threading

import pytest

from pixelwise.core.pipeline import Behind, ahead


def square(item: int) -> int:
    return item * item


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order(threads: int) -> None:
    assert list(ahead(range(50), square, weigh=lambda _: 1, threads=threads, most=10)) == [square(item) for item in range(50)]


def test_no_more_is_begun_than_the_weight_allows() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item

    found = ahead(range(100), work, weigh=lambda _: 10, threads=2, most=40)
    for count in range(20):
        assert next(found) == count
        assert len(begun) <= count + 1 + 4
    found.close()
    assert len(begun) < 30


def test_one_item_heavier_than_all_that_may_wait_still_passes() -> None:
    assert list(ahead([1, 2, 3], square, weigh=lambda _: 1000, threads=2, most=10)) == [1, 4, 9]


def test_an_error_of_the_work_comes_at_its_turn() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    found = ahead(range(5), work, weigh=lambda _: 1, threads=2, most=10)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(found)


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_what_is_done_behind_is_taken_up_in_order(threads: int) -> None:
    taken: list[int] = []
    with Behind(square, taken.append, threads, most=100) as behind:
        for item in range(40):
            behind.put(item)
    assert taken == [square(item) for item in range(40)]


def test_a_slow_item_holds_back_those_after_it_but_not_their_work() -> None:
    last_is_made, taken = threading.Event(), []

    def work(item: int) -> int:
        if item == 0:
            assert last_is_made.wait(10)
        if item == 3:
            last_is_made.set()
        return item

    with Behind(work, taken.append, threads=4, most=100) as behind:
        for item in range(4):
            behind.put(item)
    assert taken == [0, 1, 2, 3]


def test_nothing_is_taken_up_after_the_first_error_and_everything_before_it_is() -> None:
    taken: list[int] = []

    def work(item: int) -> int:
        if item == 5:
            raise OSError("the disk is full")
        return item

    def run() -> None:
        with Behind(work, taken.append, threads=3, most=100) as behind:
            for item in range(1000):
                behind.put(item)

    with pytest.raises(OSError, match="the disk is full"):
        run()
    assert taken == [0, 1, 2, 3, 4]


def test_an_error_of_taking_up_is_raised_to_the_caller() -> None:
    def take(item: int) -> None:
        raise OSError("no line more")

    with pytest.raises(OSError, match="no line more"), Behind(square, take, threads=1, most=10) as behind:
        behind.put(1)


def test_an_interruption_of_the_caller_finishes_what_was_handed_over() -> None:
    taken: list[int] = []

    def run() -> None:
        with Behind(square, taken.append, threads=2, most=100) as behind:
            for item in range(4):
                behind.put(item)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert taken == [0, 1, 4, 9]


def test_the_weight_under_way_is_bounded_and_one_heavy_item_passes() -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def work(item: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += item
            most = max(most, under_way)
        with lock:
            under_way -= item
        return item

    with Behind(work, lambda _: None, threads=4, most=20, count=100) as behind:
        for item in (7, 7, 7, 50, 7, 7):
            behind.put(item, weight=item)
    assert most == 50


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself SIGINT there")
def test_an_interruption_ends_the_wait_for_room() -> None:
    taken: list[int] = []

    def work(item: int) -> int:
        if item == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return item

    def run() -> None:
        with Behind(work, taken.append, threads=1, most=1, count=1) as behind:
            for item in range(1_000_000):
                behind.put(item)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert taken == list(range(len(taken)))
    assert 6 <= len(taken) < 1_000_000
