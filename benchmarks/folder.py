"""Segment a folder of small images: ``predict`` against the plain loop of reading, predicting and writing, images a second.

Both call the same predictor and write a PNG of class ids for each image. ``predict`` also measures every segment, keeps its
run lengths, flushes each file to the disk and enters it in its journal; it decodes ahead and writes behind the predictor, and
gives the network batches. With ``--overlay`` both draw the masks over the image, too. Images are drawn: 480 x 360 JPEGs.
Rounds alternate; medians are told. Run: python benchmarks/folder.py [--images 300] [--rounds 3] [--overlay]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Predictor
from pixelwise.draw.overlay import overlay
from pixelwise.methods.predictor import Method
from pixelwise.predict.folder import predict

SIZE = (360, 480)


def drawn(folder: Path, count: int) -> None:
    """Write blobs of smooth colours as JPEGs."""
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index:04}.jpg"), pixels)


def plain(predictor: Predictor, images: Path, out: Path, draws: bool) -> None:
    """Work as a script does: one image after the other."""
    out.mkdir()
    for path in sorted(images.iterdir()):
        image = Image(np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1]))
        (found,) = predictor([image])
        cv2.imwrite(str(out / f"{path.stem}.png"), found.class_map())
        if draws:
            cv2.imwrite(str(out / f"{path.stem}_overlay.jpg"), overlay(image, found)[:, :, ::-1])


def tiny_network() -> Predictor:
    """Build a U-Net of few channels, untrained: its results do not matter here."""
    from pixelwise.models import MODELS
    from pixelwise.predict.network import Network

    labels = LabelSet.of([f"class {index}" for index in range(4)])
    return Network(MODELS["unet"].build(labels, "semantic", encoder="plain", width=8, depth=3), "cpu", "fp32")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--overlay", action="store_true")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / "images"
        images.mkdir()
        drawn(images, asked.images)
        for name, predictor in (("otsu", Method("otsu")), ("tiny_unet", tiny_network())):
            speeds: dict[str, list[float]] = {"ours": [], "peer": []}
            for turn in range(asked.rounds + 1):  # the first round warms up and does not count
                for who, work in (("ours", predict), ("peer", plain)):
                    out = Path(place) / f"{name} {who} {turn}"
                    began = time.perf_counter()
                    if work is predict:
                        predict(predictor, images, out, overlay=asked.overlay)
                    else:
                        plain(predictor, images, out, asked.overlay)
                    if turn:
                        speeds[who].append(asked.images / (time.perf_counter() - began))
            ours, peer = (statistics.median(speeds[who]) for who in ("ours", "peer"))
            print(f"{name}: predict {ours:.1f} images/s, plain loop {peer:.1f}")
            print(f"RATIO folder_{name} ours/peer {ours / peer:.2f}")


if __name__ == "__main__":
    main()
