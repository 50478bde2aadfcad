"""Fill our networks from weight files of other libraries, name by name, so that nothing is left to chance.

``weights = "detectron2:PATH"`` or ``"mmdet:PATH"`` names such a file. Each network that takes one has a map from their names to
its own; what is written here is what those maps share: reading the file, the names of a ResNet's tensors, the classes of COCO
by name, and a ``fill`` that takes every tensor or says which it could not place.

The files themselves could not be fetched where this was written: maps are tested on files made with their names and shapes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pixelwise.core.errors import CheckpointError
from pixelwise.models import weights as weight_files

MAKERS = ("detectron2", "mmdet")


class Source(NamedTuple):
    """A weight file of another library.

    Attributes:
        maker: one of ``MAKERS``.
        path: of the file.
    """

    maker: str
    path: Path


class Statistics(NamedTuple):
    """What the input in [0, 1] was normalised by, band by band in the order red, green, blue."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


CAFFE = Statistics((123.675 / 255, 116.28 / 255, 103.53 / 255), (1 / 255,) * 3)  # of ResNets that took blue, green, red
TORCHVISION = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def source_of(weights: object) -> Source | None:
    """Tell which file of which library ``weights`` name; None for all others.

    >>> source_of("mmdet:solov2.pth").maker, source_of("imagenet")
    ('mmdet', None)
    """
    maker, colon, path = weights.partition(":") if isinstance(weights, str) else ("", "", "")
    return Source(maker, Path(path)) if colon and maker in MAKERS else None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors``, ``.pth`` or ``.pt`` file, also where they lie under ``state_dict`` or ``model``.

    Raises:
        MissingFile: there is none.
        CheckpointError: it is a pickle, which could run anything when opened, or damaged.
    """
    if Path(path).suffix == ".pkl":
        raise CheckpointError(
            f"{path}: a .pkl is a pickle and can run anything when opened; convert it where you trust it: "
            "torch.save({name: torch.as_tensor(array) for name, array in pickle.load(open(PATH, 'rb'))['model'].items()}, "
            "'weights.pth')"
        )
    return weight_files.read_tensors(Path(path))


@torch.no_grad()
def fill(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    names: Callable[[str], str | None],
    classes: Mapping[str, Mapping[int, int]] | None = None,
) -> None:
    """Fill all of a model.

    Args:
        tensors: by their names.
        names: their name to ours; None leaves a tensor out.
        classes: for our tensors with a row a class, which of their rows each of ours takes; other rows stay as drawn.

    Raises:
        CheckpointError: one of ours gets nothing, one of theirs has no place, or a shape differs; the first few are named.
    """
    own, classes = model.state_dict(), classes or {}
    found: dict[str, Tensor] = {}
    strange, differing = [], []
    for theirs, tensor in tensors.items():
        if (name := names(theirs)) is None:
            continue
        if name not in own:
            strange.append(theirs)
        elif name in classes and tensor.shape[1:] == own[name].shape[1:]:
            found[name] = _with_rows(own[name], tensor, classes[name])
        elif tensor.shape == own[name].shape:
            found[name] = tensor
        else:
            differing.append(f"{theirs} {tuple(tensor.shape)} for {name} {tuple(own[name].shape)}")
    missing = [name for name in own if name not in found and not name.endswith("num_batches_tracked")]
    for what, which in (("differ in shape", differing), ("have no place in it", strange), ("of its own get nothing", missing)):
        if which:
            shown = ", ".join(which[:4]) + (" …" if len(which) > 4 else "")
            raise CheckpointError(f"the weights are not of this network: {len(which)} tensors {what}: {shown}")
    model.load_state_dict(found, strict=False)


def _with_rows(own: Tensor, given: Tensor, rows: Mapping[int, int]) -> Tensor:
    result = own.clone()
    for place, row in rows.items():
        result[place] = given[row]
    return result


def rows_by_name(ours: Sequence[str], theirs: Sequence[str]) -> dict[int, int]:
    """Give the row of theirs for each class of ours that they know by name; case does not count.

    >>> rows_by_name(["Dog", "dot"], ["cat", "dog"])
    {0: 1}
    """
    known = {name.casefold(): row for row, name in enumerate(theirs)}
    return {place: known[name.casefold()] for place, name in enumerate(ours) if name.casefold() in known}


def detectron2_resnet(name: str) -> str:
    """Give timm's name of a tensor of Detectron2's ResNet, without the ``backbone.bottom_up.`` before it.

    >>> detectron2_resnet("res3.0.conv2.norm.bias"), detectron2_resnet("res2.0.shortcut.weight")
    ('layer2.0.bn2.bias', 'layer1.0.downsample.0.weight')
    """
    name = re.sub(r"^stem\.", "", name)
    name = re.sub(r"^res(\d)\.", lambda found: f"layer{int(found[1]) - 1}.", name)
    name = name.replace("shortcut.norm.", "downsample.1.").replace("shortcut.", "downsample.0.")
    return re.sub(r"conv(\d)\.norm\.", r"bn\1.", name)


def mmdet_resnet(name: str) -> str:
    """Give timm's name of a tensor of mmdetection's ResNet, without the ``backbone.`` before it: the same.

    >>> mmdet_resnet("layer1.0.downsample.0.weight")
    'layer1.0.downsample.0.weight'
    """
    return name


def from_bgr(weight: Tensor) -> Tensor:
    """Turn a first convolution (O, 3, h, w) for blue, green, red into one for red, green, blue."""
    return weight.flip(1)


def stride_in_first(encoder: nn.Module) -> None:
    """Let the bottlenecks of timm's ResNet halve the size in their first convolution, as those that Caffe trained do.

    Raises:
        CheckpointError: it has no bottlenecks.
    """
    blocks: list[Any] = [block for block in encoder.modules() if isinstance(getattr(block, "conv3", None), nn.Conv2d)]
    if not blocks:
        raise CheckpointError("the weights are of a ResNet with bottlenecks, and the encoder has none; choose resnet50")
    for block in blocks:
        if block.conv2.stride == (2, 2):
            block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
