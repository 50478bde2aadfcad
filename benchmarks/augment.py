"""Augment an image and its mask: Pixelwise against code written by hand on OpenCV, albumentations and torchvision.

The same operations for all, always drawn: enlarge by 1.1, crop 0.8 of the side, mirror, an affine change, colour jitter,
Gaussian noise, a blur of 5 pixels. One thread; the four take turns, and medians are compared, the least favourable of both
sizes. albumentations is there with ``pip install 'pixelwise[bench]'`` and is left out otherwise.

Lines ``RATIO`` are speeds: above 1, ours is faster. The aims are at least 1 / 1.3 = 0.77 of the hand-written code's speed and
at least 2 of albumentations'. Run: python benchmarks/augment.py
"""

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np

from pixelwise.augment import AugmentOptions, apply, draw
from pixelwise.core.arrays import ByteArray, Size
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.scenes import scenes

SIZES: tuple[Size, ...] = ((360, 480), (1024, 1024))
ENLARGE, CROP, DEGREES, SHEAR, JITTER, HUE, NOISE, SIGMA = 1.1, 0.8, 10.0, 5.0, 0.2, 10.0, 0.03, 1.1
ROUNDS = 41
Augment: TypeAlias = Callable[[ByteArray, ByteArray, int], tuple[ByteArray, ByteArray]]  # image, mask and seed in, both out


def crop_of(size: Size) -> Size:
    return round(size[0] * ENLARGE * CROP), round(size[1] * ENLARGE * CROP)


def ours(labels: LabelSet, mask: ByteArray) -> Augment:
    """Make our own: a truth as training's loader holds it in, a class map out."""
    truth = Segmentation.from_class_map(mask, labels)
    options = AugmentOptions(
        "none",
        flip=1,
        scale=(ENLARGE, ENLARGE),
        rotate=DEGREES,
        shear=SHEAR,
        brightness=JITTER,
        contrast=JITTER,
        saturation=JITTER,
        hue=HUE,
        chance=1,
        noise=NOISE,
        blur=SIGMA,
    )

    def augment(pixels: ByteArray, _: ByteArray, seed: int) -> tuple[ByteArray, ByteArray]:
        size = pixels.shape[:2]
        drawn = replace(draw(options, np.random.default_rng(seed), size, crop_of(size)), noise=NOISE, blur=SIGMA)
        image, moved = apply(Image(pixels), truth, drawn)
        return image.pixels, moved.class_map()

    return augment


