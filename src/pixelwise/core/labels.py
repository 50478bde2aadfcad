"""Label sets: the classes of a data set, and the map from the values its files hold to those classes.

The map travels with the labels into a model's card, so what was decided once (``11 is void``) holds in training,
prediction and evaluation alike.
"""

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from pixelwise.core.arrays import AnyArray, IntArray
from pixelwise.core.errors import DataError, OptionError, nearest
from pixelwise.core.idmaps import lookup, present_in

Colour: TypeAlias = tuple[int, int, int]
Encoding: TypeAlias = Literal["id", "rgb"]
VOID = -1  # the class of a value that means "not labelled", in a value -> class map


@dataclass(frozen=True)
class Label:
    """One class: its name, whether it is a thing (countable) or stuff, and the colour it is drawn in."""

    name: str
    is_thing: bool = False
    colour: Colour = (0, 0, 0)


def colour_of(index: int) -> Colour:
    """Choose a colour for class ``index``: neighbours differ in hue, and a class keeps its colour when others are added.

    >>> colour_of(0), colour_of(1)
    ((66, 118, 178), (57, 230, 46))
    """
    hue = (0.59 + index * 0.61803398875) % 1.0  # golden-ratio steps; 0.59 starts at blue
    ring = index % 3
    saturation, value = ((0.63, 0.70), (0.80, 0.90), (0.55, 0.95))[ring]
    red, green, blue = colorsys.hsv_to_rgb((hue + 0.115 * (ring == 1)) % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def pack_colour(colour: Sequence[int]) -> int:
    """Pack red, green, blue into one value, as RGB-coded masks are kept: r * 65536 + g * 256 + b."""
    red, green, blue = (int(part) for part in colour[:3])
    return red << 16 | green << 8 | blue


def unpack_colour(value: int) -> Colour:
    """Unpack a value of an RGB-coded mask.

    >>> unpack_colour(pack_colour((1, 2, 3)))
    (1, 2, 3)
    """
    return value >> 16 & 255, value >> 8 & 255, value & 255


@dataclass(frozen=True)
class LabelSet:
    """The classes 0..L-1 of a data set, and how its files code them.

    ``values`` maps each value stored in a mask to a class or to ``VOID``; ``settled`` is False while that map is a
    proposal that a person has to confirm.
    """

    labels: tuple[Label, ...]
    values: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    encoding: Encoding = "id"
    settled: bool = True

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(f"class names must differ; used twice: {', '.join(twice)}")
        if bad := {value: index for value, index in self.values.items() if not -1 <= index < len(names)}:
            raise DataError(f"the value map points outside the {len(names)} classes: {bad}")
        if far := [value for value in self.values if not -(2**63) <= value < 2**63]:
            raise DataError(f"the value map holds {far[0]}, which no mask file can store")
        object.__setattr__(self, "values", MappingProxyType(dict(sorted(self.values.items()))))

    def __hash__(self) -> int:
        return hash((self.labels, tuple(self.values.items()), self.encoding, self.settled))

    def __reduce__(self) -> tuple[Any, ...]:  # a mappingproxy does not pickle, and loader workers are sent label sets
        return _rebuild, (self.labels, dict(self.values), self.encoding, self.settled)

    @classmethod
    def of(cls, names: Iterable[str], things: Iterable[str] = ()) -> "LabelSet":
        """Make a label set from names in class order; value k of a mask is class k.

        >>> LabelSet.of(["sky", "car"], things=["car"]).names
        ('sky', 'car')
        """
        countable = set(things)
        labels = tuple(Label(name, name in countable, colour_of(i)) for i, name in enumerate(names))
        return cls(labels, {index: index for index in range(len(labels))})

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The class names in class order."""
        return tuple(label.name for label in self.labels)

    @property
    def things(self) -> tuple[int, ...]:
        """The classes that are things."""
        return tuple(index for index, label in enumerate(self.labels) if label.is_thing)

    @property
    def colours(self) -> IntArray:
        """The colours (L, 3) uint8."""
        return np.array([label.colour for label in self.labels], np.uint8).reshape(-1, 3)

    @property
    def void(self) -> int:
        """The value that stands for void in a class map: the highest of the smallest type that holds all classes."""
        return 255 if len(self) <= 255 else 65535

    @property
    def void_values(self) -> tuple[int, ...]:
        """The stored values that mean void."""
        return tuple(value for value, index in self.values.items() if index == VOID)

    def index(self, name: str) -> int:
        """Find the class called ``name``.

        Raises:
            OptionError: there is none; the message has the nearest names.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise OptionError(f"no class is called '{name}'; {nearest(name, self.names)}") from None

    def to_classes(self, stored: AnyArray, where: str = "mask") -> IntArray:
        """Map stored values (H, W) to a class map (H, W) in which ``self.void`` is void.

        Raises:
            DataError: a stored value is not in the map; the message names it and ``where``.
        """
        dtype = np.uint8 if self.void == 255 else np.uint16
        known = np.array(list(self.values), np.int64)
        classes: IntArray = np.array([self.void if index == VOID else index for index in self.values.values()], dtype)
        if stored.dtype == np.uint8:
            table: IntArray = np.zeros(256, dtype)
            is_known = np.zeros(256, bool)
            fits = (known >= 0) & (known < 256)
            table[known[fits]], is_known[known[fits]] = classes[fits], True
            result = lookup(table, stored)
            strange = None if is_known[present_in(stored)].all() else ~is_known[stored]
        else:
            place = np.clip(np.searchsorted(known, stored), 0, max(len(known) - 1, 0))
            result, strange = (classes[place], known[place] != stored) if len(known) else (stored, np.ones(stored.shape, bool))
        if strange is not None and strange.any():
            odd = np.unique(stored[strange]).tolist()
            shown = ", ".join(self.describe(value) for value in odd[:5]) + (" …" if len(odd) > 5 else "")
            raise DataError(
                f"{where}: value {shown} ({int(strange.sum()):,} pixels) is outside the label set "
                f"({', '.join(self.describe(v) for v in list(self.values)[:12])}); add it with --classes or --void"
            )
        return np.asarray(result, dtype)

    def describe(self, value: int) -> str:
        """Write a stored value as people do: a number, or #rrggbb for RGB-coded masks."""
        return "#{:02x}{:02x}{:02x}".format(*unpack_colour(value)) if self.encoding == "rgb" else str(value)

    def to_values(self, classes: IntArray) -> IntArray:
        """Map a class map (H, W) back to stored values; void takes the first void value, or ``self.void``."""
        first = {index: value for value, index in reversed(list(self.values.items()))}
        table = np.full(self.void + 1, first.get(VOID, self.void), np.int64)
        for index in range(len(self)):
            table[index] = first.get(index, index)
        return np.asarray(table[classes])

    def map_to(self, other: "LabelSet") -> IntArray:
        """Join by name: for each class here the class of the same name in ``other``, or ``VOID``: (L,).

        Where none has the very same name, one that differs in case alone is taken.
        """
        exact = {name: index for index, name in enumerate(other.names)}
        folded = {name.casefold(): index for index, name in reversed(list(enumerate(other.names)))}
        return np.array([exact.get(name, folded.get(name.casefold(), VOID)) for name in self.names], np.int64)

    def same_classes(self, other: "LabelSet") -> bool:
        """Tell whether both name the same classes in the same order."""
        return self.names == other.names

    def with_background(self) -> "LabelSet":
        """Put a class ``background`` in front, unless there is one, as masks need that are painted from objects.

        It and void get stored values that are free: 0 and 255 where they are.

        >>> labels = LabelSet.of(["cat", "dog"]).with_values({7: 0, 9: 1}).with_background()
        >>> labels.names, dict(labels.values)
        (('background', 'cat', 'dog'), {0: 0, 7: 1, 9: 2, 255: -1})
        """
        return self._backed

    @cached_property
    def _backed(self) -> "LabelSet":  # every image of a data set asks for it
        if any(name.casefold() == "background" for name in self.names):
            return self
        values = {value: index + (index != VOID) for value, index in self.values.items()}
        for index, usual in ((0, 0), (VOID, 255)):
            if index == 0 or VOID not in values.values():
                values[next(one for one in (usual, 65535, max(values, default=0) + 1) if one not in values)] = index
        return replace(self, labels=(Label("background"), *self.labels), values=values)

    def with_values(self, values: Mapping[int, int], settled: bool = True) -> "LabelSet":
        """Give the same classes another value map."""
        return replace(self, values=values, settled=settled)

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values; ``from_json`` reads them back."""
        return {
            "classes": [{"name": label.name, "thing": label.is_thing, "colour": list(label.colour)} for label in self.labels],
            "values": {str(value): index for value, index in self.values.items()},
            "encoding": self.encoding,
            "settled": self.settled,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LabelSet":
        """Read what ``to_json`` wrote.

        Raises:
            DataError: a part is missing or of the wrong type.
        """
        try:
            labels = tuple(Label(_text(one["name"]), _claim(one["thing"]), _colour(one["colour"])) for one in data["classes"])
            values = {int(value): int(index) for value, index in data["values"].items()}
            if data["encoding"] not in get_args(Encoding):
                raise ValueError(f"the encoding {data['encoding']!r} is none of {', '.join(get_args(Encoding))}")
            return cls(labels, values, data["encoding"], _claim(data["settled"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(f"expected a label set as JSON, but {type(error).__name__}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a name, got {value!r}")
    return value


def _claim(value: Any) -> bool:
    if not isinstance(value, bool):  # bool("false") is True
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def _colour(value: Any) -> Colour:
    red, green, blue = (int(part) for part in value)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"expected a colour of three numbers from 0 to 255, got {value!r}")
    return red, green, blue


def _rebuild(labels: tuple[Label, ...], values: dict[int, int], encoding: Encoding, settled: bool) -> LabelSet:
    return LabelSet(labels, values, encoding, settled)


def foreground_of(labels: LabelSet) -> int:
    """Choose the foreground of one or two classes: the one not called background, else the last.

    >>> foreground_of(LabelSet.of(["leaf", "background"])), foreground_of(LabelSet.of(["a", "b"]))
    (0, 1)
    """
    others = [index for index, name in enumerate(labels.names) if name.casefold() != "background"]
    return others[-1] if others else len(labels) - 1
