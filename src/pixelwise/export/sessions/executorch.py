"""ExecuTorch's programs (``.pte``), through its runtime for Python, which hands tensors of torch in and out."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra
from pixelwise.export.artefact import Opened
from pixelwise.export.sessions.apart import only_as_made
from pixelwise.export.sheet import KEY, Sheet


class ExecutorchSession:
    """A program that the runtime has opened; one call at a time, as it plans the memory of one."""

    def __init__(self, program: Any) -> None:
        self._program, self._method = program, program.load_method("forward")
        self._alone = threading.Lock()

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the program."""
        import torch

        with self._alone:
            found = self._method.execute([torch.from_numpy(np.ascontiguousarray(images))])
            return [part.numpy().copy() for part in found]  # the next call writes to the same memory


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file.

    Raises:
        MissingExtra: executorch is not installed.
        CheckpointError: the file is no program of ExecuTorch's, or damaged.
        OptionError: another device or precision than its own is wanted.
    """
    if path.read_bytes()[4:6] != b"ET":  # a FlatBuffer's name for its kind
        raise CheckpointError(f"{path}: expected a program of ExecuTorch's, found something else")
    try:
        from executorch.runtime import Runtime
    except ImportError:
        raise MissingExtra("executorch", extra="executorch", purpose=f"{path.name}: running ExecuTorch's programs") from None
    try:
        program = Runtime.get().load_program(path)
        inside = program.load_method(KEY).execute([])[0].numpy().tobytes() if KEY in program.method_names else None
        session = ExecutorchSession(program)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a program of ExecuTorch's, but: {str(error).strip()[:300]}") from None
    sheet = None if inside is None else Sheet.from_text(inside.decode("utf-8", "replace"), str(path))
    only_as_made(path, device, precision, "fp32" if sheet is None else sheet.precision)
    return Opened(session, sheet)
