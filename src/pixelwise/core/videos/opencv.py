"""Video files through OpenCV, which every installation has."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.videos.video import About, Frame

_MISSING = 0.02  # of the frames that a file states: some state a few more than they have


@dataclass(frozen=True)
class OpenCvVideo:
    """A video file that OpenCV decodes; it turns frames upright itself."""

    path: Path

    def __post_init__(self) -> None:
        capture = self._opened()
        capture.release()

    def _opened(self) -> Any:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what it would print is said by the error below
        try:
            capture = cv2.VideoCapture(str(self.path))
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not capture.isOpened():
            raise UnreadableFile(
                f"{self.path}: expected a video, but OpenCV finds no frames in it (sound alone, cut off before its index, or "
                f"no video); pip install 'pixelwise[video]' reads more kinds and says more"
            )
        return capture

    @property
    def about(self) -> About:
        """What the file says."""
        capture = self._opened()
        try:
            height, width = capture.get(cv2.CAP_PROP_FRAME_HEIGHT), capture.get(cv2.CAP_PROP_FRAME_WIDTH)
            count, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        finally:
            capture.release()
        stated = int(count) if count > 0 else None
        rate = rate if 0 < rate < 1000 else None
        return About((int(height), int(width)), stated, rate, stated / rate if stated and rate else None, "opencv")

    def frames(self) -> Iterator[Frame]:
        """Decode frame after frame.

        Raises:
            UnreadableFile: after the last frame, where clearly fewer are there than the file states; or there is none.
        """
        about = self.about
        capture, count, first, before = self._opened(), 0, 0.0, -1.0
        try:
            while True:
                there, pixels = capture.read()
                if not there:
                    break
                time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                first = time if count == 0 else first
                if time - first <= before:  # some containers have no times
                    time = first + before + 1 / (about.rate or 25.0)
                before = time - first
                yield Frame(count, before, f"{count:06d}", Image(np.ascontiguousarray(pixels[:, :, ::-1])))
                count += 1
        finally:
            capture.release()
        if count == 0:
            raise UnreadableFile(f"{self.path}: expected a video, but not one of its frames can be decoded; export it again")
        if about.count is not None and about.count - count > max(1, _MISSING * about.count):
            raise UnreadableFile(
                f"{self.path}: expected {about.count} frames, found {count}: it is cut off or damaged; those before were read"
            )
