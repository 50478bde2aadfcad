"""The plain way of tutorials, as the peer of several benchmarks: a Pillow data set, and scores by a loop over classes.

Nothing here is made slow on purpose: it is what most first notebooks on segmentation hold.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

import pixelwise
from pixelwise.scenes import scenes

VOID = 255
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Photos(NamedTuple):
    """Files of images and of their masks, in step; the value that is void (or -1); the folder and its name."""

    images: list[Path]
    masks: list[Path]
    void: int
    folder: Path
    name: str

    def dataset(self) -> pixelwise.Dataset:
        """Read the same files with Pixelwise."""
        data = pixelwise.read(self.folder, void=str(self.void) if self.void >= 0 else None)
        wanted = {path.stem for path in self.images}
        return data.take([row for row, sample in enumerate(data) if Path(sample.name).stem in wanted])


@contextmanager
def photographs(count: int = 64) -> Iterator[Photos]:
    """Give images of 360 x 480 with masks: CamVid's where it is to be had, else drawn scenes."""
    shared = Path(os.environ.get("PIXELWISE_SHARED_DATA", "../shared/data")) / "camvid"
    if shared.is_dir():
        masks = sorted((shared / "trainannot").glob("*.png"))[:count]
        yield Photos([next((shared / "train").glob(f"{mask.stem}.*")) for mask in masks], masks, 11, shared, "CamVid")
        return
    with tempfile.TemporaryDirectory() as name:
        photos = Photos([], [], -1, Path(name), "drawn scenes")
        for kind in ("images", "masks"):
            (photos.folder / kind).mkdir()
        for sample in scenes(count, (360, 480)):
            photos.images.append(photos.folder / "images" / f"{sample.name}.jpg")
            photos.masks.append(photos.folder / "masks" / f"{sample.name}.png")
            Image.fromarray(sample.image.pixels).save(photos.images[-1], quality=95)
            Image.fromarray(sample.truth.class_map().astype(np.uint8)).save(photos.masks[-1])
        yield photos


class Photographs(Dataset[tuple[Tensor, Tensor]]):
    """A tutorial's data set: read with Pillow, scale, crop, mirror, change the light, normalise."""

    def __init__(self, photos: Photos, crop: tuple[int, int]) -> None:
        self.images, self.masks, self.void, self.crop = photos.images, photos.masks, photos.void, crop

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = Image.open(self.images[index]).convert("RGB")
        mask = Image.open(self.masks[index])
        factor = float(np.random.uniform(1.0, 1.8))
        size = (int(image.width * factor), int(image.height * factor))
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
        classes = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
        top = np.random.randint(0, pixels.shape[0] - self.crop[0] + 1)
        left = np.random.randint(0, pixels.shape[1] - self.crop[1] + 1)
        pixels = pixels[top : top + self.crop[0], left : left + self.crop[1]]
        classes = classes[top : top + self.crop[0], left : left + self.crop[1]]
        if np.random.random() < 0.5:
            pixels, classes = pixels[:, ::-1], classes[:, ::-1]
        values = pixels.astype(np.float32) / 255 * np.random.uniform(0.75, 1.25)
        values = (torch.from_numpy(np.ascontiguousarray(values)) - MEAN) / DEVIATION
        ids = torch.from_numpy(np.array(classes)).long()
        return values.permute(2, 0, 1).contiguous(), torch.where(ids == self.void, VOID, ids)


def mean_iou(logits: Tensor, classes: Tensor, count: int) -> float:
    """Give the mean IoU by a loop over classes, and ``.item()`` for each."""
    prediction = torch.argmax(logits, dim=1)
    labelled = classes != VOID
    found = []
    for index in range(count):
        predicted, true = (prediction == index) & labelled, (classes == index) & labelled
        union = (predicted | true).sum().item()
        if union:
            found.append((predicted & true).sum().item() / union)
    return float(np.mean(found)) if found else 0.0


def pixel_accuracy(logits: Tensor, classes: Tensor) -> float:
    """Give the share of labelled pixels that are right."""
    labelled = classes != VOID
    return ((torch.argmax(logits, dim=1) == classes) & labelled).sum().item() / max(1, labelled.sum().item())
