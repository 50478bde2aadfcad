"""When to validate, and the scores of a model on whole images while it trains."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch
from lightning.fabric import Fabric

from pixelwise.core.errors import TrainingError, first_line
from pixelwise.core.predictor import PLAIN
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.frame import Frame
from pixelwise.metrics import METRICS
from pixelwise.metrics.context import Context
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.devices import gathered
from pixelwise.train.failures import is_out_of_memory
from pixelwise.train.goal import goal_of
from pixelwise.train.loader import Batch, stacked
from pixelwise.train.options import VALIDATIONS, TrainOptions


def validation_steps(options: TrainOptions) -> frozenset[int]:
    """Choose the steps to validate at: evenly spaced, the last step among them."""
    times = max(1, min(options.validations or VALIDATIONS, options.steps))
    return frozenset(round((index + 1) * options.steps / times) for index in range(times))


@torch.inference_mode()
def validate(model: Segmenter, dataset: Dataset, fabric: Fabric, batch: int) -> dict[str, float]:
    """Score a model on whole images by its kind's goal, each process on its part; a batch holds images of one size.

    Raises:
        TrainingError: memory does not hold one whole image.
    """
    family = METRICS[goal_of(model.card.kind).family]
    model.eval()
    part = dataset.take(range(fabric.global_rank, len(dataset), fabric.world_size))
    counts = [one for group in _same_size(part, batch) for one in _count(model, group, fabric, family)]
    own = sum(counts[1:], counts[0]) if counts else None
    found = [one for one in gathered(own, fabric) if one is not None]
    scores: dict[str, float] = family.score(sum(found[1:], found[0]))
    return scores


def _count(model: Segmenter, group: list[Sample], fabric: Fabric, family: ModuleType) -> list[Any]:
    """Count a batch of one size, in halves where memory runs out."""
    images = [sample.image.to_bands(model.card.bands) for sample in group]
    pixels = Batch(torch.from_numpy(stacked([image.pixels for image in images])), {}, ())
    try:
        with fabric.autocast():
            found = model.predict(pixels.images(fabric.device), [Frame(image.size) for image in images], PLAIN)
        return [_one(family, prediction, sample) for sample, prediction in zip(group, found, strict=True)]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = first_line(error)
    if len(group) == 1:
        height, width = group[0].size
        raise TrainingError(
            f"memory does not hold the image {group[0].name} of {height} x {width} for validation ({message}); read images "
            f"smaller with --set data.scale=0.5, or validate on smaller ones"
        )
    middle = len(group) // 2
    return [*_count(model, group[:middle], fabric, family), *_count(model, group[middle:], fabric, family)]


def _one(family: ModuleType, prediction: Segmentation, sample: Sample) -> Any:
    if getattr(family, "WANTS_CONTEXT", False):
        return family.count(prediction, sample.truth, Context.of(sample))
    return family.count(prediction, sample.truth)


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
