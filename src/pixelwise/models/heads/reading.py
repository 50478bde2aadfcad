"""How logits (N, L, H, W) are read: as one class a pixel, or as a yes or no for each class on its own.

The pixel head holds one of the two, chosen by the kind of segmentation; the network before it and the logits are the same.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.multilabel import MultilabelReduced
from pixelwise.decode.pixel import PixelReduced
from pixelwise.models.heads.base import Targets
from pixelwise.models.losses.boundary import border_distances
from pixelwise.models.losses.evidence import Evidence
from pixelwise.models.losses.memberships import UNKNOWN, Memberships
from pixelwise.models.losses.pixels import Pixels


class Reading(ABC):
    """One way to read logits; the two below are final.

    Attributes:
        wins: whether a pixel has the one class of its highest logit.
        decoder: what makes segmentations of arrays as ``reduce`` gives them.
    """

    wins: bool = False
    decoder: Decoder

    @abstractmethod
    def targets(self, truth: Segmentation, wants_distances: bool) -> dict[str, AnyArray]:
        """Make one image's targets, in NumPy."""

    @abstractmethod
    def evidence(self, logits: Tensor, targets: Any, weights: Tensor | None) -> Evidence:
        """Give what losses are computed from, for logits at the targets' size; with a target ``share``, images count by it."""

    @abstractmethod
    def reduce(self, logits: Tensor, probabilities: bool) -> NamedTuple:
        """Shrink logits at full size to what decoding needs."""

    @abstractmethod
    def exported(self, logits: Tensor, probabilities: bool) -> NamedTuple:
        """Do so for an exported graph: nothing is averaged over pixels, as some of them are padding."""


class OneClass(Reading):
    """Semantic: the classes share a softmax, and a pixel is of the most probable one."""

    wins = True
    decoder = Decoder("pixel")

    def __init__(self, void: int) -> None:
        self.void = void

    def targets(self, truth: Segmentation, wants_distances: bool) -> dict[str, AnyArray]:
        """Give the class map (H, W), void as ``labels.void``, and the distances to borders if they are wanted."""
        classes = truth.class_map()
        if not wants_distances:
            return {"classes": classes}
        return {"classes": classes, "distances": border_distances(classes, self.void)}

    def evidence(self, logits: Tensor, targets: Targets, weights: Tensor | None) -> Pixels:
        """Give logits and class maps; void pixels do not count."""
        more = targets.get("distances"), targets.get("share")
        return Pixels(logits, targets["classes"], self.void, weights, *more)  # type: ignore[arg-type]

    def reduce(self, logits: Tensor, probabilities: bool) -> PixelReduced:
        """Give the class of every pixel, the mean probability of each class, and all probabilities if asked."""
        classes, highest, spread = self.exported(logits, probabilities)
        count, length = logits.shape[:2]
        flat = classes.reshape(count, -1)
        sums = torch.zeros(count, length, device=logits.device).scatter_add(1, flat, highest.reshape(count, -1))
        pixels = torch.zeros(count, length, device=logits.device).scatter_add(1, flat, torch.ones_like(flat, dtype=sums.dtype))
        return PixelReduced(classes, sums / pixels.clamp_min(1), spread)

    def exported(self, logits: Tensor, probabilities: bool) -> Any:
        """Give the class of every pixel, its probability, and all probabilities if asked."""
        top, classes = logits.max(dim=1)  # on CPUs several times faster than argmax
        if probabilities:
            spread = logits.softmax(dim=1)
            return PixelReduced(classes, spread.gather(1, classes.unsqueeze(1)).squeeze(1), spread)  # type: ignore[arg-type]
        highest = 1 / (logits - top.unsqueeze(1)).exp().sum(dim=1)  # softmax at the winner alone
        return PixelReduced(classes, highest, logits[:, :0])  # type: ignore[arg-type]


class AnyClasses(Reading):
    """Multilabel: each class has a sigmoid of its own, and a pixel is of every class more probable than not.

    What is not labelled: a pixel under no segment is of none of the classes, and counts. Only what lies under a segment
    marked as crowd does not count, and that for its class alone.
    """

    decoder = Decoder("multilabel")

    def targets(self, truth: Segmentation, wants_distances: bool) -> dict[str, AnyArray]:
        """Give (L, H, W): 1 where a pixel is of the class, 0 where it is not, ``UNKNOWN`` where that is not labelled.

        Raises:
            OptionError: the truth is not multilabel, or distances to borders are wanted, which overlapping classes lack.
        """
        if truth.kind != "multilabel":
            raise OptionError(f"a network of kind multilabel learns from multilabel truth, not from {truth.kind}")
        members = np.zeros((len(truth.labels), *truth.size), np.uint8)
        for index, (of_class, is_crowd) in enumerate(zip(truth.class_ids.tolist(), truth.is_crowd.tolist(), strict=True)):
            members[of_class][truth.masks.mask(index)] = UNKNOWN if is_crowd else 1
        return {"members": members}

    def evidence(self, logits: Tensor, targets: Targets, weights: Tensor | None) -> Memberships:
        """Give logits and memberships; unknown ones do not count."""
        return Memberships(logits, targets["members"], weights, targets.get("share"))  # type: ignore[arg-type]

    def reduce(self, logits: Tensor, probabilities: bool) -> MultilabelReduced:
        """Give whether each pixel is of each class, the mean probability of each class there, and all if asked."""
        spread = logits.sigmoid()
        members = logits > 0
        pixels = members.sum(dim=(2, 3))
        confidence = (spread * members).sum(dim=(2, 3)) / pixels.clamp_min(1)
        return MultilabelReduced(members, confidence, spread if probabilities else spread[:, :0])  # type: ignore[arg-type]

    def exported(self, logits: Tensor, probabilities: bool) -> Any:
        """Give all probabilities, which the rest follows from."""
        return MultilabelReduced(logits[:, :0], logits[:, :0, 0, 0], logits.sigmoid())  # type: ignore[arg-type]


def reading_of(kind: Kind, labels: LabelSet) -> Reading:
    """Give the reading of a kind.

    Raises:
        OptionError: there is none of that kind: its segments are not told by the class of a pixel alone.
    """
    if kind == "semantic":
        return OneClass(labels.void)
    if kind == "multilabel":
        return AnyClasses()
    raise OptionError(f"a pixel head gives semantic or multilabel segmentations, not {kind}; choose another network")
