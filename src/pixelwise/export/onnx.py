"""ONNX: one file, through torch's exporter of graphs; read by ONNX Runtime, OpenVINO and many more."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.errors import ExportError, MissingExtra
from pixelwise.core.files import write_bytes
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".onnx"
PRECISIONS = ("fp32",)
OPSET = 20
_TALKERS = ("onnxscript", "onnx_ir", "torch.onnx", "torch.export")


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
    model = _program(graph, sheet, opset or OPSET)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, sheet.to_text()
    model.producer_name = "pixelwise"
    write_bytes(path, model.SerializeToString())
    return sheet


def _program(graph: Graph, sheet: Sheet, opset: int) -> Any:
    """Give the ONNX model of a graph."""
    from pixelwise.export.onnx_rules import translations

    given = sheet.input
    try:
        with torch.no_grad(), _silence():
            program = torch.onnx.export(
                graph.eval(),
                (graph.example(given),),
                dynamo=True,
                dynamic_shapes=graph.dynamic(given),
                input_names=[given.name],
                output_names=list(graph.outputs),
                opset_version=opset,
                external_data=False,
                verbose=False,
                custom_translation_table=translations(),
            )
    except (torch.onnx.errors.OnnxExporterError, torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError) as error:
        shape = "of any size" if given.size is None else f"of {given.size[0]} x {given.size[1]}"
        raise ExportError(
            f"the network '{sheet.card.name}' cannot be written as an ONNX graph {shape}: {_first_line(error)}"
            + ("; a fixed size may do: --size H,W" if given.size is None else "")
        ) from error
    return program.model_proto  # type: ignore[union-attr]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what torch and onnxscript print of their own internals from the reader, for whom nothing follows from it."""
    before = {name: logging.getLogger(name).level for name in _TALKERS}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for name in _TALKERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)


def _first_line(error: BaseException) -> str:
    """Give what an error says first; torch wraps the cause in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
