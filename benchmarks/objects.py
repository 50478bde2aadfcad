"""Images a second of a small YOLO-style network as an OpenVINO file, decoding included, against the same network in PyTorch.

The network (``yolo``, size n) is trained on drawn scenes of a side, exported to OpenVINO in 32 bits and proved on 50 others,
from the picture to the masks, as ``pixelwise export`` does. Then both predict one picture after another, from pixels in memory
to a segmentation with its masks, in turns; medians of the rounds.

Run: python benchmarks/objects.py [--side 320] [--minutes 8] [--encoder csp] [--rounds 8] [--threads 0]
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from quality import drawn_data

RUNS = Path("runs/objects")
DRAWN = 150, 50  # scenes to train on, and to prove on
AIM = 25.0  # images a second
REST = 0.3  # seconds before a turn: threads of runtimes spin for a while after a call


def train(run: Path, data: Path, encoder: str, side: int, minutes: float) -> None:
    """Train the network, or go on."""
    from pixelwise.cli.app import main as pixelwise

    settings = ["model.kind=instance", "model.size=n", f"model.encoder={encoder}", f"train.crop=[{side},{side}]"]
    flags = [word for one in settings for word in ("--set", one)]
    where = ["--data", str(data), "--model", "yolo", "--minutes", f"{minutes:g}", "--out", str(run), "--resume"]
    if code := pixelwise(["train", *where, *flags]):
        sys.exit(code)


def exported(run: Path) -> Path:
    """Export to OpenVINO and prove it; tell what was proved."""
    from pixelwise.jobs.export import export_each
    from pixelwise.jobs.exported import Wanted
    from pixelwise.jobs.material import material_of

    (one,) = export_each(run, ["openvino"], run / "exports", Wanted("fp32"), material_of(run))
    if one.path is None or one.parity is None or one.parity.scores is None:
        sys.exit(f"openvino: {one.problem}")
    name, model, file = one.parity.scores
    equal = one.parity.total.share
    print(f"proof on {len(one.parity.images)} images: equal pixels {equal:.5f}, {name} {model:.4f} -> {file:.4f}")
    return one.path


def timed(lanes: dict[str, Any], images: list[Any], rounds: int) -> dict[str, float]:
    """Give the median images a second of each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in lanes}
    for turn in range(rounds):
        for name in sorted(lanes, reverse=bool(turn % 2)):
            time.sleep(REST)
            lanes[name](images[:1])
            began = time.perf_counter()
            for image in images:
                lanes[name]([image])
            found[name].append(len(images) / (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--encoder", default="tf_efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0, help="cores used; 0: all")
    asked = parser.parse_args()
    if asked.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.threads])
    import pixelwise as pw

    data = drawn_data(RUNS / f"scenes_{asked.side}", "instance", DRAWN, 200, (asked.side, asked.side))
    run = RUNS / f"yolo_{asked.encoder}_{asked.side}_{asked.minutes:g}min"
    train(run, data, asked.encoder, asked.side, asked.minutes)
    lanes: dict[str, Any] = {"openvino": pw.load(exported(run), "cpu"), "pytorch": pw.load(run, "cpu", "fp32")}
    images = [sample.image for sample in pw.read(data).split("val")]
    objects = statistics.mean(len(one) for one in lanes["openvino"](images))
    rates = timed(lanes, images, asked.rounds)
    cores = len(os.sched_getaffinity(0))
    print(f"{asked.side} x {asked.side}, {objects:.1f} objects found in an image, one image at a time, {cores} cores")
    for name, rate in rates.items():
        print(f"{name:<12}{rate:8.1f} images/s")
    ratio = rates["openvino"] / rates["pytorch"]
    print(f"RATIO yolo openvino ours/pytorch {ratio:.2f} ({rates['openvino']:.1f} images/s, aim {AIM:g})")


if __name__ == "__main__":
    main()
