"""What the object numbers of videos stand for: ``meta.json`` as YouTube-VOS has it, and what Pixelwise adds to it.

YouTube-VOS states a category for each object of a video. Pixelwise writes that too, and beside it, under ``pixelwise``, what
the pictures cannot hold: the label set, the name of each sample, and its objects in order with class and crowd mark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.files import read_json
from pixelwise.core.labels import LabelSet
from pixelwise.formats.objects import things

MARK = "pixelwise"
FORMAT = "pixelwise davis 1"
VOID = 255
CLASS = "object"
_MOST_BYTES = 2**30


@dataclass(frozen=True)
class StoredFrame:
    """What we wrote of one frame: its sample's name, and number, class and crowd mark of each object in order."""

    name: str
    objects: tuple[tuple[int, int, bool], ...]


@dataclass(frozen=True)
class ObjectNames:
    """The classes of the objects of all videos.

    Attributes:
        labels: the label set.
        categories: by sequence and number, where a file states them.
        voids: the sequences in which 255 is void.
        frames: by ``<sequence>/<stem>``, in what we wrote ourselves.
    """

    labels: LabelSet
    categories: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    voids: frozenset[str] = frozenset()
    frames: Mapping[str, StoredFrame] = field(default_factory=dict)

    def of(self, sequence: str, value: int) -> tuple[str, bool] | None:
        """Give the class of an object and whether it is a crowd, as void is; None where the file leaves it out."""
        if sequence in self.voids and value == VOID:
            return CLASS, True
        if not self.categories:
            return CLASS, False
        name = self.categories.get(sequence, {}).get(value)
        return None if name is None else (name, False)


def read_names(paths: Sequence[Path], voids: frozenset[str]) -> ObjectNames:
    """Read every ``meta.json``, as YouTube-VOS has one a split; without one, all objects are of the class ``object``.

    Raises:
        UnreadableFile: one is no JSON, or not of that form.
    """
    categories: dict[str, dict[int, str]] = {}
    for path in paths:
        data = read_json(path, _MOST_BYTES)
        if not isinstance(data, Mapping) or not isinstance(data.get("videos"), Mapping):
            continue
        try:
            for sequence, video in data["videos"].items():
                of_video = {int(number): str(one.get("category", CLASS)) for number, one in video["objects"].items()}
                categories.setdefault(str(sequence), {}).update(of_video)
            ours = data.get(MARK)
            if isinstance(ours, Mapping) and ours.get("format") == FORMAT:
                labels = LabelSet.from_json(ours["labels"])
                frames = {key: _frame(one, len(labels)) for key, one in ours["frames"].items()}
                return ObjectNames(labels, categories, frames=frames)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableFile(f"{path}: expected videos with objects and their categories, but {_words(error)}") from None
    names = sorted({name for video in categories.values() for name in video.values()})
    return ObjectNames(things([*names, CLASS] if voids else names or [CLASS]), categories, voids)


def _frame(one: Mapping[str, Any], classes: int) -> StoredFrame:
    objects = tuple((int(number), int(index), bool(crowd)) for number, index, crowd in one["objects"])
    if not all(0 < number <= VOID and 0 <= index < classes for number, index, _ in objects):
        raise ValueError(f"an object of {one['name']!r} has a number or class that cannot be")
    return StoredFrame(str(one["name"]), objects)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, DataError | ValueError) else f"{type(error).__name__}: {error}"


def is_ours(folder: Path) -> bool:
    """Tell a folder that ``write`` made."""
    try:
        data = read_json(folder / "meta.json", _MOST_BYTES)
    except (DataError, FileNotFoundError):
        return False
    return isinstance(data, Mapping) and isinstance(data.get(MARK), Mapping) and data[MARK].get("format") == FORMAT
