"""One step: forward, backward and update on a batch, in as many parts as memory asks for.

However a batch is divided, the step is the whole batch's. Losses that are ratios of sums over the batch need those sums before
the first gradient, so a batch in parts is run through twice: once without gradients for the sums, once with them.
"""

import gc
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from pixelwise.core.errors import OptionError, TrainingError, first_line
from pixelwise.models.losses.whole import gathering
from pixelwise.models.recompute import still_statistics
from pixelwise.models.segmenter import Segmenter
from pixelwise.train.devices import level, summed
from pixelwise.train.failures import SINGLE_VALUE, is_out_of_memory, is_single_value
from pixelwise.train.loader import Batch
from pixelwise.train.optimise import Average, clip, set_rate
from pixelwise.train.options import TrainOptions


@dataclass(frozen=True)
class Result:
    """What a step found.

    Attributes:
        terms: the loss's named terms, over the whole batch.
        norm: of the gradient, before it is clipped.
        stop: whether any process was asked to stop.
    """

    terms: dict[str, float]
    norm: float
    stop: bool

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return math.fsum(self.terms.values())

    @property
    def is_finite(self) -> bool:
        """Whether the step could be taken; else it has changed nothing."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Stepper:
    """A model, its optimiser and its average, and the steps they take.

    Attributes:
        parts: in how many parts a process works off its share of a batch; doubled when memory runs out.
        is_whole: False in the middle of an update, when weights and optimiser belong to no step.
        statistics: the running ones of batch norms.
    """

    def __init__(self, model: Segmenter, optimiser: Optimizer, average: Average, fabric: Fabric, options: TrainOptions) -> None:
        self.model, self.average, self.fabric, self.options, self.parts = model, average, fabric, options, options.accumulate
        self.parameters = list(model.parameters())
        self.is_whole = True
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        self.statistics = _running_statistics(norms)
        moving = _running_statistics([norm for norm in norms if norm.training])
        self.levelled = [tensor for tensor in moving if tensor.is_floating_point()]
        self.before = [tensor.clone() for tensor in self.statistics]
        self.module, self.optimiser = fabric.setup(model, optimiser)
        self.module.mark_forward_method("loss")

    def __call__(self, batch: Batch, step: int, rate: float, stop: bool = False) -> Result:
        """Take one step at ``rate`` on this process's share of a batch; a loss or gradient that is not finite changes nothing.

        Raises:
            TrainingError: not even one image at a time fits the memory.
            OptionError: a batch norm is given a single value.
        """
        set_rate(self.optimiser, rate)
        if self.statistics:
            torch._foreach_copy_(self.before, self.statistics)
        try:
            terms, norm = self._fitting_gradients(batch, step)
            result = self._read(terms, norm, stop)
        except RuntimeError:
            self._forget()
            raise
        level(self.levelled, self.fabric)
        if result.is_finite:
            self.is_whole = False
            self.optimiser.step()
            self.average.update(step)
            self.is_whole = True
        else:
            self._restore()
        self.optimiser.zero_grad(set_to_none=True)
        return result

    @torch.no_grad()
    def _restore(self) -> None:
        """Give batch norms back the running statistics from before the step: its forward pass has changed them."""
        if self.statistics:
            torch._foreach_copy_(self.statistics, self.before)

    def _forget(self) -> None:
        """Leave no trace of a step that failed, so that the state can be saved; a lost device cannot even do that."""
        try:
            self.optimiser.zero_grad(set_to_none=True)
            self._restore()
        except RuntimeError:
            self.is_whole = False

    def _fitting_gradients(self, batch: Batch, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the gradients, in more and smaller parts until they fit the memory."""
        while True:
            message = ""
            try:
                return self._gradients(batch, step)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                message = first_line(error)  # the error itself holds the frames, and they the tensors
            except ValueError as error:
                if not is_single_value(error):
                    raise
                raise OptionError(SINGLE_VALUE) from None
            self._divide_further(len(batch.names), message)

    def _divide_further(self, images: int, message: str) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self._restore()
        gc.collect()
        if self.fabric.device.type == "cuda":
            torch.cuda.empty_cache()
        height, width = self.options.crop
        smaller = f"--set train.crop=[{_half(height)},{_half(width)}]"
        if self.fabric.world_size > 1:  # the others are waiting in the middle of this step; they cannot be told
            raise TrainingError(
                f"memory ran out on process {self.fabric.global_rank} ({message}); go on with smaller parts: "
                f"--set train.accumulate={2 * self.options.accumulate} and half the batch, or {smaller}"
            )
        if self.parts >= images:
            raise TrainingError(
                f"memory does not hold one crop of {height} x {width} ({message}); choose a smaller crop with {smaller}, a "
                f"smaller network, or --set train.checkpointing=true"
            )
        self.parts = min(images, 2 * self.parts)

    def _gradients(self, batch: Batch, step: int) -> tuple[dict[str, Tensor], Tensor]:
        parts = _divided(batch, self.parts)
        totals = self._totals(parts, step) if len(parts) > 1 else []
        added: dict[str, Tensor] = {}
        for place, part in enumerate(parts):
            weight = len(part.names) / len(batch.names)
            last = place == len(parts) - 1
            waits = not last and self.fabric.world_size > 1
            divided = len(parts) > 1 or self.fabric.world_size > 1
            whole = _Whole(self.fabric, weight, list(totals), is_only_part=len(parts) == 1)
            with (
                self.fabric.no_backward_sync(self.module) if waits else nullcontext(),
                gathering(whole) if divided else nullcontext(),
            ):
                terms = self._loss(self.module, part, step, place)
                self.fabric.backward(weight * torch.stack([term.float() for term in terms.values()]).sum())
            for name, term in terms.items():
                added[name] = added.get(name, 0) + weight * term.detach().float()
        return added, clip(self.parameters, self.options.clip)

    @torch.no_grad()
    def _totals(self, parts: Sequence[Batch], step: int) -> list[Tensor]:
        """Run all parts through without gradients; give each sum of the losses over the whole batch, in order.

        Sums that follow from others are wrong the first time, and are taken once more when those are known.
        """
        totals = _Totals()
        while totals.are_wanted:
            for place, part in enumerate(parts):
                totals.begin()
                with gathering(totals), still_statistics(self.model):
                    self._loss(self.model, part, step, place)
            totals.end(self.fabric)
        return totals.known

    def _loss(self, module: Any, part: Batch, step: int, place: int) -> dict[str, Tensor]:
        seed = self.options.seed * 1_000_003 + step  # dropout draws by step and part, so a resumed run draws the same
        torch.manual_seed(seed + (self.fabric.global_rank * 65_536 + place) * 2**40)
        with self.fabric.autocast():  # Fabric casts inside forward() alone, not inside other marked methods
            terms: dict[str, Tensor] = module.loss(part.images(self.fabric.device), part.targets_on(self.fabric.device))
        return terms

    def _read(self, terms: dict[str, Tensor], norm: Tensor, stop: bool) -> Result:
        """Read all figures of a step at once: an accelerator is waited for once, when its backward pass is under way."""
        figures = torch.stack(
            [*terms.values(), norm.to(self.fabric.device), norm.new_tensor(float(stop), device=self.fabric.device)]
        )
        level([figures], self.fabric)
        *values, norm_value, stops = figures.tolist()
        return Result(dict(zip(terms, values, strict=True)), norm_value, stops > 0)


