"""Core ML's packages, which run on macOS alone."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.core.errors import CheckpointError, MissingExtra, OptionError
from pixelwise.export.artefact import Opened
from pixelwise.export.sessions.apart import only_as_made
from pixelwise.export.sheet import KEY, Sheet


class CoremlSession:
    """A program that Core ML has opened."""

    def __init__(self, model: Any, input_name: str, outputs: Sequence[str]) -> None:
        self._model, self._input, self._outputs = model, input_name, tuple(outputs)

    def __call__(self, images: AnyArray) -> Sequence[AnyArray]:
        """Run the program on one image (1, H, W, 3)."""
        from PIL import Image

        found = self._model.predict({self._input: Image.fromarray(images[0])})
        return [np.asarray(found[name]) for name in self._outputs]


def open_file(path: Path, device: str = "auto", precision: str = "auto") -> Opened:
    """Open a package.

    Raises:
        OptionError: this is no Mac, or another device or precision than its own is wanted.
        MissingExtra: coremltools is not installed.
        CheckpointError: the package is damaged.
    """
    if sys.platform != "darwin":
        raise OptionError(f"{path}: Core ML runs on macOS alone; on this machine load the ONNX export of the same model")
    try:
        import coremltools
    except ImportError:
        raise MissingExtra("coremltools", extra="coreml", purpose=f"{path.name}: running Core ML's packages") from None
    try:
        model = coremltools.models.MLModel(str(path))
    except Exception as error:  # what Core ML reports has no class of its own
        raise CheckpointError(f"{path}: expected a Core ML package, but: {str(error).strip()[:300]}") from None
    text = model.user_defined_metadata.get(KEY)
    if text is None:
        raise CheckpointError(f"{path}: was not exported by pixelwise: it holds no description of its classes and its input")
    sheet = Sheet.from_text(text, str(path))
    only_as_made(path, device, precision, sheet.precision)
    return Opened(CoremlSession(model, sheet.input.name, sheet.outputs), sheet)
