"""What networks with a box head build alike: the head of a layout on a pyramid, its anchors and its norms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.core.errors import OptionError
from pixelwise.models.heads.box import BoxHead
from pixelwise.models.heads.box_layers import layers_of
from pixelwise.models.heads.box_proposals import ProposalOptions, Proposer
from pixelwise.models.heads.box_raw import BoxOptions
from pixelwise.models.pyramid import GROUPS, Norm

CELLS = {"paper": 8.0, "small": 2.0}  # sides of an anchor in strides of its level


@dataclass(frozen=True)
class Layout:
    """What a network with a box head is made of, at ``maskrcnn``'s defaults."""

    encoder: str = "tf_efficientnet_lite2"
    version: str = "v1"
    finest: int = 4
    pyramid: int = 128
    width: int = 512
    mask_width: int = 128
    mask_size: int = 28
    norm: Norm | str = "auto"
    aligned: bool = True
    anchors: str | tuple[tuple[float, ...], ...] = "paper"
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)


def box_head(
    layout: Layout,
    strides: Sequence[int],
    proposing: ProposalOptions,
    detecting: BoxOptions,
    classes: int,
    terms: dict[str, float],
    class_weights: Sequence[float] | None,
) -> BoxHead:
    """Build the head of a layout on a pyramid of such strides.

    Raises:
        OptionError: a width or the anchors do not fit.
    """
    sizes = anchor_sizes(layout, strides)
    depth = 2 if layout.version == "v2" else 1
    proposer = Proposer(layout.pyramid, strides, sizes, layout.ratios, depth, proposing)
    layers = layers_of(layout.version, layout.pyramid, layout.width, layout.mask_width, layout.mask_size // 2, norm_of(layout))
    return BoxHead(proposer, layers, strides[:-1], classes, detecting, terms, class_weights)


def norm_of(layout: Layout) -> Norm:
    """Settle the norm of what stands on the encoder.

    Raises:
        OptionError: a width does not fit it.
    """
    norm: Norm = layout.norm if layout.norm != "auto" else "none" if layout.version == "v1" else "batch"  # type: ignore[assignment]
    for name in ("pyramid", "width", "mask_width"):
        value = getattr(layout, name)
        if value < 1 or (norm == "group" and name != "width" and value % GROUPS):
            wanted = f"a multiple of {GROUPS}, the groups of the norm" if norm == "group" else "1 or more"
            raise OptionError(f"[model] {name}: expected {wanted}, got {value}")
    return norm


def anchor_sizes(layout: Layout, strides: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """Give the sizes of the anchors of each level.

    Raises:
        OptionError: there are none for a level, or one is not above 0.
    """
    if isinstance(layout.anchors, str):
        sizes: tuple[tuple[float, ...], ...] = tuple((CELLS[layout.anchors] * stride,) for stride in strides)
    else:
        sizes = layout.anchors
    if len(sizes) != len(strides) or len({len(level) for level in sizes}) != 1 or not all(sizes):
        raise OptionError(
            f"[model] anchors: expected 'paper', 'small' or as many sizes for each of the {len(strides)} levels of the strides "
            f"{', '.join(map(str, strides))}, got {layout.anchors!r}"
        )
    for name, values in (("anchors", sum(sizes, ())), ("ratios", layout.ratios)):
        if not values or not all(0 < value < math.inf for value in values):
            raise OptionError(f"[model] {name}: expected numbers above 0, got {list(values)}")
    return sizes


def stated(layout: Layout, proposing: ProposalOptions, detecting: BoxOptions) -> dict[str, Any]:
    """Give the options of a network with a box head by name, as its card keeps them."""
    sizes = ("encoder", "finest", "pyramid", "width", "mask_width", "anchors", "ratios")
    return {name: getattr(layout, name) for name in sizes} | {
        "candidates": proposing.candidates,
        "proposals": proposing.kept,
        "proposal_overlap": proposing.overlap,
        "anchor_samples": proposing.anchors,
        "samples": detecting.samples,
        "positive_share": detecting.positive_share,
        "detections": detecting.detections,
        "score": detecting.score,
        "overlap": detecting.overlap,
    }
