"""Say what a prediction of files and folders would do, take and hold, without writing anything.

Sizes come from the images' headers; the time comes from one image, segmented twice; the memory is what the process was seen to
hold meanwhile.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.image import Image, read_image, read_size
from pixelwise.core.predictor import Around, Predictor, Request
from pixelwise.core.prompt import Prompts
from pixelwise.core.resources import resident_memory
from pixelwise.predict.folder import NO_PROMPTS, stamped_jobs
from pixelwise.predict.inputs import find_images
from pixelwise.predict.journal import Journal

TRIAL = 2**22  # pixels that are timed at most: of a larger image a part
_OFTEN = 0.005  # seconds between two looks at the memory
_SHOWN = 5  # sizes that are listed


@runtime_checkable
class Planning(Protocol):
    """A predictor that says what it will do with an image of a size, as tiles do."""

    def plan(self, size: Size, request: Request = ...) -> object:
        """Plan for (H, W); ``str`` of the plan is one sentence, None means nothing beyond one call."""


@dataclass(frozen=True)
class Trial:
    """What one image showed.

    Attributes:
        size: (height, width) of the image, or of the part of it that was segmented.
        seconds: expected for all images, without decoding and writing, which happen meanwhile.
        memory: bytes that the process held at most.
    """

    size: Size
    seconds: float
    memory: int


@dataclass(frozen=True)
class FolderPlan:
    """What a prediction would do.

    Attributes:
        out: the folder that would be written to.
        images: how many are asked for.
        done: how many of them have results there, and would be left alone.
        sizes: (height, width) and how many of the others have it, the most frequent first.
        tiles: sentences on how sizes are cut.
        unreadable: images that would fail, and why.
        trial: what one image showed; None where no image is good, or each has prompts of its own.
    """

    out: Path
    images: int
    done: int
    sizes: tuple[tuple[Size, int], ...]
    tiles: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    trial: Trial | None

    @property
    def megapixels(self) -> float:
        """Of the images that would be segmented."""
        return sum(height * width * count for (height, width), count in self.sizes) / 1e6

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        trial = self.trial
        return {
            "out": str(self.out),
            "images": self.images,
            "done": self.done,
            "megapixels": round(self.megapixels, 6),
            "sizes": [{"height": height, "width": width, "images": count} for (height, width), count in self.sizes],
            "tiles": list(self.tiles),
            "unreadable": [{"file": file, "error": error} for file, error in self.unreadable],
            "seconds": None if trial is None else round(trial.seconds, 3),
            "memory": None if trial is None else trial.memory,
            "timed": None if trial is None else list(trial.size),
        }

    def __str__(self) -> str:
        """Say it in a few lines."""
        kept = f" ({self.done} of them done before)" if self.done else ""
        lines = [f"{self.images} images{kept}, {self.megapixels:.1f} megapixels to segment -> {self.out}; nothing is written"]
        shown = [f"{count} of {width} x {height}" for (height, width), count in self.sizes[:_SHOWN]]
        more = [f"{len(self.sizes) - _SHOWN} more sizes"] if len(self.sizes) > _SHOWN else []
        lines += [f"sizes: {', '.join([*shown, *more])}"] if shown else []
        lines += [f"tiles: {sentence}" for sentence in self.tiles[:_SHOWN]]
        if self.trial is not None:
            height, width = self.trial.size
            lines.append(f"time: about {_duration(self.trial.seconds)}, judged by {width} x {height} pixels of one image")
            lines.append(f"memory: {self.trial.memory / 1e6:.0f} MB held meanwhile, and what waits to be segmented and written")
        return "\n".join([*lines, *(f"would fail: {file}: {error}" for file, error in self.unreadable)])


def plan_folder(
    predictor: Predictor,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    threshold: float | None = None,
    binary: bool = False,
    overlay: bool = True,
    again: bool = False,
    prompts: Prompts = NO_PROMPTS,
) -> FolderPlan:
    """Plan what ``folder.predict`` would do with the same arguments; nothing is written.

    Raises:
        MissingFile: there is no image at all.
        OptionError: ``out`` is the folder of the images, or the predictor cannot do what is asked.
    """
    out = Path(out)
    images, missing = find_images(inputs, out)
    jobs = stamped_jobs(predictor, images, out, threshold, binary, overlay, prompts)
    done = Journal(out, jobs, again).done
    unreadable = [(str(path), reason) for path, reason in missing]
    sizes: dict[Path, Size] = {}
    for job in jobs:
        try:
            if job.stamp not in done:
                sizes[job.path] = read_size(job.path)
        except PixelwiseError as error:
            unreadable.append((str(job.path), str(error).removeprefix(f"{job.path}: ")))
    counts = Counter(sizes.values()).most_common()
    request = Request(threshold=threshold)
    tiles = [f"{size[1]} x {size[0]}: {sentence}" for size, _ in counts if (sentence := _tiles(predictor, size, request))]
    trial = None if prompts else _tried(predictor, sizes, counts, request)
    return FolderPlan(out, len(jobs), len(done), tuple(counts), tuple(tiles), tuple(unreadable), trial)


def _tiles(predictor: Predictor, size: Size, request: Request) -> str:
    """Say how an image of (H, W) is cut; empty where it is not."""
    inner: object = predictor
    while not isinstance(inner, Planning):
        if not isinstance(inner, Around):
            return ""
        inner = inner.predictor
    return str(inner.plan(size, request) or "")


def _tried(
    predictor: Predictor, sizes: Mapping[Path, Size], counts: Sequence[tuple[Size, int]], request: Request
) -> Trial | None:
    """Time the first good image of the most frequent size, or its part; the first of two passes warms up."""
    for path in (path for size, _ in counts for path in sizes if sizes[path] == size):
        try:
            image = _part(read_image(path))
            with _watched() as memory:
                predictor([image], request)
                began = time.perf_counter()
                predictor([image], request)
                spent = time.perf_counter() - began
        except OptionError:
            raise  # the request is wrong for every image
        except PixelwiseError:
            continue
        share = sum(height * width * count for (height, width), count in counts) / (image.size[0] * image.size[1])
        return Trial(image.size, spent * share, max(memory))
    return None


def _part(image: Image) -> Image:
    """Give the middle of an image, of ``TRIAL`` pixels at most."""
    height, width = image.size
    reduced = min(1.0, math.sqrt(TRIAL / (height * width)))
    rows, columns = max(1, round(height * reduced)), max(1, round(width * reduced))
    top, left = (height - rows) // 2, (width - columns) // 2
    return Image(np.ascontiguousarray(image.pixels[top : top + rows, left : left + columns]), image.bands)


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Note the memory that the process holds, now and then while the block runs."""
    seen, is_over = [resident_memory()], threading.Event()

    def watch() -> None:
        while not is_over.wait(_OFTEN):
            seen.append(resident_memory())

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()
        seen.append(resident_memory())


def _duration(seconds: float) -> str:
    """Say a time by what reads better.

    >>> _duration(4.2), _duration(150), _duration(9000)
    ('4.2 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
