"""Does it help small objects to be shown in tiles? A trained network of instances, with and without them, by size of object.

A network that takes images of a fixed size sees a large image reduced, and its small objects with it; cut into tiles, the
image is seen as it is, which is the idea of slicing aided inference [1]. Pixelwise reads images at the scale a network was
trained at, so both are told apart here:

* fitted: the whole image, reduced until its longer side is that of a tile, as a network of a fixed input size is given it;
* whole: the whole image at the network's own scale;
* tiles: the same scale, in tiles that overlap; objects are joined over them (``predict/tiles/joined.py``);
* enlarged: tiles, each shown larger.

Between whole and tiles nothing is gained by size: what is lost there, seams cost. AP is COCO's, so of an image the best 100
objects of a class count. The image's own pixels say which objects are small (below 32 x 32), for every way the same.

Run: python benchmarks/slicing.py RUN [DATA] [--lists benchmarks/splits/nuclei] [--split val] [--tile 256] [--overlap 64]

[1] Akyon, Altinuc, Temizel: Slicing Aided Hyper Inference and Fine-tuning for Small Object Detection, ICIP 2022.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pixelwise as pw
from pixelwise.core.arrays import Size
from pixelwise.core.card import Card
from pixelwise.core.image import Image
from pixelwise.core.predictor import PLAIN, Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.split_lists import read_with_lists
from pixelwise.predict.network import Network
from pixelwise.predict.tiles.joined import Joined
from pixelwise.predict.tiles.tiling import Tiling

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PIXELWISE_SHARED_DATA", ROOT / ".." / "shared" / "data")) / "nuclei"
LISTS = ROOT / "benchmarks" / "splits" / "nuclei"
SCORES = ("ap", "ap50", "ap_small", "ap_medium", "ap_large")


class Scaled:
    """A network that reads each image at another scale than its own, chosen by the image's size."""

    def __init__(self, network: Network, factor: Callable[[Size], float]) -> None:
        self.network, self.card, self._factor = network, network.card, factor

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment image by image."""
        found = []
        for image in images:
            self.network.model.card = self._at(self._factor(image.size))
            found += self.network([image], request)
        self.network.model.card = self.card
        return found

    def _at(self, factor: float) -> Card:
        return replace(self.card, scale=self.card.scale * factor)


def ways(network: Network, tile: int, overlap: int, enlarge: float) -> dict[str, Predictor]:
    """Lay out the ways to show an image; all four run image by image, so that their times compare."""
    tiling = Tiling((tile, tile), overlap)
    return {
        "fitted": Scaled(network, lambda size: min(1.0, tile / max(size) / network.card.scale)),
        "whole": Scaled(network, lambda size: 1.0),
        "tiles": Joined(Scaled(network, lambda size: 1.0), tiling),
        "enlarged": Joined(Scaled(network, lambda size: enlarge), tiling),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder or checkpoint of a network of instances")
    parser.add_argument("data", type=Path, nargs="?", default=DATA)
    parser.add_argument("--lists", type=Path, default=None, help="split lists; those of nuclei if no data is named")
    parser.add_argument("--split", default="val")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--enlarge", type=float, default=2.0)
    options = parser.parse_args()
    network = pw.load(options.run)
    if not isinstance(network, Network) or network.card.kind != "instance":
        sys.exit(f"{options.run}: expected a network of instances")
    lists = LISTS if options.data == DATA and options.lists is None else options.lists
    dataset = read_with_lists(options.data, lists, split=options.split)
    large = sum(max(sample.image.size) > options.tile for sample in dataset)
    print(f"{len(dataset)} images, {large} of them larger than a tile of {options.tile} with overlap {options.overlap}")
    found: dict[str, dict[str, float]] = {}
    print(f"{'':10s}" + "".join(f"{name:>11s}" for name in (*SCORES, "seconds")))
    for name, predictor in ways(network, options.tile, options.overlap, options.enlarge).items():
        start = time.perf_counter()
        scores = pw.evaluate(predictor, dataset, SCORES, batch=1, intervals=None).scores
        seconds = time.perf_counter() - start
        found[name] = {key: float(scores[key]) for key in SCORES}
        print(f"{name:10s}" + "".join(f"{found[name][key]:11.3f}" for key in SCORES) + f"{seconds:11.1f}")
    for name in ("fitted", "whole"):
        if found[name]["ap_small"] > 0:
            best = max(found["tiles"]["ap_small"], found["enlarged"]["ap_small"])
            print(f"RATIO slicing AP small, tiles/{name} {found['tiles']['ap_small'] / found[name]['ap_small']:.2f}")
            print(f"RATIO slicing AP small, better of tiles and enlarged/{name} {best / found[name]['ap_small']:.2f}")


if __name__ == "__main__":
    main()
