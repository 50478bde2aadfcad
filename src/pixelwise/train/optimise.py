"""The optimiser, the groups of weights with their shares of the rate, and the running average of the weights."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from pixelwise.models.network import stages
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.lion import Lion
from pixelwise.train.options import TrainOptions

OPTIMISERS: dict[str, Callable[[list[dict[str, Any]], TrainOptions], Optimizer]] = {
    "adamw": lambda groups, options: AdamW(groups, lr=options.rate, fused=True),
    "adam": lambda groups, options: Adam(groups, lr=options.rate, fused=True),
    "sgd": lambda groups, options: SGD(
        groups, lr=options.rate, momentum=options.momentum, nesterov=options.momentum > 0, fused=True
    ),
    "lion": lambda groups, options: Lion(groups, lr=options.rate),
}


def make_optimiser(model: Segmenter, options: TrainOptions) -> Optimizer:
    """Make the optimiser; its groups are what shares a rate, and within that what is decayed.

    Weights are decayed, norms and biases are not. The encoder's rate is ``encoder_rate`` of the whole, and with
    ``layer_decay`` each of its stages has that share of the next deeper one's.
    """
    shares = _encoder_shares(model, options)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((shares.get(parameter, 1.0), parameter.ndim > 1), []).append(parameter)
    tables = [
        {"params": parameters, "weight_decay": options.decay if decayed else 0.0, "share": share}
        for (share, decayed), parameters in groups.items()
    ]
    return OPTIMISERS[options.optimiser](tables, options)


def _encoder_shares(model: Segmenter, options: TrainOptions) -> dict[nn.Parameter, float]:
    """Give each of the encoder's weights its share of the rate; the deepest stage has ``encoder_rate`` times the decay."""
    shares = dict.fromkeys(model.network.encoder.parameters(), options.encoder_rate)
    if options.layer_decay == 1:
        return shares
    divided = stages(model.network, len(model.card.bands))
    for above, stage in enumerate(reversed(divided), start=1):
        for layer in stage:
            for parameter in layer.parameters(recurse=False):
                shares[parameter] = options.encoder_rate * options.layer_decay**above
    return shares


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the rate of every group, times the group's share."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


@torch.no_grad()
def clip(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Give the norm of all gradients together, and where it is above ``largest`` scale them down to that; 0 scales nothing.

    The norm stays a tensor: whether it is finite is asked once a step, not here.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if largest:
        torch._foreach_mul_(gradients, (largest / (norm + 1e-6)).clamp_max(1.0))
    return norm


class Average:
    """A running average of a model's weights; short-sighted at first, at ``decay`` after about 9 / (1 - decay) steps.

    The model must be on its device already: it is followed by its tensors, not by its names.
    """

    def __init__(self, model: Segmenter, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.decay = decay
        self._mine, self._theirs = _floats(self.model), _floats(model)  # found once: walking all modules takes a millisecond
        self._counters = [
            pair for pair in zip(self.model.buffers(), model.buffers(), strict=True) if not pair[0].is_floating_point()
        ]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step``; with decay 0 they are copied."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mine, self._theirs, share)
        for own, given in self._counters:
            own.copy_(given)


def _floats(model: nn.Module) -> list[Tensor]:
    """List what is averaged: weights, and buffers that hold fractions."""
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]
