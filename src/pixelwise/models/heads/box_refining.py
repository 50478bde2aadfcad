"""The decoder of DINO: queries with a box each look around it in the encoder's levels, and every layer moves the boxes.

A box is four shares of the image's sides: middle x and y, width, height. Between layers it is kept as the logits of those, so
that what a layer adds can never leave the image. A layer starts from the boxes of the layer before, cut off from their
gradients; what it says of a box goes on from them uncut, so that each layer's loss teaches the layer before as well: "look
forward twice" [1].

[1] Zhang, Li, Liu, Zhang, Su, Zhu, Ni, Shum: DINO, ICLR 2023, arXiv 2203.03605, section 3.5; queries with boxes are those of
    Liu et al., DAB-DETR, ICLR 2022, arXiv 2201.12329.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.models.deformable_attention import DeformableAttention
from pixelwise.models.deformable_encoder import Memory, sine

_LEAST = 1e-5  # of a share, and of what is missing to 1: their logits are finite


class Refined(NamedTuple):
    """What a layer says: features (N, Q, C) of the queries, normed, and their boxes (N, Q, 4)."""

    queries: Tensor
    boxes: Tensor


class RefiningDecoder(nn.Module):
    """Queries and boxes to those after each layer.

    Args:
        levels: of the encoder.
        points: that a head looks at on each level.

    Attributes:
        norm: over features before anything is said of them; also over those that start a query.
        boxes: features to what is added to the logits of a box: one for all layers, and for what starts a query.
    """

    def __init__(self, width: int, heads: int, levels: int, layers: int, feedforward: int, points: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(width, heads, levels, feedforward, points) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.place = perceptron(2 * width, width, width, 2)
        self.boxes = perceptron(width, width, 4, 3)
        for linear in (self.place[0], self.place[2]):
            nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(self.boxes[-1].weight)
        nn.init.zeros_(self.boxes[-1].bias)

    def forward(self, queries: Tensor, boxes: Tensor, memory: Memory, blocked: Tensor | None = None) -> Iterator[Refined]:
        """Give what each layer says.

        Args:
            queries: (N, Q, C).
            boxes: (N, Q, 4), as shares.
            memory: the encoder's cells.
            blocked: (Q, Q) true where a query (row) may not see another (column).
        """
        width = queries.shape[2]
        known = boxes = logits_of(boxes)
        for layer in self.layers:
            shares = known.sigmoid()
            place = self.place(sine(shares[..., [1, 0, 2, 3]], width // 2))
            queries = layer(queries, place, shares, memory, blocked)
            normed = self.norm(queries)
            yield Refined(normed, (self.boxes(normed) + boxes).sigmoid())
            boxes = self.boxes(queries) + known
            known = boxes.detach()


class DecoderLayer(nn.Module):
    """Queries look at each other, then around their boxes, and are worked over each on its own."""

    def __init__(self, width: int, heads: int, levels: int, feedforward: int, points: int) -> None:
        super().__init__()
        self.points = points
        self.among = SelfAttention(width, heads)
        self.agreed = nn.LayerNorm(width)
        self.around = DeformableAttention(width, heads, levels, points)
        self.attended = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, feedforward), nn.Linear(feedforward, width)
        self.worked = nn.LayerNorm(width)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)

    def forward(self, queries: Tensor, place: Tensor, boxes: Tensor, memory: Memory, blocked: Tensor | None) -> Tensor:
        """Give the queries (N, Q, C) after it; ``place`` (N, Q, C) is added to what asks."""
        queries = self.agreed(queries + self.among(queries + place, queries, blocked))
        reach = boxes[:, :, None, None, None, 2:] / (2 * self.points)  # all points together reach to the box's sides
        found = self.around(queries + place, boxes[..., :2], reach, memory.cells, memory.sizes)
        queries = self.attended(queries + found)
        result: Tensor = self.worked(queries + self.narrow(F.relu(self.widen(queries))))
        return result


class SelfAttention(nn.Module):
    """Attention among queries [2], by torch's own function.

    [2] Vaswani et al., Attention Is All You Need, NeurIPS 2017, section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asked, self.given, self.values, self.mixed = (nn.Linear(width, width) for _ in range(4))
        for linear in (self.asked, self.given, self.values, self.mixed):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, placed: Tensor, values: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Give (N, Q, C): a mean of ``values`` for each of the queries ``placed``; ``blocked`` (Q, Q) is not looked at."""
        asked, given, shown = (
            layer(one).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, one in ((self.asked, placed), (self.given, placed), (self.values, values))
        )
        found = F.scaled_dot_product_attention(asked, given, shown, None if blocked is None else ~blocked)
        result: Tensor = self.mixed(found.transpose(1, 2).flatten(2))
        return result


def perceptron(before: int, inner: int, after: int, layers: int) -> nn.Sequential:
    """Give linear layers with ReLU between them."""
    widths = [before, *[inner] * (layers - 1), after]
    parts: list[nn.Module] = []
    for one, other in pairwise(widths):
        parts += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def logits_of(shares: Tensor) -> Tensor:
    """Give the logits of shares, at most some 11.5: 1e-5 is the least.

    >>> [f"{logit:.2f}" for logit in logits_of(Tensor([0.5, 0.0]))]
    ['0.00', '-11.51']
    """
    return shares.clamp_min(_LEAST).log() - (1 - shares).clamp_min(_LEAST).log()
