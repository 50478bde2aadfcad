"""What a JSON file of COCO's family holds: outlines, boxes, captions, panoptic segments, results.

Names of files say little (``instances_val_results.json`` holds none of what it says), so the first annotations are looked at.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from pixelwise.core.errors import PixelwiseError
from pixelwise.formats.coco.file import about_of
from pixelwise.formats.json_file import decoded, keys_of

Form: TypeAlias = Literal["instances", "boxes", "captions", "panoptic", "labels", "info", "results", "box results"]
_SHOWN = 2**20  # bytes of the annotations that are looked at for keys which each of them has
_PNG = re.compile(rb'"file_name"\s*:\s*"([^"]+\.png)"', re.IGNORECASE)
_OUTLINE = re.compile(rb'"segmentation"\s*:')


class _Head(msgspec.Struct, gc=False):
    images: Raw
    info: Any = None
    annotations: Raw | UnsetType = UNSET
    categories: Raw | UnsetType = UNSET


@dataclass(frozen=True)
class _Look:
    """What one look at a file tells."""

    form: Form | None = None
    is_make_sense: bool = False
    pngs: frozenset[str] = frozenset()
    maker: str = ""


def form_of(path: Path) -> Form | None:
    """Tell what a JSON file holds; None for one of another make, or none at all."""
    return _look(path).form


def is_make_sense(path: Path) -> bool:
    """Tell what Make Sense exports: no more keys than needed, images and categories from 1 up, annotations from 0 up."""
    return _look(path).is_make_sense


def maker_of(path: Path) -> str:
    """Name the format of ours that a file says it is of; empty for a file of another make."""
    return _look(path).maker


def named_pngs(path: Path) -> frozenset[str]:
    """Name some of the PNGs that a panoptic file speaks of, without their folders."""
    return _look(path).pngs


def _look(path: Path) -> _Look:
    """Look at a file, once while it stays as it is: every format asks of it."""
    try:
        state = path.stat()
    except OSError:
        return _Look()
    return _looked_at(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _looked_at(path: Path, size: int, time: int) -> _Look:
    keys = keys_of(path)
    if keys is None:
        return _Look()
    if "[]" in keys:
        is_results = {"image_id", "category_id", "score"} <= keys
        return _Look(("results" if "segmentation" in keys else "box results") if is_results else None)
    if "images" not in keys or "\n" in keys:
        return _Look()
    try:
        head, _, _ = decoded(path, _Head)
    except PixelwiseError:
        return _Look()
    form = _of_head(head)
    pngs = (one.decode("utf-8", "replace").rpartition("/")[2] for one in _PNG.findall(_shown(head.annotations)))
    maker = str(about_of(head.info).get("format", "")).rpartition(" ")[0]
    return _Look(form, form == "instances" and _is_make_sense(head), frozenset(pngs if form == "panoptic" else ()), maker)


def _of_head(head: _Head) -> Form | None:
    images, annotations, categories = _shown(head.images, 1), _shown(head.annotations), _shown(head.categories, 64)
    has_categories = categories[:1] == b"[" and b"{" in categories
    if images != b"[":
        return None
    if not annotations:
        return "info" if has_categories or about_of(head.info) else None
    if annotations[:1] != b"[":
        return None
    if b"{" not in annotations[:64]:  # nothing is annotated yet
        return "instances" if has_categories else "info"
    if b'"segments_info"' in annotations:
        return "panoptic"
    if b'"caption"' in annotations:
        return "captions"
    if categories[:1] != b"[":
        return None
    if _OUTLINE.search(_all_of(head.annotations)):
        return "instances"
    return "boxes" if b'"bbox"' in annotations else "labels" if b'"category_id"' in annotations else None


def _all_of(part: Raw | UnsetType) -> memoryview:
    return memoryview(b"") if isinstance(part, UnsetType) else memoryview(part)


def _shown(part: Raw | UnsetType, length: int = _SHOWN) -> bytes:
    """Give the start of a part."""
    return bytes(_all_of(part)[:length])


def _is_make_sense(head: _Head) -> bool:
    image, annotation, category = (_first(_shown(one)) for one in (head.images, head.annotations, head.categories))
    return (
        set(image) == {"id", "width", "height", "file_name"}
        and set(annotation) - {"category_id"} == {"id", "iscrowd", "image_id", "segmentation", "bbox", "area"}
        and set(category) == {"id", "name"}
        and image["id"] == category["id"] == 1
        and annotation["id"] == 0
    )


def _first(text: bytes) -> Mapping[str, object]:
    """Give the first object of a list, of which the text may be cut off; an empty one where there is none."""
    try:
        found, _ = json.JSONDecoder().raw_decode(text[1:].decode("utf-8", "replace").lstrip())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
