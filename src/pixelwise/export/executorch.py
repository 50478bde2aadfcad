"""ExecuTorch (``.pte``): a program for phones and boards, its layers given to XNNPACK; of one size and batch.

The sheet lies inside as a constant method: a method named ``pixelwise`` that takes nothing and gives the bytes of its JSON.
"""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pixelwise.core.errors import ExportError, MissingExtra, first_line
from pixelwise.core.files import make_folder, write_bytes
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.one_size import with_one_size
from pixelwise.export.program import program, silence
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".pte"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside.

    Raises:
        ExportError: torch or ExecuTorch cannot turn the network into a program.
        MissingExtra: executorch is not installed.
    """
    sheet = with_one_size(sheet)
    with silence():
        try:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower
        except ImportError:
            raise MissingExtra("executorch", extra="executorch", purpose="exporting to ExecuTorch") from None
        made = {**sheet.made, **versions(torch=torch), "executorch": version("executorch"), "backend": "XNNPACK"}
        sheet = replace(sheet, made=made)
        recorded = program(graph, graph.example(sheet.input), sheet.card.name)
        inside = torch.frombuffer(bytearray(sheet.to_text().encode()), dtype=torch.uint8)
        try:
            lowered: Any = to_edge_transform_and_lower(
                recorded, partitioner=[XnnpackPartitioner()], constant_methods={KEY: inside}
            )
            content = lowered.to_executorch().buffer
        except Exception as error:  # its passes raise anything
            raise ExportError(f"ExecuTorch cannot take the graph of '{sheet.card.name}': {first_line(error)}") from error
    make_folder(path.parent)
    write_bytes(path, content)
    return sheet
