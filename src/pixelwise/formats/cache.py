"""A cache of what was measured on files, by path, size and time; it only saves time and is never required.

It lives in ``$PIXELWISE_CACHE``, else ``$XDG_CACHE_HOME/pixelwise``, else ``~/.cache/pixelwise``, as plain JSON. A cache
that is broken, foreign or cannot be written is left alone and the files are measured again.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import read_json, write_json

_VERSION = "pixelwise cache 1"
_MOST_BYTES = 256 * 2**20


def cache_folder() -> Path:
    """Give the folder of the cache."""
    stated = os.environ.get("PIXELWISE_CACHE")
    if stated:
        return Path(stated)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "pixelwise"


class Cache:
    """Records by file; ``get`` misses where the file has changed since."""

    def __init__(self, what: str, root: Path) -> None:
        self._path = cache_folder() / f"{what}-{hashlib.sha256(os.fsencode(Path(root).resolve())).hexdigest()[:20]}.json"
        self._records: dict[str, Any] = {}
        self._changed = False
        try:
            data = read_json(self._path, _MOST_BYTES)
        except (PixelwiseError, OSError):
            return  # none yet, or broken: measure again
        if isinstance(data, Mapping) and data.get("format") == _VERSION and isinstance(data.get("files"), Mapping):
            self._records = dict(data["files"])

    def get(self, path: Path) -> Any | None:
        """Give what was kept for ``path``, if the file is as it was then."""
        kept = self._records.get(str(path))
        stamp = _stamp(path)
        return kept[1] if stamp is not None and isinstance(kept, list) and len(kept) == 2 and kept[0] == stamp else None

    def put(self, path: Path, record: Any) -> None:
        """Keep a JSON value for ``path``."""
        if (stamp := _stamp(path)) is not None:
            self._records[str(path)] = [stamp, record]
            self._changed = True

    def save(self) -> None:
        """Write the cache; where that is not possible the next run measures again."""
        if self._changed:
            self._changed = False
            try:
                write_json(self._path, {"format": _VERSION, "files": self._records})
            except OSError:
                return  # a read-only home must not stop anyone from reading data


def _stamp(path: Path) -> list[int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]
