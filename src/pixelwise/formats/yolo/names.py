"""What a YOLO set says of itself: the names of its classes and its splits, in ``data.yaml``, ``obj.data`` or lists of names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import yaml

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.labels import Label, LabelSet, colour_of
from pixelwise.core.segmentation import KINDS, Kind
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import SPLITS

MARK = "pixelwise"  # the key of data.yaml under which we say what YOLO's own keys cannot
_MOST_BYTES = 2**19  # PyYAML takes a second or two for so much
_MOST_CLASSES = 100_000
_NAME_FILES = frozenset({"classes.txt", "obj.names", "names.txt", "labels.txt", "predefined_classes.txt"})


@dataclass(frozen=True)
class Config:
    """What a set says of itself.

    Attributes:
        path: the file that says so; None where there is none.
        names: the name of each class number.
        splits: what each split is, as written: folders or list files.
        has_keypoints: whether rows go on with the points of a pose after the box.
        labels, kind: our own remarks; None and ``instance`` where another tool wrote the set.
    """

    path: Path | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_keypoints: bool = False
    labels: LabelSet | None = None
    kind: Kind = "instance"

    def label_set(self) -> LabelSet:
        """Make the label set; class numbers may have gaps."""
        if self.labels is not None:
            return self.labels
        labels = tuple(Label(name, True, colour_of(index)) for index, name in enumerate(self.names.values()))
        return LabelSet(labels, {number: index for index, number in enumerate(self.names)})


def is_config(path: Path) -> bool:
    """Tell a data.yaml from other YAML files; what is broken is none."""
    try:
        data = _yaml(path)
    except DataError:
        return False
    return isinstance(data, Mapping) and "names" in data and bool({"train", "val", "test", "nc", "path"} & set(data))


def read_config(listing: Listing, given: Path | None = None) -> Config:
    """Find and read what a folder says of itself; ``given`` is the YAML file to take.

    Raises:
        UnreadableFile: the file is broken, or two classes have one name.
    """
    if given is not None:
        return read_yaml(given)
    near = [one for one in listing.others if len(one.parts) <= 2 and one.suffix.lower() in (".yaml", ".yml")]
    for one in near:
        if is_config(listing.root / one):
            return read_yaml(listing.root / one)
    for one in near:
        if one.stem.casefold() in ("data", "dataset"):
            read_yaml(listing.root / one)  # says what is wrong with it
    data = next((one for one in listing.others if one.suffix == ".data" and len(one.parts) <= 2), None)
    splits = {} if data is None else _splits(_darknet(listing.root / data))
    files = [one for one in (*listing.texts, *listing.others) if one.name.casefold() in _NAME_FILES or one.suffix == ".names"]
    for one in sorted(files, key=lambda one: (len(one.parts), one.name.casefold() == "labels.txt")):
        names = _lines(listing.root / one)
        if names:
            return Config(listing.root / one, _named(listing.root / one, names), splits)
    return Config(splits=splits)


def is_about(one: PurePosixPath) -> bool:
    """Tell a file of names from a label file."""
    return one.name.casefold() in _NAME_FILES


class _Texts(yaml.BaseLoader):  # type: ignore[misc]  # PyYAML has no types
    """Load texts, lists and mappings, nothing else: a class called ``no`` keeps its name.

    Aliases are refused, as a few lines of them unfold without end. It is not the loader in C, which deep nesting crashes.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, unless it is an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name), which is not read; write the value out")
        return super().compose_node(parent, index)


def _yaml(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read as YAML")
        text = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return yaml.load(text, _Texts)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableFile(f"{path}: expected YAML, but {reason}; copy or export the file again") from None


def read_yaml(path: Path) -> Config:
    """Read a data.yaml.

    Raises:
        UnreadableFile: it is broken, or two classes have one name.
    """
    data = _yaml(path)
    if not isinstance(data, Mapping) or "names" not in data:
        raise UnreadableFile(f"{path}: expected a mapping with 'names' (the classes), found none; export the set again")
    names = _named(path, data["names"])
    splits = _splits(data)
    has_keypoints = bool(data.get("kpt_shape"))
    ours = data.get(MARK)
    if ours is None:
        return Config(path, names, splits, has_keypoints)
    try:
        said = msgspec.json.decode(ours)
        kind = next(one for one in KINDS if one == said["kind"])
        labels = LabelSet.from_json(said["labels"])
        splits = {str(name): (str(place),) for name, place in said["splits"].items()}
        return Config(path, names, splits, labels=labels, kind=kind)
    except (TypeError, KeyError, StopIteration, AttributeError, ValueError, RecursionError, msgspec.DecodeError):
        raise UnreadableFile(
            f"{path}: what stands under '{MARK}' is damaged; take the key out, or copy the file again"
        ) from None


def _splits(data: Mapping[Any, Any]) -> dict[str, tuple[str, ...]]:
    """Take what stands under the splits' names: a path, or a list of them."""
    found = {}
    for key, value in data.items():
        values = value if isinstance(value, list) else [value]
        if isinstance(key, str) and key.casefold() in SPLITS and all(isinstance(one, str) for one in values):
            found[SPLITS[key.casefold()]] = tuple(values)
    return found


def _darknet(path: Path) -> dict[str, str]:
    """Read ``key = value`` lines."""
    pairs = (line.partition("=") for line in _lines(path))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read as names")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected names in UTF-8, but {error}; save it as UTF-8 text") from None
    return [line.strip() for line in lines if line.strip()]


def _named(path: Path, names: object) -> dict[int, str]:
    """Take names as a list or as a mapping from class numbers.

    Raises:
        UnreadableFile: they are neither, or two are the same.
    """
    pairs: Sequence[tuple[object, object]] = []
    if isinstance(names, Mapping):
        pairs = list(names.items())
    elif isinstance(names, list):
        pairs = list(enumerate(names))
    numbered = [(_number(key), name.strip()) for key, name in pairs if isinstance(name, str)]
    if not numbered or len(numbered) < len(pairs) or len(pairs) > _MOST_CLASSES:
        raise UnreadableFile(f"{path}: expected 'names' as a list, or as a mapping from class numbers, of at least one name")
    if any(not 0 <= number < 2**31 for number, _ in numbered):
        raise UnreadableFile(f"{path}: a class in 'names' has no number from 0 up")
    seen: dict[str, int] = {}
    for number, name in numbered:
        if name in seen:
            raise UnreadableFile(f"{path}: the classes {seen[name]} and {number} are both called '{name}'; rename one")
        seen[name] = number
    return dict(sorted(numbered))


def _number(key: object) -> int:
    if isinstance(key, str):
        return int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else -1
    return key if isinstance(key, int) else -1
