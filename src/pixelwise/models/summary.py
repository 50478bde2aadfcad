"""Count what a network is made of: shapes, parameters and multiply-adds, layer by layer, on one image of a given size."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pixelwise.core.arrays import Size
from pixelwise.models.depthwise import DepthwiseConv2d
from pixelwise.models.full_convolution import FullConvolution
from pixelwise.models.segmenter import Segmenter


@dataclass
class Row:
    """One module: what it gives, and what it and all inside it hold and cost."""

    name: str
    kind: str
    depth: int
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


@torch.no_grad()
def summarise(model: Segmenter, size: Size, depth: int = 3) -> list[Row]:
    """Run one image of (H, W) through the model, and give a row for each module down to ``depth``; the first is the whole.

    Multiply-adds are counted for convolutions, transposed convolutions and linear layers, as papers do.
    """
    costs: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [module.register_forward_hook(_watch(name, costs, shapes)) for name, module in model.named_modules()]
    device = next(model.parameters()).device
    was_training = model.training
    try:
        model.eval()(torch.zeros(1, len(model.card.bands), *size, device=device))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    rows = []
    for name, module in model.named_modules():
        level = name.count(".") + 1 if name else 0
        if level > depth or name not in shapes:
            continue
        inside = sum(cost for place, cost in costs.items() if not name or place == name or place.startswith(name + "."))
        parameters = sum(parameter.numel() for parameter in module.parameters())
        rows.append(
            Row(name.rpartition(".")[2] or model.card.name, type(module).__name__, level, shapes[name], parameters, inside)
        )
    return rows


def _watch(name: str, costs: dict[str, int], shapes: dict[str, tuple[int, ...]]) -> Callable[..., None]:
    def hook(module: nn.Module, given: tuple[Tensor, ...], result: object) -> None:
        found = result
        while isinstance(found, tuple | list) and found:
            found = found[-1]
        if isinstance(found, Tensor):
            shapes[name] = tuple(found.shape[1:])
            costs[name] = costs.get(name, 0) + _multiply_adds(module, given[0], found)

    return hook


def _multiply_adds(module: nn.Module, given: Tensor, found: Tensor) -> int:
    if isinstance(module, nn.ConvTranspose2d):
        return given.numel() * module.weight[0].numel()
    if isinstance(module, FullConvolution):
        return given.numel() * module.weight[:, 0].numel()
    if isinstance(module, nn.Conv2d | DepthwiseConv2d):
        return found.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return found.numel() * module.in_features
    return 0
