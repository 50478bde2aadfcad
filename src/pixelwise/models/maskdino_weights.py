"""The authors' Mask DINO: the names of its tensors, and its ResNet-50 networks for instance and panoptic segmentation.

Their files are Detectron2's: a backbone, a ``pixel_decoder`` and a ``predictor``. Three things differ from ours besides names.
Their decoder has its levels coarsest first, attention has its three projections in one tensor, and what all layers share is
written once for each. A semantic network of theirs has other classes, and is not taken.

The files were not at hand where this was written: the map is tested on one made with their names and shapes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from torch import Tensor

from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.core.segmentation import Kind
from pixelwise.models.coco_classes import STUFF, THINGS
from pixelwise.models.foreign_weights import Source, detectron2_resnet, fill, read_tensors, rows_by_name
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.universal import lower_bound, require_widths

_PIXELS, _HEAD = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
_AROUND = {"sampling_offsets": "shifts", "attention_weights": "shares", "value_proj": "values", "output_proj": "mixed"}
_ENCODER = {**{f"self_attn.{theirs}": f"attention.{ours}" for theirs, ours in _AROUND.items()}} | {
    "norm1": "attended",
    "linear1": "widen",
    "linear2": "narrow",
    "norm2": "worked",
}
_DECODER = {**{f"cross_attn.{theirs}": f"around.{ours}" for theirs, ours in _AROUND.items()}} | {
    "self_attn.out_proj": "among.mixed",
    "norm2": "agreed",
    "norm1": "attended",
    "linear1": "widen",
    "linear2": "narrow",
    "norm3": "worked",
}
_PLAIN = {  # beginnings of names
    f"{_PIXELS}input_proj.": "network.pixels.inputs.",
    f"{_PIXELS}transformer.level_embed": "network.pixels.level",
    f"{_PIXELS}mask_features.": "network.pixels.masks.",
    f"{_PIXELS}adapter_1.norm.": "network.pixels.narrow.1.",
    f"{_PIXELS}adapter_1.": "network.pixels.narrow.0.",
    f"{_PIXELS}layer_1.norm.": "network.pixels.smooth.1.",
    f"{_PIXELS}layer_1.": "network.pixels.smooth.0.",
    f"{_HEAD}enc_output_norm.": "head.cells.norm.",
    f"{_HEAD}enc_output.": "head.cells.layer.",
    f"{_HEAD}class_embed.": "head.queries.classify.",
    f"{_HEAD}label_enc.": "head.named.",
    f"{_HEAD}decoder_norm.": "head.refining.norm.",
}
_LAYERED = {  # perceptrons, whose layers we count with what stands between them
    f"{_HEAD}mask_embed.layers.": "head.embed.",
    f"{_HEAD}_bbox_embed.layers.": "head.refining.boxes.",
    f"{_HEAD}decoder.ref_point_head.layers.": "head.refining.place.",
}
_SHARED = re.compile(rf"^({re.escape(_HEAD)}(decoder\.)?bbox_embed\.\d+\.|{re.escape(_HEAD)}decoder\.norm\.|criterion\.)")
_LAYER = re.compile(rf"^({re.escape(_PIXELS)}transformer\.encoder|{re.escape(_HEAD)}decoder)\.layers\.(\d+)\.(.+)\.(\w+)$")


HEADS = 8  # of the attention, in all their networks


@dataclass(frozen=True)
class Layout:
    """The options of ``maskdino`` that weights of the authors settle, at their defaults."""

    encoder: str = "tf_efficientnet_lite2"
    width: int = 128
    heads: int = HEADS
    scales: int = 4
    pixel_layers: int = 2
    pixel_feedforward: int = 512
    decoder_layers: int = 3
    feedforward: int = 512
    finest: int = 4
    grows: bool = True

    def __post_init__(self) -> None:
        require_widths("maskdino", self.width, self.heads)
        for name in ("pixel_layers", "pixel_feedforward", "decoder_layers", "feedforward"):
            lower_bound(name, getattr(self, name), 1)
        if self.scales not in (4, 5):
            raise OptionError(f"[model] scales: expected 4 or 5, got {self.scales}")


def read_authors(source: Source, kind: Kind) -> dict[str, Tensor]:
    """Read a network of the authors.

    Raises:
        OptionError: it is not Detectron2's, or wanted for another kind than theirs that fit.
        MissingFile: there is none.
        CheckpointError: it is damaged.
    """
    if source.maker != "detectron2":
        wanted = "a file of the authors for maskdino, as in 'detectron2:PATH'"
        raise OptionError(f"[model] weights: expected {wanted}, got '{source.maker}:{source.path}'")
    if kind == "semantic":
        raise OptionError("[model] weights: the authors' are for instance and panoptic segmentation, got the kind semantic")
    return read_tensors(source.path)


def layout_for(tensors: Mapping[str, Tensor], given: Layout) -> Layout:
    """Give what the network of the authors' tensors is made of.

    Raises:
        CheckpointError: they are of no Mask DINO on a ResNet-50.
        OptionError: an option was given that they contradict.
    """
    found, usual = _layout_of(tensors), Layout()
    for field in fields(Layout):
        wanted, own = getattr(given, field.name), getattr(found, field.name)
        if wanted not in (own, getattr(usual, field.name)):
            raise OptionError(f"[model] {field.name}: the weights want {own!r}, got {wanted!r}; leave it out")
    return found


def _layout_of(tensors: Mapping[str, Tensor]) -> Layout:
    try:
        first = tensors[f"{_PIXELS}transformer.encoder.layers.0.linear1.weight"]
        last = tensors[f"{_HEAD}decoder.layers.0.linear1.weight"]
        scales = len(tensors[f"{_PIXELS}transformer.level_embed"])
        if tensors["backbone.res4.5.conv3.weight"].shape[0] != 1024 or "backbone.res4.6.conv3.weight" in tensors:
            raise CheckpointError("the weights are of a Mask DINO on another backbone than a ResNet-50")
    except KeyError as error:
        raise CheckpointError(f"the weights are of no Mask DINO on a ResNet-50: they have no tensor {error}") from None
    layers = [found for name in tensors if (found := _LAYER.match(name))]
    encoder, decoder = (len({one[2] for one in layers if one[1].startswith(part)}) for part in (_PIXELS, _HEAD))
    return Layout("resnet50", first.shape[1], HEADS, scales, encoder, first.shape[0], decoder, last.shape[0], 4, False)


def fill_from_authors(model: Segmenter, tensors: Mapping[str, Tensor], layout: Layout) -> None:
    """Fill a model with the tensors of the authors' network that it has the layout of; classes of COCO's names keep their rows.

    Raises:
        CheckpointError: a tensor is missing, has no place or another shape.
    """
    theirs = THINGS if model.card.kind == "instance" else (*THINGS, *STUFF)
    rows = rows_by_name(model.card.labels.names, theirs)
    places = {f"head.{name}": rows for name in model.head.class_rows}
    fill(model, as_ours(tensors, layout.heads, layout.scales), our_name, places)
    model.network.weights = f"COCO, Mask DINO's authors'; {len(rows)} of {len(model.card.labels)} classes by name"


def as_ours(tensors: Mapping[str, Tensor], heads: int, levels: int) -> dict[str, Tensor]:
    """Split the projections of attention, and turn the levels of the decoder round; other names and values stay."""
    found = {}
    for name, tensor in tensors.items():
        if (at := name.rfind(".self_attn.in_proj_")) >= 0:
            for part, value in zip(("asked", "given", "values"), tensor.chunk(3), strict=True):
                found[f"{name[:at]}.among.{part}.{name[at + len('.self_attn.in_proj_') :]}"] = value
        elif name.startswith(_HEAD) and (".sampling_offsets." in name or ".attention_weights." in name):
            found[name] = tensor.unflatten(0, (heads, levels, -1)).flip(1).flatten(0, 2)
        else:
            found[name] = tensor
    return found


def our_name(name: str) -> str | None:
    """Give our name of a tensor of theirs, None for one that is there twice or says nothing about the network.

    >>> our_name("sem_seg_head.predictor.decoder.layers.3.cross_attn.value_proj.bias")
    'head.refining.layers.3.around.values.bias'
    >>> our_name("sem_seg_head.predictor.mask_embed.layers.2.weight")
    'head.embed.4.weight'
    """
    if name.startswith("backbone."):
        return f"network.encoder.{detectron2_resnet(name.removeprefix('backbone.'))}"
    if _SHARED.match(name):
        return None
    if found := _LAYER.match(name):
        is_encoder = found[1].startswith(_PIXELS)
        ours = "network.pixels.layers" if is_encoder else "head.refining.layers"
        part = (_ENCODER if is_encoder else _DECODER).get(found[3], found[3])
        return f"{ours}.{found[2]}.{part}.{found[4]}"
    for theirs, ours in _LAYERED.items():
        if name.startswith(theirs):
            place, _, rest = name.removeprefix(theirs).partition(".")
            return f"{ours}{2 * int(place)}.{rest}"
    for theirs, ours in _PLAIN.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
