"""A graph as torch's exported program, which the exporters start from."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch

from pixelwise.core.errors import ExportError
from pixelwise.export.graph import Graph
from pixelwise.export.sheet import Sheet

_TALKERS = ("onnxscript", "onnx_ir", "torch.onnx", "torch.export")


def program(graph: Graph, sheet: Sheet) -> torch.export.ExportedProgram:
    """Record a graph for inputs as its sheet has them.

    Raises:
        ExportError: torch cannot; the network asks something of sizes or values that a graph of these dimensions cannot answer.
    """
    given = sheet.input
    try:
        with torch.no_grad(), silence():
            return torch.export.export(graph.eval(), (graph.example(given),), dynamic_shapes=graph.dynamic(given), strict=False)
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, ValueError) as error:
        shape = "of any size" if given.size is None else f"of {given.size[0]} x {given.size[1]}"
        raise ExportError(
            f"the network '{sheet.card.name}' cannot be recorded as a graph {shape}: {first_line(error)}"
            + ("; a fixed size may do: --size H,W" if given.size is None else "")
        ) from error


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what torch and onnxscript say of their own internals from the reader, for whom nothing follows from it."""
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


def first_line(error: BaseException) -> str:
    """Give what an error says first; torch wraps the cause in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
