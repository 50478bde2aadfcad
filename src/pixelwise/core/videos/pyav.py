"""Video files through PyAV (the extra ``video``): every container and codec that FFmpeg reads."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np

from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.videos.video import About, Frame

_LATE = 0.25  # seconds that may be missing at the end: the length that a container states is rounded, and of its longest stream


@dataclass(frozen=True)
class AvVideo:
    """A video file that PyAV decodes; of several streams of pictures the best, as FFmpeg judges."""

    path: Path

    def __post_init__(self) -> None:
        _ = self.about

    @cached_property
    def about(self) -> About:
        """What the file says, and how the first frame lies."""
        with self._opened() as container:
            stream = _stream(container, self.path)
            height, width = stream.codec_context.height, stream.codec_context.width
            rate = float(stream.average_rate) if stream.average_rate else None
            seconds = _seconds(container, stream)
            count = stream.frames or (round(seconds * rate) if seconds and rate else None)
            with contextlib.suppress(av.FFmpegError):
                first = next(iter(container.decode(stream)), None)
                if first is not None:
                    height, width = first.height, first.width
                    if _quarters(first) % 2:
                        height, width = width, height
        return About((height, width), count, rate, seconds, "av")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            container = av.open(str(self.path), metadata_errors="ignore")
        except (av.FFmpegError, OSError) as error:
            raise UnreadableFile(
                f"{self.path}: expected a video, but it is of no known kind, or cut off before its index "
                f"({error.strerror or error}); copy or export it again"
            ) from None
        with container:
            yield container

    def frames(self) -> Iterator[Frame]:
        """Decode frame after frame; a damaged part is passed over, and told when the rest are read.

        Raises:
            UnreadableFile: after the last frame, where the file ends before the time it states, or parts are damaged; or it
                has no frame at all.
        """
        reading = _Reading()
        with self._opened() as container:
            stream = _stream(container, self.path)
            stream.thread_type = "AUTO"
            stated, begin = _seconds(container, stream), 0.0
            step, before = 1 / float(stream.average_rate or 25), 0.0
            for decoded in reading.decoded(container, stream):
                time = decoded.time
                if reading.count == 0:
                    begin = time or 0.0
                # Raw streams have no times, and damaged ones may repeat theirs.
                time = before + step if time is None or (reading.count and time - begin <= before) else time - begin
                time = 0.0 if reading.count == 0 else time
                index, before = reading.count, time
                reading.count += 1
                yield Frame(index, time, f"{index:06d}", Image(_upright(decoded)))
            is_cut = _lacks_indexed_bytes(stream, self.path)
        if reading.count == 0:
            raise UnreadableFile(
                f"{self.path}: expected a video, but it has no frame that can be decoded (0 frames); export it again"
            )
        is_short = is_cut or (stated is not None and reading.end < stated - max(_LATE, 1.5 * step))
        if is_short or reading.is_broken:
            length = f" of the {stated:.2f} s that it states" if stated is not None else ""
            raise UnreadableFile(
                f"{self.path}: the video is cut off or damaged after {reading.count} frames ({reading.end:.2f} s{length}); "
                f"the frames before were read; copy it again for the rest"
            )
        if reading.damaged:
            parts = "1 part" if reading.damaged == 1 else f"{reading.damaged} parts"
            raise UnreadableFile(
                f"{self.path}: {parts} cannot be decoded: the video is damaged, or cut off at its end; {reading.count} frames "
                f"were read; copy it again for the rest"
            )


class _Reading:
    """How far a file was read: frames given, parts that did not decode, and the end of what is there, in seconds."""

    def __init__(self) -> None:
        self.count = self.damaged = 0
        self.end = 0.0
        self.is_broken = False

    def decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Give the decoded frames. All streams are read, as the length of a file is that of its longest."""
        start = (container.start_time or 0) / av.time_base
        packets = iter(container.demux())
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                self.is_broken, packet = True, None
            if packet is None:
                break
            if packet.pts is not None and packet.time_base is not None:
                self.end = max(self.end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - start)
            if packet.stream.index == stream.index:
                yield from self._frames(packet)
        if self.is_broken:
            with contextlib.suppress(av.FFmpegError):
                yield from stream.codec_context.decode(None)  # those that wait in the decoder

    def _frames(self, packet: Any) -> Iterator[Any]:
        try:
            yield from packet.decode()
        except (av.FFmpegError, OSError):
            self.damaged += 1


def _stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        found = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise UnreadableFile(f"{path}: expected a video, found a file of {' and '.join(found)} alone: it has no pictures")
    return container.streams.best("video") or container.streams.video[0]


def _lacks_indexed_bytes(stream: Any, path: Path) -> bool:
    """Tell whether the container's index names bytes behind the end of the file: frames that are not there."""
    size = path.stat().st_size
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _seconds(container: Any, stream: Any) -> float | None:
    """Give the length that the file states, of its longest stream."""
    if container.duration:
        return float(container.duration / av.time_base)
    return float(stream.duration * stream.time_base) if stream.duration else None


def _quarters(frame: Any) -> int:
    """Give how many quarter turns, against the clock, bring a frame upright."""
    turns: int = round(frame.rotation / 90) % 4
    return turns


def _upright(frame: Any) -> ByteArray:
    """Give the pixels (H, W, 3) as they are meant to be shown."""
    pixels: ByteArray = frame.to_ndarray(format="rgb24")
    turns = _quarters(frame)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
