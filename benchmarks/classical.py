"""Run every classical method on a photograph of 6000 x 4000 pixels, on one core, and tell its seconds, memory and segments.

The photograph is made of real ones (CamVid's, enlarged and laid side by side), or of drawn scenes where they are not there.
Each method runs in a process of its own, pinned to one core where the system can, so that its peak is its own; memory is told
above what the process held with the image read. The limits are 60 s and 6 GB; the last line is the slowest method's share of
the limit. Run: python benchmarks/classical.py [METHOD ...]
"""

import multiprocessing
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (4000, 6000)
SECONDS, BYTES = 60.0, 6 * 2**30
TILE = (1000, 1500)  # of one photograph in the large one


def photograph() -> Any:
    """Make the large photograph (H, W, 3)."""
    folder = Path(os.environ.get("PIXELWISE_SHARED_DATA", "../shared/data")) / "camvid" / "val"
    found = sorted(folder.glob("*.*"))
    rows, columns = SIZE[0] // TILE[0], SIZE[1] // TILE[1]
    if found:
        step = max(1, len(found) // (rows * columns))
        photos = [cv2.imread(str(path))[:, :, ::-1] for path in found[::step][: rows * columns]]
    else:
        from pixelwise.scenes import scenes

        photos = [sample.image.pixels for sample in scenes(rows * columns, (500, 750))]
    large = [cv2.resize(np.ascontiguousarray(photo), TILE[::-1], interpolation=cv2.INTER_CUBIC) for photo in photos]
    return np.concatenate([np.concatenate(large[row * columns : (row + 1) * columns], axis=1) for row in range(rows)])


def measure(name: str, results: Any) -> None:
    """Put a method's seconds, its peak above what was held before, its segments and its notes."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    from pixelwise.core.image import as_image
    from pixelwise.methods import TRAINED
    from pixelwise.methods.predictor import Method
    from pixelwise.scenes import scenes

    method = Method(name).fit(scenes(4)) if name in TRAINED else Method(name)
    method([as_image(np.tile(np.arange(48, dtype=np.uint8), (32, 1)))])  # libraries are loaded
    image = as_image(photograph())
    before = _held()
    began, used = time.perf_counter(), time.process_time()
    found = method([image])[0]
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    results.put((seconds, cpu, _held() - before, len(found), found.notes))


def _held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure the methods that were named, or all."""
    from pixelwise.methods import METHODS

    context = multiprocessing.get_context("spawn")
    worst = 0.0
    print(f"{'method':<18}{'s':>8}{'CPU s':>8}{'MB':>8}{'segments':>10}  notes")
    for name in sys.argv[1:] or list(METHODS):
        results = context.Queue()
        process = context.Process(target=measure, args=(name, results))
        process.start()
        while process.is_alive() and results.empty():
            process.join(0.2)
        if results.empty():
            raise SystemExit(f"{name}: ended with exit code {process.exitcode} and without a result")
        seconds, cpu, peak, count, notes = results.get()
        process.join()
        over = " OVER THE LIMIT" if seconds > SECONDS or peak > BYTES else ""
        print(f"{name:<18}{seconds:>8.1f}{cpu:>8.1f}{peak / 1e6:>8.0f}{count:>10}  {'; '.join(notes)}{over}", flush=True)
        worst = max(worst, seconds)
    print(f"RATIO classical slowest/limit {worst / SECONDS:.2f}")


if __name__ == "__main__":
    main()
