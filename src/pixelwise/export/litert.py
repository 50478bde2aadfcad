"""LiteRT, once TensorFlow Lite (``.tflite``): for phones and browsers; of one size and batch.

litert-torch wants another torch than this project's, so it runs in an environment of its own; the network reaches it as a
program of ``torch.export``. The sheet lies in a zip archive at the end of the file, where TFLite keeps associated files [1].

[1] https://ai.google.dev/edge/litert/conversion/tensorflow/metadata
"""

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pixelwise.core.files import make_folder, replacing, write_bytes
from pixelwise.export.environment import LITERT
from pixelwise.export.graph import Graph
from pixelwise.export.made import versions
from pixelwise.export.one_size import with_one_size
from pixelwise.export.program import program
from pixelwise.export.sessions.litert import ASSOCIATED
from pixelwise.export.sheet import Sheet

SUFFIX = ".tflite"
PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path) -> Sheet:
    """Write a graph to ``path``; give the sheet that lies inside.

    Raises:
        ExportError: torch or LiteRT cannot turn the network into a graph, or the environment cannot be made.
    """
    sheet = with_one_size(sheet)
    example = graph.example(sheet.input)
    recorded = program(graph, example, sheet.card.name)
    made = {**sheet.made, **versions(torch=torch), "converter": LITERT.releases()}
    sheet = replace(sheet, made=made)
    make_folder(path.parent)
    with tempfile.TemporaryDirectory() as name, replacing(path) as unfinished:
        folder = Path(name)
        torch.export.save(recorded, folder / "program.pt2")
        np.save(folder / "example.npy", example.numpy())
        LITERT.run("litert_convert.py", [str(folder / part) for part in ("program.pt2", "example.npy", "model.tflite")])
        write_bytes(unfinished, (folder / "model.tflite").read_bytes())
        with zipfile.ZipFile(unfinished, "a") as associated:  # appended: a TFLite reader stops before it
            associated.writestr(ASSOCIATED, sheet.to_text())
    return sheet
