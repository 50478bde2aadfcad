"""The program of a process that decodes images for the server: ``python -m pixelwise.serve.decoder CONTROL INBOX OUTBOX``.

The three are files it inherits. A message on the control socket says how many bytes of an image lie in the inbox; the answer,
also JSON, says what was put into the outbox, or why nothing was. No torch is imported here, nothing is unpickled, and limits of
the system hold: a hostile image may end this process, and no other.
"""

import json
import math
import os
import resource
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image

from pixelwise.core.errors import PixelwiseError, TooLarge
from pixelwise.core.image import read_image

READERS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "JPEG2000")  # Pillow's names


def main(arguments: list[str]) -> None:
    """Decode until the other end of the control socket is closed."""
    control, inbox, outbox = Connection(int(arguments[0])), Path(arguments[1]), int(arguments[2])
    only_readers()
    _limit_memory(int(arguments[3]))
    control.send_bytes(b"{}")  # ready
    while True:
        try:
            asked = json.loads(control.recv_bytes())
        except (EOFError, ConnectionError):
            return
        _limit_seconds(asked["seconds"])
        control.send_bytes(json.dumps(_answer(inbox, outbox)).encode())


def only_readers() -> None:
    """Keep Pillow to the few kinds that are served: it knows forty, and starts Ghostscript for one of them."""
    PIL.Image.init()
    PIL.Image.ID[:] = [name for name in PIL.Image.ID if name in READERS]
    cv2.setNumThreads(1)


def _answer(inbox: Path, outbox: int) -> dict[str, Any]:
    try:
        image = read_image(inbox)
        pixels = np.ascontiguousarray(image.pixels)
        _write(outbox, pixels.data.cast("B") if pixels.size else memoryview(b""))
        return {"shape": pixels.shape, "dtype": pixels.dtype.name, "bands": image.bands}
    except TooLarge as error:
        return {"refused": "too_many_pixels", "why": _plain(error, inbox)}
    except PixelwiseError as error:
        return {"refused": "not_decodable", "why": _plain(error, inbox)}
    except MemoryError:
        return {"refused": "too_much_memory", "why": "decoding it takes more memory than this server allows"}


def _plain(error: PixelwiseError, inbox: Path) -> str:
    """Take the place out of a message, which is none of the client's, and what to do, which is for people with files."""
    return str(error).replace(f"{inbox}: ", "").replace(str(inbox), "the image").partition(";")[0]


def _write(file: int, content: memoryview) -> None:
    os.ftruncate(file, len(content))
    done = 0
    while done < len(content):
        done += os.pwrite(file, content[done:], done)


def _limit_memory(more: int) -> None:
    """Allow ``more`` bytes of addresses beyond those that the libraries have taken by now."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if Path("/proc").is_dir() else 0
    resource.setrlimit(resource.RLIMIT_AS, (held + more, held + more))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_seconds(seconds: float) -> None:
    """Allow so much processor time from now on; the system ends the process when it is over."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(sys.argv[1:])
