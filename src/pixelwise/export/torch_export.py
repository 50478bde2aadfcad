"""PyTorch's own exported program (``.pt2``): a graph of core operators that torch runs without the network's code."""

import warnings
from dataclasses import replace
from pathlib import Path

import torch

from pixelwise.core.errors import ExportError
from pixelwise.core.files import make_folder, replacing
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".pt2"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside. There is no opset to choose.

    Raises:
        ExportError: torch cannot turn the network into a graph of these dimensions.
    """
    sheet = replace(sheet, made={**sheet.made, **versions(torch=torch)})
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own internals
            program = torch.export.export(
                graph.eval(), (graph.example(sheet.input),), dynamic_shapes=graph.dynamic(sheet.input), strict=False
            )
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise ExportError(f"the network '{sheet.card.name}' cannot be written as a torch program: {reason}") from error
    make_folder(path.parent)
    with replacing(path) as unfinished, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights that share storage, which are all written
        named = unfinished.with_suffix(SUFFIX)  # torch wants the ending
        torch.export.save(program, named, extra_files={KEY: sheet.to_text()})
        named.replace(unfinished)
    return sheet
