"""A model's configuration for Triton Inference Server, as protobuf text [1].

[1] https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pixelwise.export.sheet import KEY, Sheet

SUFFIX = ".triton"  # of a model repository
BATCH = 8  # requests that are put together at most
_WAIT = 2000  # microseconds that one waits for others
_TYPES = {"bool": "BOOL", "uint8": "UINT8", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32"}


class End(NamedTuple):
    """An input or an output: its name, its type as NumPy calls it, and its shape, -1 where a side is free."""

    name: str
    kind: str
    shape: tuple[int, ...]


def model_name(path: Path) -> str:
    """Give the name a model is asked for by, in letters that an address can hold.

    >>> model_name(Path("out/street scenes.triton"))
    'street_scenes'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", path.name.removesuffix(SUFFIX)) or "model"


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
