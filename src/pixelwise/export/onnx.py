"""ONNX: one file, through torch's exporter of graphs; read by ONNX Runtime, OpenVINO and many more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.errors import ExportError, MissingExtra, first_line
from pixelwise.core.files import write_bytes
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.program import cause, program, silence
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".onnx"
PRECISIONS = ("fp32",)
OPSET = 20


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside.

    Args:
        opset: of the file; None for 20.

    Raises:
        ExportError: torch cannot turn the network into a graph of these dimensions.
        MissingExtra: onnx or onnxscript is not installed.
    """
    try:
        import onnx
        import onnxscript  # torch's exporter is built on it
    except ImportError:
        raise MissingExtra("onnx and onnxscript", extra="export", purpose="exporting to ONNX") from None
    made = {"opset": opset or OPSET} | versions(torch=torch, onnx=onnx, onnxscript=onnxscript)
    sheet = replace(sheet, made={**sheet.made, **made})
    model = _model(graph, sheet, opset or OPSET)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, sheet.to_text()
    model.producer_name = "pixelwise"
    write_bytes(path, model.SerializeToString())
    return sheet


def _model(graph: Graph, sheet: Sheet, opset: int) -> Any:
    """Give the ONNX model of a graph."""
    from pixelwise.export.onnx_rules import translations

    recorded = program(graph, graph.example(sheet.input), sheet.card.name, graph.dynamic(sheet.input))
    try:
        with torch.no_grad(), silence():
            found = torch.onnx.export(
                recorded,
                (),
                dynamo=True,
                input_names=[sheet.input.name],
                output_names=list(graph.outputs),
                opset_version=opset,
                external_data=False,
                verbose=False,
                custom_translation_table=translations(),
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as error:
        raise ExportError(f"the graph of '{sheet.card.name}' cannot be written as ONNX: {first_line(cause(error))}") from error
    return found.model_proto  # type: ignore[union-attr]
