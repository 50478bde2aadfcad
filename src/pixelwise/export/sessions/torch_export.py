"""Exported programs of torch (``.pt2``)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, OptionError
from pixelwise.export.artefact import Opened
from pixelwise.export.sheet import KEY, Sheet
from pixelwise.models.heads import box_apart


class TorchSession:
    """A program that torch has opened."""

    def __init__(self, program: Any) -> None:
        self._program = program

    @torch.inference_mode()
    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the program."""
        found = self._program(torch.from_numpy(images))
        return [part.numpy() for part in found]


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file; torch reads its weights without any code in them.

    Raises:
        CheckpointError: the file is no exported program, or damaged.
        OptionError: another device or precision than its own is wanted.
    """
    check_as_made(path, device, precision)
    box_apart.register()  # what networks with boxes call
    extra = {KEY: ""}
    try:
        program = torch.export.load(path, extra_files=extra)
    except Exception as error:  # a damaged archive fails in many places
        raise CheckpointError(f"{path}: expected an exported program of torch, but: {str(error).strip()[:300]}") from None
    return Opened(TorchSession(program.module()), Sheet.from_text(extra[KEY], str(path)) if extra[KEY] else None)


def check_as_made(path: Path, device: str, precision: str) -> None:
    """Refuse what a recorded graph cannot do: it holds the device and the precision that it was recorded with.

    Raises:
        OptionError: another one is wanted.
    """
    if device not in ("auto", "cpu") or precision not in ("auto", "fp32"):
        raise OptionError(f"{path}: runs on the CPU in fp32, as it was exported; the run folder has the choice")
