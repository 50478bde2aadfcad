"""TensorFlow's SavedModel, as TF Serving wants it: ``NAME.savedmodel/1/`` with the signature ``serving_default``.

Made from ONNX by ``apart/tensorflow_convert.py``, in an environment of its own, as TensorFlow is large. Batch and size stay as
free as the ONNX graph has them. The sheet lies in ``assets.extra``, which TensorFlow keeps for files of others.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from pixelwise.core.errors import ExportError
from pixelwise.core.files import make_folder, write_text
from pixelwise.export import onnx
from pixelwise.export.environment import TENSORFLOW
from pixelwise.export.graph import Graph
from pixelwise.export.sessions.savedmodel import INSIDE, ORDER
from pixelwise.export.sheet import Sheet

SUFFIX = ".savedmodel"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to the folder ``path``; give the sheet that lies inside.

    Raises:
        ExportError: torch cannot turn the network into a graph, or the graph has operators that the converter lacks, or the
            environment cannot be made.
        MissingExtra: onnx or onnxscript is not installed.
    """
    make_folder(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as name:
        source, folder = Path(name) / "model.onnx", Path(name) / "model" / "1"
        sheet = onnx.export(graph, sheet, source, opset)
        sheet = replace(sheet, made={**sheet.made, "converter": TENSORFLOW.releases()})
        try:
            TENSORFLOW.run("tensorflow_convert.py", [str(source), str(folder)])
        except ExportError as error:
            raise ExportError(f"the network '{sheet.card.name}' cannot be written as a SavedModel: {error}") from None
        write_text(folder / INSIDE, sheet.to_text())
        write_text(folder / ORDER, "\n".join(sheet.outputs) + "\n")
        replace_folder(folder.parent, path)
    return sheet


def replace_folder(made: Path, path: Path) -> None:
    """Put a finished folder in the place of another one, or of none."""
    if path.is_dir():
        older = made.with_name("older")
        os.replace(path, older)  # lies in the temporary folder now, and goes with it
    os.replace(made, path)
