"""Images a second of a trained U-Net as 8-bit OpenVINO and as 32-bit runtimes, against plain PyTorch, with the scores of all.

Plain PyTorch is the network in 32 bits as it was trained, channels first, without compiling: (N, C, H, W) floats through
``forward``, and ``argmax`` over logits brought to full size, as tutorials have it. The files are made and proved as by
``pixelwise export``; their images a second are of the runtime's call alone, from bytes to the class map, so that both sides
hold the same work. All take turns of a few calls; medians. Scores are from the file to the segmentation, on all images of
the proof.

Run: python benchmarks/export.py RUN [--data PATH] [--batch 1] [--rounds 8] [--targets onnx,openvino] [--threads 0]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REST, CALLS = 0.3, 5  # seconds before a turn, and calls in it
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


def timed(calls: dict[str, Callable[[Any], Any]], images: Any, rounds: int) -> dict[str, float]:
    """Call all in turns; give the median seconds of each.

    Threads of most runtimes spin for a while after a call, waiting for the next; before each turn there is a rest, and a call
    that does not count, so that none is timed on the cores that the one before still burns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(rounds):
        for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
            time.sleep(REST)
            for call in range(1 + CALLS):
                began = time.perf_counter()
                calls[name](images)
                if call:
                    seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", help="those of the run's recipe if not given")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--targets", default="onnx,openvino")
    parser.add_argument("--threads", type=int, default=0, help="cores used; 0: all")
    arguments = parser.parse_args()
    if arguments.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])
    from pixelwise.jobs.material import material_of
    from pixelwise.load import load

    with tempfile.TemporaryDirectory() as place:
        proved = exported(arguments.run, arguments.data, arguments.targets.split(","), Path(place))
        image = material_of(arguments.run, arguments.data, images=1).proof[0].image
        images = np.repeat(image.pixels[None], arguments.batch, axis=0)
        calls = {"pytorch fp32 nchw": plain(arguments.run)}
        for name, one in proved.items():
            calls[name] = load(one.path, "cpu").session
        medians = timed(calls, images, arguments.rounds)
    base = medians["pytorch fp32 nchw"]
    print(f"batch {arguments.batch}, {image.size[0]} x {image.size[1]}, {len(os.sched_getaffinity(0))} cores")
    for name, seconds in medians.items():
        print(f"{name:<20}{1000 * seconds:9.2f} ms{arguments.batch / seconds:9.1f} images/s")
    for name in proved:
        aim = f" (aim {AIMS[name]:g}x)" if name in AIMS else ""
        print(f"RATIO export {name} ours/peer {medians[name] / base:.3f} ({base / medians[name]:.2f}x as fast){aim}")


if __name__ == "__main__":
    main()
