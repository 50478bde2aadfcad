"""What a run over a video did."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VideoSummary:
    """What a run over a video did.

    Attributes:
        out: the folder with the results.
        count: how many frames have results there now; ``kept`` of them were done by an earlier run.
        segments: how many segments were found in them, ``tracks`` how many followed objects those are.
        dropped: frames left out to keep up with the video's clock.
        seconds: how long the work took.
        failure: why the video was not read to its end; what came before that is written.
        notes: what is to be known of how it was made.
    """

    out: Path
    count: int
    segments: int
    tracks: int
    kept: int = 0
    dropped: int = 0
    seconds: float = 0.0
    failure: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def frames_a_second(self) -> float:
        """How many frames were segmented and written in a second."""
        return (self.count - self.kept) / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        plain = {name: getattr(self, name) for name in ("count", "segments", "tracks", "kept", "dropped", "failure")}
        speed = {"seconds": round(self.seconds, 3), "frames_a_second": round(self.frames_a_second, 3)}
        return {"out": str(self.out), **plain, **speed, "notes": list(self.notes)}

    def __str__(self) -> str:
        """Say it in one line."""
        kept = f" ({self.kept} of them done before)" if self.kept else ""
        tracks = f", {self.tracks} tracks" if self.tracks else ""
        dropped = f", {self.dropped} frames dropped to keep up" if self.dropped else ""
        speed = f", {self.frames_a_second:.1f} frames/s" if self.count > self.kept else ""
        return f"{self.count} frames{kept}, {self.segments} segments{tracks}{dropped}{speed} -> {self.out}"
