"""What a data set that Pixelwise wrote says about itself, in ``classes.json``: its format, its kind and its label set.

Formats that hold masks alone (a picture an object, id maps, arrays, outlines) have no place for class names and for what the
masks are. This file is that place, and it marks the folder as ours: one that may be replaced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError, PixelwiseError, UnreadableFile
from pixelwise.core.files import read_json, write_json
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.claim import Claim

NAME = "classes.json"
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Stated:
    """What ``classes.json`` states; ``more`` is what one format alone has to say."""

    kind: Kind
    labels: LabelSet
    more: Mapping[str, Any] = field(default_factory=dict)


def state(folder: Path, form: str, stated: Stated) -> None:
    """Write ``classes.json``; ``form`` is the format's name and version.

    Raises:
        StorageError: it cannot be written.
    """
    values = {**{index: index for index in range(len(stated.labels))}, stated.labels.void: VOID}
    labels = replace(stated.labels, values=values, encoding="id")
    write_json(folder / NAME, {"format": form, "kind": stated.kind, **labels.to_json(), **stated.more})


def form_in(folder: Path) -> str | None:
    """Give the format that the ``classes.json`` of a folder of ours states; None where there is none, or it states none."""
    if (folder / NAME).is_symlink():  # it may lead outside, and we write none
        return None
    try:
        data = read_json(folder / NAME, _MOST_BYTES)
    except PixelwiseError:
        return None
    form = data.get("format") if isinstance(data, Mapping) else None
    return form if isinstance(form, str) and form.startswith("pixelwise ") else None


def is_stated(folder: Path, form: str) -> bool:
    """Tell whether a folder has a ``classes.json`` of this format; what is broken is not."""
    return form_in(folder) == form


def claim_ours(folder: Path, form: str, dialect: str) -> Claim | None:
    """Claim a folder that has a ``classes.json`` of this format: none of its other files need be listed for that."""
    return Claim(dialect, f"{NAME} says so") if is_stated(folder, form) else None


def stated_in(folder: Path, form: str) -> Stated | None:
    """Read the ``classes.json`` of a folder; None if it is not of this format.

    Raises:
        UnreadableFile: it is of this format, but a part of it is missing or wrong.
    """
    if not is_stated(folder, form):
        return None
    data = read_json(folder / NAME, _MOST_BYTES)
    kind = next((one for one in KINDS if one == data.get("kind")), None)
    if kind is None:
        raise UnreadableFile(f"{folder / NAME}: expected a kind of {', '.join(KINDS)}, got {data.get('kind')!r}")
    try:
        labels = LabelSet.from_json(data)
    except DataError as error:
        raise UnreadableFile(f"{folder / NAME}: {error}") from None
    return Stated(kind, labels, data)
