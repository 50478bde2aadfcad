"""Tables of names: imported on first use, extended from outside, helpful on a miss."""

import importlib.metadata
import subprocess
import sys

import pytest

from pixelwise.catalog import Catalog
from pixelwise.core.errors import UnknownName


def table() -> Catalog:
    return Catalog("codec", {"json": "json", "csv": "csv"})


def outside(monkeypatch: pytest.MonkeyPatch, **rows: str) -> list[str]:
    asked = []

    def entry_points(group: str) -> list[importlib.metadata.EntryPoint]:
        asked.append(group)
        return [importlib.metadata.EntryPoint(name, value, group) for name, value in rows.items()]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return asked


def test_a_row_gives_its_module() -> None:
    assert table()["json"] is sys.modules["json"]


def test_a_module_is_imported_on_first_use_alone() -> None:
    told = (
        "import sys\nfrom pixelwise.catalog import Catalog\n"
        "rows = Catalog('game', {'one': 'chunk', 'two': 'imaplib'})\n"
        "assert list(rows) == ['one', 'two'] and len(rows) == 2 and 'two' in rows\n"
        "assert 'imaplib' not in sys.modules\n"
        "assert rows['two'].__name__ == 'imaplib' and 'imaplib' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_miss_names_the_table_and_the_nearest_rows() -> None:
    with pytest.raises(UnknownName, match="no codec is called 'jsn'; did you mean 'json'"):
        table()["jsn"]
    with pytest.raises(LookupError, match="known are: csv, json"):
        table()["zzz"]


def test_a_miss_is_no_row_and_get_gives_the_default() -> None:
    assert "jsn" not in table()
    assert table().get("jsn") is None
    assert table().get("jsn", 3) == 3
    assert table().get("json") is sys.modules["json"]


def test_other_packages_add_rows_but_cannot_take_one_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = outside(monkeypatch, toml="tomllib", json="pickle")
    rows = table()
    assert sorted(rows) == ["csv", "json", "toml"]
    assert rows["toml"].__name__ == "tomllib"
    assert rows["json"].__name__ == "json"
    assert asked == ["pixelwise.codec"]


def test_rows_from_outside_are_found_by_name_before_anything_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, toml="tomllib")
    assert "toml" in table()
    assert table()["toml"].__name__ == "tomllib"
    assert len(table()) == 3


def test_an_entry_point_that_names_an_object_gives_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    outside(monkeypatch, toml="tomllib:loads")
    assert table()["toml"].__name__ == "tomllib"


def test_own_rows_are_found_without_looking_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = outside(monkeypatch)
    assert table()["json"].__name__ == "json"
    assert asked == []


def test_a_module_that_is_gone_is_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        Catalog("codec", {"x": "no_such_module_here"})["x"]
