"""Batch norms that can take a single value a channel.

A branch that pools a whole image to one pixel gives its batch norm one value a channel where a batch, or a part of it, is one
image; of one value there is no deviation, and torch refuses.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class SteadyBatchNorm2d(nn.BatchNorm2d):
    """A batch norm that normalises a single value a channel by its running statistics, as in evaluation."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalise values (N, C, H, W)."""
        if self.training and values.numel() == values.shape[1]:
            return F.batch_norm(values, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(values)


def with_steady_norms(model: nn.Module) -> nn.Module:
    """Replace every 2-D batch norm inside ``model``; parameters and statistics are shared, not copied."""
    for name, child in model.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(model, name, _steady(child))
        else:
            with_steady_norms(child)
    return model


def _steady(norm: nn.BatchNorm2d) -> SteadyBatchNorm2d:
    made = SteadyBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    made.weight, made.bias = norm.weight, norm.bias
    made.running_mean, made.running_var = norm.running_mean, norm.running_var
    made.num_batches_tracked = norm.num_batches_tracked
    return made.train(norm.training)
