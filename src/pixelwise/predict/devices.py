"""Devices by their names."""

import torch

from pixelwise.core.errors import OptionError


def device_of(name: str) -> torch.device:
    """Find a device by its name.

    Raises:
        OptionError: there is no such name, or no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()) or name.endswith(":"):
        raise OptionError(f"--device {name}: expected auto, cpu, cuda, mps, or several as in cuda:0,cuda:1")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(number or 0) >= here:
        found = f"{here} of that kind" if here else "none of that kind"
        raise OptionError(f"--device {name}: torch finds {found} here; use auto or cpu")
    return torch.device(name)
