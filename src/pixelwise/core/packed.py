"""A segmentation as bytes and back, exactly: masks, scores and probabilities bit for bit, for the way between machines.

The bytes are a safetensors file, which no code can hide in: a tensor a field, and what is not a tensor as JSON in its metadata
under ``pixelwise``. Ids are deflated; of masks that overlap there are run lengths. What is read is believed in nothing: sizes
are known beforehand, and no more than they allow is inflated or made.
"""

import json
import zlib
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib

from pixelwise.core.arrays import AnyArray, Size
from pixelwise.core.errors import DataError, PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, Masks, OverlappingMasks
from pixelwise.core.runs import from_text
from pixelwise.core.segmentation import Segmentation

FORMAT = "pixelwise segmentation 1"
MOST_SEGMENTS = 2**22
_FIELDS = ("class_ids", "scores", "crowd", "boxes", "areas", "source_ids", "track_ids", "probabilities")
_ID_TYPES = ("uint8", "uint16", "uint32", "int32", "int64", "uint64")
_MOST_HEADER = 2**26  # bytes


class Packed(NamedTuple):
    """What was in the bytes: a segmentation, and what its sender says of it beside."""

    segmentation: Segmentation
    about: dict[str, Any]


def pack(found: Segmentation, about: dict[str, Any] | None = None) -> bytes:
    """Write a segmentation, and plain JSON values ``about`` it.

    Raises:
        DataError: an attribute is no JSON value.
    """
    from safetensors.numpy import save  # on first use: `import pixelwise` stays light

    tensors = {name: np.ascontiguousarray(value) for name in _FIELDS if (value := getattr(found, name)) is not None}
    masks, held = found.masks, {}
    if isinstance(masks, DisjointMasks):
        ids = np.ascontiguousarray(masks.ids)
        tensors["ids"] = _bytes(isal_zlib.compress(ids, 1))
        held = {"ids": ids.dtype.name}
    else:
        counts = [one.counts for one in masks.run_lengths()]
        tensors["runs"] = _bytes(b"".join(counts))
        tensors["run_lengths"] = np.array([len(one) for one in counts], np.int64)
    plain = {
        "format": FORMAT,
        "kind": found.kind,
        "size": list(found.size),
        "count": len(masks),
        "labels": found.labels.to_json(),
        "attributes": list(found.attributes),
        "notes": list(found.notes),
        "about": about or {},
        **held,
    }
    try:
        text = json.dumps(plain, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"a segment's attribute is no JSON value: {error}") from None
    return bytes(save(tensors, {"pixelwise": text}))


def unpack(content: bytes, size: Size, where: str = "answer") -> Packed:
    """Read what ``pack`` wrote of an image of (H, W).

    Raises:
        DataError: it is something else, damaged, or of another size; the message begins with ``where``.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        plain = _plain_part(content)
        if plain.get("format") != FORMAT:
            raise DataError(f"it says {str(plain.get('format'))[:60]!r}, not {FORMAT!r}; the other side has another version")
        if plain["size"] != list(size):
            raise DataError(f"it is of (height, width) {str(plain['size'])[:60]}, the image of {list(size)}")
        return _unpacked(load(content), plain, size)
    except (PixelwiseError, SafetensorError) as error:
        raise DataError(f"{where}: expected a segmentation, but {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, zlib.error) as error:
        raise DataError(f"{where}: expected a segmentation, but {type(error).__name__}: {str(error)[:200]}") from None


def _plain_part(content: bytes) -> dict[str, Any]:
    """Read the JSON of a safetensors file's header: eight bytes say how long that is."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(len(content) - 8, _MOST_HEADER):
        raise DataError("it has no header")
    plain = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["pixelwise"])
    if not isinstance(plain, dict):
        raise DataError("its description is no object")
    return plain


def _unpacked(tensors: dict[str, AnyArray], plain: dict[str, Any], size: Size) -> Packed:
    count, about = plain["count"], plain["about"]
    if not isinstance(count, int) or not 0 <= count <= MOST_SEGMENTS or not isinstance(about, dict):
        raise DataError(f"it states {str(count)[:60]} segments")
    rows = {name: np.array(tensors[name]) for name in _FIELDS if name in tensors}  # the caller's own to change
    found = Segmentation(
        plain["kind"],
        _masks(tensors, plain, count, size),
        rows.pop("class_ids"),
        LabelSet.from_json(plain["labels"]),
        attributes=tuple(dict(one) for one in plain["attributes"]),
        notes=tuple(str(one) for one in plain["notes"]),
        **rows,
    )
    return Packed(found, about)


def _masks(tensors: dict[str, AnyArray], plain: dict[str, Any], count: int, size: Size) -> Masks:
    if "ids" not in plain:
        text, ends = tensors["runs"].tobytes(), np.cumsum(tensors["run_lengths"])
        if len(ends) != count or (np.diff(ends, prepend=0) < 0).any() or (int(ends[-1]) if count else 0) != len(text):
            raise DataError("its run lengths are not as long as it says")
        starts = [0, *ends.tolist()]
        return OverlappingMasks(tuple(from_text(text[a:b], size) for a, b in pairwise(starts)), size)
    if plain["ids"] not in _ID_TYPES:
        raise DataError(f"its ids are of the type {str(plain['ids'])[:60]!r}")
    dtype = np.dtype(plain["ids"])
    inflated = _inflated(tensors["ids"].tobytes(), size[0] * size[1] * dtype.itemsize)
    return DisjointMasks(np.frombuffer(inflated, dtype).reshape(size), count)


def _inflated(data: bytes, expected: int) -> bytearray:
    """Inflate what must become so many bytes; a bomb is stopped at one byte more."""
    inflating = zlib.decompressobj()
    found = bytearray(inflating.decompress(data, expected + 1))
    if len(found) != expected or not inflating.eof:
        raise DataError(f"its id map has {len(found):,} bytes or more, expected {expected:,}")
    return found


def _bytes(data: bytes) -> AnyArray:
    return np.frombuffer(data, np.uint8)


def _plain(value: Any) -> Any:
    """Give a NumPy number or array as JSON holds it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not known to JSON")
