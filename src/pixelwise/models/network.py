"""What stands before a head: a network, and the stages of its encoder."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

PROBE = (256, 320)  # sides that differ and are multiples of 32, so that a feature's stride can be told from its shape


class Network(nn.Module, ABC):
    """Images (N, C, H, W), their sides multiples of the card's stride, to features for a head.

    Attributes:
        encoder: the part that gives features at ``strides`` and may start from pretrained weights; an empty module where there
            is none. Training may slow or freeze it, stage by stage.
        strides: of the encoder's features, finest first.
        weights: where the encoder's come from, in words.
        least_cells: of the card's stride along each side, that a graph for images of any size has: 1, or 2 where a library asks
            whether a map has more than one row. Images of fewer are padded to that in an exported graph alone.
    """

    encoder: nn.Module
    strides: tuple[int, ...]
    weights: str
    least_cells: int = 1

    @abstractmethod
    def forward(self, images: Tensor) -> Any:
        """Give what the head takes: features (N, C, h, w), or a tuple of several."""


@torch.no_grad()
def stages(network: Network, bands: int) -> tuple[tuple[nn.Module, ...], ...]:
    """Divide the encoder's layers into stages, finest first: one for each of its strides.

    A layer is a module that holds weights of its own. Its stage is told from the size of what it gives when an image runs
    through, so it does not matter how an encoder is put together or what its parts are called; layers without a size of their
    own (of a squeeze-and-excitation) belong to the stage they run in, and layers that never run to the last.
    """
    found: list[list[nn.Module]] = [[] for _ in network.strides]
    layers = [layer for layer in network.encoder.modules() if _holds_weights(layer)]
    if not layers:
        return tuple(tuple(stage) for stage in found)
    place = 0
    seen: set[int] = set()

    def watch(layer: nn.Module) -> Callable[..., None]:
        def note(module: nn.Module, given: object, result: object) -> None:
            nonlocal place
            stride = _stride_of(result, network.strides)
            place = place if stride is None else network.strides.index(stride)
            if id(layer) not in seen:
                seen.add(id(layer))
                found[place].append(layer)

        return note

    hooks = [layer.register_forward_hook(watch(layer)) for layer in layers]
    modes = {module: module.training for module in network.encoder.modules()}
    device = next(network.encoder.parameters()).device
    try:
        network.encoder.eval()(torch.zeros(1, bands, *PROBE, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    found[-1].extend(layer for layer in layers if id(layer) not in seen)
    return tuple(tuple(stage) for stage in found)


def _holds_weights(layer: nn.Module) -> bool:
    return any(True for _ in layer.parameters(recurse=False)) or any(True for _ in layer.buffers(recurse=False))


def _stride_of(result: object, strides: tuple[int, ...]) -> int | None:
    """Tell the stride of a tensor (N, C, h, w), (N, h, w, C) or (N, h * w, C); None if it has none of ``strides``."""
    if not isinstance(result, Tensor):
        return None
    shape = tuple(result.shape)
    for stride in strides:
        height, width = PROBE[0] // stride, PROBE[1] // stride
        if (height, width) in pairwise(shape) or (len(shape) == 3 and shape[1] == height * width):
            return stride
    return None
