"""The map of classes for a merge: from a set's classes to the classes of the whole, as text, TOML or JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import OptionError, nearest
from pixelwise.core.segmentation import Kind
from pixelwise.curate.map_file import is_map_file, pairs_of, put, read_map

VOID_WORD = "void"  # the class's pixels are not labelled any more
DROP = "drop"  # the class's objects are left out


@dataclass(frozen=True)
class ClassMap:
    """Which classes become which.

    Attributes:
        of_set: for some sets by name, new classes by old ones; ``void`` and ``drop`` are words, not classes.
        of_all: the same for all sets; what ``of_set`` says of a set comes first.
    """

    of_set: Mapping[str, Mapping[str, str]]
    of_all: Mapping[str, str]

    def target(self, name: str, old: str) -> str:
        """Give what the class ``old`` of the set ``name`` becomes."""
        return self.of_set.get(name, {}).get(old, self.of_all.get(old, old))

    def require_fit(self, classes: Mapping[str, Sequence[str]], kind: Kind) -> None:
        """Check that all sets and classes it names are there, and that the kind can leave them out as it says.

        Raises:
            OptionError: one is not; the message has the nearest names.
        """
        for name, table in self.of_set.items():
            if name not in classes:
                raise OptionError(f"--map: no data set is called '{name}'; {nearest(name, classes)}")
            for old in table:
                if old not in classes[name]:
                    raise OptionError(f"--map: no class of {name} is called '{old}'; {nearest(old, classes[name])}")
        every = [old for names in classes.values() for old in names]
        for old in self.of_all:
            if old not in every:
                raise OptionError(f"--map: no class is called '{old}'; {nearest(old, every)}")
        for old, new in [*self.of_all.items(), *(pair for table in self.of_set.values() for pair in table.items())]:
            if new == VOID_WORD and kind == "instance":
                raise OptionError(f"--map {old}=void: instance truth has no void; '{old}=drop' leaves its objects out")
            if new == DROP and kind in ("semantic", "panoptic"):
                raise OptionError(f"--map {old}=drop: each pixel of {kind} truth has a class or is void; say '{old}=void'")
        if kind == "regions" and (self.of_set or self.of_all):
            raise OptionError("--map: regions have no classes to map")


def class_map(text: str, sets: Sequence[str]) -> ClassMap:
    """Read the option ``--map``: ``set:class=new`` or ``class=new``, separated by commas, or a TOML or JSON file.

    A file has one table a set, and entries outside of them for all sets; ``vehicle = ["car", "truck"]`` is two of them.

    >>> class_map("a:car=vehicle,bg=void", ["a", "b"])
    ClassMap(of_set={'a': {'car': 'vehicle'}}, of_all={'bg': 'void'})

    Raises:
        OptionError: an entry cannot be read, or says something else than another.
        MissingFile, UnreadableFile: the file is not there, or broken.
    """
    if is_map_file(text):
        return _of_file(Path(text))
    of_set: dict[str, dict[str, str]] = {}
    of_all: dict[str, str] = {}
    for entry in text.split(","):
        old, sign, new = entry.strip().rpartition("=")
        if not sign or not old.strip() or not new.strip():
            raise OptionError(f"--map {text}: expected set:class=new or class=new, or a file, found '{entry.strip()}'")
        name = next((one for one in sorted(sets, key=len, reverse=True) if old.startswith(f"{one}:")), None)
        table = of_all if name is None else of_set.setdefault(name, {})
        put(table, old.strip() if name is None else old[len(name) + 1 :].strip(), new.strip(), "--map")
    return ClassMap(of_set, of_all)


def _of_file(path: Path) -> ClassMap:
    data = read_map(path, "--map")
    of_set = {name: pairs_of(part, f"--map {path}: {name}") for name, part in data.items() if isinstance(part, dict)}
    of_all = {name: part for name, part in data.items() if not isinstance(part, dict)}
    return ClassMap(of_set, pairs_of(of_all, f"--map {path}"))
