"""Images a second of a trained U-Net as 8-bit OpenVINO and as 32-bit runtimes, against plain PyTorch, with the scores of all.

Plain PyTorch is the network in 32 bits as it was trained, channels first, without compiling: (N, C, H, W) floats through
``forward``, and ``argmax`` over logits brought to full size, as tutorials have it. The files are made and proved as by
``pixelwise export``; their images a second are of the runtime's call alone, from bytes to the class map, so that both sides
hold the same work. All take turns, with one call at a time on all cores, which the ratios are of, and with a call a core;
medians. Scores are from the file to the segmentation, on all images of the proof.

Run: python benchmarks/export.py RUN [--data PATH] [--batch 1] [--rounds 8] [--targets onnx,openvino] [--threads 0]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

REST, CALLS = 0.3, 6  # seconds before a turn, and calls in it
PEER = "pytorch fp32 nchw"
AIMS = {"openvino int8": 6.0, "openvino fp32": 2.0, "onnx fp32": 2.0}


def plain(run: Path) -> Callable[[Any], Any]:
    """Give the network as tutorials run it."""
    import torch

    from pixelwise.models import checkpoint

    model = checkpoint.load(run).eval().float()

    @torch.inference_mode()
    def call(images: Any) -> Any:
        values = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 255
        logits = model(values).logits
        size = (images.shape[1], images.shape[2])
        if tuple(logits.shape[-2:]) != size:
            logits = torch.nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits.argmax(dim=1).numpy()

    return call


def exported(run: Path, data: str | None, targets: list[str], out: Path) -> dict[str, Any]:
    """Export to each target in 32 bits, and to OpenVINO in 8; give what was proved by name."""
    from pixelwise.jobs.export import export_each
    from pixelwise.jobs.exported import Wanted
    from pixelwise.jobs.material import material_of

    material = material_of(run, data)
    found = {}
    for target, precision in [*((target, "fp32") for target in targets), ("openvino", "int8"), ("openvino", "bf16")]:
        (one,) = export_each(run, [target], out, Wanted(precision), material)
        if one.problem:
            print(f"{target} {precision}: {one.problem}")
        if one.parity is not None and one.parity.scores is not None:
            name, model, file = one.parity.scores
            interval = one.parity.comparison.scores[name].interval
            told = "" if interval is None else f", difference {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
            print(
                f"{target} {precision}: {len(one.parity.images)} images, equal pixels {one.parity.total.share:.5f}, {name} "
                f"{100 * model:.2f} -> {100 * file:.2f} ({100 * one.parity.drop:+.3f} points{told})",
                flush=True,
            )
        if one.path is not None:
            found[f"{target} {precision}"] = one
    return found


class Lane(NamedTuple):
    """One way to run a model: so many calls at once, which share the cores."""

    name: str
    at_once: int
    prepare: Callable[[], None]
    call: Callable[[Any], Any]


def lanes(run: Path, proved: dict[str, Any], cores: int) -> list[Lane]:
    """Give plain PyTorch and each file, with one call at a time on all cores, and with a call a core."""
    import torch

    from pixelwise.load import load

    network, found = plain(run), []
    for at_once in sorted({1, cores}):
        found.append(Lane(PEER, at_once, lambda count=cores // at_once: torch.set_num_threads(count), network))  # type: ignore[misc]
        for name, one in proved.items():
            file = load(one.path, "cpu")
            file.share(at_once)
            found.append(Lane(name, at_once, lambda: None, file.session))
    return found


def timed(each: list[Lane], images: Any, rounds: int) -> dict[tuple[str, int], float]:
    """Run all in turns; give the median seconds of a batch by name and calls at once.

    Threads of most runtimes spin for a while after a call, waiting for the next; before each turn there is a rest, and calls
    that do not count, so that none is timed on the cores that the one before still burns.
    """
    seconds: dict[tuple[str, int], list[float]] = {(lane.name, lane.at_once): [] for lane in each}
    for turn in range(rounds):
        first = turn % len(each)
        for lane in [*each[first:], *each[:first]]:
            time.sleep(REST)
            lane.prepare()
            with ThreadPoolExecutor(lane.at_once) as pool:
                list(pool.map(lane.call, [images] * 2 * lane.at_once))
                began = time.perf_counter()
                list(pool.map(lane.call, [images] * CALLS * lane.at_once))
                seconds[lane.name, lane.at_once].append((time.perf_counter() - began) / (CALLS * lane.at_once))
    return {name: statistics.median(found) for name, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", help="those of the run's recipe if not given")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--targets", default="onnx,openvino")
    parser.add_argument("--wait", action="store_true", help="for Enter before anything is timed")
    parser.add_argument("--threads", type=int, default=0, help="cores used; 0: all")
    arguments = parser.parse_args()
    if arguments.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    from pixelwise.jobs.material import material_of

    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as place:
        proved = exported(arguments.run, arguments.data, arguments.targets.split(","), Path(place))
        image = material_of(arguments.run, arguments.data, images=1).proof[0].image
        images = np.repeat(image.pixels[None], arguments.batch, axis=0)
        if arguments.wait:
            input("made and proved; Enter starts the clocks")
        medians = timed(lanes(arguments.run, proved, cores), images, arguments.rounds)
    print(f"batch {arguments.batch}, {image.size[0]} x {image.size[1]}, {cores} cores")
    for (name, at_once), seconds in sorted(medians.items()):
        rate = arguments.batch / seconds
        print(f"{name:<20}{at_once} at once{1000 * at_once * seconds:9.2f} ms a call{rate:9.1f} images/s")
    best = {name: min(medians[name, at_once] for at_once in {1, cores}) for name in [PEER, *proved]}
    for name in proved:
        aim = f" (aim {AIMS[name]:g}x)" if name in AIMS else ""
        ratio, at_best = medians[name, 1] / medians[PEER, 1], best[PEER] / best[name]
        print(f"RATIO export {name} ours/peer {ratio:.3f} ({1 / ratio:.2f}x as fast{aim}; each at its best {at_best:.2f}x)")


if __name__ == "__main__":
    main()