def by_hand(pixels: ByteArray, mask: ByteArray, seed: int) -> tuple[ByteArray, ByteArray]:
    """Write it as a careful person does: one step after the other, each by OpenCV's fastest call."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    larger = round(width * ENLARGE), round(height * ENLARGE)
    pixels, mask = cv2.resize(pixels, larger), cv2.resize(mask, larger, interpolation=cv2.INTER_NEAREST)
    rows, columns = crop_of((height, width))
    top, left = int(rng.integers(larger[1] - rows + 1)), int(rng.integers(larger[0] - columns + 1))
    pixels, mask = pixels[top : top + rows, left : left + columns], mask[top : top + rows, left : left + columns]
    pixels, mask = cv2.flip(pixels, 1), cv2.flip(mask, 1)
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-DEGREES, DEGREES), 1.0)
    matrix[0, 1] += math.tan(math.radians(rng.uniform(-SHEAR, SHEAR)))
    pixels = cv2.warpAffine(pixels, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(mask, matrix, (columns, rows), flags=cv2.INTER_NEAREST, borderValue=255)
    contrast, brightness = (1 + rng.uniform(-JITTER, JITTER) for _ in range(2))
    table = np.clip(((np.arange(256) - 127.5) * contrast + 127.5) * brightness, 0, 255).astype(np.uint8)
    pixels = cv2.LUT(pixels, table)
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hue_table = ((np.arange(256) + rng.uniform(-HUE, HUE) / 2) % 180).astype(np.uint8)
    saturation_table = np.clip(np.arange(256) * (1 + rng.uniform(-JITTER, JITTER)), 0, 255).astype(np.uint8)
    hsv = cv2.LUT(hsv, np.stack([hue_table, saturation_table, np.arange(256, dtype=np.uint8)], axis=1)[None])
    pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    noise = np.empty(pixels.shape, np.int16)
    cv2.randn(noise, (0, 0, 0), (NOISE * 255,) * 3)
    pixels = cv2.add(pixels, noise, dtype=cv2.CV_8U)
    return cv2.GaussianBlur(pixels, (5, 5), SIGMA), mask


def by_albumentations() -> Augment | None:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        import albumentations
    except ImportError:
        return None
    found: dict[Size, albumentations.Compose] = {}

    def pipeline(size: Size) -> albumentations.Compose:
        return albumentations.Compose(
            [
                albumentations.Resize(round(size[0] * ENLARGE), round(size[1] * ENLARGE)),
                albumentations.RandomCrop(*crop_of(size)),
                albumentations.HorizontalFlip(p=1),
                albumentations.Affine(rotate=(-DEGREES, DEGREES), shear=(-SHEAR, SHEAR), fill_mask=255, p=1),
                albumentations.ColorJitter(JITTER, JITTER, JITTER, HUE / 360, p=1),
                albumentations.GaussNoise(std_range=(NOISE, NOISE), p=1),
                albumentations.GaussianBlur(blur_limit=(5, 5), sigma_limit=(SIGMA, SIGMA), p=1),
            ]
        )

    def augment(pixels: ByteArray, mask: ByteArray, seed: int) -> tuple[ByteArray, ByteArray]:
        size = pixels.shape[:2]
        made = found.get(size) or found.setdefault(size, pipeline(size))
        done = made(image=pixels, mask=mask)
        return done["image"], done["mask"]

    return augment


def by_torchvision() -> Augment:
    import torch
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    torch.set_num_threads(1)

    def augment(pixels: ByteArray, mask: ByteArray, seed: int) -> tuple[ByteArray, ByteArray]:
        size = pixels.shape[:2]
        made = v2.Compose(
            [
                v2.Resize([round(size[0] * ENLARGE), round(size[1] * ENLARGE)]),
                v2.RandomCrop(list(crop_of(size))),
                v2.RandomHorizontalFlip(p=1),
                v2.RandomAffine(DEGREES, shear=SHEAR, interpolation=v2.InterpolationMode.BILINEAR),
                v2.ColorJitter(JITTER, JITTER, JITTER, HUE / 360),
                v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                v2.GaussianNoise(sigma=NOISE),
                v2.GaussianBlur(5, SIGMA),
            ]
        )
        image = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
        image, truth = made(image, tv_tensors.Mask(torch.from_numpy(mask)[None]))
        return image.permute(1, 2, 0).numpy(), truth[0].numpy()

    return augment


def checked(name: str, augment: Augment, pixels: ByteArray, mask: ByteArray) -> None:
    """Make sure that what is timed did the work: another image of the crop's size, and a mask with no new value."""
    image, truth = augment(pixels, mask, 0)
    rows, columns = crop_of(pixels.shape[:2])
    if image.shape != (rows, columns, 3) or truth.shape != (rows, columns):
        raise SystemExit(f"{name}: expected a crop of {rows} x {columns}, got {image.shape} and {truth.shape}")
    if strange := set(np.unique(truth)) - set(np.unique(mask)) - {0, 255}:
        raise SystemExit(f"{name}: the mask holds values that were not there: {sorted(strange)}")


def seconds(augment: Augment, pixels: ByteArray, mask: ByteArray, seed: int) -> float:
    start = time.perf_counter()
    augment(pixels, mask, seed)
    return time.perf_counter() - start


def main() -> None:
    cv2.setNumThreads(1)
    peers: dict[str, Augment | None] = {
        "handwritten": by_hand,
        "albumentations": by_albumentations(),
        "torchvision": by_torchvision(),
    }
    ratios: dict[str, list[float]] = {}
    for size in SIZES:
        sample = scenes(1, size, seed=1)[0]
        pixels, truth = sample.image.pixels, sample.truth
        mask = truth.class_map()
        mine = ours(truth.labels, mask)
        there = {"ours": mine, **{name: peer for name, peer in peers.items() if peer is not None}}
        for name, augment in there.items():
            checked(name, augment, pixels, mask)
        times: dict[str, list[float]] = {name: [] for name in there}
        for seed in range(ROUNDS):
            for name, augment in there.items():
                if name != "torchvision" or seed % 5 == 0:  # ten times slower: fewer rounds
                    times[name].append(seconds(augment, pixels, mask, seed))
        medians = {name: statistics.median(found) for name, found in times.items()}
        print(f"{size[0]} x {size[1]}: " + ", ".join(f"{name} {1000 * each:.2f} ms" for name, each in medians.items()))
        for name in medians:
            if name != "ours":
                ratios.setdefault(name, []).append(medians[name] / medians["ours"])
    for name in ("torchvision", "albumentations", "handwritten"):
        if name in ratios:
            print(f"RATIO augment_{name} ours/peer {min(ratios[name]):.2f}")
        else:
            print(f"{name} is not installed: pip install 'pixelwise[bench]'")


if __name__ == "__main__":
    main()
