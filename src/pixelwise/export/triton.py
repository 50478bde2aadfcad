"""A model repository of Triton Inference Server: ``NAME.triton/NAME/config.pbtxt`` and ``NAME/1/model.onnx``.

``tritonserver --model-repository=NAME.triton`` serves it. Requests that wait are put together where the batch is free.
"""

import tempfile
from pathlib import Path
from typing import Any

from pixelwise.core.files import make_folder, write_text
from pixelwise.export import onnx
from pixelwise.export.graph import Graph
from pixelwise.export.savedmodel import replace_folder
from pixelwise.export.sheet import Sheet
from pixelwise.export.triton_config import SUFFIX, End, config, model_name

__all__ = ["PRECISIONS", "SUFFIX", "export"]

PRECISIONS = ("fp32",)


def export(graph: Graph, sheet: Sheet, path: Path, opset: int | None = None) -> Sheet:
    """Write a graph to the folder ``path``; give the sheet that lies inside.

    Raises:
        ExportError: torch cannot turn the network into a graph of these dimensions.
        MissingExtra: onnx or onnxscript is not installed.
    """
    name = model_name(path)
    make_folder(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        repository = Path(folder) / "repository"
        model = make_folder(repository / name / "1") / "model.onnx"
        sheet = onnx.export(graph, sheet, model, opset)
        write_text(repository / name / "config.pbtxt", config(name, sheet, *_ends(model)))
        replace_folder(repository, path)
    return sheet


def _ends(path: Path) -> tuple[list[End], list[End]]:
    import onnx as library

    graph = library.load(path, load_external_data=False).graph

    def plain(one: Any) -> End:
        kind = one.type.tensor_type
        sides = tuple(side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim)
        return End(one.name, library.helper.tensor_dtype_to_np_dtype(kind.elem_type).name, sides)

    return [plain(one) for one in graph.input], [plain(one) for one in graph.output]
