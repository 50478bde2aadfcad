"""Predict what a training step will cost in memory and time, before the first one is made.

Memory follows from what the network keeps for its backward pass, which grows with the pixels of a batch alone: it is counted
once, on a small image. Time is measured on a few steps of a part of the batch, and drawn out to the whole batch in a line; the
loader's part is measured on a few images.
"""

import copy
import json
import statistics
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.core.errors import OptionError, TrainingError, first_line
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.resources import resident_memory
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.models import MODELS
from pixelwise.models.build_options import fitted_options
from pixelwise.models.heads.base import Targets
from pixelwise.models.heads.query import TooFewQueries
from pixelwise.models.recompute import frozen_norms
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.failures import SINGLE_VALUE, is_out_of_memory, is_single_value
from pixelwise.train.loader import Crops, collate
from pixelwise.train.machine import Machine

COPIES = 5  # of the weights: themselves, gradients, the optimiser's two moments, the running average
_OBJECTS = 8  # in the images that steps are tried on
PEAK = 1.35  # the largest buffers of a step over what is kept for the backward pass, as seen on CPUs


@dataclass(frozen=True)
class Footprint:
    """Memory of a network in training.

    Attributes:
        weights: bytes of its parameters and buffers.
        per_pixel: bytes kept for the backward pass for each pixel of a batch.
    """

    weights: int
    per_pixel: float

    def bytes(self, batch: int, crop: Size) -> int:
        """Predict the bytes a training step takes at its peak, above what the process holds before."""
        return round(COPIES * self.weights + PEAK * self.per_pixel * batch * crop[0] * crop[1])


def footprint(model: Segmenter, precision: str = "32-true") -> Footprint:
    """Count what ``model`` keeps for its backward pass, on two small images; the model is left as it was."""
    trial = copy.deepcopy(model).cpu().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    sides = (2 * model.card.stride, 4 * model.card.stride)
    with torch.random.fork_rng():
        kept = [_kept(trial, side, precision == "bf16-mixed") for side in sides]
    per_pixel = (kept[1] - kept[0]) / (
        2 * (sides[1] ** 2 - sides[0] ** 2)
    )  # weights cast to 16 bits are kept once, not a pixel
    return Footprint(sum(tensor.nbytes for tensor in (*trial.parameters(), *trial.buffers())), per_pixel)


def _kept(model: Segmenter, side: int, half: bool) -> int:
    """Count the bytes kept for the backward pass of two images of ``side`` x ``side``, the weights themselves left out."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    images = torch.rand(2, len(model.card.bands), side, side)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            terms = _loss(model, images, _targets(model, 2, (side, side), torch.device("cpu")))
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
        del terms
    return sum(size for place, size in storages.items() if place not in own)


def _loss(model: Segmenter, images: Tensor, targets: Targets) -> dict[str, Tensor]:
    """Give the loss's terms, and keep to itself what it says of the objects: they are made up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TooFewQueries)
        return model.loss(images, targets)


def _targets(model: Segmenter, batch: int, size: Size, device: torch.device) -> Targets:
    """Make targets of a truth that is all of the first class; of objects, of a few that share the image."""
    truth = _truth(model.card.kind, model.card.labels, size)
    image = np.zeros((*size, 1), np.uint8)
    items = [(image, model.head.targets(truth), "")] * batch
    return collate(items, model.head.ragged).targets_on(device)


