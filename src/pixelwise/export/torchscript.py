"""TorchScript (``.torchscript``): a recorded graph that C++ and older torch run. PyTorch keeps it, and develops it no more."""

import warnings
from dataclasses import replace
from pathlib import Path

import torch

from pixelwise.core.errors import ExportError, first_line
from pixelwise.core.files import make_folder, replacing
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".torchscript"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside. There is no opset to choose.

    A recording holds the sizes that Python computed on its way as numbers, so it takes one size alone; a sheet of any size
    gets that of the example.

    Raises:
        ExportError: torch cannot record the network.
    """
    example = graph.example(sheet.input)
    size = (int(example.shape[1]), int(example.shape[2]))
    fixed = replace(sheet.input, size=size, batch=int(example.shape[0]))
    sheet = replace(sheet, input=fixed, made={**sheet.made, **versions(torch=torch)})
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about Python numbers, which are meant
            recorded = torch.jit.trace(graph.eval(), (example,), strict=False)
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"the network '{sheet.card.name}' cannot be recorded as TorchScript: {first_line(error)}") from error
    make_folder(path.parent)
    with replacing(path) as unfinished, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that torch.export follows it, which the docstring says
        torch.jit.save(recorded, str(unfinished), _extra_files={KEY: sheet.to_text()})
    return sheet
