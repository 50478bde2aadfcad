"""The optimiser, its learning rate at each step, and the running average of the weights."""

import copy
import math

import torch
from torch import nn
from torch.optim import AdamW

from pixelwise.models.segmenter import Segmenter
from pixelwise.train.options import TrainOptions


def make_optimiser(model: Segmenter, options: TrainOptions) -> AdamW:
    """Make AdamW with four groups: encoder or not, decayed (weights) or not (norms and biases)."""
    inside = {id(parameter) for parameter in _encoder_of(model).parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in inside, parameter.ndim > 1), []).append(parameter)
    tables = [
        {
            "params": parameters,
            "weight_decay": options.decay if decayed else 0.0,
            "share": options.encoder_rate if in_encoder else 1.0,
        }
        for (in_encoder, decayed), parameters in groups.items()
    ]
    return AdamW(tables, lr=options.rate, fused=True)


def _encoder_of(model: Segmenter) -> nn.Module:
    encoder = getattr(model.network, "encoder", None)
    return encoder if isinstance(encoder, nn.Module) else nn.Module()


def rate_at(step: int, options: TrainOptions) -> float:
    """Give the learning rate of a step: linear warm-up, then a cosine down to the final share.

    >>> options = TrainOptions(steps=100, rate=1.0, warmup=0.1)
    >>> [round(rate_at(step, options), 2) for step in (0, 9, 54, 99)]
    [0.1, 1.0, 0.52, 0.0]
    """
    warm = max(1, round(options.warmup * options.steps))
    if step < warm:
        return options.rate * (step + 1) / warm
    done = (step - warm) / max(1, options.steps - warm)
    share = options.final_rate + (1 - options.final_rate) * (1 + math.cos(math.pi * min(done, 1))) / 2
    return options.rate * share


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, times the group's share."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]


class Average:
    """A running average of a model's weights; short-sighted at first, at ``decay`` after about 9 / (1 - decay) steps."""

    def __init__(self, model: Segmenter, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: Segmenter, step: int) -> None:
        """Take in the weights after ``step``; with decay 0 they are copied."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        mine, theirs = list(self.model.parameters()), list(model.parameters())
        torch._foreach_lerp_(mine, theirs, share)
        for own, given in zip(self.model.buffers(), model.buffers(), strict=True):
            if own.is_floating_point():
                own.lerp_(given, share)
            else:
                own.copy_(given)
