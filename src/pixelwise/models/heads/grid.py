"""The grid head of SOLOv2 [1]: each cell of a few grids says what object has its centre there, and how to find its pixels.

A cell gives the classes of such an object and a kernel, the weights of a small convolution; convolved with the one map of
features that all masks share, the kernel gives the object's mask. There are no boxes. In prediction the best candidates' masks
are measured against each other by Matrix NMS (``grid_nms``), and the masks of those that are left are given.

[1] Wang, Zhang, Kong, Li, Shen: SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020, arXiv 2003.10152.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import OptionError
from pixelwise.core.segmentation import Segmentation
from pixelwise.decode.decoders import Decoder
from pixelwise.decode.grid import GridReduced
from pixelwise.models.heads.base import Head, Targets, class_weights_of
from pixelwise.models.heads.grid_layers import Cells, GridWidths, MaskFeatures, size_of
from pixelwise.models.heads.grid_loss import Taught, class_sum, mask_sums, sampled
from pixelwise.models.heads.grid_nms import Decay, decayed, measured
from pixelwise.models.heads.grid_targets import Grids, counted_cells, objects_of, places_of
from pixelwise.models.heads.query_targets import kept_rows, targets_of
from pixelwise.models.heads.rows import rows_at
from pixelwise.models.losses.whole import over_batch
from pixelwise.models.recorded import is_recorded, padded


class GridRaw(NamedTuple):
    """Logits of the classes (N, G, L) and kernels (N, G, K) of all cells, and the features of all masks (N, E, h, w)."""

    classes: Tensor
    kernels: Tensor
    features: Tensor


@dataclass(frozen=True)
class GridOptions:
    """How cells become objects, and what the loss weighs.

    Attributes:
        samples: cells an image whose masks a training step learns from; the paper takes all.
        class_loss, mask_loss, pixel_loss: weights of the terms; 1, 3 and 0 in the paper.
        candidates: pairs of a cell and a class an image of which masks are made.
        score: below which a pair is no candidate.
        peaks: whether a cell is no candidate for a class that the cell above, left, or above and left of it is surer of, as in
            the published implementations; where objects lie close together, it drops some of them.
        mask: a cell of the features is inside a mask where its probability exceeds this.
        smallest: for each grid, the cells of the features that a mask must have more of; () for 0 everywhere.
        decay, sigma: of Matrix NMS, see ``decayed``.
        keep: the least score after it.
        detections: the most an image may have.

    Raises:
        OptionError: a number does not fit.
    """

    samples: int = 128
    class_loss: float = 1.0
    mask_loss: float = 3.0
    pixel_loss: float = 3.0
    candidates: int = 500
    score: float = 0.1
    peaks: bool = False
    mask: float = 0.5
    smallest: tuple[int, ...] = ()
    decay: Decay = "gaussian"
    sigma: float = 0.5
    keep: float = 0.05
    detections: int = 100

    def __post_init__(self) -> None:
        for name in ("samples", "candidates", "detections"):
            if getattr(self, name) < 1:
                raise OptionError(f"[model] {name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("score", "keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"[model] {name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("class_loss", "mask_loss", "pixel_loss"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"[model] {name}: expected a weight of 0 or more, got {getattr(self, name)}")
        if not 0 < self.mask < 1:
            raise OptionError(f"[model] mask: expected a probability between 0 and 1, got {self.mask}")
        if self.decay not in get_args(Decay):
            raise OptionError(f"[model] decay: expected {' or '.join(get_args(Decay))}, got {self.decay!r}")
        if not self.sigma > 0:
            raise OptionError(f"[model] sigma: expected a number above 0, got {self.sigma}")
        if self.smallest and min(self.smallest) < 0:
            raise OptionError(f"[model] smallest: expected numbers of 0 or more, got {list(self.smallest)}")

    @property
    def mask_logit(self) -> float:
        """The logit that a mask's must exceed."""
        return math.log(self.mask / (1 - self.mask))


