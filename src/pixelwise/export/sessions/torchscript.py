"""TorchScript files."""

import warnings
from pathlib import Path

import torch

from pixelwise.core.errors import CheckpointError, first_line
from pixelwise.export.artefact import Opened
from pixelwise.export.sessions.torch_export import TorchSession, check_as_made
from pixelwise.export.sheet import KEY, Sheet
from pixelwise.models.heads import box_apart


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a file. TorchScript holds code, of a language of its own: load no file whose maker is not known.

    Raises:
        CheckpointError: the file is no TorchScript, or damaged.
        OptionError: another device or precision than its own is wanted.
    """
    check_as_made(path, device, precision)
    box_apart.register()  # what networks with boxes call
    extra = {KEY: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that torch.export follows it
            recorded = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: expected TorchScript, but: {first_line(error)}") from None
    text = extra[KEY].decode() if isinstance(extra[KEY], bytes) else extra[KEY]
    return Opened(TorchSession(recorded), Sheet.from_text(text, str(path)) if text else None)
