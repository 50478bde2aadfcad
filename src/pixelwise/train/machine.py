"""What this machine can do, and the settings that make a CPU train fast on it."""

import ctypes
import os
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.errors import OptionError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Machine:
    """Cores, memory and accelerator.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        name: of the processor or the accelerator.
        cores: usable by this process.
        memory: bytes that are free to use: of the accelerator's own memory where it has one, else of main memory.
        bf16: whether bfloat16 is computed in hardware.
    """

    device: str
    name: str
    cores: int
    memory: int
    bf16: bool


@lru_cache
def this_machine(device: str = "auto") -> Machine:
    """Look at the machine; ``device`` forces ``cpu``, ``cuda`` or ``mps``."""
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: torch finds no CUDA device here; use cpu or auto")
    if device == "mps" and not torch.backends.mps.is_available():
        raise OptionError("--device mps: torch finds no Apple device here; use cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Machine("cuda", torch.cuda.get_device_name(), usable_cores(), torch.cuda.mem_get_info()[0], has_bf16)
    return Machine(device, _processor(), usable_cores(), free_memory(), device == "cpu" and _cpu_has_bf16())


def usable_cores() -> int:
    """Count the cores this process may use, which in a container are fewer than the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, _, period = quota.read_text().strip().partition(" ")
        if limit.isdigit() and period.isdigit():
            cores = min(cores, max(1, round(int(limit) / int(period))))
    return max(cores, 1)


def free_memory() -> int:
    """Give the bytes of main memory that can be had without swapping; 4 GiB where the system does not say."""
    information = Path("/proc/meminfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 4 * 2**30


def resident_memory() -> int:
    """Give the bytes of main memory this process holds; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.is_file() else 0


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpu_has_bf16() -> bool:
    """Tell whether the CPU reports avx512_bf16, AMX or Arm's bf16: without them bfloat16 is slower than float32."""
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return False
    flags = set()
    for line in information.read_text().splitlines():
        if line.startswith(("flags", "Features")):
            flags = set(line.partition(":")[2].split())
            break
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks for the next step instead of handing them back to the system.

    A training step frees and takes the same hundreds of megabytes again; by default glibc maps each large block anew and the
    system clears it page by page, which costs a fifth of a CPU step. Gives False where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library: Any = ctypes.CDLL(None)
        return bool(library.mallopt(_M_MMAP_THRESHOLD, 2**30) and library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
    except (OSError, AttributeError):  # musl has no mallopt
        return False


def environment() -> dict[str, str]:
    """List the versions and the machine a run was made with."""
    import importlib.metadata

    names = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "lightning", "numpy", "opencv-python-headless")
    found = {"python": platform.python_version(), "system": platform.platform()}
    found["pixelwise"] = importlib.metadata.version("pixelwise")
    found |= {name: importlib.metadata.version(name) for name in names}
    machine = this_machine()
    return found | {
        "device": machine.device,
        "processor": machine.name,
        "cores": str(machine.cores),
        "memory_gib": f"{free_memory() / 2**30:.1f}",
    }
