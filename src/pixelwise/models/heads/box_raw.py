"""What the box head is told and what it gives: options, detections, and what its loss is computed from."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.box_proposals import Slid


@dataclass(frozen=True)
class BoxOptions:
    """How proposals become detections.

    Attributes:
        samples: proposals an image that a training step learns from.
        positive_share: of them that may be of objects; masks are learnt from these.
        detections: the most an image may have.
        score: below which there is no detection.
        overlap: IoU above which the lower scored of two detections of a class is dropped.
        aligned: whether boxes and pixels are taken to meet exactly, see ``PyramidPooling`` and ``decode.paste``.
    """

    samples: int = 128
    positive_share: float = 0.25
    detections: int = 100
    score: float = 0.05
    overlap: float = 0.5
    aligned: bool = True

    def __post_init__(self) -> None:
        if min(self.samples, self.detections) < 1:
            raise OptionError(f"[model] samples, detections: expected 1 or more, got {self.samples} and {self.detections}")
        for name in ("positive_share", "score", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] {name}: expected 0 to 1, got {getattr(self, name)}")


class BoxRaw(NamedTuple):
    """Detections, best first; rows from ``counts`` on are none.

    Attributes:
        proposals: (N, P, 4), and
        proposal_scores: (N, P), -1 for those that are none.
        boxes: (N, D, 4) in pixels of the input.
        classes, scores: (N, D).
        masks: (N, D, m, m) logits of the mask inside the box.
        counts: (N,).
    """

    proposals: Tensor
    proposal_scores: Tensor
    boxes: Tensor
    classes: Tensor
    scores: Tensor
    masks: Tensor
    counts: Tensor


class Drawn(NamedTuple):
    """Proposals that were drawn to learn from.

    Attributes:
        boxes: (R, 4).
        images: (R,) of the batch.
        objects: (R,) of the image.
        classes: (R,) the object's, or L for background.
    """

    boxes: Tensor
    images: Tensor
    objects: Tensor
    classes: Tensor


class LearntRaw(NamedTuple):
    """What the loss is computed from.

    Attributes:
        slid: what the proposer gave for all anchors.
        drawn: the proposals drawn.
        class_logits: (R, L + 1), background last.
        shifts: (R, L, 4) from proposals to boxes, a class.
        masked: (K,) rows of ``drawn`` that masks are learnt from.
        masks: (K, m, m) logits.
    """

    slid: Slid
    drawn: Drawn
    class_logits: Tensor
    shifts: Tensor
    masked: Tensor
    masks: Tensor
