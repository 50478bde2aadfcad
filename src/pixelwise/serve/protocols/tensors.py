"""Read and write the messages of the Open Inference Protocol [1]: named tensors in JSON, or behind it as plain bytes [2].

A message in the second form is JSON, whose length stands in the header ``Inference-Header-Content-Length``, followed by the
bytes of the tensors that say ``binary_data_size``, in their order; numbers are little-endian and in C order. A tensor of
BYTES has, before each element, its length in four bytes.

[1] Open Inference Protocol, version 2, REST: kserve/open-inference-protocol.
[2] Triton Inference Server, binary tensor data extension.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray
from pixelwise.serve.protocols.images import from_base64
from pixelwise.serve.refusal import Refusal

LENGTH_HEADER = "Inference-Header-Content-Length"
NUMBERS = {"BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32}
_WORDS = {np.dtype(kind): word for word, kind in NUMBERS.items()}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named tensor: numbers as an array, or the elements of BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    numbers: AnyArray | None = None
    elements: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Message:
    """A request: its inputs, the outputs it names, each with whether it wants bytes, and whether it wants bytes at all."""

    id: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[tuple[str, bool | None], ...] = ()
    wants_bytes: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_message(body: bytes, header_length: str | None) -> Message:
    """Read the body of an ``infer`` request.

    Raises:
        Refusal: it is not such a message (400), or a tensor's data do not fit its shape and type (422).
    """
    head, tail = _cut(body, header_length)
    try:
        plain = json.loads(head)
    except (ValueError, RecursionError):
        raise _wrong("expected JSON, as {'inputs': [{'name', 'shape', 'datatype', 'data'}]}") from None
    if not isinstance(plain, dict):
        raise _wrong("expected an object with 'inputs'")
    identity, parameters = plain.get("id", ""), _mapping(plain.get("parameters"), "parameters")
    if not isinstance(identity, str):
        raise _wrong("id: expected a string")
    wants_bytes = parameters.pop("binary_data_output", False)
    inputs, at = [], 0
    for each in _objects(plain.get("inputs"), "inputs"):
        tensor, at = _input(each, tail, at)
        inputs.append(tensor)
    if at != len(tail):
        raise _wrong(f"{len(tail) - at:,} bytes follow the JSON that no input claims by its binary_data_size")
    outputs = tuple(_output(each) for each in _objects(plain.get("outputs") or [], "outputs"))
    return Message(identity[:200], tuple(inputs), outputs, wants_bytes is True, parameters)


def write_message(head: Mapping[str, Any], tensors: Sequence[tuple[str, AnyArray, bool]]) -> tuple[bytes, int | None]:
    """Write an answer of tensors, each with its name and whether it goes as bytes; give the length of its JSON if any does."""
    outputs, tail = [], []
    for name, array, as_bytes in tensors:
        plain: dict[str, Any] = {"name": name, "datatype": _WORDS[array.dtype], "shape": list(array.shape)}
        if as_bytes:
            tail.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
            plain["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            plain["data"] = array.ravel().tolist()
        outputs.append(plain)
    text = json.dumps({**head, "outputs": outputs}, separators=(",", ":")).encode()
    return b"".join([text, *tail]), len(text) if tail else None


def _cut(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 12):
        raise _wrong(f"{LENGTH_HEADER}: expected a number of bytes")
    length = int(header_length)
    if length > len(body):
        raise _wrong(f"{LENGTH_HEADER}: says {length:,}, but the body has {len(body):,} bytes")
    return body[:length], memoryview(body)[length:]


def _input(plain: Mapping[str, Any], tail: memoryview, at: int) -> tuple[Tensor, int]:
    """Read one input; ``at`` is where the bytes of the next one begin in ``tail``."""
    name, datatype, shape = plain.get("name"), plain.get("datatype"), plain.get("shape")
    if not (isinstance(name, str) and isinstance(datatype, str)):
        raise _wrong("an input has a name and a datatype, both strings")
    name = name[:100]
    if datatype not in NUMBERS and datatype != "BYTES":
        raise _unfit(f"{name}: expected a datatype of {', '.join([*NUMBERS, 'BYTES'])}, got '{datatype[:20]}'")
    if not (isinstance(shape, list) and len(shape) < 9 and all(type(one) is int and 0 <= one < 2**31 for one in shape)):
        raise _unfit(f"{name}: expected a shape of whole numbers from 0 up")
    parameters = _mapping(plain.get("parameters"), f"{name}: parameters")
    if strange := sorted(set(parameters) - {"binary_data_size", "content_type"}):
        raise _unfit(f"{name}: this server knows no parameter '{strange[0][:40]}' of an input, and has no shared memory")
    count, size = math.prod(shape), parameters.get("binary_data_size")
    if size is None:
        return _from_json(name, datatype, tuple(shape), count, plain.get("data")), at
    if type(size) is not int or not 0 <= size <= len(tail) - at:
        raise _wrong(f"{name}: binary_data_size says {str(size)[:20]}, and {len(tail) - at:,} bytes are left of the body")
    return _from_bytes(name, datatype, tuple(shape), count, tail[at : at + size]), at + size


def _from_json(name: str, datatype: str, shape: tuple[int, ...], count: int, data: Any) -> Tensor:
    if not isinstance(data, list):
        raise _unfit(f"{name}: expected 'data', a list, or bytes behind the JSON")
    if datatype == "BYTES":
        if len(data) != count:
            raise _unfit(f"{name}: shape {list(shape)} has {count} elements, data has {len(data)}")
        return Tensor(name, datatype, shape, elements=tuple(from_base64(one, name) for one in data))
    try:
        found = np.array(data)
    except ValueError:
        raise _unfit(f"{name}: the lists of 'data' differ in length") from None
    kind = np.dtype(NUMBERS[datatype])
    if found.dtype.kind not in {"b": "b", "u": "ui", "i": "ui", "f": "uif"}[kind.kind] and found.size:
        raise _unfit(f"{name}: expected {datatype} numbers in 'data'")
    if found.size != count:
        raise _unfit(f"{name}: shape {list(shape)} has {count} elements, data has {found.size}")
    bounds = np.iinfo(kind.name) if kind.kind in "ui" else None
    if bounds is not None and found.size and not bounds.min <= found.min() <= found.max() <= bounds.max:
        raise _unfit(f"{name}: a number in 'data' does not fit {datatype}")
    return Tensor(name, datatype, shape, found.astype(kind).reshape(shape))


def _from_bytes(name: str, datatype: str, shape: tuple[int, ...], count: int, data: memoryview) -> Tensor:
    if datatype == "BYTES":
        elements: list[bytes] = []
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "little")
            if at + 4 + length > len(data) or len(elements) == count:
                raise _unfit(f"{name}: expected {count} elements, each with its length before it in four bytes")
            elements.append(bytes(data[at + 4 : at + 4 + length]))
            at += 4 + length
        if len(elements) != count:
            raise _unfit(f"{name}: shape {list(shape)} has {count} elements, the bytes have {len(elements)}")
        return Tensor(name, datatype, shape, elements=tuple(elements))
    kind = np.dtype(NUMBERS[datatype]).newbyteorder("<")
    if len(data) != count * kind.itemsize:
        raise _unfit(f"{name}: {datatype} of shape {list(shape)} takes {count * kind.itemsize:,} bytes, got {len(data):,}")
    return Tensor(name, datatype, shape, np.frombuffer(data, kind).astype(kind.newbyteorder("="), copy=False).reshape(shape))


def _output(plain: Mapping[str, Any]) -> tuple[str, bool | None]:
    name = plain.get("name")
    if not isinstance(name, str):
        raise _wrong("an output has a name, a string")
    parameters = _mapping(plain.get("parameters"), f"{name[:100]}: parameters")
    as_bytes = parameters.pop("binary_data", None)
    if parameters:
        raise _unfit(f"{name[:100]}: this server knows no parameter '{min(parameters)[:40]}' of an output")
    return name, as_bytes if isinstance(as_bytes, bool) else None


def _mapping(plain: Any, where: str) -> dict[str, Any]:
    if plain is not None and not isinstance(plain, dict):
        raise _wrong(f"{where}: expected an object")
    return dict(plain or {})


def _objects(plain: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(plain, list) or not all(isinstance(one, dict) for one in plain):
        raise _wrong(f"{where}: expected a list of objects")
    return plain


def _wrong(message: str) -> Refusal:
    return Refusal(400, "wrong_message", message)


def _unfit(message: str) -> Refusal:
    return Refusal(422, "wrong_tensor", message)
