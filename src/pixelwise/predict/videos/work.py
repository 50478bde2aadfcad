"""Go through a video: segment what is not done, write its pictures, enter it; then write what holds for the whole."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import UnreadableFile
from pixelwise.core.files import write_json
from pixelwise.core.image import Image, write_ids
from pixelwise.core.labels import VOID, LabelSet, colour_of
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.streaming import Following
from pixelwise.core.videos.video import Frame, Video
from pixelwise.predict.videos.following import streamed
from pixelwise.predict.videos.ledger import Ledger, entry_of, found_in
from pixelwise.predict.videos.overlay import FilmWriter
from pixelwise.predict.videos.realtime import Live
from pixelwise.predict.videos.summary import VideoSummary
from pixelwise.predict.videos.tracks import WRITERS, Done

Progress = Callable[[float, float], None]
_AGAIN = "an earlier run was not finished; what follows, smooths or keeps up with a clock needs all frames, so it began again"


class VideoWork:
    """One run over a video."""

    def __init__(
        self, predictor: Predictor, video: Video, out: Path, stamp: str, request: Request, overlay: bool, ids: bool
    ) -> None:
        self.predictor, self.video, self.out, self.stamp, self.request = predictor, video, out, stamp, request
        self.overlay, self.ids = overlay, ids
        self.labels = predictor.card.labels
        self.follows = isinstance(predictor, Following)
        self.failure: str | None = None
        self.tracks: set[int] = set()
        self.segments = 0

    def run(self, formats: Sequence[str], batch: int, realtime: bool, again: bool, progress: Progress | None) -> VideoSummary:
        """Do it, and say what was done.

        Raises:
            UnreadableFile: not one frame can be read.
            StorageError: there is no space left.
        """
        resumes = not (again or realtime or self.follows)
        ledger = Ledger(self.out, self.stamp, resumes)
        kept, begin = len(ledger), time.monotonic()
        if not kept:
            _clear(self.out, ledger.began_anew)
        _write_labels(self.predictor, self.out)
        notes: Counter[str] = Counter({_AGAIN: 1} if ledger.began_anew and not (resumes or again) else {})
        files = ["segments.json", "labels.json"]
        frames = self._read()
        live = Live(frames) if realtime else None
        total = self.video.about.count or 0
        try:
            with ExitStack() as stack:
                film = self._film(stack)
                for frame, found in self._segmented(live or frames, ledger, batch):
                    self._write(ledger, film, frame, found, notes)
                    if progress is not None:
                        progress(frame.index + 1, max(total, frame.index + 1))
            if not len(ledger):
                raise UnreadableFile(self.failure or f"{self.video.path}: expected a video, found no frame in it")
            ledger.publish(self.out / "segments.json")
            done = Done(self.video, self.video.path.resolve().stem, ledger, self.labels)
            files += [WRITERS[name](done, self.out) for name in formats]
        finally:
            ledger.close()
        if film is not None:
            files.append(film.path.name)
            notes[f"overlay.mp4 is {film.codec}, without sound"] += 1
        dropped = 0 if live is None else live.dropped
        told = (self.segments, len(self.tracks), kept, dropped, time.monotonic() - begin, self.failure)
        summary = VideoSummary(self.out, len(ledger), *told, notes=tuple(notes))
        write_json(self.out / "video.json", {**summary.to_json(), "stamp": self.stamp, "files": files, **self._about()})
        ledger.path.unlink()
        return summary

    def _read(self) -> Iterator[Frame]:
        """Give the frames that can be read, and keep why there are no more."""
        try:
            yield from self.video.frames()
        except UnreadableFile as error:
            self.failure = str(error)

    def _film(self, stack: ExitStack) -> FilmWriter | None:
        return (
            stack.enter_context(FilmWriter(self.out / "overlay.mp4", self.video.about.rate or 25.0)) if self.overlay else None
        )

    def _segmented(self, frames: Iterable[Frame], ledger: Ledger, batch: int) -> Iterator[tuple[Frame, Segmentation | None]]:
        """Segment the frames that are not done; of those that are, None comes with them."""
        for is_done, run in groupby(frames, key=lambda frame: frame.index in ledger):
            if is_done:
                yield from ((frame, None) for frame in run)
            else:
                yield from self._new(run, batch)

    def _new(self, frames: Iterable[Frame], batch: int) -> Iterator[tuple[Frame, Segmentation]]:
        waiting: deque[Frame] = deque()

        def images() -> Iterator[Image]:
            for frame in frames:
                waiting.append(frame)
                yield frame.image

        for _, found in streamed(self.predictor, images(), self.request, batch):
            yield waiting.popleft(), found

    def _write(
        self, ledger: Ledger, film: FilmWriter | None, frame: Frame, found: Segmentation | None, notes: Counter[str]
    ) -> None:
        """Write the pictures of a frame, then enter it; one that is done already is only drawn again."""
        if found is None:
            found = found_in(ledger.entry(frame.index), self.labels)
        else:
            mask = f"ids/{_stem(frame)}.png" if self.ids else None
            if mask is not None:
                write_ids(self.out / mask, *_ids(found))
            ledger.add(entry_of(frame, found, mask))
        self.segments += len(found)
        if found.track_ids is not None:
            followed = np.isin(found.class_ids, self.labels.things) if found.kind == "panoptic" else slice(None)
            self.tracks.update(found.track_ids[followed].tolist())
        notes.update(found.notes)
        if film is not None:
            from pixelwise.draw.overlay import overlay

            film.add(overlay(frame.image, found), frame.time)

    def _about(self) -> dict[str, Any]:
        about = self.video.about
        source = {"file": str(self.video.path), "size": list(about.size), "rate": about.rate, "reader": about.reader}
        return {"source": source, "stated_frames": about.count, "model": self.predictor.card.name}


def _stem(frame: Frame) -> str:
    return frame.name if frame.name.strip() else f"{frame.index:06d}"


def _ids(found: Segmentation) -> tuple[IntArray, IntArray]:
    """Give ids (H, W) to write, and their colours (K, 3)."""
    if found.kind == "semantic":
        return found.class_map(), found.labels.colours
    table = np.arange(len(found) + 1)
    if found.track_ids is not None:
        table[1:] = found.track_ids
    highest = int(min(table.max(), 255))
    colours = np.array([(0, 0, 0), *(colour_of(index) for index in range(1, highest + 1))], np.uint8)
    return table[found.panoptic_ids()], colours


def _write_labels(predictor: Predictor, out: Path) -> None:
    labels = predictor.card.labels
    stored = LabelSet(labels.labels, {**{index: index for index in range(len(labels))}, labels.void: VOID})
    about = {"model": predictor.card.name, "kind": predictor.card.kind, "labels": labels.to_json()}
    write_json(out / "labels.json", {**about, "stored": stored.to_json()})


def _clear(out: Path, was_begun: bool) -> None:
    """Take away what an earlier run wrote here, so that no frame of it is left among the new ones."""
    if was_begun or (out / "video.json").is_file():
        for path in (out / "ids").glob("*.png"):
            path.unlink()
        for name in ("video.json", "segments.json", "overlay.mp4", "coco_video.json", "mots.txt", "mots_labels.txt"):
            (out / name).unlink(missing_ok=True)
