"""PyTorch's own exported program (``.pt2``): a graph of core operators that torch runs without the network's code."""

from dataclasses import replace
from pathlib import Path

import torch

from pixelwise.core.files import make_folder, replacing
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.program import program, silence
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".pt2"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside. There is no opset to choose.

    Raises:
        ExportError: torch cannot turn the network into a graph of these dimensions.
    """
    sheet = replace(sheet, made={**sheet.made, **versions(torch=torch)})
    recorded = program(graph, graph.example(sheet.input), sheet.card.name, graph.dynamic(sheet.input))
    make_folder(path.parent)
    with replacing(path) as unfinished, silence():  # it warns of weights that share storage, and writes them all
        named = unfinished.with_suffix(SUFFIX)  # torch wants the ending
        torch.export.save(recorded, named, extra_files={KEY: sheet.to_text()})
        named.replace(unfinished)
    return sheet
