"""Keep few activations of a network, and compute the others again when the backward pass wants them [1].

[1] Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, arXiv 1604.06174.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from pixelwise.models.segmenter import Segmenter

LARGEST = 1 / 8  # of all activations that one segment may hold, as far as the network's parts allow


@contextmanager
def recomputed(model: Segmenter) -> Iterator[None]:
    """Within the block, keep only what goes into each segment of the network; gradients stay what they were.

    Memory falls to what goes into the segments and the activations of the largest one; a forward pass more is computed.
    """
    chosen = segments(model)
    for segment in chosen:
        segment.forward = _kept_short(segment, segment.forward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for segment in chosen:
            del segment.forward  # the class's own again


@torch.no_grad()
def segments(model: Segmenter) -> list[nn.Module]:
    """Choose the parts of the network that hold at most ``LARGEST`` of its activations, each as large as that allows."""
    held: dict[nn.Module, int] = {}
    leaves: dict[nn.Module, int] = {}

    def note(module: nn.Module, given: object, result: object) -> None:
        held[module] = 0
        if isinstance(result, Tensor) and not any(True for _ in module.children()):
            leaves[module] = leaves.get(module, 0) + result.numel()

    hooks = [module.register_forward_hook(note) for module in model.network.modules()]
    modes = {module: module.training for module in model.network.modules()}
    side = max(64, 2 * model.card.stride)
    try:
        model.network.eval()(torch.zeros(1, len(model.card.bands), side, side, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    for module in held:
        held[module] = sum(leaves.get(part, 0) for part in module.modules())
    return _descend(model.network, held, sum(leaves.values()) * LARGEST)


def _descend(module: nn.Module, held: dict[nn.Module, int], most: float) -> list[nn.Module]:
    parts = list(module.children())
    if not parts:
        return []  # one layer alone has nothing to save
    if module in held and held[module] <= most:
        return [module]
    return [segment for part in parts for segment in _descend(part, held, most)]


def _kept_short(segment: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*given, **named)
        return checkpoint(forward, *given, use_reentrant=False, context_fn=lambda: _contexts(segment), **named)

    return run


def _contexts(segment: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), still_statistics(segment)


@contextmanager
def still_statistics(model: nn.Module) -> Iterator[None]:
    """Within the block, batch norms use the batch's statistics but do not take them into their running ones."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.training]
    before = [(norm.momentum, None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum = momentum
            if counted is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.copy_(counted)


def frozen_norms(model: nn.Module) -> None:
    """Put every batch norm into evaluation mode: it normalises by the statistics it came with; its weights go on learning."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