def _truth(kind: Kind, labels: LabelSet, size: Size) -> Segmentation:
    if kind in ("semantic", "multilabel"):
        return replace(Segmentation.from_class_map(np.zeros(size, np.uint8), labels), kind=kind)
    ids = np.repeat(np.arange(_OBJECTS) + 1, -(-size[1] // _OBJECTS))[None, : size[1]].repeat(size[0], axis=0)
    count = int(ids.max())
    of_class = (labels.things or (0,))[0]
    return Segmentation(kind, DisjointMasks(ids.astype(np.uint8), count), np.full(count, of_class), labels)


@lru_cache(maxsize=32)
def _footprint_of(name: str, kind: Kind, options: str, classes: int, precision: str) -> Footprint:
    build = MODELS[name].build
    names = [str(index) for index in range(classes)]
    labels = LabelSet.of(names, things=() if kind == "semantic" else names)
    return footprint(build(labels, kind, **fitted_options(build, json.loads(options))), precision)


def footprint_of(options: Mapping[str, Any], classes: int, precision: str) -> Footprint:
    """Count the footprint of the network that the table ``[model]`` describes, with random weights.

    Raises:
        OptionError: an option is unknown or does not fit.
    """
    plain = {name: value for name, value in options.items() if name not in ("name", "class_weights", "kind")}
    fitted = fitted_options(MODELS[options["name"]].build, {**plain, "weights": "none"})
    kind = options.get("kind") or MODELS[options["name"]].KINDS[0]
    return _footprint_of(options["name"], kind, json.dumps(fitted, sort_keys=True), classes, precision)


@dataclass(frozen=True)
class Cost:
    """A prediction for the whole run.

    Attributes:
        memory: bytes of the process at the peak (on an accelerator: of its memory).
        seconds: a step.
    """

    memory: int
    seconds: float


def predict_cost(model: Segmenter, batch: int, crop: Size, precision: str, machine: Machine, freeze_norm: bool = False) -> Cost:
    """Predict memory and time of a training step, from steps of one quarter and of one half of the batch on a copy.

    Raises:
        OptionError: a batch norm would be given a single value.
        TrainingError: memory does not hold one crop.
    """
    half = precision == "bf16-mixed"
    device = torch.device(machine.device)
    held = resident_memory() if machine.device == "cpu" else 0  # before the trial, whose freed memory the run takes over
    trial = copy.deepcopy(model).to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if freeze_norm:
        frozen_norms(trial)
    with torch.random.fork_rng():
        (few, small), (more, large) = _two_times(trial, batch, crop, half, device)
    an_image = large / more
    if more > few:  # no more than that, and no less than nothing: times are noisy
        an_image = min(an_image, max(0.0, (large - small) / (more - few)))
    seconds = large + an_image * (batch - more) + _update_seconds(trial)
    return Cost(held + footprint(model, precision).bytes(batch, crop), seconds)


def with_loading(cost: Cost, crops: Crops, batch: int, machine: Machine) -> Cost:
    """Add what it takes to read and augment a batch: on a CPU a step waits for it, elsewhere it runs beside.

    On a CPU the loader's thread takes turns with the one that trains: its work is not shared among the cores.

    Images are timed as they are from the second epoch on, kept in memory where they fit it.
    """
    rows = range(min(len(crops), batch, 4))
    times = []
    for epoch in range(3):
        began = time.perf_counter()
        for row in rows:
            crops[(epoch, row)]
        times.append((time.perf_counter() - began) / max(1, len(rows)))
    loading = min(times[1:]) * batch
    if machine.device == "cpu":
        return replace(cost, seconds=cost.seconds + loading)
    return replace(cost, seconds=max(cost.seconds, loading / max(1, machine.cores)))


def _update_seconds(model: Segmenter) -> float:
    """Time what follows the backward pass: the optimiser's step and the running average; the model is spoilt by it."""
    parameters = list(model.parameters())
    average = [parameter.detach().clone() for parameter in parameters]
    optimiser = torch.optim.AdamW(parameters, fused=True)
    times = []
    for _ in range(3):
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        began = time.perf_counter()
        optimiser.step()
        torch._foreach_lerp_(average, [parameter.detach() for parameter in parameters], 0.01)
        times.append(time.perf_counter() - began)
    return min(times)


def _two_times(
    model: Segmenter, batch: int, crop: Size, half: bool, device: torch.device
) -> tuple[tuple[int, float], tuple[int, float]]:
    """Give images and seconds of steps of a quarter and of a half of the batch; of smaller ones where memory asks for that."""
    few, more, least = max(1, batch // 4), max(1, batch // 2), 1
    while True:
        try:
            small = _seconds(model, few, crop, half, device)
            large = _seconds(model, more, crop, half, device) if more > few else small
            return (few, small), (more, large)
        except ValueError as error:  # one image has 1 x 1 features; two have what a batch norm wants
            if not is_single_value(error):
                raise
            if batch == 1:
                raise OptionError(SINGLE_VALUE) from None
            least, few, more = 2, 2, max(2, more)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if more == least:
                raise TrainingError(
                    f"memory does not hold {'one crop' if least == 1 else 'two crops'} of {crop[0]} x {crop[1]} "
                    f"({first_line(error)}); choose a smaller crop with --set train.crop=[H,W], or a smaller network"
                ) from None
            few, more = max(least, few // 2), max(least, more // 2)
        model.zero_grad(set_to_none=True)


def _seconds(model: Segmenter, batch: int, crop: Size, half: bool, device: torch.device) -> float:
    """Time a step, as the middle one of five after the first: that one sets up kernels and memory."""
    times = [_step_seconds(model, batch, crop, half, device) for _ in range(6)]
    return statistics.median(times[1:])


def _step_seconds(model: Segmenter, batch: int, crop: Size, half: bool, device: torch.device) -> float:
    images = torch.rand(batch, *crop, len(model.card.bands), device=device).permute(0, 3, 1, 2)
    targets = _targets(model, batch, crop, device)
    began = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        terms = _loss(model, images, targets)
    torch.stack([term.float() for term in terms.values()]).sum().backward()
    model.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
