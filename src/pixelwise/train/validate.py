"""When to validate, and the scores of a model on whole images while it trains."""

from collections.abc import Iterator

import torch
from lightning.fabric import Fabric

from pixelwise.core.predictor import PLAIN
from pixelwise.core.sample import Dataset, Sample
from pixelwise.decode.frame import Frame
from pixelwise.metrics import overlap
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.loader import Batch, stacked
from pixelwise.train.options import TrainOptions


def validation_steps(options: TrainOptions) -> frozenset[int]:
    """Choose the steps to validate at: evenly spaced, the last step among them."""
    times = max(1, min(options.validations or 10, options.steps))
    return frozenset(round((index + 1) * options.steps / times) for index in range(times))


@torch.inference_mode()
def validate(model: Segmenter, dataset: Dataset, fabric: Fabric, batch: int) -> dict[str, float]:
    """Score a model on whole images; images of different sizes never share a batch."""
    model.eval()
    counts = []
    for group in _same_size(dataset, batch):
        images = [sample.image.to_bands(model.card.bands) for sample in group]
        pixels = Batch(torch.from_numpy(stacked([image.pixels for image in images])), {}, ())
        with fabric.autocast():
            found = model.predict(pixels.images(fabric.device), [Frame(image.size) for image in images], PLAIN)
        for sample, prediction in zip(group, found, strict=True):
            counts.append(overlap.count(prediction, sample.truth))
    return overlap.score(sum(counts[1:], counts[0]))


def _same_size(dataset: Dataset, batch: int) -> Iterator[list[Sample]]:
    """Cut a data set, in order, into runs of samples of one size, at most ``batch`` and 4 megapixels each."""
    group: list[Sample] = []
    for sample in dataset:
        full = len(group) >= batch or (len(group) + 1) * sample.size[0] * sample.size[1] > 4_000_000
        if group and (full or sample.size != group[0].size):
            yield group
            group = []
        group.append(sample)
    if group:
        yield group
