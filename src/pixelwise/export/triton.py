"""A model repository of Triton Inference Server [1]: ``NAME.triton/NAME/config.pbtxt`` and ``NAME/1/model.onnx``.

``tritonserver --model-repository=NAME.triton`` serves it. Requests that wait are put together where the batch is free.

[1] https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
"""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pixelwise.core.files import make_folder, write_text
from pixelwise.export import onnx
from pixelwise.export.graph import Graph
from pixelwise.export.savedmodel import replace_folder
from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".triton"
PRECISIONS = ("fp32",)
BATCH = 8  # requests that are put together at most
_WAIT = 2000  # microseconds that one waits for others
_TYPES = {"bool": "BOOL", "uint8": "UINT8", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32"}


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


def model_name(path: Path) -> str:
    """Give the name a model is asked for by, in letters that an address can hold.

    >>> model_name(Path("out/street scenes.triton"))
    'street_scenes'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", path.name.removesuffix(SUFFIX)) or "model"


class End(NamedTuple):
    """An input or an output: its name, its type as NumPy calls it, and its shape, -1 where a side is free."""

    name: str
    kind: str
    shape: tuple[int, ...]


def _ends(path: Path) -> tuple[list[End], list[End]]:
    import onnx as library

    graph = library.load(path, load_external_data=False).graph

    def plain(one: Any) -> End:
        kind = one.type.tensor_type
        sides = tuple(side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim)
        return End(one.name, library.helper.tensor_dtype_to_np_dtype(kind.elem_type).name, sides)

    return [plain(one) for one in graph.input], [plain(one) for one in graph.output]


def config(name: str, sheet: Sheet, inputs: Sequence[End], outputs: Sequence[End]) -> str:
    """Write a model's configuration as protobuf text; where the first axis of all arrays is free, requests are put together."""
    batches = all(shape[0] == -1 for _, _, shape in (*inputs, *outputs))
    lines = [f"name: {json.dumps(name)}", 'backend: "onnxruntime"', f"max_batch_size: {BATCH if batches else 0}"]
    for what, ends in (("input", inputs), ("output", outputs)):
        for end, kind, shape in ends:
            dims = ", ".join(str(side) for side in (shape[1:] if batches else shape))
            lines.append(f"{what} {{ name: {json.dumps(end)} data_type: TYPE_{_TYPES[kind]} dims: [ {dims} ] }}")
    if batches:
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {_WAIT} }}")
    lines.append("instance_group { kind: KIND_AUTO count: 1 }")
    lines.append(f"parameters {{ key: {json.dumps(KEY)} value: {{ string_value: {json.dumps(sheet.to_text())} }} }}")
    return "\n".join(lines) + "\n"
