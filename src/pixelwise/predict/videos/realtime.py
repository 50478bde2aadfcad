"""Keep up with a video's own clock: frames that come too late are dropped, and counted."""

import time
from collections.abc import Callable, Iterable, Iterator

from pixelwise.core.videos.video import Frame


class Live:
    """The frames of a video as a camera would give them: each not before its time, and none when it is over.

    A frame is over when the next one is due. The last one is always given.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the frames; ``clock`` tells the time in seconds and ``wait`` lets some pass."""
        self._frames, self._clock, self._wait = frames, clock, wait
        self.dropped = 0

    def __iter__(self) -> Iterator[Frame]:
        begin: float | None = None
        held: Frame | None = None
        for frame in self._frames:
            begin = self._clock() - frame.time if begin is None else begin
            if held is not None:
                if self._clock() - begin >= frame.time:
                    self.dropped += 1
                else:
                    self._until(begin + held.time)
                    yield held
            held = frame
        if held is not None and begin is not None:
            self._until(begin + held.time)
            yield held

    def _until(self, moment: float) -> None:
        if (left := moment - self._clock()) > 0:
            self._wait(left)
