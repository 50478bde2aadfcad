"""A model repository of Triton's, run here as Triton would: its ONNX file through ONNX Runtime."""

from pathlib import Path

from pixelwise.core.errors import CheckpointError
from pixelwise.export.artefact import Opened
from pixelwise.export.sessions import onnxruntime


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open the newest version of the repository's one model.

    Raises:
        CheckpointError: there is none, or several, or the file is damaged.
        MissingExtra: onnxruntime is not installed.
        OptionError: the runtime has not this device, or another precision than its own is wanted.
    """
    models = sorted({one.parents[1] for one in path.glob("*/*/model.onnx") if one.parent.name.isdigit()})
    if len(models) != 1:
        raise CheckpointError(f"{path}: expected a folder MODEL/1/model.onnx of one model, found {len(models)} models")
    newest = max(
        (one for one in models[0].glob("*/model.onnx") if one.parent.name.isdigit()), key=lambda one: int(one.parent.name)
    )
    return onnxruntime.open_file(newest, device, precision)
