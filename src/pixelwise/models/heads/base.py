"""What every head is: targets from truth, a loss on raw output, and a reduction of raw output to what decoding needs."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder

Targets: TypeAlias = dict[str, Tensor | tuple[Tensor, ...]]  # of a batch, by name


class Head(nn.Module, ABC):
    """One for each KIND of raw output; the network before it may be any.

    A head's ``forward(features, size)`` gives its Raw: a NamedTuple of tensors, at the input's (H, W) or a fraction of it.

    Attributes:
        ragged: names of targets that have a row an object: a batch holds them as a tuple of one tensor an image, all others
            stacked.
        class_rows: names of its tensors that have a row a class, in the order of the labels. Fine-tuning for other labels keeps
            the rows of classes that are known by name.
        thing_rows, stuff_rows: names of its tensors that have a row for each class that is a thing, or that is stuff, alone.
        is_dense: whether four-dimensional parts of raw output lie over the pixels, so that the segmenter cuts its padding off
            them; else they keep the padding, and the head knows of it.
        takes_two: whether ``loss`` takes a second truth of each image: targets named ``second_…`` beside its own, and the
            ``share`` (N,) that the first of the two counts. MixUp of classes makes them.
        class_weights: (L,) weights of the classes in the loss; None weighs them alike.
        at_full_load: while a trial times steps: a head that learns from more examples the better it is, and so takes more time,
            then takes as many as it ever may.
        has_temperature: whether ``reduce`` divides logits by ``temperature``, which the segmenter takes from its card.
    """

    ragged: frozenset[str] = frozenset()
    class_rows: tuple[str, ...] = ()
    thing_rows: tuple[str, ...] = ()
    stuff_rows: tuple[str, ...] = ()
    is_dense: bool = True
    takes_two: bool = False
    at_full_load: bool = False
    has_temperature: bool = False
    temperature: float = 1.0
    class_weights: Tensor | None

    @abstractmethod
    def forward(self, features: Tensor, size: Size, targets: Any = None) -> NamedTuple:
        """Give raw output for features; with ``targets`` it may also hold what only the loss needs."""

    @abstractmethod
    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Make one image's targets, in NumPy: this runs in the loader's workers."""

    @abstractmethod
    def loss(self, raw: Any, targets: Any) -> dict[str, Tensor]:
        """Give named, weighted loss terms of a batch's ``Targets``; their sum is minimised."""

    @abstractmethod
    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the loss, one a class."""

    @abstractmethod
    def reduce(self, raw: Any, size: Size, probabilities: bool = False) -> NamedTuple:
        """Shrink raw output to what decoding needs."""

    def exported(self, raw: Any, size: Size, probabilities: bool = False) -> NamedTuple:
        """Reduce as an exported graph does, for the same decoder; of dense heads ``size`` holds the padding too."""
        return self.reduce(raw, size, probabilities)

    @property
    @abstractmethod
    def decoder(self) -> Decoder:
        """The function of ``pixelwise.decode`` that makes segmentations of arrays as ``reduce`` gives them."""


def class_weights_of(weights: Sequence[float], count: int, like: Tensor) -> Tensor:
    """Give the weights (L,) of ``count`` classes as a tensor where ``like`` is.

    Raises:
        OptionError: there are more or fewer, or one is below 0 or no number.
    """
    if len(weights) != count:
        raise OptionError(f"[model] class_weights: expected {count} class weights, one a class, got {len(weights)}")
    if not all(0 <= weight < math.inf for weight in weights):
        raise OptionError(f"[model] class_weights: expected numbers of 0 or more, got {list(weights)}")
    return torch.tensor(weights, dtype=torch.float32, device=like.device)
