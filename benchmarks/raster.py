"""Segment a raster of 20,000 x 20,000 pixels into 23 classes: memory, time against the bare network, and SIGKILL.

The raster is a GeoTIFF of real photographs, laid side by side. The network is a U-Net on tf_efficientnet_lite0 (random weights;
its norms have seen the photograph), in bfloat16 unless ``--precision fp32`` is given. "Bare" is the same network on the same
number of tiles of the same size, in memory already: its forward pass, logits enlarged, the highest taken, nothing read and
nothing written. Every run has a process of its own; memory is its peak above what it held with the model loaded.

Run: python benchmarks/raster.py [--side 20000] [--precision bf16] [--threads 0] [--folder DIR]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tiles import CLASSES, held, network, prepare

TILE, OVERLAP, BARE_TILES = 1024, 128, 24


def draw(path: Path, photo: Any, side: int) -> None:
    """Write the raster strip by strip; each strip shows the photograph moved along, so that no two tiles are alike."""
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    shape = {"width": side, "height": side, "count": 3, "dtype": "uint8"}
    how = {"tiled": True, "blockxsize": 512, "blockysize": 512, "BIGTIFF": "IF_SAFER"}
    with rasterio.open(path, "w", "GTiff", crs="EPSG:32632", transform=from_origin(5e5, 5e6, 0.1, 0.1), **shape, **how) as file:
        for top in range(0, side, 512):
            rows = min(512, side - top)
            strip = np.take(photo, np.arange(top, top + rows) % photo.shape[0], axis=0)
            strip = np.take(strip, (np.arange(side) + 37 * top) % photo.shape[1], axis=1)
            file.write(np.moveaxis(strip, -1, 0), window=Window(0, top, side, rows))


def predictor(folder: Path, precision: str, threads: int) -> Any:
    import torch

    from pixelwise.predict.network import Network

    if threads:
        torch.set_num_threads(threads)
    return Network(network(folder / "weights.pt"), "cpu", precision)


def predict(folder: Path, out: Path, precision: str, threads: int) -> None:
    """Predict the raster; print how far it is, then seconds and megabytes."""
    from pixelwise.predict.rasters.raster import predict_raster
    from pixelwise.predict.tiles.tiling import Tiling

    one = predictor(folder, precision, threads)
    one([np.load(folder / "photo.npy")[:64, :64]])  # what is loaded on first use is part of the model
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before, began = held("VmRSS"), time.perf_counter()
    tiling = Tiling((TILE, TILE), OVERLAP, "cut", one.card.stride)
    predict_raster(one, folder / "raster.tif", out, tiling=tiling, progress=lambda done, of: print(done / of, flush=True))
    print("result", time.perf_counter() - began, held("VmHWM") - before, flush=True)


def bare(folder: Path, precision: str, threads: int) -> None:
    """Print the seconds that the network takes for a tile."""
    import torch
    import torch.nn.functional as F

    one, photo = predictor(folder, precision, threads), np.load(folder / "photo.npy")
    places = [
        (top, left) for top in range(0, photo.shape[0] - TILE, TILE // 2) for left in range(0, photo.shape[1] - TILE, TILE)
    ]
    crops = [photo[top : top + TILE, left : left + TILE] for top, left in places[: BARE_TILES + 1]]
    began = 0.0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for index, crop in enumerate(crops):
            began = time.perf_counter() if index == 1 else began
            images = (
                torch.from_numpy(crop).permute(2, 0, 1)[None].float().div_(255).contiguous(memory_format=torch.channels_last)
            )
            logits = F.interpolate(one.model(images).logits.float(), size=(TILE, TILE), mode="bilinear", align_corners=False)
            logits.max(dim=1)[1].to(torch.uint8).numpy()
    print("result", (time.perf_counter() - began) / (len(crops) - 1), 0, flush=True)


def run(
    task: str, folder: Path, arguments: argparse.Namespace, out: Path | None = None, stop_at: float = 2.0
) -> tuple[float, float]:
    """Run a task in a process of its own, and kill it where it says to be so far; give what it printed last."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder), "--out", str(out or folder)]
    command += ["--precision", arguments.precision, "--threads", str(arguments.threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words[0] == "result":
                return float(words[1]), float(words[2])
            if float(words[0]) >= stop_at:
                os.kill(process.pid, signal.SIGKILL)
                return float("nan"), float("nan")
    raise SystemExit(f"{task}: ended with exit code {process.returncode} and without a result")


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    from classical import photograph

    from pixelwise.core.grid import spans

    prepare(folder, (4000, 6000))
    draw(folder / "raster.tif", photograph()[:4000, :6000], arguments.side)
    tiles = len(spans(arguments.side, TILE, OVERLAP, 32)) ** 2
    first = run("bare", folder, arguments)[0]
    seconds, memory = run("predict", folder, arguments, folder / "whole")
    second = run("bare", folder, arguments)[0]
    network_seconds = tiles * (first + second) / 2
    run("predict", folder, arguments, folder / "killed", stop_at=0.5)
    again, _ = run("predict", folder, arguments, folder / "killed")
    same = (folder / "whole" / "raster.tif").read_bytes() == (folder / "killed" / "raster.tif").read_bytes()
    million = arguments.side**2 / 1e6
    print(f"{arguments.side} x {arguments.side}, {CLASSES} classes, {arguments.precision}, {tiles} tiles of {TILE}")
    print(f"predicted in {seconds:.0f} s, {seconds / million:.3f} s a megapixel, {memory:.0f} MB above the loaded model")
    print(f"killed at half: the rest took {again:.0f} s; the results are {'equal' if same else 'NOT equal'} to the last byte")
    print(f"RATIO raster time ours/network {seconds / network_seconds:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--threads", type=int, default=0, help="of each run; 0: as torch chooses")
    parser.add_argument(
        "--folder", type=Path, help="for the raster and the results, some gigabytes; a temporary one if not given"
    )
    parser.add_argument("--task", choices=["predict", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task == "bare":
        bare(arguments.folder, arguments.precision, arguments.threads)
    elif arguments.task == "predict":
        predict(arguments.folder, arguments.out, arguments.precision, arguments.threads)
    elif arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        compare(arguments.folder, arguments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), arguments)


if __name__ == "__main__":
    main()