class _Totals:
    """Note the sums of each part, and add them up over parts and processes."""

    def __init__(self) -> None:
        self.known: list[Tensor] = []
        self.are_wanted = True
        self._added: list[Tensor] = []
        self._follows: list[bool] = []
        self._place = 0

    def begin(self) -> None:
        """Begin a part."""
        self._place = 0

    def __call__(self, part: Tensor, follows: bool) -> Tensor:
        place = self._place
        self._place += 1
        if place == len(self._added):
            self._added.append(torch.zeros_like(part))
            self._follows.append(follows)
        self._added[place] = self._added[place] + part
        return self.known[place] if self.known and not follows else part

    def end(self, fabric: Fabric) -> None:
        """End a run through all parts."""
        self.are_wanted = not self.known and any(self._follows)
        self.known = [summed(one, fabric) for one in self._added]
        self._added, self._follows = [], []


class _Whole:
    """Complete the sums of one part's loss to those of the whole batch.

    The gradient is scaled by what the part's loss is weighed with afterwards, here and by the mean over processes: so a sum's
    gradient comes out whole, and losses that take no such sums come out as the mean over parts.
    """

    def __init__(self, fabric: Fabric, weight: float, totals: list[Tensor], is_only_part: bool) -> None:
        self.fabric, self.scale = fabric, fabric.world_size / weight
        self.totals, self.is_only_part = totals, is_only_part

    def __call__(self, part: Tensor, follows: bool) -> Tensor:
        own = part.detach()
        total = summed(own, self.fabric) if self.is_only_part else self.totals.pop(0)
        return total + (part - own) * self.scale if part.requires_grad else total


def _divided(batch: Batch, parts: int) -> list[Batch]:
    """Cut a batch into parts that differ by at most one image."""
    count = len(batch.names)
    parts = min(parts, count)
    if parts == 1:
        return [batch]
    edges = [round(place * count / parts) for place in range(parts + 1)]
    return [batch.part(low, high) for low, high in pairwise(edges)]


def _running_statistics(norms: Sequence[_BatchNorm]) -> list[Tensor]:
    """List the running statistics of batch norms, and how many batches they have seen."""
    found = [(norm.running_mean, norm.running_var, norm.num_batches_tracked) for norm in norms]
    return [tensor for each in found for tensor in each if tensor is not None]


def _half(side: int) -> int:
    return max(32, side // 64 * 32)
