"""Enter rasters in the ``segments.json``, ``segments.csv`` and ``failures.json`` of a folder of results.

A raster's entry has no stamp, as it is known by its own ``<stem>.raster.json``; so what looks for images done passes it over.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.errors import DataError
from pixelwise.core.files import read_json, write_json, write_text
from pixelwise.predict.journal import COLUMNS


def enter_rasters(out: Path, entries: Sequence[dict[str, Any]], failures: Sequence[tuple[str, str]]) -> None:
    """Put entries in the place of those that the folder has of the same rasters, and add failures.

    Raises:
        StorageError: the folder cannot be written.
    """
    masks = {entry["mask"] for entry in entries}
    old = [line for line in _lines(out / "segments.json") if json.loads(line).get("mask") not in masks]
    lines = [*old, *(json.dumps(entry, ensure_ascii=False) for entry in entries)]
    write_text(out / "segments.json", "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[\n]\n")
    _enter_rows(out / "segments.csv", entries)
    told = [{"file": file, "error": error} for file, error in failures]
    written = _list_in(out / "failures.json")
    files = {entry["file"] for entry in [*entries, *told]}
    write_json(out / "failures.json", [one for one in written if one.get("file") not in files] + told)


def _lines(path: Path) -> list[str]:
    """Give the entries of a listing, a line each; none where another program wrote it."""
    if not path.is_file():
        return []
    lines = [line.rstrip(",") for line in path.read_text("utf-8").splitlines()]
    kept = [line for line in lines if line.startswith("{") and line.endswith("}")]
    return kept if lines[:1] == ["["] and lines[-1:] == ["]"] else []


def _list_in(path: Path) -> list[dict[str, Any]]:
    try:
        found = read_json(path) if path.is_file() else []
    except DataError:
        return []
    return found if isinstance(found, list) else []


def _enter_rows(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    files = {entry["file"] for entry in entries}
    header, rows = list(COLUMNS), []
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [header]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(row for row in rows if row and row[0] not in files)
    for entry in entries:
        for one in entry["segments"]:
            left, top, right, bottom = one["box"]
            described = [entry["file"], *(one[name] for name in ("id", "class", "score", "area"))]
            described += [left, top, right - left, bottom - top, *(one["centroid"] or ("", "")), one["perimeter"]]
            writer.writerow([*described, *[""] * (len(header) - len(described))])
    write_text(path, text.getvalue())
