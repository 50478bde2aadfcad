"""Lion, an optimiser that steps by the sign of a momentum [1].

Every weight moves by the same amount, so the rate wants to be three to ten times below AdamW's and the decay as much above it.
One buffer a weight is kept, half of what AdamW keeps.

[1] Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv 2302.06675, algorithm 2.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Lion(Optimizer):
    """Step by sign(b1 m + (1 - b1) g), decay the weights apart from it, then let m follow g by b2."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step on all weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        if not weights:
            return
        gradients = [weight.grad for weight in weights]
        averages = [self._average(weight) for weight in weights]
        rate, (near, far), decay = group["lr"], group["betas"], group["weight_decay"]
        directions = torch._foreach_mul(averages, near)
        torch._foreach_add_(directions, gradients, alpha=1 - near)
        torch._foreach_sign_(directions)
        if decay:
            torch._foreach_mul_(weights, 1 - rate * decay)
        torch._foreach_add_(weights, directions, alpha=-rate)
        torch._foreach_lerp_(averages, gradients, 1 - far)

    def _average(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "average" not in state:
            state["average"] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        average: Tensor = state["average"]
        return average
