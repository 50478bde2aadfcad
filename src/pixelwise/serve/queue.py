"""Images that wait for a model: in lanes, one a model, in groups that may share a call.

A lane's turn comes when it has used less of the models' time than the others that wait, so a slow model or a busy one does not
starve the rest. Within a lane the group with the oldest image goes first. No clock is read here: whoever asks says what time it
is. All of it belongs to one thread, that of the event loop.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

CALL_PIXELS = 2**22  # in one call: more gain nothing and cost memory
_WEIGHT = 0.2  # of the newest call in the mean speed

T = TypeVar("T")


@dataclass(eq=False)
class Waiting(Generic[T]):
    """One image that waits.

    Attributes:
        lane: its model.
        group: equal for images that may share a call.
        pixels: of the image.
        arrived: when it joined, in seconds.
        work: what it is all about.
    """

    lane: Hashable
    group: Hashable
    pixels: int
    arrived: float
    work: T


@dataclass(eq=False)
class Lane(Generic[T]):
    """The images that wait for one model.

    Attributes:
        used: seconds of calls that it has had, as the lanes' turns go.
        coming: images on their way to it, which are being decoded.
        waiting, working: pixels that wait, and that are in calls.
        pace: seconds of a call for a pixel, lately; None before the first call.
    """

    groups: dict[Hashable, dict[int, Waiting[T]]] = field(default_factory=dict)
    used: float = 0.0
    coming: int = 0
    waiting: int = 0
    working: int = 0
    pace: float | None = None


class Turn(NamedTuple, Generic[T]):
    """What to do now: run these images together; or, with none, look again at ``at``, if ever."""

    images: tuple[Waiting[T], ...] = ()
    at: float | None = None


class Queue(Generic[T]):
    """The lanes of all models."""

    def __init__(self, batch: int, wait: float) -> None:
        """State what shares a call.

        Args:
            batch: images at most.
            wait: seconds that an image waits for others that are on their way.
        """
        self.batch, self.wait = batch, wait
        self.lanes: dict[Hashable, Lane[T]] = {}

    def __len__(self) -> int:
        return sum(len(group) for lane in self.lanes.values() for group in lane.groups.values())

    @property
    def pixels(self) -> int:
        """Pixels that wait."""
        return sum(lane.waiting for lane in self.lanes.values())

    def lane(self, name: Hashable) -> Lane[T]:
        """Give the lane of a model."""
        return self.lanes.setdefault(name, Lane())

    def add(self, one: Waiting[T]) -> None:
        """Let an image wait; a lane that was empty begins no further back than those that wait, or it would hold the turn."""
        lane = self.lane(one.lane)
        if not lane.groups:
            lane.used = max([lane.used, *([min(busy)] if (busy := list(self._used())) else [])])
        lane.groups.setdefault(one.group, {})[id(one)] = one
        lane.waiting += one.pixels

    def remove(self, one: Waiting[T]) -> bool:
        """Take out an image that nobody waits for any longer; tell whether it was still there."""
        lane = self.lane(one.lane)
        group = lane.groups.get(one.group, {})
        if group.pop(id(one), None) is None:
            return False
        lane.waiting -= one.pixels
        if not group:
            del lane.groups[one.group]
        return True

    def turn(self, now: float) -> Turn[T]:
        """Choose what runs next, and take it out."""
        soonest: float | None = None
        for lane in sorted((lane for lane in self.lanes.values() if lane.groups), key=lambda lane: lane.used):
            at, group = self._next(lane)
            if at <= now:
                return Turn(tuple(self._taken(lane, group)))
            soonest = at if soonest is None else min(soonest, at)
        return Turn(at=soonest)

    def finished(self, images: tuple[Waiting[T], ...], seconds: float) -> None:
        """Note that a call is over, and how long it took."""
        lane = self.lane(images[0].lane)
        pixels = sum(one.pixels for one in images)
        lane.working -= pixels
        lane.used += seconds
        pace = seconds / max(pixels, 1)
        lane.pace = pace if lane.pace is None else (1 - _WEIGHT) * lane.pace + _WEIGHT * pace

    def seconds_of_work(self) -> float:
        """Estimate how long one worker would need for all that waits and runs; what was never timed counts as nothing."""
        return sum((lane.waiting + lane.working) * (lane.pace or 0.0) for lane in self.lanes.values())

    def _used(self) -> Iterator[float]:
        return (lane.used for lane in self.lanes.values() if lane.groups or lane.working)

    def _next(self, lane: Lane[T]) -> tuple[float, Hashable]:
        """Give the group that goes next, and when: at once if it is full or nothing else is on its way."""
        best: tuple[float, float, Hashable] | None = None
        for name, group in lane.groups.items():
            oldest = next(iter(group.values()))
            is_full = len(group) >= self.batch or len(group) * oldest.pixels >= CALL_PIXELS
            at = oldest.arrived if is_full or not lane.coming else oldest.arrived + self.wait
            if best is None or (at, oldest.arrived) < best[:2]:
                best = at, oldest.arrived, name
        assert best is not None  # only lanes in which something waits are asked
        return best[0], best[2]

    def _taken(self, lane: Lane[T], name: Hashable) -> Iterator[Waiting[T]]:
        group = lane.groups[name]
        first = next(iter(group.values()))
        count = max(1, min(self.batch, CALL_PIXELS // max(first.pixels, 1)))
        for one in list(group.values())[:count]:
            self.remove(one)
            lane.working += one.pixels
            yield one
