"""The classes of a folder of labelme files: from our own table, from ``labels.txt``, or from the shapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pixelwise.core.labels import LabelSet
from pixelwise.formats.folder import Listing
from pixelwise.formats.labelme.file import BACKGROUND, IGNORE
from pixelwise.formats.objects import things
from pixelwise.formats.stated import NAME, Stated

FORM = "pixelwise labelme 1"  # in the table that ``write`` leaves
_MOST_BYTES = 2**22  # of a list of names


@dataclass(frozen=True)
class Classes:
    """The label set, and what was noticed."""

    labels: LabelSet
    notes: tuple[str, ...] = ()


def classes_of(stated: Stated | None, listing: Listing, counts: Mapping[str, int]) -> Classes:
    """Name the classes; ``counts`` are of the shapes that have an area.

    ``__ignore__`` and ``_background_``, which a ``labels.txt`` of labelme opens with, are classes only where a shape is
    called so.
    """
    if stated is not None:
        strange = sorted(set(counts) - {*stated.labels.names, IGNORE})
        notes = (
            [f"{listing.root / NAME}: no class is called {_listed(strange)}, as shapes are; add it there"] if strange else []
        )
        return Classes(stated.labels, tuple(notes))
    named = [name for name in _lines(listing) if name in counts or name not in (IGNORE, BACKGROUND)]
    names = [name for name in dict.fromkeys([*named, *sorted(counts)]) if name != IGNORE]
    if not counts.get(IGNORE):
        return Classes(things(names))
    note = f"{listing.root}: {counts[IGNORE]} shapes are called {IGNORE}: scores ignore them, and class maps have void there"
    return Classes(things([*names, IGNORE]), (note,))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _lines(listing: Listing) -> list[str]:
    """Read the names that ``labels.txt`` lists, if there is one."""
    file = next((listing.root / one for one in listing.texts if one.name.casefold() == "labels.txt"), None)
    try:
        if file is None or file.stat().st_size > _MOST_BYTES:
            return []
        text = file.read_text("utf-8-sig", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]
