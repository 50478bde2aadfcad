"""Load and augment batches of 352 x 480, batch 8: Pixelwise's loader against a tutorial's DataLoader, images a second.

Both read the same JPEG and PNG files, scale, crop, mirror and change the light; Pixelwise does its default policy, which
also stretches, shifts hues, adds noise and blurs. Two figures of ours: the first pass, which decodes every file, and later
ones, which find the images in memory. The tutorial decodes anew in each pass, in two processes. The ratio is that of the
later passes. Run: python benchmarks/loader.py
"""

import statistics
import time

from textbook import Photographs, Photos, photographs
from torch.utils.data import DataLoader

from pixelwise.augment import AugmentOptions
from pixelwise.core.image import RGB
from pixelwise.core.sample import Dataset
from pixelwise.models.networks import unet
from pixelwise.train.loader import Crops, Order, batches

CROP, BATCH, COUNT, ROUNDS = (352, 480), 8, 64, 3


def ours(train: Dataset) -> tuple[float, float]:
    """Give the images a second of the first pass and of the second."""
    head = unet.build(train.labels, weights="none").head
    crops = Crops(train, head, AugmentOptions(), CROP, 0, RGB, 2**31)
    order, steps = Order(len(train), BATCH, 0), len(train) // BATCH
    return _speed(crops, order, 0, steps), _speed(crops, order, steps, 2 * steps)


def _speed(crops: Crops, order: Order, first: int, last: int) -> float:
    start = time.perf_counter()
    images = sum(len(batch.names) for batch in batches(crops, order, first, last))
    return images / (time.perf_counter() - start)


def textbook(photos: Photos) -> float:
    """Give the images a second of one pass, its worker processes already running."""
    loader = DataLoader(Photographs(photos, CROP), BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    for _ in loader:
        pass
    start = time.perf_counter()
    count = sum(len(pixels) for pixels, _ in loader)
    return count / (time.perf_counter() - start)


def main() -> None:
    with photographs(COUNT) as photos:
        train = photos.dataset()
        rounds = [(*ours(train), textbook(photos)) for _ in range(ROUNDS)]
    first, later, peer = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"{len(train)} images of {photos.name}: first pass {first:.0f} images/s, later {later:.0f}, textbook {peer:.0f}")
    print(f"RATIO loader ours/peer {later / peer:.2f}")


if __name__ == "__main__":
    main()
