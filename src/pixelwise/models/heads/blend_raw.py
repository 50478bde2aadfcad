"""What BlendMask's head is told and what it gives: options, detections, and what its loss is computed from."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.fcos import Seen

TERMS = ("classes", "boxes", "centres", "masks", "semantic")


@dataclass(frozen=True)
class BlendOptions:
    """How locations become detections with masks.

    Attributes:
        attention: cells of an attention's side, M.
        mask_size: cells of a mask's side, R.
        samples: locations an image whose masks a training step learns from.
        candidates: an image, by score, before overlapping ones are dropped.
        detections: the most an image may have.
        score: below which there is no detection.
        overlap: IoU above which the lower scored of two detections of a class is dropped.
    """

    attention: int = 7
    mask_size: int = 28
    samples: int = 128
    candidates: int = 1000
    detections: int = 100
    score: float = 0.05
    overlap: float = 0.6

    def __post_init__(self) -> None:
        for name in ("attention", "mask_size", "samples", "candidates", "detections"):
            if getattr(self, name) < 1:
                raise OptionError(f"[model] {name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("score", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] {name}: expected 0 to 1, got {getattr(self, name)}")


class BlendRaw(NamedTuple):
    """Detections, best first; rows from ``counts`` on are none.

    Attributes:
        boxes: (N, D, 4) in pixels of the input.
        classes, scores: (N, D).
        masks: (N, D, R, R) logits of the mask inside the box.
        counts: (N,).
    """

    boxes: Tensor
    classes: Tensor
    scores: Tensor
    masks: Tensor
    counts: Tensor


class Picked(NamedTuple):
    """K locations whose masks are learnt: the image, the place among its locations, and the object of each (K,)."""

    images: Tensor
    places: Tensor
    objects: Tensor


class LearntBlend(NamedTuple):
    """What the loss is computed from.

    Attributes:
        seen: what the towers gave for all locations.
        objects: (N, A) the object that each is an example of, -1 for none.
        picked: those whose masks are learnt, and
        masks: (K, R, R) their logits.
        semantic: (N, L + 1, h, w) logits of the classes of pixels, background last; None if they are not learnt.
    """

    seen: Seen
    objects: Tensor
    picked: Picked
    masks: Tensor
    semantic: Tensor | None
