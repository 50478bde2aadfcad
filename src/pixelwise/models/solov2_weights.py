"""Start a SOLOv2 from one that mmdetection trained: what it is made of, read off its tensors, and which of them goes where.

mmdetection (Apache-2.0) has SOLOv2 with ResNet-50 and ResNet-101 and the light one with ResNet-18, 34 and 50, trained on COCO.
Those with deformable convolutions do not fit. The files could not be fetched where this was written; names and shapes are those
that mmdetection's modules give.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from torch import Tensor

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.models.coco_classes import THINGS
from pixelwise.models.foreign_weights import fill, mmdet_resnet, rows_by_name
from pixelwise.models.segmenter import Segmenter

_ENCODERS = {(2, False): "resnet18", (6, False): "resnet34", (6, True): "resnet50", (23, True): "resnet101"}
_BRANCH = "mask_head.mask_feature_head."


@dataclass(frozen=True)
class Layout:
    """The options of ``solov2`` that weights of mmdetection settle, at their defaults."""

    encoder: str = "tf_efficientnet_lite2"
    finest: int = 4
    pyramid: int = 64
    width: int = 64
    depth: int = 2
    mask_width: int = 64
    features: int = 64
    kernel: int = 1
    balanced: bool = False
    smallest: tuple[int, ...] = ()
    peaks: bool = False


def layout_for(tensors: Mapping[str, Tensor], given: Layout) -> Layout:
    """Give what the network of mmdetection's tensors is made of.

    Raises:
        CheckpointError: they are of no SOLOv2 on a ResNet.
        OptionError: an option was given that they contradict.
    """
    found, usual = _layout_of(tensors), Layout()
    for field in fields(Layout):
        wanted, own = getattr(given, field.name), getattr(found, field.name)
        if wanted not in (own, getattr(usual, field.name)):
            raise OptionError(f"[model] {field.name}: the weights want {own!r}, got {wanted!r}; leave it out")
    return found


def _layout_of(tensors: Mapping[str, Tensor]) -> Layout:
    blocks = {name.split(".")[2] for name in tensors if name.startswith("backbone.layer3.")}
    encoder = _ENCODERS.get((len(blocks), "backbone.layer3.0.conv3.weight" in tensors))
    if encoder is None or any("conv_offset" in name for name in tensors):
        raise CheckpointError("the weights are of no SOLOv2 on a plain ResNet of 18, 34, 50 or 101 layers")
    try:
        width, depth = len(tensors["mask_head.conv_kernel.weight"][0]), 0
        while f"mask_head.kernel_convs.{depth}.conv.weight" in tensors:
            depth += 1
        features, mask_width = tensors[f"{_BRANCH}conv_pred.conv.weight"].shape[:2]
        side = round((len(tensors["mask_head.conv_kernel.weight"]) / features) ** 0.5)
        pyramid = len(tensors["neck.fpn_convs.0.conv.weight"])
    except KeyError as error:
        raise CheckpointError(f"the weights are of no SOLOv2: they have no tensor {error}") from None
    return Layout(encoder, 4, pyramid, width, depth, mask_width, features, side, True, (8, 8, 16, 32, 32), True)


def fill_from_mmdet(model: Segmenter, tensors: Mapping[str, Tensor]) -> None:
    """Fill a model of the layout of mmdetection's tensors; classes of COCO's names keep their rows.

    Raises:
        CheckpointError: a tensor is missing, has no place or another shape.
    """
    rows = rows_by_name(model.card.labels.names, THINGS)
    fill(model, tensors, our_name, {f"head.{name}": rows for name in model.head.class_rows})
    model.network.weights = f"COCO, mmdetection's; {len(rows)} of {len(model.card.labels)} classes by name"


def our_name(theirs: str) -> str | None:
    """Give our name of one of mmdetection's tensors.

    >>> our_name("mask_head.cls_convs.1.gn.bias"), our_name("mask_head.mask_feature_head.convs_all_levels.3.conv2.conv.weight")
    ('head.cells.class_tower.1.1.bias', 'head.mask_features.levels.3.2.0.weight')
    """
    if theirs.startswith("backbone."):
        return "network.encoder." + mmdet_resnet(theirs.removeprefix("backbone."))
    for pattern, ours in _RULES:
        if re.match(pattern, theirs):
            return re.sub(r"\.gn\.", ".1.", re.sub(r"\.conv\.", ".0.", re.sub(pattern, ours, theirs)))
    return theirs


_RULES: Sequence[tuple[str, str]] = (
    (r"neck\.lateral_convs\.", "network.pyramid.inner_blocks."),
    (r"neck\.fpn_convs\.", "network.pyramid.layer_blocks."),
    (r"mask_head\.kernel_convs\.", "head.cells.kernel_tower."),
    (r"mask_head\.cls_convs\.", "head.cells.class_tower."),
    (r"mask_head\.conv_kernel\.", "head.cells.kernels."),
    (r"mask_head\.conv_cls\.", "head.cells.classify."),
    (r"mask_head\.mask_feature_head\.convs_all_levels\.(\d)\.conv(\d)\.", r"head.mask_features.levels.\1.\2."),
    (r"mask_head\.mask_feature_head\.conv_pred\.", "head.mask_features.merge."),
)
