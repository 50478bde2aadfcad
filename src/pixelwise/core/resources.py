"""What this process may use of the machine, and what it holds."""

import os
from pathlib import Path


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


def cpu_has_bf16() -> bool:
    """Tell whether the CPU reports avx512_bf16, AMX or Arm's bf16: without them bfloat16 is slower than float32."""
    information = Path("/proc/cpuinfo")
    if not information.is_file():
        return False
    lines = (line for line in information.read_text().splitlines() if line.startswith(("flags", "Features")))
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(next(lines, ":").partition(":")[2].split()))
