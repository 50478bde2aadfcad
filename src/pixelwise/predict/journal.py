"""Remember which images of a folder are done, so that a prediction goes on where it stopped.

Each image done is one line of ``segments.jsonl``, written after its pictures; a line cut off by a crash does not count. At the
end the lines become ``segments.json`` and ``segments.csv``, in the order of the images, and the journal goes. A line begins
with a stamp of all that its results depend on, by which the next run finds it, in the journal or in ``segments.json``.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pixelwise.core.errors import StorageError
from pixelwise.core.files import replacing
from pixelwise.predict.inputs import Job

COLUMNS = ("image", "segment", "class", "score", "area", "box_x", "box_y", "box_width", "box_height")
COLUMNS += ("centroid_x", "centroid_y", "perimeter")
_START = re.compile(rb'\{"stamp": "([0-9a-f]{64})", "bands": (\[[^]]*\]), ')
_NAMES = ("segments.json", "segments.jsonl")


class Journal:
    """The images done in a folder of results.

    Use it as a context: at its end, and when it is interrupted, ``segments.json`` and ``segments.csv`` hold what is done.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], again: bool = False) -> None:
        """Find what is done of ``jobs``; nothing of it counts with ``again``.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.folder = folder
        self.count = self.segments = 0  # images and segments published
        self._jobs = jobs
        self._path = folder / "segments.jsonl"
        self._places: dict[str, int] = {}  # where the line of each stamp begins in the journal
        self._bands: dict[str, tuple[str, ...]] = {}
        wanted = {job.stamp: job for job in jobs}
        stamps, done = [], set()
        for name in () if again else _NAMES:
            for stamp, _, line in _lines(folder / name):
                stamps.append(stamp)
                if stamp in wanted and self._has_pictures(wanted[stamp], line):
                    done.add(stamp)
        self.done = frozenset(done)
        is_published = (folder / "segments.csv").is_file() and not self._path.exists()
        self.is_complete = is_published and len(done) == len(jobs) and stamps == [job.stamp for job in jobs]

    def __enter__(self) -> "Journal":
        """Start a journal with what is done; only then do results of earlier runs go, so that none outlives its pictures."""
        with replacing(self._path) as temporary, open(temporary, "wb") as file:
            for name in _NAMES:
                for stamp, bands, line in _lines(self.folder / name):
                    if stamp in self.done and stamp not in self._places:
                        self._places[stamp], self._bands[stamp] = file.tell(), bands
                        file.write(line + b"\n")
        for name in ("segments.json", "segments.csv"):
            (self.folder / name).unlink(missing_ok=True)
        self._file: BinaryIO = open(self._path, "ab")  # open as long as the journal is
        return self

    @staticmethod
    def line(job: Job, entry: dict[str, Any], bands: tuple[str, ...]) -> bytes:
        """Put what is known of an image into the line that ``add`` takes."""
        text = json.dumps({"stamp": job.stamp, "bands": bands, **entry}, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def add(self, job: Job, line: bytes, bands: tuple[str, ...]) -> None:
        """Add an image whose pictures are written.

        Raises:
            StorageError: there is no space left.
        """
        place = self._file.tell()
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}; free some space and start again") from error
        self._places[job.stamp], self._bands[job.stamp] = place, bands

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._file.close()
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self._publish()

    def _has_pictures(self, job: Job, line: bytes) -> bool:
        drawn = job.overlay and b'"overlay": null' not in line.partition(b'"segments": ')[0]  # none of sides too long for JPEG
        names = [job.mask, *([job.overlay] if drawn else []), *([job.map] if job.map else [])]
        return all((self.folder / name).is_file() for name in names)

    def _publish(self) -> None:
        """Write ``segments.json`` and ``segments.csv``, line by line; then the journal is no longer needed."""
        bands = list(dict.fromkeys(band for job in self._jobs for band in self._bands.get(job.stamp, ())))
        with (
            replacing(self.folder / "segments.csv") as table,
            replacing(self.folder / "segments.json") as listing,
            open(table, "w", encoding="utf-8", errors="backslashreplace", newline="") as rows,
            open(listing, "wb") as file,
        ):
            writer = csv.writer(rows, lineterminator="\n")
            writer.writerow([*COLUMNS, *(f"mean_{band}" for band in bands)])
            for job, line in self._in_order():
                entry = json.loads(line)
                if entry["file"] != str(job.path):  # the same file, by another path than before
                    entry["file"] = str(job.path)
                    line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace")
                file.write((b",\n" if self.count else b"[\n") + line)
                self.count += 1
                writer.writerows(_rows(entry, bands))
                self.segments += len(entry["segments"])
            file.write(b"\n]\n" if self.count else b"[\n]\n")
        self._path.unlink()

    def _in_order(self) -> Iterator[tuple[Job, bytes]]:
        with open(self._path, "rb") as file:
            for job in self._jobs:
                if job.stamp in self._places:
                    file.seek(self._places[job.stamp])
                    yield job, file.readline().rstrip(b"\n")


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the entries of the ``segments.json`` of ``folder``, one image at a time."""
    yield from (json.loads(line) for _, _, line in _lines(folder / "segments.json"))


def count_segments(folder: Path) -> int:
    """Count the segments in the ``segments.json`` of ``folder``."""
    return sum(len(entry["segments"]) for entry in entries(folder))


def _lines(path: Path) -> Iterator[tuple[str, tuple[str, ...], bytes]]:
    """Give the stamp, the bands and the text of each whole line that an earlier run wrote."""
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for line in file:
            start = _START.match(line)
            text = line.removesuffix(b"\n").removesuffix(b",")
            if start is not None and line.endswith(b"\n") and text.endswith(b"}"):
                yield start[1].decode(), tuple(json.loads(start[2])), text


def _rows(entry: dict[str, Any], bands: Sequence[str]) -> Iterator[list[object]]:
    for one in entry["segments"]:
        left, top, right, bottom = one["box"]
        colours = dict(zip(entry["bands"], one["mean_colour"] or (), strict=False))
        yield [
            entry["file"],
            *(one[name] for name in ("id", "class", "score", "area")),
            *(left, top, right - left, bottom - top),
            *(one["centroid"] or ("", "")),
            one["perimeter"],
            *(colours.get(band, "") for band in bands),
        ]
