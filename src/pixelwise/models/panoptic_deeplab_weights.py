"""Start a Panoptic-DeepLab from Detectron2's: what it is made of, and which tensor goes where.

Detectron2's project (Apache-2.0) has networks on a "ResNet-52", a ResNet-50 that begins with three 3x3 convolutions, which is
timm's ``resnet50s``. Those with depthwise separable convolutions (``…_dsconv``) are built as the paper's are, and can be read
here. The map was written from the names and shapes of Detectron2's layers and tested on a file made with them; the published
files themselves were not seen. One thing differs: where the ASPP looks at the whole image, Detectron2 slides a window of the
training crop (512 x 1024) over larger ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from torch import nn

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.models.coco_classes import STUFF, THINGS
from pixelwise.models.foreign_weights import Source, detectron2_resnet, fill, read_tensors, rows_by_name, source_of
from pixelwise.models.segmenter import Segmenter

_CITYSCAPES = (
    "road,sidewalk,building,wall,fence,pole,traffic light,traffic sign,vegetation,terrain,sky,person,rider,car,truck,bus,train,"
    "motorcycle,bicycle"
)
CITYSCAPES = tuple(_CITYSCAPES.split(","))
_LEFT_OUT = ("pixel_mean", "pixel_std")
_CLASSES = "sem_seg_head.predictor.weight"
_PARTS = {  # of Detectron2's names, and ours
    "sem_seg_head.head.": "head.before_classes.",
    "sem_seg_head.predictor.": "head.classify.",
    "ins_embed_head.center_head.": "head.before_heat.",
    "ins_embed_head.center_predictor.": "head.heat.",
    "ins_embed_head.offset_head.": "head.before_offsets.",
    "ins_embed_head.offset_predictor.": "head.offsets.",
    "sem_seg_head.decoder.": "network.of_classes.",
    "ins_embed_head.decoder.": "network.of_objects.",
}
_STAGES = {
    r"res5\.project_conv\.convs\.4\.1\.": "aspp.whole.1.",
    r"res5\.project_conv\.convs\.": "aspp.branches.",
    r"res5\.project_conv\.project\.": "aspp.join.",
    r"res3\.project_conv\.": "projections.0.",
    r"res2\.project_conv\.": "projections.1.",
    r"res3\.fuse_conv\.": "fusions.0.",
    r"res2\.fuse_conv\.": "fusions.1.",
}


@dataclass(frozen=True)
class Layout:
    """The options of ``panoptic_deeplab`` that say what it is made of, at their defaults."""

    encoder: str = "tf_efficientnet_lite2"
    output_stride: int = 16
    multi_grid: tuple[int, ...] = ()
    rates: tuple[int, ...] = ()
    aspp: int = 128
    channels: int = 128
    skips: tuple[int, ...] = (32, 16)
    object_channels: int = 64
    object_skips: tuple[int, ...] = (16, 8)
    object_width: int = 32
    plain_heat: bool = False
    finest: int = 4


PUBLISHED = Layout("resnet50s", 16, (1, 2, 4), (6, 12, 18), 256, 256, (64, 32), 128, (64, 32), 32, True, 4)


def published(weights: object) -> Source | None:
    """Give the file of Detectron2 that ``weights`` name; None for those of an encoder."""
    source = source_of(weights)
    return source if source is not None and source.maker == "detectron2" else None


def layout_for(weights: str, given: Layout) -> Layout:
    """Give what the network named by ``weights`` is made of; ``given`` for weights of an encoder.

    Raises:
        OptionError: an option was given that they contradict.
    """
    if published(weights) is None:
        return given
    usual = Layout()
    for field in fields(Layout):
        wanted, own = getattr(given, field.name), getattr(PUBLISHED, field.name)
        if wanted not in (own, getattr(usual, field.name)):
            raise OptionError(f"[model] {field.name}: the weights '{weights}' want {own!r}, got {wanted!r}; leave it out")
    return PUBLISHED


def look_further(encoder: nn.Module, grid: Sequence[int]) -> None:
    """Multiply the dilations of a ResNet's last blocks, one after the other (DeepLabv3, section 3.2.1); no grid does nothing.

    Raises:
        OptionError: the encoder has no such blocks, or not as many.
    """
    if not grid:
        return
    blocks = list(getattr(encoder, "layer4", ()))
    if len(blocks) != len(grid) or min(grid) < 1:
        raise OptionError(
            f"[model] multi_grid: expected a number above 0 for each of the {len(blocks)} blocks of a ResNet's last stage, got "
            f"{list(grid)}"
        )
    convolutions = [[one for one in block.modules() if _looks_around(one)] for block in blocks]
    dilation = max(one.dilation[0] for found in convolutions for one in found)
    for step, found in zip(grid, convolutions, strict=True):
        for one in found:
            one.dilation = one.padding = (step * dilation, step * dilation)


def _looks_around(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)


def fill_from_detectron2(model: Segmenter, source: Source) -> None:
    """Fill a model, but for the rows of classes that Cityscapes or COCO have under no such name.

    Raises:
        CheckpointError: the file is of another network, or of other classes than theirs.
    """
    tensors = read_tensors(source.path)
    known = {len(names): (maker, names) for maker, names in (("Cityscapes", CITYSCAPES), ("COCO", THINGS + STUFF))}
    rows = len(tensors[_CLASSES]) if _CLASSES in tensors else 0
    if rows not in known:
        raise CheckpointError(f"{source.path}: expected the 19 classes of Cityscapes or the 133 of COCO, got {rows}")
    data, names = known[rows]
    places = rows_by_name(model.card.labels.names, names)
    fill(model, tensors, ours, {f"head.{name}": places for name in model.head.class_rows})
    count = len(model.card.labels)
    model.network.weights = f"{data}, file {source.path.name} of detectron2; {len(places)} of {count} classes by name"


def ours(name: str) -> str | None:
    """Give our name of a tensor of Detectron2's; None for what we leave out.

    >>> ours("ins_embed_head.decoder.res3.fuse_conv.pointwise.norm.bias"), ours("backbone.stem.conv3.norm.weight")
    ('network.of_objects.fusions.0.4.bias', 'network.encoder.bn1.weight')
    """
    if name in _LEFT_OUT:
        return None
    if name.startswith("backbone."):
        return "network.encoder." + _deep_stem(name.removeprefix("backbone."))
    for theirs, own in _PARTS.items():
        if name.startswith(theirs):
            rest = name.removeprefix(theirs)
            for stage, place in _STAGES.items():
                rest = re.sub(f"^{stage}", place, rest)
            return _layers(own + rest)
    return name


def _deep_stem(name: str) -> str:
    """Give timm's name of a tensor of a ResNet that begins with three convolutions."""
    if not (found := re.fullmatch(r"stem\.conv(\d)\.(norm\.)?(\w+)", name)):
        return detectron2_resnet(name)
    place = 3 * (int(found[1]) - 1)
    if found[2]:
        return f"bn1.{found[3]}" if place == 6 else f"conv1.{place + 1}.{found[3]}"
    return f"conv1.{place}.{found[3]}"


def _layers(name: str) -> str:
    """Number the layers that Detectron2 names: a convolution, its norm, and the two of a separable one."""
    for theirs, own in (("depthwise.norm.", "1."), ("depthwise.", "0."), ("pointwise.norm.", "4."), ("pointwise.", "3.")):
        if theirs in name:
            return name.replace(theirs, own)
    if ".norm." in name:
        return name.replace(".norm.", ".1.")
    is_bare = name.startswith(("head.classify.", "head.heat.", "head.offsets.")) or ".aspp.whole." in name
    return name if is_bare else name.replace(".weight", ".0.weight")
