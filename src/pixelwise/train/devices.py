"""The processes of a run: one a device, on one machine or several, by the strategies of Lightning Fabric.

A run is the same on any number of processes: each takes its part of every step's images, the sums of the losses and the counts
of validation are those of all parts, and gradients are averaged. What still depends on how a step is divided are batch norm's
statistics (freeze them, or use group norm) and the draws of dropout.

Processes come from torchrun, SLURM or MPI, which start them all; else the first one on each machine starts the others: for a
run from a recipe as ``pixelwise.train.follow``, for ``fit`` in a program of one's own by starting that program again, as
Lightning does. Either way the leader (rank 0) alone plans and writes; the others are told.
"""

import atexit
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import ClusterEnvironment, MPIEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor

from pixelwise.core.errors import OptionError, TrainingError, first_line
from pixelwise.train.loader import Order
from pixelwise.train.machine import this_machine
from pixelwise.train.options import TrainOptions

T = TypeVar("T")
_GRACE = 20.0  # seconds


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


def together(options: TrainOptions, follower: Sequence[str] | None = None) -> Fabric:
    """Set up Fabric for all processes of the run: start those that are missing here, and wait until all are there.

    Args:
        follower: the command that starts another process of the run; None starts this program again.

    Raises:
        OptionError: the machine has not so many devices, or this program cannot be started again.
        TrainingError: the processes did not meet.
    """
    if ranks(options) == 1:
        return alone(options)
    local, nodes = layout(options)
    machine = this_machine(options.device)
    if machine.device == "mps":
        raise OptionError("[train] devices: an Apple device works alone; use devices=1")
    if machine.device == "cuda" and local > torch.cuda.device_count():
        raise OptionError(f"[train] devices: {local} were asked for, and {torch.cuda.device_count()} are here")
    if _environment() is None and "LOCAL_RANK" not in os.environ:
        _others.append(_Others(follower or _this_program(), local, nodes))
    _quieten()
    strategy = DDPStrategy(gradient_as_bucket_view=True)
    try:
        fabric = Fabric(
            accelerator=machine.device,
            strategy=strategy,
            devices=local,
            num_nodes=nodes,
            precision=_precision(options),  # type: ignore[arg-type]
        )
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the {local * nodes} processes of the run did not meet ({first_line(error)}); start the same command on every "
            f"machine, with MASTER_ADDR, MASTER_PORT and NODE_RANK set, or use torchrun"
        ) from None
    return fabric


class _Others:
    """The processes of a run that this one has started on this machine; they end with it."""

    def __init__(self, command: Sequence[str], local: int, nodes: int) -> None:
        """Start them.

        Raises:
            OptionError: the machines were not told where to meet.
        """
        if nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"} <= os.environ.keys():
            raise OptionError(
                f"[train] nodes: {nodes} machines must be told where to meet: set MASTER_ADDR and MASTER_PORT (of the first "
                f"one) and NODE_RANK (0 to {nodes - 1}) on each, or use torchrun"
            )
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0", "LOCAL_RANK": "0"}
        self.said = {name: value for name, value in meeting.items() if name not in os.environ}
        os.environ.update(self.said)
        self.dismissed = threading.Event()
        self.processes = [
            subprocess.Popen(command, env={**os.environ, "LOCAL_RANK": str(rank)}, stdin=subprocess.DEVNULL)
            for rank in range(1, local)
        ]
        for process in self.processes:
            threading.Thread(target=self._watch, args=(process,), name=f"watch-{process.pid}", daemon=True).start()
        atexit.register(self.dismiss)

    def dismiss(self) -> None:
        """Give them a moment to end by themselves, then end them, and forget where all have met."""
        self.dismissed.set()
        atexit.unregister(self.dismiss)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for process in self.processes:
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.said:
            os.environ.pop(name, None)

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """End this process when another one has failed: NCCL would wait for it in vain, where gloo raises an error."""
        code = process.wait()
        if code and not self.dismissed.wait(_GRACE):
            print(f"error: a process of the run ended with code {code}; what it said stands above", file=sys.stderr, flush=True)
            os._exit(1)


_others: list[_Others] = []  # at most one: those that follow the run under way


def part() -> None:
    """End the processes that were started to follow a run, so that another run can start its own."""
    while _others:
        _others.pop().dismiss()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _this_program() -> list[str]:
    """Give the command that this program was started by.

    Raises:
        OptionError: it was not started by one, as an interactive session is not.
    """
    import __main__

    if getattr(__main__, "__spec__", None) is not None:
        return [sys.executable, "-m", __main__.__spec__.name.removesuffix(".__main__"), *sys.argv[1:]]
    if not Path(sys.argv[0] or "-").is_file():
        raise OptionError(
            "[train] devices: several processes need a program that can be started again, and this is an interactive session; "
            "put it into a file, use 'pixelwise train', or devices=1"
        )
    return [sys.executable, str(Path(sys.argv[0]).resolve()), *sys.argv[1:]]


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

    def keys(self, step: int) -> list[tuple[int, ...]]:
        """Give the keys of this process's part of a step, one an image."""
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


def _precision(options: TrainOptions) -> str:
    """Take bfloat16 for ``auto`` where it is computed in hardware."""
    if options.precision != "auto":
        return options.precision
    return "bf16-mixed" if this_machine(options.device).bf16 else "32-true"


def _quieten() -> None:
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)  # their greetings would break the progress bar
