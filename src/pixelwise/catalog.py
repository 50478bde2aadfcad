"""Tables of names: what models, methods, formats … there are, and where each one's code is.

A catalog is a plain dict of name -> module path in the folder's own ``__init__.py``, so that grep finds every row. A module
is imported on first use. Other packages add rows by entry points in the group ``pixelwise.<what>``.
"""

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from pixelwise.core.errors import UnknownName, nearest


class Catalog(Mapping[str, ModuleType]):
    """A mapping from names to modules, imported on first use.

    >>> table = Catalog("codec", {"json": "json", "csv": "csv"})
    >>> table["json"].__name__
    'json'
    >>> sorted(table)
    ['csv', 'json']
    """

    def __init__(self, what: str, rows: Mapping[str, str]) -> None:
        self.what = what
        self.rows = dict(rows)
        self._looked_outside = False

    def __getitem__(self, name: str) -> ModuleType:
        """Import the module of ``name``.

        Raises:
            UnknownName: no row has that name; the message has the nearest ones.
        """
        if name not in self.rows:
            self._look_outside()
        if name not in self.rows:
            raise UnknownName(f"no {self.what} is called '{name}'; {nearest(name, self.rows)}")
        return importlib.import_module(self.rows[name])

    def get(self, name: str, default: Any = None) -> Any:
        """Import the module of ``name``, or give ``default`` (``Mapping.get`` waits for a KeyError, which this is not)."""
        try:
            return self[name]
        except UnknownName:
            return default

    def __contains__(self, name: object) -> bool:
        return name in self.rows or (not self._looked_outside and name in list(self))

    def __iter__(self) -> Iterator[str]:
        self._look_outside()
        return iter(self.rows)

    def __len__(self) -> int:
        self._look_outside()
        return len(self.rows)

    def _look_outside(self) -> None:
        if not self._looked_outside:
            self._looked_outside = True
            for entry in importlib.metadata.entry_points(group=f"pixelwise.{self.what}"):
                self.rows.setdefault(entry.name, entry.module)
