"""OpenVINO's intermediate representation: ``.xml`` for the graph, ``.bin`` beside it for the weights; made from ONNX."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import ExportError, MissingExtra
from pixelwise.core.files import make_folder
from pixelwise.export import onnx
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".xml"
PRECISIONS = ("fp32", "bf16")  # bf16 is a hint to the runtime: weights stay as they are


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to ``path`` (.xml), and its weights beside it; give the sheet that lies inside.

    Raises:
        ExportError: torch or OpenVINO cannot turn the network into a graph of these dimensions.
        MissingExtra: onnx, onnxscript or openvino is not installed.
    """
    openvino = openvino_module()
    with tempfile.TemporaryDirectory() as folder:
        first = onnx.export(graph, sheet, Path(folder) / "model.onnx", opset)
        try:
            model = openvino.convert_model(Path(folder) / "model.onnx")
        except RuntimeError as error:
            raise ExportError(f"OpenVINO cannot read the graph of '{sheet.card.name}': {str(error).strip()[:300]}") from error
    return write(model, replace(first, made=first.made | versions(openvino=openvino)), path)


def write(model: Any, sheet: Sheet, path: Path) -> Sheet:
    """Write OpenVINO's model with its sheet inside: under other names first, and the graph last."""
    openvino = openvino_module()
    model.set_rt_info(sheet.to_text(), [KEY])
    with tempfile.TemporaryDirectory(dir=make_folder(path.parent), prefix=".") as folder:
        openvino.save_model(model, Path(folder) / path.name, compress_to_fp16=sheet.precision == "fp16")
        (Path(folder) / path.with_suffix(".bin").name).replace(path.with_suffix(".bin"))
        (Path(folder) / path.name).replace(path)
    return sheet


def openvino_module() -> Any:
    """Import OpenVINO.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise MissingExtra("openvino", extra="export", purpose="exporting to OpenVINO") from None
    return openvino
