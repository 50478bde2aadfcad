"""Train a U-Net MobileNetV2 at 352 x 480, batch 4: Pixelwise by default against the textbook loop, images a second.

Both read the same files, augment and step. The textbook trains in fp32, NCHW, with a DataLoader of two processes and Adam, and
scores each training batch, by a loop over classes for the mIoU, as first notebooks do; Pixelwise scores validation images
alone, of which there are none here. It is ``pw.fit`` with nothing set but what the two must share. Each round is one run of
either; the first steps are left out on both sides. The ratio is that of the median speeds. Run: python benchmarks/train_step.py
"""

import statistics
import time
import warnings

import segmentation_models_pytorch as smp
import torch
from textbook import VOID, Photographs, Photos, mean_iou, photographs, pixel_accuracy
from torch.utils.data import DataLoader

import pixelwise as pw
from pixelwise.core.sample import Dataset
from pixelwise.models.networks import unet
from pixelwise.train.options import TrainOptions

CROP, BATCH, STEPS, SKIPPED, ROUNDS = (352, 480), 4, 36, 8, 3


def ours(train: Dataset) -> float:
    """Give the images a second of ``pw.fit``."""
    model = unet.build(train.labels, encoder="mobilenet_v2", weights="none")
    options = TrainOptions(steps=STEPS, batch=BATCH, crop=CROP, validations=1)
    run = pw.fit(model, train, train.take([]), options, quiet=True)
    seconds = {int(row["step"]): float(row["seconds"]) for row in run.progress.history}
    return (STEPS - 1 - SKIPPED) * BATCH / (seconds[STEPS - 1] - seconds[SKIPPED])


def textbook(photos: Photos, classes: int) -> float:
    """Give the images a second of a plain loop."""
    model = smp.Unet("mobilenet_v2", encoder_weights=None, classes=classes)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss(ignore_index=VOID)
    loader = DataLoader(Photographs(photos, CROP), BATCH, shuffle=True, num_workers=2, drop_last=True)
    model.train()
    done, began = 0, 0.0
    while done < STEPS:
        for pixels, truth in loader:
            if done == SKIPPED:
                began = time.perf_counter()
            optimiser.zero_grad()
            logits = model(pixels)
            loss = criterion(logits, truth)
            loss.backward()
            optimiser.step()
            loss.item(), mean_iou(logits, truth, classes), pixel_accuracy(logits, truth)
            done += 1
            if done == STEPS:
                break
    return (STEPS - SKIPPED) * BATCH / (time.perf_counter() - began)


def main() -> None:
    warnings.simplefilter("ignore")
    with photographs() as photos:
        train = photos.dataset()
        rounds = []
        for _ in range(ROUNDS):
            mine, peer = ours(train), textbook(photos, len(train.labels))
            rounds.append((mine, peer))
            print(f"{photos.name}: ours {mine:.2f} images/s, textbook {peer:.2f}, {mine / peer:.2f}x", flush=True)
    mine, peer = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"U-Net MobileNetV2, {CROP[0]} x {CROP[1]}, batch {BATCH}: ours {mine:.2f} images/s, textbook {peer:.2f}")
    print(f"RATIO train_step ours/peer {mine / peer:.2f}")


if __name__ == "__main__":
    main()
