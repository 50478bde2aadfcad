"""Options from TOML: one table for each function it feeds, read into that function's frozen dataclass.

No inheritance, no interpolation; ``--set table.key=value`` is the only override; an unknown key is refused with the
nearest known one.
"""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from pixelwise.core.errors import MissingFile, OptionError, UnreadableFile, nearest
from pixelwise.core.files import write_text

T = TypeVar("T")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        MissingFile: there is none.
        UnreadableFile: it may not be read.
        OptionError: it is not TOML.
    """
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "nothing there"
        raise MissingFile(f"{path}: expected a run file (TOML), found {found}")
    try:
        return tomllib.loads(Path(path).read_text("utf-8-sig"))  # some editors put a byte order mark first
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: expected TOML, but {error}") from None


def write_toml(path: Path, tables: Mapping[str, Any]) -> None:
    """Write tables as TOML; None, which TOML lacks, is left out (it is each option's default where it is allowed)."""
    write_text(path, tomli_w.dumps(_without_none(tables)))


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, tuple | list) else value


def override(tables: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Apply ``table.key=value`` settings; the value is read as TOML, and as text where that fails.

    >>> override({"train": {"epochs": 1}}, ["train.epochs=3", "model.encoder=resnet18"])
    {'train': {'epochs': 3}, 'model': {'encoder': 'resnet18'}}

    Raises:
        OptionError: a setting is not of that form.
    """
    result = {name: dict(table) if isinstance(table, Mapping) else table for name, table in tables.items()}
    for setting in settings:
        place, equals, text = setting.partition("=")
        table, dot, key = place.strip().partition(".")
        if not (equals and dot and table and key):
            raise OptionError(f"--set {setting}: expected table.key=value, as in --set train.epochs=3")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        if not isinstance(result.setdefault(table, {}), dict):
            raise OptionError(f"--set {setting}: '{table}' is no table but {result[table]!r}")
        result[table][key] = value
    return result


def from_table(options: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make an options dataclass from a table.

    Raises:
        OptionError: a key is unknown (the nearest known one is named) or a value is of the wrong type.
    """
    if not isinstance(table, Mapping):
        raise OptionError(f"[{where}]: expected a table of options, got {table!r}")
    hints = typing.get_type_hints(options)
    known = {field.name for field in dataclasses.fields(options) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise OptionError(f"[{where}] has no option '{key}'; {nearest(key, known)}")
    try:
        return options(**{key: fitted(value, hints[key], f"[{where}] {key}") for key, value in table.items()})
    except TypeError as error:
        raise OptionError(f"[{where}]: {error}") from None


def to_table(options: Any) -> dict[str, Any]:
    """Write an options dataclass as a table; ``from_table`` reads it back equal."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options) if field.init}


def fitted(value: Any, hint: Any, where: str) -> Any:
    """Fit a TOML value to a type: int to float, list to tuple; refuse the rest."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for choice in inner:
            try:
                return fitted(value, choice, where)
            except OptionError:
                continue
        raise OptionError(f"{where}: expected {_shown(hint)}, got {value!r}")
    if origin is typing.Literal:
        if any(value == one and type(value) is type(one) for one in inner):  # True == 1 all the same
            return value
        raise OptionError(f"{where}: got {value!r}; {nearest(str(value), map(str, inner))}")
    if origin is tuple and isinstance(value, list | tuple):
        if inner[-1:] == (Ellipsis,):
            return tuple(fitted(one, inner[0], where) for one in value)
        if len(value) == len(inner):
            return tuple(fitted(one, each, where) for one, each in zip(value, inner, strict=True))
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        if isinstance(value, Mapping):
            return dict(value)
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise OptionError(f"{where}: expected {_shown(hint)}, got {value!r}")


def _shown(hint: Any) -> str:
    """Write a type as people do: ``int``, ``float or None``, ``'fast' or 'exact'``, ``tuple[float, float]``."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_shown(choice) for choice in inner)
    if origin is typing.Literal:
        return " or ".join(map(repr, inner))
    if hint is type(None):
        return "None"
    return hint.__name__ if isinstance(hint, type) and not inner else str(hint).replace("typing.", "")
