"""Batches of augmented crops, in an order that depends on (seed, step) alone, so that a resumed run sees the same ones."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pixelwise.augment import AugmentOptions, mix
from pixelwise.core.arrays import AnyArray, FloatArray, IntArray, Size
from pixelwise.core.image import FULL_SCALES, Image
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.models.heads.base import Head, Targets


@dataclass(frozen=True)
class Batch:
    """One batch: pixels (N, H, W, C) as stored, the head's targets, and the samples' names.

    Targets are stacked (N, …); of those with a row an object there is a tuple of one tensor an image.
    """

    pixels: Tensor
    targets: Targets
    names: tuple[str, ...]

    def pin_memory(self) -> "Batch":
        """Move to page-locked memory, as the loader asks for before a copy to an accelerator."""
        return Batch(self.pixels.pin_memory(), _each(self.targets, Tensor.pin_memory), self.names)

    def part(self, low: int, high: int) -> "Batch":
        """Give some of the images."""
        return Batch(self.pixels[low:high], {name: one[low:high] for name, one in self.targets.items()}, self.names[low:high])

    def images(self, device: torch.device) -> Tensor:
        """Give the images (N, C, H, W) in [0, 1] on a device, channels last in memory."""
        pixels = self.pixels.to(device, non_blocking=True)
        top = {torch.uint8: 255.0, torch.uint16: 65535.0}.get(pixels.dtype, 1.0)
        return pixels.to(torch.float32).div_(top).permute(0, 3, 1, 2)

    def targets_on(self, device: torch.device) -> Targets:
        """Give the targets on a device."""
        return _each(self.targets, lambda one: one.to(device, non_blocking=True))


def _each(targets: Targets, change: Callable[[Tensor], Tensor]) -> Targets:
    return {name: tuple(map(change, one)) if isinstance(one, tuple) else change(one) for name, one in targets.items()}


class Order:
    """Which samples make up each step: as many an epoch as there are, cut into batches without regard to where an epoch ends.

    Each comes once an epoch, or, with ``factors`` (one a sample), as often as its factor's share of their sum asks for,
    rounded up or down by chance. The order of an epoch follows from (seed, epoch) alone.
    """

    def __init__(self, count: int, batch: int, seed: int, factors: FloatArray | None = None) -> None:
        self.count, self.batch, self.seed, self.factors = count, batch, seed, factors
        self._epoch = -1
        self._rows: list[tuple[int, ...]] = []

    def keys(self, step: int) -> list[tuple[int, ...]]:
        """Give (epoch, sample) for each image of a step, and (epoch, sample, k) where a sample comes again for the kth time.

        >>> Order(3, 2, seed=0).keys(1) == Order(3, 2, seed=0).keys(1)
        True
        """
        places = range(step * self.batch, (step + 1) * self.batch)
        return [self._keys_of(place // self.count)[place % self.count] for place in places]

    def _keys_of(self, epoch: int) -> list[tuple[int, ...]]:
        if epoch != self._epoch:
            seen: Counter[int] = Counter()
            self._rows = []
            for sample in self._drawn(np.random.default_rng([self.seed, 0, epoch])).tolist():
                self._rows.append((epoch, sample, seen[sample]) if seen[sample] else (epoch, sample))
                seen[sample] += 1
            self._epoch = epoch
        return self._rows

    def _drawn(self, rng: np.random.Generator) -> IntArray:
        """Draw an epoch's samples; with factors by one comb of even teeth over all shares laid end to end in random order."""
        rows = rng.permutation(self.count)
        if self.factors is None:
            return rows
        ends = np.cumsum(self.factors[rows])
        teeth = (np.arange(self.count) + rng.random()) * (ends[-1] / self.count)
        return rng.permutation(rows[np.searchsorted(ends, teeth, side="right").clip(max=self.count - 1)])


