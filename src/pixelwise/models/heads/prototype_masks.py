"""Masks made of the maps of a whole image and a few numbers for each object, and what teaches them.

Two forms. ``prototype``: the sum of K maps, weighted by K coefficients between -1 and 1 [1]. ``dynamic``: the maps, and where
each pixel lies as seen from the object's place, go through three 1 x 1 convolutions whose weights are the object's numbers
[2, 3].

Both are learnt at random points of a region a little larger than the object's box, one in each cell of a grid over it: a small
object is looked at as closely as a large one, and the cost grows with neither image nor object. What a mask says further away
is never read, as masks are cut to their boxes.

[1] Bolya et al., YOLACT, ICCV 2019, arXiv 1904.02689: equation 1, and the loss within the box, divided by its area.
[2] Tian, Shen, Chen: Conditional Convolutions for Instance Segmentation, ECCV 2020, arXiv 2003.05664, section 3.
[3] Lyu et al., RTMDet, arXiv 2212.07784, section 3.5: 8 maps, 169 numbers.
"""

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.core.arrays import Size
from pixelwise.decode.prototype import REACH, layer_sizes

MaskForm: TypeAlias = Literal["prototype", "dynamic"]
GRID = 20  # points along a side of a region
_MARGIN = 0.1  # of a side, and
_RIM = 1.5  # pixels, by which a region is larger than its box: boxes are found less exactly than they are given


def numbers_of(form: MaskForm, prototypes: int) -> int:
    """Count the numbers that make an object's mask of so many maps.

    >>> numbers_of("prototype", 32), numbers_of("dynamic", 8)
    (32, 169)
    """
    if form == "prototype":
        return prototypes
    return sum(made * (given + 1) for made, given in layer_sizes(prototypes))


def drawn_points(boxes: Tensor, image: Tensor, grid: int = GRID) -> Tensor:
    """Draw a point (T, grid * grid, 2), x and y in pixels, in each cell of a grid over the region around each box (T, 4).

    Points beyond the image are taken to its nearest pixel: out there objects do not end, they are cut off.

    Args:
        image: (2,) its width and height.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    margin = _MARGIN * sides + _RIM
    low, extent = boxes[:, :2] - margin, sides + 2 * margin
    lines = torch.arange(grid, device=boxes.device, dtype=boxes.dtype)
    down, across = torch.meshgrid(lines, lines, indexing="ij")
    corners = torch.stack([across, down], dim=-1).reshape(1, -1, 2)
    shares = (corners + torch.rand(len(boxes), grid * grid, 2, device=boxes.device)) / grid
    points = low[:, None] + shares * extent[:, None]
    return torch.minimum(points, image - 0.5).clamp_min(0.5)


def maps_at(maps: Tensor, points: Tensor, extent: Size) -> Tensor:
    """Read maps (K, h, w), which lie over (H, W) pixels, at points (T, S, 2): (T, K, S), bilinearly."""
    sides = points.new_tensor([extent[1], extent[0]])
    found = F.grid_sample(maps[None], 2 * points[None] / sides - 1, padding_mode="border", align_corners=False)
    return found[0].transpose(0, 1)


def truth_at(canvases: Tensor, places: Tensor, points: Tensor) -> Tensor:
    """Read masks at points (T, S, 2), each in its own: (T, S) in [0, 1], and 0 beyond its crop; see ``box_masks.crops``."""
    at = (points - places[:, None, :2]) * places[:, None, 2:]
    sides = points.new_tensor(canvases.shape[:0:-1])
    found = F.grid_sample(canvases[:, None].to(points.dtype) / 255, (2 * at / sides - 1)[:, None], align_corners=False)
    return found[:, 0, 0]


def logits_at(form: MaskForm, numbers: Tensor, maps: Tensor, seen: Tensor) -> Tensor:
    """Give the logits (T, k, S) of k masks of each of T objects at S points.

    Args:
        numbers: (T, k, B) of the masks.
        maps: (T, K, S) the values at the points.
        seen: (T, k, S, 2) the points as seen from the masks' places, see ``seen_from``; only ``dynamic`` looks at them.
    """
    if form == "prototype":
        return numbers @ maps
    beside = maps[:, None].expand(-1, numbers.shape[1], -1, -1)
    values = torch.cat([beside, seen.transpose(-1, -2)], dim=2)
    first, sizes = 0, layer_sizes(maps.shape[1])
    for made, given in sizes:
        weights = numbers[..., first : first + made * given].unflatten(-1, (made, given))
        first += made * given
        values = weights @ values + numbers[..., first : first + made, None]
        first += made
        values = values if made == 1 else values.relu()
    return values[:, :, 0]


def seen_from(middles: Tensor, strides: Tensor, points: Tensor) -> Tensor:
    """Give points (T, S, 2) as seen from places (T, k, 2): (T, k, S, 2), in ``REACH`` of the places' strides (T, k)."""
    return (points[:, None] - middles[:, :, None]) / (REACH * strides[:, :, None, None])
