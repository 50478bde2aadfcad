"""What this machine can do, and the settings that make a CPU train fast on it."""

import ctypes
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.errors import OptionError
from pixelwise.core.resources import cpu_has_bf16, free_memory, usable_cores

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
    return Machine(device, _processor(), usable_cores(), free_memory(), device == "cpu" and cpu_has_bf16())


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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