class Crops:
    """Augmented crops of a data set, by the keys of ``Order``; holds no random state.

    Where several images make up a crop, the others are drawn from the whole set, each as likely, by the crop's own generator.
    Images and truths are kept in memory once read, as long as they fit into ``memory`` bytes.
    """

    def __init__(
        self, dataset: Dataset, head: Head, augment: AugmentOptions, crop: Size, seed: int, bands: tuple[str, ...], memory: int
    ) -> None:
        self.dataset, self.augment, self.crop, self.seed, self.bands = dataset, augment, crop, seed, bands
        self.head_targets, self.ragged = head.targets, head.ragged
        mix.check(augment, dataset.kind, head.takes_two)
        self.takes_two = bool(augment.mixup) and dataset.kind != "instance"
        self._memory = memory
        self._kept: dict[int, tuple[Image, Segmentation]] = {}
        self.fits = True  # until an image is met that the memory has no room for

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, ...]) -> tuple[AnyArray, dict[str, AnyArray], str]:
        index = key[1]
        rng = np.random.default_rng([self.seed, 1, *key])

        def partner() -> tuple[Image, Segmentation]:
            return self._read(mix.another(index, len(self), rng))

        found = mix.mixed(self.augment, rng, self._read(index), self.crop, partner)
        return found.image.pixels, self._targets(found), self.dataset[index].name

    def _targets(self, found: mix.Mixed) -> dict[str, AnyArray]:
        """Make the targets; where classes may have been mixed, those of both truths and the first one's share."""
        targets = self.head_targets(found.truth)
        if not self.takes_two:
            return targets
        second = targets if found.second is None else self.head_targets(found.second)
        return {
            **targets,
            **{f"second_{name}": one for name, one in second.items()},
            "share": np.asarray(found.share, np.float32),
        }

    def _read(self, index: int) -> tuple[Image, Segmentation]:
        if index in self._kept:
            return self._kept[index]
        sample = self.dataset[index]
        pair = sample.image.to_bands(self.bands), sample.truth
        cost = pair[0].pixels.nbytes + pair[0].size[0] * pair[0].size[1]
        if cost <= self._memory:
            self._memory -= cost
            self._kept[index] = pair
        else:
            self.fits = False
        return pair


def stacked(images: Sequence[AnyArray]) -> AnyArray:
    """Stack pixels (H, W, C) of one size: in their own type, or as float32 in [0, 1] where their types differ."""
    if len({pixels.dtype for pixels in images}) == 1:
        return np.stack(images)
    return np.stack([pixels.astype(np.float32) / np.float32(FULL_SCALES[pixels.dtype.name]) for pixels in images])


def collate(items: Sequence[tuple[AnyArray, dict[str, AnyArray], str]], ragged: frozenset[str] = frozenset()) -> Batch:
    """Put items into a batch; the targets named ``ragged`` stay apart."""
    pixels = torch.from_numpy(stacked([pixels for pixels, _, _ in items]))
    names = tuple(name for _, _, name in items)
    targets: Targets = {}
    for key in items[0][1]:
        own = [one[key] for _, one, _ in items]
        targets[key] = tuple(map(torch.from_numpy, own)) if key in ragged else torch.from_numpy(np.stack(own))
    return Batch(pixels, targets, names)


def batches(crops: Crops, order: Order, first: int, last: int, workers: int = 0, pin: bool = False) -> Iterator[Batch]:
    """Give the batches of steps ``first`` to ``last`` (exclusive), prepared ahead by a thread or by ``workers`` processes."""
    if workers:
        yield from _forked(crops, (order.keys(step) for step in range(first, last)), workers, pin)
        return
    yield from _threaded(crops, order, first, last)


def _forked(crops: Crops, keys: Iterator[list[tuple[int, ...]]], workers: int, pin: bool) -> Iterator[Batch]:
    """Prepare batches in processes.

    OpenCV's threads are ended first: a fork copies its pool without the threads, and the copy waits for them forever.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        loader: Any = DataLoader(
            crops,  # type: ignore[arg-type]
            batch_sampler=keys,
            num_workers=workers,
            collate_fn=partial(collate, ragged=crops.ragged),
            pin_memory=pin,
            prefetch_factor=4,
        )
        yield from loader
    finally:
        cv2.setNumThreads(threads)


def _threaded(crops: Crops, order: Order, first: int, last: int, ahead: int = 3) -> Iterator[Batch]:
    """Prepare batches in one thread: OpenCV lets go of the interpreter, and nothing is copied between processes."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(ahead)
    stopped = threading.Event()

    def prepare() -> None:
        try:
            for step in range(first, last):
                batch = collate([crops[key] for key in order.keys(step)], crops.ragged)
                while not stopped.is_set():
                    try:
                        ready.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                if stopped.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # handed over, so that the training thread raises it
            ready.put(error)

    thread = threading.Thread(target=prepare, name="pixelwise-loader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        while not ready.empty():
            ready.get_nowait()
        _ended(thread)


def _ended(thread: threading.Thread, patience: float = 5.0) -> None:
    """Wait until the system has ended a thread, which is after Python calls it ended.

    On its way out a thread gives back what OpenCV holds for it, under a lock. A fork at that moment copies the lock as taken,
    and the copy waits for it forever.
    """
    end = time.monotonic() + patience
    thread.join(timeout=patience)
    place = Path(f"/proc/self/task/{thread.native_id}")
    while place.exists() and time.monotonic() < end:
        time.sleep(0.001)
