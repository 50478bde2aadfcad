"""Where the cells of feature maps lie in an image: what heads without anchors start from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pixelwise.core.arrays import Size


def locations(sizes: Sequence[Size], strides: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Give the middle (A, 2), x and y in pixels, of every cell of maps of ``sizes``, row by row, and its stride (A,).

    >>> found, strides = locations([(1, 2)], [8], torch.zeros(()))
    >>> found.tolist(), strides.tolist()
    ([[4.0, 4.0], [12.0, 4.0]], [8.0, 8.0])
    """
    found, lengths = [], []
    for (height, width), stride in zip(sizes, strides, strict=True):
        rows, columns = (
            (torch.arange(side, device=like.device, dtype=torch.float32) + 0.5) * stride for side in (height, width)
        )
        down, across = torch.meshgrid(rows, columns, indexing="ij")
        middles = torch.stack([across, down], dim=-1).reshape(-1, 2)
        found.append(middles)
        lengths.append(torch.full_like(middles[:, 0], stride))
    return torch.cat(found), torch.cat(lengths)
