"""What the prototype head is told and what it gives: options, what is predicted, and what its loss is computed from."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.prototype_boxes import BoxForm
from pixelwise.models.heads.prototype_masks import MaskForm

TERMS = ("classes", "boxes", "distributions", "masks", "dice")


@dataclass(frozen=True)
class Forms:
    """How boxes and masks are predicted.

    Attributes:
        boxes: each distance from a place to a side of its box as a distribution over ``bins``, or as a plain number.
        masks: see ``prototype_masks``.
        prototypes: maps that masks are made of.
        prototype_stride: of these maps.
    """

    boxes: BoxForm = "distribution"
    bins: int = 16
    masks: MaskForm = "prototype"
    prototypes: int = 32
    prototype_stride: int = 4

    def __post_init__(self) -> None:
        for name, values in (("boxes", ("distribution", "plain")), ("masks", ("prototype", "dynamic"))):
            if getattr(self, name) not in values:
                raise OptionError(f"[model] {name}: expected {values[0]!r} or {values[1]!r}, got {getattr(self, name)!r}")
        if self.bins < 2:
            raise OptionError(f"[model] bins: expected 2 or more, got {self.bins}")
        if self.prototypes < 1:
            raise OptionError(f"[model] prototypes: expected 1 or more, got {self.prototypes}")


@dataclass(frozen=True)
class Detecting:
    """How predictions become detections.

    Attributes:
        candidates: pairs of a place and a class of an image, the best scored ones, that are looked at.
        detections: the most an image may have.
        score: below which there is no detection.
        overlap: IoU of boxes above which the lower scored of two detections of a class is dropped.
    """

    candidates: int = 500
    detections: int = 100
    score: float = 0.05
    overlap: float = 0.6

    def __post_init__(self) -> None:
        for name in ("candidates", "detections"):
            if getattr(self, name) < 1:
                raise OptionError(f"[model] {name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("score", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] {name}: expected 0 to 1, got {getattr(self, name)}")


class PrototypeRaw(NamedTuple):
    """What is predicted at the A places of all levels.

    Attributes:
        logits: (N, A, L) of the classes.
        boxes: (N, A, 4) in pixels of the input.
        numbers: (N, A, B) what each place's mask is made by.
        middles: (A, 2) the places, x and y in pixels, and
        strides: (A,) of their levels.
        prototypes: (N, K, h, w) the maps, over the input and its padding.
    """

    logits: Tensor
    boxes: Tensor
    numbers: Tensor
    middles: Tensor
    strides: Tensor
    prototypes: Tensor


class LearntRaw(NamedTuple):
    """What training has: the same, the numbers (N, A, 4 * bins) that boxes were made of, and the images' width and height."""

    logits: Tensor
    boxes: Tensor
    numbers: Tensor
    middles: Tensor
    strides: Tensor
    prototypes: Tensor
    box_numbers: Tensor
    sides: Tensor
