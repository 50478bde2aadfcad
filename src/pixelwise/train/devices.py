"""The processes of a run: one a device, on one machine or several, by the strategies of Lightning Fabric.

A run is the same on any number of processes: each takes its part of every step's images, the sums of the losses and the counts
of validation are those of all parts, and gradients are averaged. What still depends on how a step is divided are batch norm's
statistics (freeze them, or use group norm) and the draws of dropout.

Processes come from torchrun, SLURM or MPI, which start them all, or from Lightning, which starts the others by running this
program's command line again. Either way the leader (rank 0) alone reads, plans and writes; the others wait to be told.
"""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import ClusterEnvironment, MPIEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor

from pixelwise.core.errors import OptionError, TrainingError
from pixelwise.train.loader import Order
from pixelwise.train.machine import this_machine
from pixelwise.train.options import TrainOptions

T = TypeVar("T")


def layout(options: TrainOptions) -> tuple[int, int]:
    """Give (processes on each machine, machines): what a launcher has started, else what the options say."""
    environment = _environment()
    if environment is None:
        return _asked(options), options.nodes
    world = environment.world_size()
    names = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "OMPI_COMM_WORLD_LOCAL_SIZE")
    given = next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), world // options.nodes)
    local = max(1, min(given, world))
    return local, max(1, world // local)


def ranks(options: TrainOptions) -> int:
    """Count the processes of the whole run."""
    local, nodes = layout(options)
    return local * nodes


def processes_here(options: TrainOptions) -> int:
    """Count the processes of the run on this machine."""
    return layout(options)[0]


def leads(options: TrainOptions) -> bool:
    """Tell whether this process leads: it reads, plans and writes for all."""
    return ranks(options) == 1 or _rank(options) == 0


def fits(options: TrainOptions) -> None:
    """Check that a step's images can be divided among the processes.

    Raises:
        OptionError: they cannot; the message has the nearest batches that can.
    """
    count = ranks(options)
    if options.batch % count:
        low, high = options.batch // count * count, -(-options.batch // count) * count
        nearest = f"{low} or {high}" if low else str(high)
        raise OptionError(
            f"[train] batch: {options.batch} images a step cannot be divided evenly among {count} processes; use {nearest}"
        )


def alone(options: TrainOptions) -> Fabric:
    """Set up Fabric for this process by itself, for trials."""
    _quieten()
    fabric = Fabric(accelerator=this_machine(options.device).device, devices=1, precision=_precision(options))  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def together(options: TrainOptions) -> Fabric:
    """Set up Fabric for all processes of the run: start those that are missing and wait until all are there."""
    if ranks(options) == 1:
        return alone(options)
    return _group(options.device, *layout(options), _precision(options))


@lru_cache(maxsize=1)  # processes meet once; a second run in one program finds them together
def _group(device: str, count: int, nodes: int, precision: str) -> Fabric:
    _quieten()
    machine = this_machine(device)
    if machine.device == "mps":
        raise OptionError("[train] devices: an Apple device works alone; use devices=1")
    if machine.device == "cuda" and count > torch.cuda.device_count():
        raise OptionError(f"[train] devices: {count} were asked for, and {torch.cuda.device_count()} are here")
    if _environment() is None and not _can_start_again():
        raise OptionError(
            "[train] devices: several processes need a program that can be started again: run a script or the command "
            "'pixelwise train', not an interactive session; or use devices=1"
        )
    strategy = DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
    try:
        fabric = Fabric(machine.device, strategy, count, nodes, precision)  # type: ignore[arg-type]
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the {count * nodes} processes of the run did not meet ({error}); start the same command on every machine, with "
            f"MASTER_ADDR, MASTER_PORT and NODE_RANK set, or use torchrun"
        ) from None
    return fabric


def share(value: T, fabric: Fabric) -> T:
    """Give every process the leader's value."""
    return fabric.broadcast(value) if fabric.world_size > 1 else value


def gathered(value: T, fabric: Fabric) -> list[T]:
    """Give every process the values of all, by rank."""
    if fabric.world_size == 1:
        return [value]
    found: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(found, value)
    return found


@torch.no_grad()
def level(tensors: Sequence[Tensor], fabric: Fabric) -> None:
    """Replace tensors, in place, by their means over all processes."""
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= fabric.world_size
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def summed(part: Tensor, fabric: Fabric) -> Tensor:
    """Add up a tensor over all processes."""
    if fabric.world_size == 1:
        return part
    total = part.detach().clone()
    torch.distributed.all_reduce(total)
    return total


@dataclass(frozen=True)
class Share:
    """One process's part of an order: the parts of all, by rank, are what one process would be given."""

    order: Order
    rank: int = 0
    ranks: int = 1

    def keys(self, step: int) -> list[tuple[int, int]]:
        """Give (epoch, sample) for each image of this process's part of a step."""
        keys = self.order.keys(step)
        size = len(keys) // self.ranks
        return keys[self.rank * size : (self.rank + 1) * size]


def _asked(options: TrainOptions) -> int:
    if options.devices != "auto":
        return options.devices
    return torch.cuda.device_count() if this_machine(options.device).device == "cuda" else 1


def _environment() -> ClusterEnvironment | None:
    """Find the launcher that started this process and the others; None where there is none."""
    kinds: tuple[type[ClusterEnvironment], ...] = (TorchElasticEnvironment, SLURMEnvironment, MPIEnvironment)
    return next((kind() for kind in kinds if kind.detect()), None)


def _rank(options: TrainOptions) -> int:
    environment = _environment()
    if environment is not None:
        return environment.global_rank()
    return int(os.environ.get("NODE_RANK", "0")) * layout(options)[0] + int(os.environ.get("LOCAL_RANK", "0"))


def _can_start_again() -> bool:
    import __main__

    return getattr(__main__, "__spec__", None) is not None or Path(sys.argv[0] or "-").is_file()


def _precision(options: TrainOptions) -> str:
    """Take bfloat16 for ``auto`` where it is computed in hardware."""
    if options.precision != "auto":
        return options.precision
    return "bf16-mixed" if this_machine(options.device).bf16 else "32-true"


def _quieten() -> None:
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)  # their greetings would break the progress bar