class GridHead(Head):
    """Objects from the cells of grids that lie over a feature pyramid.

    Args:
        levels: of the pyramid, as many as masks are made from; grids may take more.
        stride: images were padded to a multiple of it before the network.
        class_weights: one a class, in the classes' term.
    """

    ragged = frozenset({"classes", "masks", "inside", "places"})
    is_dense = False
    class_rows = ("cells.classify.weight", "cells.classify.bias")

    def __init__(
        self,
        grids: Grids,
        widths: GridWidths,
        levels: int,
        classes: int,
        stride: int,
        options: GridOptions,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if options.smallest and len(options.smallest) != len(grids.counts):
            raise OptionError(
                f"[model] smallest: expected {len(grids.counts)} numbers, one a grid, got {list(options.smallest)}"
            )
        self.grids, self.options, self.count, self.stride, self.side = grids, options, classes, stride, widths.kernel
        self.cells = Cells(widths, grids.counts, classes)
        self.mask_features = MaskFeatures(widths, levels)
        least = options.smallest or (0,) * len(grids.counts)
        each = [float(cells) for cells, side in zip(least, grids.counts, strict=True) for _ in range(side**2)]
        self.register_buffer("least", torch.tensor(each), persistent=False)
        self.register_buffer("class_weights", None, persistent=False)  # an option of training, not part of the model
        if class_weights is not None:
            self.weigh(class_weights)

    def forward(self, features: Sequence[Tensor], size: Size, targets: Any = None) -> GridRaw:
        """Give what all cells hold, and the features of the masks."""
        return GridRaw(*self.cells(features), self.mask_features(features))

    def targets(self, truth: Segmentation) -> dict[str, AnyArray]:
        """Give those of a query head, and which cells count (G,) and which are taught an object (P, 2)."""
        found = targets_of(truth, "instance")
        whole = (padded(truth.size[0], self.stride), padded(truth.size[1], self.stride))
        objects = objects_of(truth.masks, kept_rows(truth))
        return {
            **found,
            "places": places_of(self.grids, objects, truth.size, whole),
            "counted": counted_cells(self.grids, found["ignore"].astype(bool), whole),
        }

    def loss(self, raw: GridRaw, targets: Targets) -> dict[str, Tensor]:
        """Give ``class``, ``mask`` and ``pixel``: sums over cells of the batch, divided by how many are taught an object."""
        with torch.autocast(raw.features.device.type, enabled=False):
            raw = GridRaw(*(part.float() for part in raw))
            names = ("classes", "masks", "inside", "places", "ignore")
            taught = [Taught(*image) for image in zip(*(targets[name] for name in names), strict=True)]
            wanted = torch.full(raw.classes.shape[:2], -1, device=raw.classes.device)
            for row, image in enumerate(taught):
                wanted[row, image.places[:, 0]] = image.classes[image.places[:, 1]]
            positive = wanted >= 0
            counted = (targets["counted"] > 0) | positive  # type: ignore[operator]
            classes = class_sum(raw.classes, wanted, counted.float(), self.class_weights)
            sums = over_batch(torch.stack([classes, positive.sum().float(), *self._mask_sums(raw, taught)]))
        weights, cells = self.options, sums[3].clamp_min(1)
        return {
            "class": weights.class_loss * sums[0] / sums[1].clamp_min(1),
            "mask": weights.mask_loss * sums[2] / cells,
            "pixel": weights.pixel_loss * sums[4] / cells,
        }

    def _mask_sums(self, raw: GridRaw, taught: Sequence[Taught]) -> tuple[Tensor, Tensor, Tensor]:
        """Sum 1 - Dice over cells that are taught an object; give how many they are, and the sum of the cross entropy."""
        height, width = size_of(raw.features)
        dice = entropy = (raw.features.sum() + raw.kernels.sum()) * 0  # a gradient all the same: processes wait for it
        number = 0
        for row, image in enumerate(taught):
            places = sampled(image.places, self.options.samples)
            if not len(places):
                continue
            shares = [whole / padded(whole, self.stride) for whole in image.ignore.shape[::-1]]
            columns = self._columns(raw.features[row : row + 1])[0]
            masks = (raw.kernels[row, places[:, 0]] @ columns).view(-1, height, width)
            found = mask_sums(masks, places[:, 1], image, torch.tensor(shares, device=masks.device))
            dice, entropy, number = dice + found[0], entropy + found[1], number + len(places)
        return dice, dice.new_tensor(float(number)), entropy

    def weigh(self, weights: Sequence[float]) -> None:
        """Set the weights of the classes in the classes' term."""
        self.class_weights = class_weights_of(weights, self.count, self.least)  # type: ignore[arg-type]

    def reduce(self, raw: GridRaw, size: Size, probabilities: bool = False) -> GridReduced:
        """Give the detections of each image, with masks as logits; there are no probabilities of pixels.

        Images are worked off one after another, each with as many candidates as it has; in a graph all together, with as many
        as there can be.
        """
        raw = GridRaw(*(part.float() for part in raw))
        if is_recorded():
            found = self._detected(raw, size)
        else:
            with torch.autocast(raw.features.device.type, enabled=False):  # sums over the cells of a mask want all 32 bits
                images = range(len(raw.classes))
                each = [self._detected(GridRaw(*(part[row : row + 1] for part in raw)), size) for row in images]
            found = [torch.cat(part) for part in zip(*each, strict=True)]
        sides = [torch.full_like(found[-1], padded(side, self.stride)) for side in size]
        return GridReduced(*found, torch.stack(sides, dim=1))  # type: ignore[arg-type]

    def _detected(self, raw: GridRaw, size: Size) -> list[Tensor]:
        """Give classes, scores (N, D), masks (N, D, h, w) and how many there are of each image (N,), best first."""
        scores, classes, cells = self._candidates(raw.classes)
        number = min(self.options.detections, scores.shape[1])
        if not is_recorded():
            most = max(1, int((scores > 0).sum(dim=1).max()))
            scores, classes, cells = scores[:, :most], classes[:, :most], cells[:, :most]
        kernels, columns = rows_at(raw.kernels, cells), self._columns(raw.features)
        counted = self._inside(raw.features, size)
        found = measured(columns, kernels, self.options.mask_logit, counted, is_recorded())
        scores = scores * found.maskness * (found.areas > self.least[cells])  # type: ignore[index]
        scores = decayed(scores, classes, found.overlaps, self.options.decay, self.options.sigma)
        scores = torch.where(scores < self.options.keep, 0.0, scores)  # what is not a number stays, and decoding tells of it
        top, index = scores.topk(min(number, scores.shape[1]), dim=1)
        if top.shape[1] < number:
            top, index = (F.pad(part, (0, number - part.shape[1])) for part in (top, index))
        is_one = top > 0
        masks = torch.bmm(rows_at(kernels, index), columns).reshape(*top.shape, *size_of(raw.features))
        classes = torch.where(is_one, classes.gather(1, index), 0)
        return [classes, top, torch.where(is_one[..., None, None], masks, 0.0), is_one.sum(dim=1)]

    def _candidates(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give scores, 0 for none, classes and cells (N, K) of the best pairs of a cell and a class."""
        scores = logits.sigmoid()
        values = (self._peaks(scores) if self.options.peaks else scores).flatten(1)
        values = torch.where(values <= self.options.score, 0.0, values)
        top, index = values.topk(min(self.options.candidates, self.grids.cells * self.count), dim=1)
        return top, index % self.count, index // self.count

    def _peaks(self, scores: Tensor) -> Tensor:
        """Leave of the scores (N, G, L) those that are the highest of two by two cells, of which theirs is the last."""
        parts = []
        bounds = accumulate((count**2 for count in self.grids.counts), initial=0)
        for (start, stop), side in zip(pairwise(bounds), self.grids.counts, strict=True):
            own = scores[:, start:stop].transpose(1, 2).unflatten(2, (side, side))
            best = F.max_pool2d(own, 2, stride=1, padding=1)[..., :side, :side]
            parts.append(torch.where(best > own, 0.0, own).flatten(2))
        return torch.cat(parts, dim=2).transpose(1, 2)

    def _columns(self, features: Tensor) -> Tensor:
        """Give what a kernel is multiplied with at each cell of the features (N, E, h, w): (N, K, h * w)."""
        return features.flatten(2) if self.side == 1 else F.unfold(features, self.side, padding=self.side // 2)

    @property
    def decoder(self) -> Decoder:
        """One instance segmentation an image."""
        return Decoder("grid", {"mask": self.options.mask})

    def _inside(self, features: Tensor, size: Size) -> Tensor:
        """Tell (h * w,) of which cells of the features the middle lies in an image of ``size``, and not in its padding."""
        down, across = (
            (2 * torch.arange(cells, device=features.device) + 1) * padded(side, self.stride) < 2 * cells * side
            for cells, side in zip(size_of(features), size, strict=True)
        )
        return (down[:, None] & across).flatten()
