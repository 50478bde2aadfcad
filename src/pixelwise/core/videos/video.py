"""Videos, read frame by frame: files that PyAV or OpenCV decode, and folders of pictures.

A video is never held: ``frames()`` decodes as it is asked, so memory does not grow with its length. Frames come in the order in
which they are shown, upright (a rotation flag is applied), as 8-bit RGB, each with its own time, so that a variable frame rate
is kept. A video that is cut off gives every frame that is there, and then raises.

PyAV (the extra ``video``) is taken where it is installed, OpenCV otherwise.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pixelwise.core.arrays import Size
from pixelwise.core.errors import MissingExtra, MissingFile, OptionError, UnreadableFile
from pixelwise.core.image import Image

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"}
    | {".3gp", ".ogv", ".mxf", ".vob", ".y4m", ".mjpeg", ".mjpg", ".h264", ".h265", ".hevc"}
)
READERS = ("auto", "av", "opencv")
Reader = Literal["auto", "av", "opencv"]
_START = 400  # bytes of a file that are enough to tell a container
_PACKET = 188  # bytes of a packet of an MPEG transport stream, each beginning with 0x47
_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM
    b"FLV\x01",
    b"OggS",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video alone
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"YUV4MPEG2",
)
_BRANDS_OF_PICTURES = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"jpx ", b"jp2 ")
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # what a QuickTime file may begin with


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: its place, from 0, in the order in which frames are shown.
        time: seconds since the first frame; in a folder of pictures, as many as the stated rate gives.
        name: of the picture, or ``000012`` in a file.
        image: its pixels.
    """

    index: int
    time: float
    name: str
    image: Image


@dataclass(frozen=True)
class About:
    """What a video says of itself before it is decoded; what it does not say is None.

    Attributes:
        size: (H, W) of its frames, upright.
        count: how many frames; in a file a statement, which may be wrong.
        rate: frames a second, on average.
        seconds: how long it is.
        reader: what decodes it.
    """

    size: Size
    count: int | None
    rate: float | None
    seconds: float | None
    reader: str


class Video(Protocol):
    """A video that can be read from the start, more than once."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def about(self) -> About:
        """What it says of itself."""

    def frames(self) -> Iterator[Frame]:
        """Give the frames in order.

        Raises:
            UnreadableFile: after the last frame that can be read, where the video is cut off or damaged, or has no frame.
        """


def open_video(path: str | Path, reader: Reader = "auto", rate: float = 25.0) -> Video:
    """Open a video file, or a folder of pictures as one.

    Args:
        reader: ``av`` or ``opencv`` for files; ``auto`` takes PyAV where it is installed.
        rate: frames a second of a folder of pictures, which say nothing of time.

    Raises:
        MissingFile: there is nothing.
        UnreadableFile: it is no video, has sound alone, or a folder has no picture.
        MissingExtra: PyAV is asked for and not installed.
        OptionError: the reader is unknown, or the rate is not above 0.
    """
    path = Path(path)
    if reader not in READERS:
        raise OptionError(f"expected a reader of {', '.join(READERS)}, got {reader!r}")
    if not 0 < rate < float("inf"):
        raise OptionError(f"the rate is in frames a second, above 0, got {rate}")
    if path.is_dir():
        from pixelwise.core.videos.folder import FrameFolder

        return FrameFolder(path, rate)
    if not path.exists():
        raise MissingFile(f"{path}: expected a video, found {'a link to nothing' if path.is_symlink() else 'nothing there'}")
    if path.stat().st_size == 0:
        raise UnreadableFile(f"{path}: expected a video, found an empty file (0 bytes); copy it again")
    has_av = importlib.util.find_spec("av") is not None
    if reader == "av" and not has_av:
        raise MissingExtra("av", extra="video", purpose="reading video with PyAV")
    if reader == "opencv" or not has_av:
        from pixelwise.core.videos.opencv import OpenCvVideo

        return OpenCvVideo(path)
    from pixelwise.core.videos.pyav import AvVideo

    return AvVideo(path)


def is_video(path: str | Path) -> bool:
    """Tell whether a file is a video by how it begins; by its suffix where that says nothing, or there is no such file."""
    path = Path(path)
    if not path.is_file():
        return path.suffix.lower() in SUFFIXES and not path.is_dir()
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:  # reading it will say what is wrong
        start = b""
    return is_container(start) or (path.suffix.lower() in SUFFIXES)


def is_container(start: bytes) -> bool:
    r"""Tell a video's container by its first bytes.

    >>> is_container(b"\x00\x00\x00\x18ftypmp42"), is_container(b"\x00\x00\x00\x18ftypavif"), is_container(b"\x89PNG")
    (True, False, False)
    """
    if start[4:8] in _ATOMS:
        return start[8:12] not in _BRANDS_OF_PICTURES
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    is_transport = len(start) > 2 * _PACKET and all(start[place] == 0x47 for place in (0, _PACKET, 2 * _PACKET))
    return is_transport or start.startswith(_STARTS)
