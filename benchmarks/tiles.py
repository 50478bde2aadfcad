"""Segment a photograph of 6000 x 4000 pixels into 23 classes in tiles, against MONAI's sliding window: time, memory, agreement.

Both run the same U-Net on tf_efficientnet_lite0 (random weights; its norms have seen the photograph once) on the same pixels.
MONAI's window is 512 x 512 with an overlap of a quarter and Gaussian weights, four windows at once, and ``argmax`` makes its
class map: in 32 bits as it is, and in bfloat16 with channels last. Pixelwise is ``Tiled`` with its own choice of tiles, in
bfloat16, and once in 32 bits with MONAI's tiles and weights, where the class maps of both are compared. Every run has a process
of its own; memory is its peak above the loaded model and photograph. Where MONAI is not installed (``pip install
monai``), our own figures are told. Run: python benchmarks/tiles.py [--size 4000,6000] [--rounds 1]
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLASSES, ROI, OVERLAP, AT_ONCE = 23, 512, 0.25, 4
OURS = ("tiled bf16", "tiled gaussian fp32")
PEERS = ("monai fp32", "monai bf16")


def network(state: Path | None = None) -> Any:
    """Build the U-Net, with the weights of a file where one is given."""
    import torch

    from pixelwise.core.labels import LabelSet
    from pixelwise.models.networks import unet

    torch.manual_seed(0)
    labels = LabelSet.of([f"class {index}" for index in range(CLASSES)])
    model = unet.build(labels, encoder="tf_efficientnet_lite0", weights="none")
    if state is not None:
        model.load_state_dict(torch.load(state, weights_only=True))
    return model.eval()


def prepare(folder: Path, size: tuple[int, int]) -> None:
    """Store the photograph and the weights that all runs share."""
    import torch
    from classical import photograph

    pixels = photograph()[: size[0], : size[1]]
    np.save(folder / "photo.npy", pixels)
    model = network().train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over what is seen: without it, random weights give one class everywhere
    crops = [pixels[top : top + ROI, left : left + ROI] for top in (0, size[0] - ROI) for left in (0, size[1] - ROI)]
    with torch.no_grad():
        model(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255)
    torch.save(model.state_dict(), folder / "weights.pt")


def ours(name: str, model: Any, pixels: Any) -> Callable[[], Any]:
    """Give what segments the photograph with ``Tiled``, or with ``blocks`` on MONAI's grid."""
    from pixelwise.core.image import Image
    from pixelwise.core.rasters.raster import ImageRaster
    from pixelwise.predict.network import Network
    from pixelwise.predict.tiled import Tiled
    from pixelwise.predict.tiles.strips import Tiling, blocks

    predictor, image = Network(model, "cpu", "bf16" if "bf16" in name else "fp32"), Image(pixels)
    if "gaussian" in name:
        tiling = Tiling((ROI, ROI), int(ROI * OVERLAP), "gaussian")
        return lambda: np.concatenate([block.classes for block in blocks(predictor, ImageRaster(image), tiling)])
    tiled = Tiled(predictor)
    print(f"the plan: {tiled.plan(image.size)}", flush=True)
    return lambda: tiled([image])[0].class_map()


def peer(name: str, model: Any, pixels: Any) -> Callable[[], Any]:
    """Give what segments the photograph with MONAI's sliding window."""
    import torch
    import torch.nn.functional as F
    from monai.inferers import SlidingWindowInferer

    slide = SlidingWindowInferer((ROI, ROI), AT_ONCE, overlap=OVERLAP, mode="gaussian")
    has_bf16 = "bf16" in name
    model = model.to(memory_format=torch.channels_last if has_bf16 else torch.contiguous_format)

    def window(images: Any) -> Any:
        if has_bf16:
            images = images.contiguous(memory_format=torch.channels_last)
        return F.interpolate(model(images).logits, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def run() -> Any:
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=has_bf16):
            return slide(images, window)[0].argmax(dim=0).to(torch.uint8).numpy()

    return run


def measure(name: str, folder: Path, threads: int, results: Any) -> None:
    """Put a run's seconds and its peak above what was held before it; store its class map."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    pixels = np.load(folder / "photo.npy")
    run = (ours if name in OURS else peer)(name, network(folder / "weights.pt"), pixels)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = held("VmRSS")
    began, used = time.perf_counter(), time.process_time()
    classes = run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = held("VmHWM") - before
    np.save(folder / f"{name}.npy", classes)
    results.put((seconds, cpu, peak))


def held(what: str) -> float:
    """Give the megabytes this process holds now (VmRSS), or held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what))


def in_own_process(name: str, folder: Path, threads: int) -> tuple[float, float, float]:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(name, folder, threads, results))
    process.start()
    while process.is_alive() and results.empty():
        process.join(0.2)
    if results.empty():
        raise SystemExit(f"{name}: ended with exit code {process.exitcode} and without a result")
    found = results.get()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="4000,6000", help="height and width; 4000,6000 at most")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="of each run; 0: as torch chooses")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split(","))
    try:
        import monai  # noqa: F401
    except ImportError:
        print("MONAI is not installed: our figures alone")
        names = OURS
    else:
        names = OURS + PEERS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, (height, width))
        rounds = [{name: in_own_process(name, folder, arguments.threads) for name in names} for _ in range(arguments.rounds)]
        found = {name: [statistics.median(each[name][index] for each in rounds) for index in range(3)] for name in names}
        maps = {name: np.load(folder / f"{name}.npy") for name in names}
    print(f"{width} x {height}, {CLASSES} classes, {arguments.threads or os.cpu_count()} threads")
    for name, (seconds, cpu, peak) in found.items():
        print(f"{name:<26}{seconds:8.1f} s{cpu:8.1f} CPU s{peak:8.0f} MB")
    if names != OURS:
        tell(found, maps)


def tell(found: dict[str, list[float]], maps: dict[str, Any]) -> None:
    same = float((maps["tiled gaussian fp32"] == maps["monai fp32"]).mean())
    print(f"same class as monai fp32, with its tiles, overlap and weights: {same:.3%}")
    mine = found["tiled bf16"]
    for other in ("monai fp32", "monai bf16"):
        print(f"RATIO tiles time {other} ours/peer {mine[0] / found[other][0]:.3f} ({found[other][0] / mine[0]:.1f}x as fast)")
    least = min(found[other][2] for other in ("monai fp32", "monai bf16"))
    print(f"RATIO tiles memory ours/peer {mine[2] / least:.3f} (1/{least / mine[2]:.1f})")


if __name__ == "__main__":
    main()
