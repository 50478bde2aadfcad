"""Images of requests kept on disk where the operator asks for it: a share of them, for some days, in a bounded folder.

A file is named by its request's id alone, is whole or absent, and nobody but the server's user may read it. Keeping never holds
up a request: a thread writes, and what comes while it is behind is not kept, and counted.
"""

import logging
import os
import queue
import random
import re
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.files import make_folder, replacing
from pixelwise.core.image import Image
from pixelwise.serve import logs

_SUFFIXES = "png|jpg|tif|webp|gif|bmp|jp2|bin"
_NAME = re.compile(
    rf"\.?[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}(\.[0-9a-f]{{8}})?\.({_SUFFIXES})"
)  # ours; with a dot, what a crash left
_WAITING = 8  # images that may wait for the disk
_STARTS = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif", b"GIF8": ".gif", b"BM": ".bmp",
    b"\0\0\0\x0cjP": ".jp2",
}  # fmt: skip


@dataclass(frozen=True)
class Retention:
    """How much is kept.

    Attributes:
        share: of the images, chosen by chance.
        images, bytes: that the folder holds at most; the oldest go first.
        days: after which an image goes.
    """

    share: float = 0.01
    images: int = 10_000
    bytes: int = 2**30
    days: float = 7.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise OptionError(f"the share of images that is kept must lie between 0 and 1, got {self.share}")
        for name in ("images", "bytes", "days"):
            if not 0 < getattr(self, name) < float("inf"):
                raise OptionError(f"what is kept of images is bounded: expected {name} above 0, got {getattr(self, name)}")


class KeptImages:
    """A folder of images of requests; use it as a context, or close it: what waits is then written.

    Attributes:
        dropped: images that were chosen and not kept, as the disk was too slow or full.
    """

    def __init__(self, folder: Path, retention: Retention = Retention(), rng: random.Random | None = None) -> None:
        """Open the folder, or make it for this user alone.

        Raises:
            OptionError: it is there, and others may look into it.
            StorageError: it cannot be made.
        """
        self._folder, self._retention = Path(folder), retention
        self._rng = random.SystemRandom() if rng is None else rng
        self._waiting: queue.Queue[tuple[bytes | Image, str] | None] = queue.Queue(_WAITING)
        self.dropped = 0
        _open_folder(self._folder)
        self.purge()
        self._thread = threading.Thread(target=self._write_all, name="kept images", daemon=True)
        self._thread.start()

    def offer(self, content: bytes | Image, request_id: str) -> bool:
        """Offer one image, as it came; tell whether it is to be kept. Returns at once."""
        if self._rng.random() >= self._retention.share:
            return False
        try:
            self._waiting.put_nowait((content, request_id))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def __enter__(self) -> "KeptImages":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def purge(self, room: int = 0) -> None:
        """Remove images that are too old, and the oldest until what is left and ``room`` bytes fit; other files stay."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    found.append((about.st_mtime, about.st_size, entry.path))
        found.sort()
        count, size = len(found) + (room > 0), sum(each[1] for each in found) + room
        oldest = time.time() - self._retention.days * 86400
        for written, weight, path in found:
            if written >= oldest and count <= self._retention.images and size <= self._retention.bytes:
                break
            Path(path).unlink(missing_ok=True)
            count, size = count - 1, size - weight

    def _write_all(self) -> None:
        while True:
            try:
                offered = self._waiting.get(timeout=60)
            except queue.Empty:
                offered = (b"", "")  # nothing came: images age all the same
            if offered is None:
                return
            try:
                self._write(*offered)
            except (PixelwiseError, OSError, cv2.error) as error:
                self.dropped += 1
                logs.event(logging.ERROR, "image_not_kept", {"reason": str(error)})

    def _write(self, content: bytes | Image, request_id: str) -> None:
        data, suffix = (_encoded(content), ".png") if isinstance(content, Image) else (content, _suffix(content))
        if len(data) > self._retention.bytes:
            self.dropped += 1
            return
        self.purge(len(data))
        path = self._folder / f"{logs.request_id(request_id)}{suffix}"
        if not data or path.exists():  # an id given twice does not replace what was kept under it
            return
        with replacing(path) as temporary:
            temporary.chmod(0o600)
            temporary.write_bytes(data)


def _open_folder(folder: Path) -> None:
    if not folder.exists():
        make_folder(folder)
        folder.chmod(0o700)
    mode = folder.stat().st_mode
    if not stat.S_ISDIR(mode):
        raise OptionError(f"{folder}: expected a folder to keep images in, found a file")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OptionError(f"{folder}: other users may look into this folder of users' images; run: chmod 700 {folder}")


def _suffix(content: bytes) -> str:
    """Give the suffix of a kind of image by how it begins; what is none of the known is kept under ``.bin``."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in _STARTS.items() if content.startswith(start)), ".bin")


def _encoded(image: Image) -> bytes:
    """Write pixels that came as numbers as a PNG of 8 bits: grey where they are not of three bands."""
    pixels = image.bytes()
    pixels = np.ascontiguousarray(pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels[:, :, 0])
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())
