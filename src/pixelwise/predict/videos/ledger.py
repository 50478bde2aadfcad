"""Remember which frames of a video are done, a line each, and give them back as segmentations.

``frames.jsonl`` begins with a stamp of all that results depend on; a frame is entered once its pictures are written, and a line
that a crash cut off does not count. At the end the lines become ``segments.json``. Of each frame one number is held.
"""

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelwise.core.errors import StorageError
from pixelwise.core.files import replacing
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import OverlappingMasks
from pixelwise.core.runs import Runs
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.videos.video import Frame
from pixelwise.predict.measure import measure

NAME = "frames.jsonl"


def entry_of(frame: Frame, found: Segmentation, mask: str | None) -> dict[str, Any]:
    """Describe a frame as plain JSON values; a segment that is followed has its number as ``id`` and as ``track``."""
    segments = list(measure(frame.image, found))
    if found.track_ids is not None:
        for one, number in zip(segments, found.track_ids.tolist(), strict=True):
            one["track"] = number
            one["id"] = number
    told = {"notes": list(found.notes)} if found.notes else {}
    about = {"frame": frame.index, "time": round(frame.time, 6), "name": frame.name, "mask": mask}
    return {**about, "size": list(found.size), "kind": found.kind, **told, "segments": segments}


def found_in(entry: dict[str, Any], labels: LabelSet) -> Segmentation:
    """Give the segmentation that ``entry_of`` described, but for what it leaves out: probabilities and attributes."""
    segments, size = entry["segments"], (entry["size"][0], entry["size"][1])
    masks = tuple(Runs(size, one["run_lengths"]["counts"].encode()) for one in segments)
    has_scores = bool(segments) and segments[0]["score"] is not None
    is_followed = not segments or "track" in segments[0]
    return Segmentation(
        entry["kind"],
        OverlappingMasks(masks, size),
        np.array([one["class_id"] for one in segments], np.int64),
        labels,
        scores=np.array([one["score"] for one in segments]) if has_scores else None,
        track_ids=np.array([one["track"] for one in segments], np.int64) if is_followed else None,
        notes=tuple(entry.get("notes", ())),
    )


class Ledger:
    """The frames done in a folder of results."""

    def __init__(self, folder: Path, stamp: str, resumes: bool) -> None:
        """Open the ledger, and find what an earlier run of the same stamp did, if it ``resumes``.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.path = folder / NAME
        self._places = array("q")  # where the line of the n-th frame done begins
        self._rows: dict[int, int] = {}  # by frame: which of them it is
        self._read: BinaryIO | None = None
        header = json.dumps({"stamp": stamp}).encode() + b"\n"
        was_begun = self.path.is_file()
        end = self._scan(header) if resumes and was_begun else 0
        self.began_anew = was_begun and not end
        try:
            self._file: BinaryIO = open(self.path, "r+b" if end else "wb")  # noqa: SIM115  open as long as the ledger is
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._file.write(header)
                self._file.flush()
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _scan(self, header: bytes) -> int:
        """Take in the whole lines of an earlier run; give where the last of them ends, 0 if none is of this stamp."""
        with open(self.path, "rb") as file:
            if file.readline() != header:
                return 0
            end = len(header)
            for line in file:
                if not line.endswith(b"}\n"):
                    break
                self._note(int(json.loads(line)["frame"]), end)
                end += len(line)
        return end

    def _note(self, frame: int, place: int) -> None:
        self._rows[frame] = len(self._places)
        self._places.append(place)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, frame: int) -> bool:
        return frame in self._rows

    def add(self, entry: dict[str, Any]) -> None:
        """Enter a frame whose pictures are written.

        Raises:
            StorageError: there is no space left.
        """
        place = self._file.tell()
        try:
            text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
            self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}; free some space and start again") from error
        self._note(entry["frame"], place)

    def entry(self, frame: int) -> dict[str, Any]:
        """Give what is entered of a frame."""
        return self._at(self._places[self._rows[frame]])

    def entries(self) -> Iterator[dict[str, Any]]:
        """Give all entries in order, one in memory at a time."""
        for place in self._places:
            yield self._at(place)

    def nth(self, row: int) -> dict[str, Any]:
        """Give the entry of the n-th frame that is done, from 0."""
        return self._at(self._places[row])

    def _at(self, place: int) -> dict[str, Any]:
        if self._read is None:
            self._read = open(self.path, "rb")  # noqa: SIM115
        self._read.seek(place)
        entry: dict[str, Any] = json.loads(self._read.readline())
        return entry

    def publish(self, path: Path) -> None:
        """Write the entries as one JSON list, a line each."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            for row, entry in enumerate(self.entries()):
                text = json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace")
                file.write((b",\n" if row else b"[\n") + text)
            file.write(b"\n]\n" if len(self) else b"[\n]\n")

    def close(self) -> None:
        """Close the files; the ledger stays, for the next run to go on from."""
        self._file.close()
        if self._read is not None:
            self._read.close()
