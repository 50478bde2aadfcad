"""Pictures of a few validation images while a run goes on: image, truth, prediction and errors side by side."""

from collections.abc import Iterator

import torch
from lightning.fabric import Fabric

from pixelwise.core.arrays import ByteArray
from pixelwise.core.predictor import PLAIN
from pixelwise.core.sample import Dataset
from pixelwise.decode.frame import Frame
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.loader import Batch, stacked

SHOWN = 3
LARGEST = 4_000_000  # pixels: a picture is not worth the memory of a larger image


@torch.inference_mode()
def examples(model: Segmenter, val: Dataset, fabric: Fabric) -> Iterator[tuple[str, ByteArray]]:
    """Give the names and pictures (H, W, 3) of a few images, the same ones each time, spread over the data set."""
    from pixelwise.draw import compare

    model.eval()
    step = max(1, len(val) // SHOWN)
    for sample in val[::step][:SHOWN]:
        if sample.size[0] * sample.size[1] > LARGEST:
            continue
        image = sample.image
        pixels = Batch(torch.from_numpy(stacked([image.to_bands(model.card.bands).pixels])), {}, ())
        with fabric.autocast():
            found = model.predict(pixels.images(fabric.device), [Frame(image.size)], PLAIN)
        yield sample.name, compare(image, sample.truth, found[0], width=240)
