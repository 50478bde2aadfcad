"""Write a video: H.264 through PyAV with each frame's own time, or MPEG-4 through OpenCV where PyAV is not installed."""

import importlib.util
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import cv2
import numpy as np

from pixelwise.core.arrays import ByteArray, Size
from pixelwise.core.errors import StorageError

_CLOCK = 90_000  # ticks a second: what MPEG counts in, fine enough for any frame rate
_QUALITY = "23"  # of x264's constant quality: its own default


class _Encoder(Protocol):
    def add(self, pixels: ByteArray, time: float) -> None: ...

    def close(self) -> None: ...


class FilmWriter:
    """A video in the making, as a context; at its end the file is there whole, and after an error it is not there at all.

    Frames of another size than the first are brought to it; an odd side gets one more row or column, as H.264 halves the
    resolution of colours.
    """

    def __init__(self, path: Path, rate: float) -> None:
        """Choose the file, and the frames a second that it states; times of frames are kept beside that by PyAV."""
        self.path = path
        self.codec = "H.264" if _has_x264() else "MPEG-4 (mp4v), at an even rate: pip install 'pixelwise[video]' for H.264"
        self._rate = rate
        self._temporary = path.with_name(f".{path.stem}.part{path.suffix}")  # one name: a killed run's is written over
        self._encoder: _Encoder | None = None
        self._size: Size = (0, 0)

    def __enter__(self) -> "FilmWriter":
        return self

    def add(self, pixels: ByteArray, time: float) -> None:
        """Add a frame (H, W, 3) that is shown from ``time`` on, in seconds.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            if self._encoder is None:
                self._size = pixels.shape[0], pixels.shape[1]
                even = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
                make = _X264 if _has_x264() else _OpenCv
                self._encoder = make(self._temporary, even, self._rate)
            if pixels.shape[:2] != self._size:
                pixels = np.asarray(cv2.resize(pixels, self._size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            bottom, right = self._size[0] % 2, self._size[1] % 2
            self._encoder.add(np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge"), time)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror or error}; free some space") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._encoder is not None:
                self._encoder.close()
                if kind is None:
                    os.replace(self._temporary, self.path)
        except OSError as problem:
            if kind is None:
                raise StorageError(f"{self.path}: cannot be written: {problem.strerror or problem}") from problem
        finally:
            self._temporary.unlink(missing_ok=True)


def _has_x264() -> bool:
    if importlib.util.find_spec("av") is None:
        return False
    import av

    return "libx264" in av.codecs_available


class _X264:
    def __init__(self, path: Path, size: Size, rate: float) -> None:
        import av

        self._av = av
        self._container: Any = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"  # what every player shows
        self._stream.options = {"crf": _QUALITY, "preset": "veryfast"}
        self._stream.codec_context.time_base = Fraction(1, _CLOCK)
        self._last = -1

    def add(self, pixels: ByteArray, time: float) -> None:
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        self._last = max(self._last + 1, round(time * _CLOCK))
        frame.pts, frame.time_base = self._last, Fraction(1, _CLOCK)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


class _OpenCv:
    def __init__(self, path: Path, size: Size, rate: float) -> None:
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size[::-1])
        if not self._writer.isOpened():
            raise OSError(f"OpenCV cannot write a video of {size[1]} x {size[0]} there")

    def add(self, pixels: ByteArray, time: float) -> None:
        self._writer.write(pixels[:, :, ::-1])

    def close(self) -> None:
        self._writer.release()
