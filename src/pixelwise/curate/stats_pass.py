"""Count every image of a data set: several at a time, in bounded memory, in threads or, for large sets, in processes.

Threads do where reading a mask is decoding a picture, which lets other threads run. Outlines are turned into run lengths one
by one in Python, so large sets are counted by processes, where the system can fork: they share the data set's memory.
"""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import cv2

from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.curate.progress import Progress
from pixelwise.curate.stats_image import Counts, count_image

LARGE = 4000  # images from which on processes are worth their start
_CHUNK = 32  # images a task
_AHEAD = 4  # tasks a worker that are given out at a time


@dataclass(frozen=True, eq=False)
class _Work:
    dataset: Dataset
    shown: LabelSet
    placed: Collection[int]


_shared: _Work | None = None  # what a forked process is to count; nothing of it is sent


def shown_labels(dataset: Dataset) -> LabelSet:
    """Give the classes that pixels are counted for: those of the data set, with ``background`` around objects."""
    return dataset.labels.with_background() if dataset.kind == "instance" else dataset.labels


def count_all(dataset: Dataset, progress: Progress | None = None, most_placed: int = 0) -> Counts:
    """Count every image; where its classes are, for at most ``most_placed`` images spread over the set."""
    work = _Work(dataset, shown_labels(dataset), frozenset(spread(len(dataset), most_placed)))
    total = Counts()
    for done, part in _parts(work):
        total.add(part)
        if progress is not None:
            progress("labels", done, len(dataset))
    return total


def spread(count: int, most: int) -> range:
    """Choose at most ``most`` of ``count`` rows, evenly: neighbours look alike.

    >>> list(spread(10, 4)), list(spread(3, 8)), list(spread(3, 0))
    ([0, 3, 6, 9], [0, 1, 2], [])
    """
    return range(0, count, max(1, -(-count // most))) if most > 0 else range(0)


def _parts(work: _Work) -> Iterator[tuple[int, Counts]]:
    """Count chunk by chunk, in order; give how many images are done with each."""
    global _shared
    count = len(work.dataset)
    workers = min(os.cpu_count() or 1, 16)
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if count >= LARGE and workers > 1 and sys.platform.startswith("linux"):
        _shared = work
        try:
            fork = multiprocessing.get_context("fork")
            # OpenCV's threads do not live through a fork; told to use none, it does not wait for them
            with _stopping(ProcessPoolExecutor(workers, fork, cv2.setNumThreads, (0,))) as pool:
                yield from _in_order(pool, _count_shared, chunks, workers)
        finally:
            _shared = None
        return
    with _stopping(ThreadPoolExecutor(min(workers, 8))) as pool:
        yield from _in_order(pool, lambda rows: _count(work, rows), chunks, workers)


@contextmanager
def _stopping(pool: Executor) -> Iterator[Executor]:
    """End a pool without waiting for tasks that nobody wants any more, as after Ctrl-C."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: Executor, function: Callable[[range], Counts], chunks: list[range], workers: int
) -> Iterator[tuple[int, Counts]]:
    waiting: deque[tuple[range, Future[Counts]]] = deque()
    for rows in chunks:
        waiting.append((rows, pool.submit(function, rows)))
        if len(waiting) >= _AHEAD * workers:
            first, future = waiting.popleft()
            yield first.stop, future.result()
    for rows, future in waiting:
        yield rows.stop, future.result()


def _count_shared(rows: range) -> Counts:
    assert _shared is not None
    return _count(_shared, rows)


def _count(work: _Work, rows: range) -> Counts:
    found = Counts()
    for row in rows:
        found.add(count_image(row, work.dataset[row], work.shown, row in work.placed))
    return found
