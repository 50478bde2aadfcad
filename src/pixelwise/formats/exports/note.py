"""What Pixelwise keeps beside what it writes in a platform's format, as the format itself has no room for it.

``classes.json`` says of the data set what kind of segments it holds, and of its classes which are things, and their colours.
What belongs to one object (a crowd mark, a number, a stated box) is kept in the object itself, under the key ``pixelwise``,
which the platforms ignore.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import ImageColor

from pixelwise.core.labels import Colour, LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats.objects import things
from pixelwise.formats.shapes import is_number
from pixelwise.formats.stated import NAME, Stated, is_stated, state, stated_in

NOTE = NAME
KEY = "pixelwise"
KEPT = ("boxes", "areas", "source_ids", "track_ids", "attributes")  # fields of a truth that ``kept_of`` keeps


@dataclass(frozen=True)
class Note:
    """What the note says: nothing, where there is none."""

    kind: Kind = "instance"
    labels: LabelSet | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it names."""
        stated = self.rest.get("splits")
        return tuple(one for one in stated if isinstance(one, str)) if isinstance(stated, list) else ()

    def split(self, stem: str) -> str | None:
        """Name the split of a label file, by its stem."""
        return stem if stem in self.splits else None

    def classes(self, names: Iterable[str], colours: Mapping[str, Colour] | None = None) -> LabelSet:
        """Give the classes: those of the note, then those of ``names`` that it does not know."""
        if self.labels is None:
            return things(names, colours)
        more = [label for label in things(names, colours).labels if label.name not in self.labels.names]
        return self.labels if not more else replace(self.labels, labels=(*self.labels.labels, *more))


def read_note(folder: Path, form: str) -> Note:
    """Read the note of a folder that the writer of ``form`` made; that of another writer counts as none.

    Raises:
        UnreadableFile: a part of it is missing or wrong.
    """
    found = stated_in(folder, _mark(form))
    return Note() if found is None else Note(found.kind, found.labels, found.more)


def write_note(folder: Path, form: str, dataset: Dataset, **rest: Any) -> None:
    """Write the note of a data set; ``rest`` is what one format alone wants to keep."""
    state(folder, _mark(form), Stated(dataset.kind, dataset.labels, {"splits": list(dataset.splits), **rest}))


def is_ours(form: str) -> Callable[[Path], bool]:
    """Give what tells a folder that the writer of ``form`` made."""
    return lambda folder: is_stated(folder, _mark(form))


def first_splits(dataset: Dataset) -> dict[str, list[str]]:
    """List the splits of each sample that is in one, by its name, the first first."""
    found: dict[str, list[str]] = {}
    for name, rows in dataset.splits.items():
        for row in rows:
            found.setdefault(dataset[row].name, []).append(name)
    return found


def kept_of(truth: Segmentation, index: int) -> dict[str, Any]:
    """Give what a truth says of a segment besides its class and mask, as JSON; empty where that is nothing."""
    found: dict[str, Any] = {}
    if truth.is_crowd[index]:
        found["crowd"] = True
    if truth.source_ids is not None and truth.source_ids[index] >= 0:
        found["id"] = int(truth.source_ids[index])
    if truth.track_ids is not None and truth.track_ids[index] >= 0:
        found["track"] = int(truth.track_ids[index])
    if truth.boxes is not None:
        found["box"] = [float(side) for side in truth.boxes[index]]
    if truth.areas is not None:
        found["area"] = float(truth.areas[index])
    if truth.attributes and truth.attributes[index]:
        found["attributes"] = truth.attributes[index]
    return found


def drawn_fields(kept: object, attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the fields of ``Drawn`` that ``kept_of`` wrote, and ``attributes``; what is not as it writes is left out."""
    if not isinstance(kept, dict):
        return {"attributes": attributes or {}}
    more = kept.get("attributes")
    found: dict[str, Any] = {"crowd": kept.get("crowd") is True}
    found["attributes"] = {**(attributes or {}), **(more if isinstance(more, dict) else {})}
    for key in ("id", "track"):
        if isinstance(value := kept.get(key), int) and not isinstance(value, bool):
            found[key] = value
    box = kept.get("box")
    if isinstance(box, list) and len(box) == 4 and all(is_number(side) and abs(side) < 2**63 for side in box):
        found["box"] = tuple(box)
    area = kept.get("area")
    if isinstance(area, int | float) and not isinstance(area, bool) and abs(area) < 2**63:
        found["area"] = area
    return found


def colour_in(text: object) -> Colour | None:
    """Read a colour as web pages write it; None for what is none.

    >>> colour_in("#ff8000"), colour_in("red"), colour_in("reddish")
    ((255, 128, 0), (255, 0, 0), None)
    """
    if not isinstance(text, str):
        return None
    try:
        red, green, blue = ImageColor.getrgb(text.strip())[:3]
    except ValueError:
        return None
    return red, green, blue


def _mark(form: str) -> str:
    return f"pixelwise {form} 1"
