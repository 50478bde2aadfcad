"""Start a Mask R-CNN from torchvision's networks trained on COCO: what they are made of, and which tensor goes where."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from pixelwise.core.errors import CheckpointError, OptionError, UnknownName, nearest
from pixelwise.core.labels import LabelSet
from pixelwise.models.box_parts import Layout
from pixelwise.models.encoders.hubs import fetch
from pixelwise.models.matching import match
from pixelwise.models.segmenter import Segmenter

HUB = "torchvision:maskrcnn_"
OLD_EPSILON = 1e-5  # that our batch norms add to a variance, and the frozen ones of the first published weights did not


PUBLISHED = {
    f"maskrcnn_resnet50_fpn{suffix}": Layout("resnet50", version, 4, 256, 1024, 256, 28, norm, False)
    for suffix, version, norm in (("", "v1", "none"), ("_v2", "v2", "batch"))
}


def is_whole(weights: object) -> bool:
    """Tell whether ``weights`` name a whole Mask R-CNN and not those of an encoder alone."""
    return isinstance(weights, str) and weights.startswith(HUB)


def layout_for(weights: str, given: Layout) -> Layout:
    """Give what the network named by ``weights`` is made of; ``given`` for weights of an encoder.

    Raises:
        UnknownName: there are no such weights.
        OptionError: an option was given that they contradict.
    """
    if not is_whole(weights):
        return given
    name = weights.partition(":")[2].partition(".")[0]
    if name not in PUBLISHED:
        raise UnknownName(f"torchvision has no Mask R-CNN '{name}'; {nearest(name, PUBLISHED)}")
    published, usual = PUBLISHED[name], Layout()
    for field in fields(Layout):
        wanted, own = getattr(given, field.name), getattr(published, field.name)
        if wanted not in (own, getattr(usual, field.name)):
            raise OptionError(f"[model] {field.name}: the weights '{weights}' want {own!r}, got {wanted!r}; leave it out")
    return published


def fill_from_hub(model: Segmenter, weights: str) -> None:
    """Fetch a whole network by name and fill ``model`` from it.

    Raises:
        MissingFile: the hub cannot be reached, and the weights are not on this disk.
    """
    from torchvision.models import get_model_weights

    name, _, tag = weights.partition(":")[2].partition(".")
    found = fetch(weights, model.card.options["encoder"])
    choices: Any = get_model_weights(name)
    categories = (choices[tag] if tag else choices.DEFAULT).meta["categories"]
    epsilon = OLD_EPSILON if name == "maskrcnn_resnet50_fpn" else 0.0
    taken = fill(model, found.tensors, categories, epsilon)
    model.network.weights = f"COCO, {found.origin.partition(', ')[2]}; {taken} of {len(model.card.labels)} classes by name"


@torch.no_grad()
def fill(model: Segmenter, tensors: Mapping[str, Tensor], categories: Sequence[str], epsilon: float = 0.0) -> int:
    """Fill ``model`` from the tensors of a torchvision Mask R-CNN of the same layout; give how many classes it knows.

    Args:
        categories: its classes by name, background first.
        epsilon: taken off the variances of the encoder's batch norms, where theirs had none to add.

    Raises:
        CheckpointError: a tensor is missing or has another shape.
    """
    head: Any = model.head
    places = _places(model.card.labels, categories)
    encoder = match(model.network.encoder.state_dict(), _under(tensors, "backbone.body."), 3, ("", "")).tensors
    for name, tensor in encoder.items():
        if name.endswith("running_var"):
            encoder[name] = tensor - epsilon
    try:
        _load(model.network.encoder, encoder)
        _load(model.network.pyramid, _under(tensors, "backbone.fpn."))  # type: ignore[arg-type]
        _load(head.proposer.layers, _under(tensors, "rpn.head."))
        _load(head.box_layers, _under(tensors, "roi_heads.box_head."))
        _load(head.mask_layers, _under(tensors, "roi_heads.mask_head."))
        _load(head.mask_predictor.conv5_mask, _under(tensors, "roi_heads.mask_predictor.conv5_mask."))
        _load_rows(head, _under(tensors, "roi_heads."), places)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"the weights are not of this Mask R-CNN: {error}") from None
    return len(places)


def _load_rows(head: Any, tensors: Mapping[str, Tensor], places: Mapping[int, int]) -> None:
    """Fill the layers that have a row a class; background, their row 0, has a layer of its own."""
    predictor, last = head.predictor, head.mask_predictor.mask_fcn_logits
    for kind, shifts in (("weight", predictor.shifts), ("bias", predictor.shift_bias)):
        logits = tensors[f"box_predictor.cls_score.{kind}"]
        getattr(predictor.background, kind).copy_(logits[:1])
        _rows(getattr(predictor.classify, kind), logits, places)
        _rows(shifts, tensors[f"box_predictor.bbox_pred.{kind}"].reshape(len(logits), *shifts.shape[1:]), places)
        _rows(getattr(last, kind), tensors[f"mask_predictor.mask_fcn_logits.{kind}"], places)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _load(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Fill a module, all of it but for the counters of batch norms; layers of torchvision's rename old names themselves."""
    counters = {name: one for name, one in module.state_dict().items() if name.endswith("num_batches_tracked")}
    module.load_state_dict({**counters, **tensors})


def _places(labels: LabelSet, categories: Sequence[str]) -> dict[int, int]:
    """Give the row of each class that is known by name."""
    rows = {name: row for row, name in enumerate(categories) if row and name != "N/A"}
    return {place: rows[name] for place, name in enumerate(labels.names) if name in rows}


def _rows(own: Tensor, given: Tensor, places: Mapping[int, int]) -> None:
    for place, row in places.items():
        own[place] = given[row]
