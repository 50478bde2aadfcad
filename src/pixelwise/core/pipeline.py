"""Threads beside a slow step: they work ahead of it and behind it, in order and in bounded memory.

Decoding and encoding leave Python's lock while they compute, and writing waits for the disk, so threads are enough; nothing is
copied to another process. With no threads at all both forms below do the work in place, one item after another.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    items: Iterable[T], work: Callable[[T], R], weigh: Callable[[R], int], threads: int, most: int, count: int = 64
) -> Generator[R, None, None]:
    """Give ``work(item)`` of each item, in order, while threads already do the next ones.

    What weighs how much is known once it is made, so each piece under way counts as the heaviest so far, and the first is made
    alone. A sudden heavy one can pass the limit by what the threads make at that moment.

    Args:
        items: taken in the caller's thread.
        work: done in threads; what it raises is raised here, at its turn.
        weigh: says what a result weighs while it waits.
        threads: 0 for none.
        most: weight that may wait or be under way; one item always may.
        count: of items that may.

    >>> list(ahead([1, 2, 3], lambda item: item * item, weigh=int, threads=2, most=100))
    [1, 4, 9]
    """
    if threads < 1:
        yield from map(work, items)
        return
    left, heaviest, is_over = iter(items), most, False
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, "ahead") as pool:
        try:
            while True:
                weights = [weigh(each.result()) for each in begun if _is_good(each)]
                held = sum(weights) + heaviest * (len(begun) - len(weights))
                while not is_over and len(begun) < count and (not begun or held + heaviest <= most):
                    try:
                        begun.append(pool.submit(work, next(left)))
                        held += heaviest
                    except StopIteration:
                        is_over = True
                if not begun:
                    return
                result = begun.popleft().result()
                heaviest = weigh(result) if heaviest == most else max(heaviest, weigh(result))
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # leaving the block waits for those under way alone


def _is_good(one: "Future[R]") -> bool:
    return one.done() and one.exception() is None


@dataclass(frozen=True)
class _Failed:
    error: BaseException


class Behind(Generic[T, R]):
    """Work that threads do behind the caller, and whose results are taken up in the order it was handed over.

    Use it as a context: at its end all is done that was handed over, also when the caller was interrupted. The first error of
    ``work`` or ``take`` ends it: nothing after it is taken up, and it is raised to the caller.
    """

    def __init__(
        self, work: Callable[[T], R], take: Callable[[R], None], threads: int, most: int, count: int | None = None
    ) -> None:
        """Choose the work.

        Args:
            work: done in threads, several at once.
            take: called with each result, by one thread at a time, as soon as all before it are taken up.
            threads: 0 for none.
            most: weight that may be under way; one item always may.
            count: of items that may; four a thread if not given.
        """
        self._work, self._take = work, take
        self._most, self._count = most, 4 * threads if count is None else count
        self._pool = ThreadPoolExecutor(threads, "behind") if threads > 0 else None
        self._changed = threading.Condition()
        self._made: dict[int, tuple[R | _Failed, int]] = {}
        self._put = self._taken = self._weight = 0
        self._error: BaseException | None = None

    def put(self, item: T, weight: int = 1) -> None:
        """Hand over one item; wait while too much is under way.

        Raises:
            BaseException: what ``work`` or ``take`` raised of an item before.
        """
        if self._pool is None:
            self._take(self._work(item))
            return
        with self._changed:
            while self._error is None and self._is_full(weight):
                self._changed.wait()
            if self._error is not None:
                raise self._error
            self._weight += weight
            place, self._put = self._put, self._put + 1
        self._pool.submit(self._do, place, item, weight)

    def _is_full(self, weight: int) -> bool:
        under_way = self._put - self._taken
        return under_way > 0 and (under_way >= self._count or self._weight + weight > self._most)

    def _do(self, place: int, item: T, weight: int) -> None:
        made: R | _Failed
        try:
            made = self._work(item)
        except BaseException as error:  # also an interruption: the caller's thread shall end by it
            made = _Failed(error)
        with self._changed:
            self._made[place] = (made, weight)
            try:
                self._take_up()
            except BaseException as error:
                self._error = error
            self._changed.notify_all()

    def _take_up(self) -> None:
        """Take up what is next in order and finished; the lock is held."""
        while self._error is None and self._taken in self._made:
            made, weight = self._made.pop(self._taken)
            if isinstance(made, _Failed):
                raise made.error
            self._take(made)
            self._taken += 1
            self._weight -= weight

    def __enter__(self) -> "Behind[T, R]":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._pool is None:
            return
        self._pool.shutdown(wait=True, cancel_futures=self._error is not None)
        if kind is None and self._error is not None:
            raise self._error
