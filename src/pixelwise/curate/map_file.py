"""Maps of classes in a TOML or JSON file: ``old = "new"`` pairs and ``new = ["old", …]`` lists, in tables or not."""

import json
import os.path
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.core.errors import MissingFile, OptionError, UnreadableFile

_MOST_BYTES = 2**24


def is_map_file(text: str) -> bool:
    """Tell whether an option names a file rather than saying the map itself."""
    return os.path.isfile(text) or ("=" not in text and Path(text).suffix.lower() in (".toml", ".json"))


def read_map(path: Path, option: str) -> dict[str, Any]:
    """Read a map of classes, its tables and lists as they are.

    Raises:
        OptionError: the file's name says that it is something else.
        MissingFile, UnreadableFile: it is not there, or broken.
    """
    where = f"{option} {path}"
    if path.suffix.lower() not in (".toml", ".json"):
        raise OptionError(f"{where}: expected a map of classes in a .toml or .json file")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{where}: {path.stat().st_size:,} bytes; a map of classes is never that large")
        text = path.read_bytes().decode("utf-8-sig")
        data = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise MissingFile(f"{where}: expected a map of classes, found nothing there; check the path") from None
    except UnreadableFile:  # it is a ValueError too
        raise
    except OSError as error:
        raise UnreadableFile(f"{where}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{where}: expected a map of classes, but {error}") from None
    if not isinstance(data, dict):
        raise UnreadableFile(f'{where}: expected pairs as in car = "vehicle", found {type(data).__name__}')
    return data


def pairs_of(table: Mapping[str, Any], where: str) -> dict[str, str]:
    """Give the new class of each old one.

    >>> pairs_of({"car": "vehicle", "rail": ["train", "tram"]}, "map.toml")
    {'car': 'vehicle', 'train': 'rail', 'tram': 'rail'}

    Raises:
        UnreadableFile: an entry is no name of a class.
        OptionError: a class is mapped to two others.
    """
    found: dict[str, str] = {}
    for key, value in table.items():
        for old, new in [(one, key) for one in value] if isinstance(value, list) else [(key, value)]:
            if not all(isinstance(one, str) and one.strip() for one in (old, new)):
                raise UnreadableFile(f"{where}: {key}: expected names of classes, found {value!r}")
            put(found, old, new, where)
    return found


def put(found: dict[str, str], old: str, new: str, where: str) -> None:
    """Add a pair.

    Raises:
        OptionError: the class is mapped to another one already.
    """
    if found.setdefault(old, new) != new:
        raise OptionError(f"{where}: '{old}' is mapped to '{found[old]}' and to '{new}'; say one of the two")
