"""Start a Panoptic FPN from a file of Detectron2's: which of its tensors goes where.

The map was written from the names and shapes of Detectron2's layers and tested on files made with them; the published files
themselves were not seen. Its anchors have fractions of a pixel where ours, as torchvision's, are rounded to whole ones.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pixelwise.core.errors import CheckpointError
from pixelwise.models.coco_classes import STUFF, THINGS
from pixelwise.models.foreign_weights import detectron2_resnet, fill, from_bgr, read_tensors, rows_by_name
from pixelwise.models.segmenter import Segmenter

_BOXES = "head.instances."
_STEM = "backbone.bottom_up.stem.conv1.weight"
_PREFIXES = {  # of Detectron2's names, and ours
    "proposal_generator.rpn_head.conv.": f"{_BOXES}proposer.layers.conv.0.0.",
    "proposal_generator.rpn_head.objectness_logits.": f"{_BOXES}proposer.layers.cls_logits.",
    "proposal_generator.rpn_head.anchor_deltas.": f"{_BOXES}proposer.layers.bbox_pred.",
    "roi_heads.box_head.fc1.": f"{_BOXES}box_layers.fc6.",
    "roi_heads.box_head.fc2.": f"{_BOXES}box_layers.fc7.",
    "roi_heads.box_predictor.background.": f"{_BOXES}predictor.background.",
    "roi_heads.box_predictor.classify.": f"{_BOXES}predictor.classify.",
    "roi_heads.box_predictor.bbox_pred.weight": f"{_BOXES}predictor.shifts",
    "roi_heads.box_predictor.bbox_pred.bias": f"{_BOXES}predictor.shift_bias",
    "roi_heads.mask_head.deconv.": f"{_BOXES}mask_predictor.conv5_mask.",
    "roi_heads.mask_head.predictor.": f"{_BOXES}mask_predictor.mask_fcn_logits.",
    "sem_seg_head.predictor.": "head.classify.",
}
_LEFT_OUT = ("pixel_mean", "pixel_std", "proposal_generator.anchor_generator.")  # numbers that our options hold


def fill_from_detectron2(model: Segmenter, path: Path) -> None:
    """Fill a model, but for the rows of classes that COCO has under no such name.

    Raises:
        CheckpointError: the file is of another network, or of other sizes.
    """
    head: Any = model.head
    names = model.card.labels.names
    things = rows_by_name([names[row] for row in head.things], THINGS)
    stuff = {row: place + 1 for row, place in rows_by_name([names[row] for row in head.stuff], STUFF).items()}
    classes = {f"head.{name}": things for name in head.thing_rows}
    classes |= {f"head.{name}": {**stuff, len(head.stuff): 0} for name in head.stuff_rows}  # things together are their first
    fill(model, _apart(read_tensors(path)), ours, classes)
    known = len(things) + len(stuff)
    model.network.weights = f"COCO, file {path.name} of detectron2; {known} of {len(names)} classes by name"


def ours(name: str) -> str | None:
    """Give our name of a tensor of Detectron2's, once ``_apart`` has parted what we hold apart; None for what we leave out.

    >>> ours("sem_seg_head.p5.4.norm.bias"), ours("roi_heads.mask_head.mask_fcn2.weight"), ours("pixel_mean")
    ('network.semantic.levels.3.2.1.bias', 'head.instances.mask_layers.1.0.weight', None)
    """
    if name.startswith(_LEFT_OUT):
        return None
    for theirs, own in _PREFIXES.items():
        if name.startswith(theirs):
            return own + name[len(theirs) :]
    if name.startswith("backbone.bottom_up."):
        return "network.pyramid.encoder." + detectron2_resnet(name[len("backbone.bottom_up.") :])
    if found := re.fullmatch(r"backbone\.fpn_(lateral|output)(\d)\.(.*)", name):
        blocks = {"lateral": "inner_blocks", "output": "layer_blocks"}[found[1]]
        return f"network.pyramid.pyramid.{blocks}.{int(found[2]) - 2}.0.{found[3]}"
    if found := re.fullmatch(r"roi_heads\.mask_head\.mask_fcn(\d)\.(.*)", name):
        return f"{_BOXES}mask_layers.{int(found[1]) - 1}.0.{found[2]}"
    if found := re.fullmatch(r"sem_seg_head\.p(\d)\.(\d)\.(norm\.)?(.*)", name):  # every other layer enlarges
        return f"network.semantic.levels.{int(found[1]) - 2}.{int(found[2]) // 2}.{1 if found[3] else 0}.{found[4]}"
    return name


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Part background, their last row, from the classes, give shifts a dimension of their own, and swap blue and red.

    Raises:
        CheckpointError: one of these tensors is not there.
    """
    found = dict(tensors)
    try:
        for kind in ("weight", "bias"):
            logits = found.pop(f"roi_heads.box_predictor.cls_score.{kind}")
            found[f"roi_heads.box_predictor.classify.{kind}"] = logits[:-1]
            found[f"roi_heads.box_predictor.background.{kind}"] = logits[-1:]
            shifts = found[f"roi_heads.box_predictor.bbox_pred.{kind}"]
            found[f"roi_heads.box_predictor.bbox_pred.{kind}"] = shifts.unflatten(0, (-1, 4))
        found[_STEM] = from_bgr(found[_STEM])
    except KeyError as error:
        raise CheckpointError(f"the weights are not of this network: there is no tensor {error}") from None
    return found
