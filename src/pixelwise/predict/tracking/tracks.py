"""Give the objects of each frame to the tracks of those before: sure ones first, then faint ones, then those seen again.

The scheme is ByteTrack's [1], with masks in the place of boxes:

1. Detections with a score of at least ``high`` are matched with all tracks, seen or lost, by the IoU of their masks with the
   track's last mask, moved to where the motion model expects it.
2. Tracks left over that were seen in the last frame are matched with detections from ``low`` to ``high``: an object that is
   partly hidden has a low score, and throwing it away would break its track.
3. Ours: a track that was lost, or has just been left over, takes a sure detection that is left if it is near enough to where
   the object is expected, which is less and less sure the longer it is hidden, and of its colours. What comes out from behind
   something shows a sliver at first, whose IoU with the whole is low.
4. Sure detections that are left begin tracks. A track counts once it was seen in ``confirm`` frames on end, but for those of
   the first frame; a track that is not seen for ``keep`` frames ends.

Each step is solved by the Hungarian method, within a class. Numbers count from 1 in the order in which tracks are confirmed,
and are never used again.

[1] Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.tracking.motion import Motion
from pixelwise.predict.tracking.shapes import Shape, colours_of, likeness, overlaps, shapes_of

_NEAR = 0.2  # IoU that a sure detection must have with a track at least, as in [1]
_FAINT = 0.5  # that of a faint one
_ALIKE = 0.5  # Bhattacharyya coefficient of the colours of an object seen again
_REACH = 0.75, 0.1  # how far from the expected place it may be, in sizes of the object: at once, and more for each frame hidden
_WHOLE, _SHRINKING = 0.9, 0.98  # share of its area at which an object is whole; how fast its side is forgotten, a frame
_LEARNING = 0.1  # how fast a track's colours follow what is seen


@dataclass(frozen=True)
class Tracking:
    """How objects are followed.

    Attributes:
        high: score from which a detection is sure.
        low: score from which a detection may go on with a track; those below are thrown away.
        confirm: frames on end in which an object must be seen before it counts.
        keep: frames that a hidden object is waited for.
    """

    high: float = 0.6
    low: float = 0.1
    confirm: int = 2
    keep: int = 30

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise OptionError(f"tracking: expected scores 0 <= low <= high <= 1, got low {self.low} and high {self.high}")
        if self.confirm < 1 or self.keep < 0:
            raise OptionError(
                f"tracking: expected confirm from 1 and keep from 0 frames up, got {self.confirm} and {self.keep}"
            )


@dataclass(eq=False)
class Track:
    """One object so far: its last mask, its motion and its colours; ``number`` is 0 until it is confirmed.

    An object that goes behind something shows less and less, and its centre seems to slow down: so the ``velocity``, the
    ``side`` and the ``area`` that it had when it was last seen whole are kept for the time when it is hidden.
    """

    class_id: int
    shape: Shape
    motion: Motion
    colours: FloatArray
    hits: int = 1
    hidden: int = 0
    number: int = 0
    expected: Shape = field(init=False)
    velocity: FloatArray = field(init=False)
    side: float = field(init=False)
    area: float = field(init=False)

    def __post_init__(self) -> None:
        self.expected = self.shape
        self.velocity, self.side, self.area = np.zeros(2), self.shape.side, float(self.shape.area)

    def advance(self) -> None:
        """Go one frame ahead, and say where the mask is expected."""
        if self.hidden:
            self.motion = self.motion.hidden(self.velocity)
        self.motion = self.motion.ahead()
        left, top, right, bottom = self.shape.box
        across, down = self.motion.centre - ((left + right) / 2, (top + bottom) / 2)
        self.expected = self.shape.moved(float(across), float(down))

    def take(self, shape: Shape, colours: FloatArray) -> None:
        """Take the mask of this frame."""
        self.motion = self.motion.seen(shape.box)
        self.shape = self.expected = shape
        self.colours = (1 - _LEARNING) * self.colours + _LEARNING * colours
        self.hits, self.hidden = self.hits + 1, 0
        if shape.area >= _WHOLE * self.area:
            self.velocity = self.motion.velocity
        self.side = max(_SHRINKING * self.side, shape.side)
        self.area = max(_SHRINKING**2 * self.area, shape.area)


class Tracks:
    """The tracks of one film; memory is that of the tracks that are seen or waited for."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.tracks: list[Track] = []
        self._numbers = 0
        self._is_first = True

    def follow(self, found: Segmentation, image: Image) -> IntArray:
        """Give each object of a frame (S,) its number; 0 to those that do not count, or not yet."""
        shapes = shapes_of(found)
        scores = np.ones(len(found)) if found.scores is None else np.asarray(found.scores, np.float64)
        there = np.array([shape.area > 0 for shape in shapes], bool)
        sure = np.flatnonzero(there & (scores >= self.tracking.high)).tolist()
        faint = np.flatnonzero(there & (scores >= self.tracking.low) & (scores < self.tracking.high)).tolist()
        for track in self.tracks:
            track.advance()
        given: dict[int, Track] = {}
        seen = _Seen(shapes, found.class_ids, image)
        self._match(given, seen, sure, self._left(given), _NEAR)
        self._match(given, seen, faint, [one for one in self._left(given) if not one.hidden], _FAINT)
        self._recover(given, seen, [row for row in sure if row not in given])
        for row in sure:
            if row not in given:
                given[row] = Track(int(found.class_ids[row]), shapes[row], Motion.begin(shapes[row].box), seen.colours(row))
        return self._settled(given, len(found))

    def end(self) -> None:
        """End all tracks: another scene begins. Numbers go on."""
        self.tracks, self._is_first = [], True

    def _left(self, given: dict[int, Track]) -> list[Track]:
        taken = set(map(id, given.values()))
        return [track for track in self.tracks if id(track) not in taken]

    def _match(self, given: dict[int, Track], seen: "_Seen", rows: list[int], tracks: list[Track], least: float) -> None:
        """Match detections with tracks by IoU, and let the tracks take them."""
        fits, _ = overlaps([track.expected for track in tracks], [seen.shapes[row] for row in rows])
        fits[~seen.same_class(tracks, rows)] = 0
        for one, other in _assigned(fits, least):
            given[rows[other]] = tracks[one]
            tracks[one].take(seen.shapes[rows[other]], seen.colours(rows[other]))

    def _recover(self, given: dict[int, Track], seen: "_Seen", rows: list[int]) -> None:
        """Let confirmed tracks that are not seen take detections near the place where they are expected."""
        tracks = [track for track in self._left(given) if track.number]
        if not tracks or not rows:
            return
        _, inside = overlaps([track.expected for track in tracks], [seen.shapes[row] for row in rows])
        fits = np.zeros_like(inside)
        for one, other in zip(*np.nonzero(seen.same_class(tracks, rows)), strict=True):
            track, shape = tracks[one], seen.shapes[rows[other]]
            reach = (_REACH[0] + _REACH[1] * track.hidden) * track.side
            gap = float(np.hypot(*(_centre(track.expected) - _centre(shape))))
            if gap > reach and inside[one, other] < _FAINT:
                continue
            alike = likeness(track.colours, seen.colours(rows[other]))
            if alike >= _ALIKE:
                fits[one, other] = 0.5 * alike + 0.25 * max(0.0, 1 - gap / reach) + 0.25 * inside[one, other]
        for one, other in _assigned(fits, 1e-6):
            given[rows[other]] = tracks[one]
            tracks[one].take(seen.shapes[rows[other]], seen.colours(rows[other]))

    def _settled(self, given: dict[int, Track], count: int) -> IntArray:
        """Confirm, count and end tracks, and give the numbers (S,) of the detections."""
        known = set(map(id, self.tracks))
        for track in self._left(given):
            track.hidden += 1
        for row in sorted(given):
            track = given[row]
            if not track.number and (self._is_first or track.hits >= self.tracking.confirm):
                self._numbers += 1
                track.number = self._numbers
        self.tracks += [given[row] for row in sorted(given) if id(given[row]) not in known]
        # A track that was never confirmed is not waited for: it was noise, or comes again as a new one.
        self.tracks = [one for one in self.tracks if one.hidden <= (self.tracking.keep if one.number else 0)]
        self._is_first = False
        numbers = np.zeros(count, np.int64)
        for row, track in given.items():
            numbers[row] = track.number
        return numbers


class _Seen:
    """The detections of a frame; their colours are counted when asked for, once."""

    def __init__(self, shapes: Sequence[Shape], class_ids: IntArray, image: Image) -> None:
        self.shapes, self._class_ids, self._image = shapes, class_ids, image
        self._colours: dict[int, FloatArray] = {}

    def colours(self, row: int) -> FloatArray:
        if row not in self._colours:
            self._colours[row] = colours_of(self.shapes[row], self._image)
        return self._colours[row]

    def same_class(self, tracks: Sequence[Track], rows: Sequence[int]) -> IntArray:
        own = np.array([track.class_id for track in tracks], np.int64)
        return np.asarray(own[:, None] == self._class_ids[np.asarray(rows, np.int64)][None])


def _centre(shape: Shape) -> FloatArray:
    left, top, right, bottom = shape.box
    return np.array([(left + right) / 2, (top + bottom) / 2])


def _assigned(fits: FloatArray, least: float) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of their fits is highest; pairs below ``least`` are none."""
    from scipy.optimize import linear_sum_assignment  # on first use: `import pixelwise` stays light

    if not fits.size:
        return []
    possible = np.where(fits >= least, fits, 0.0)
    rows, columns = linear_sum_assignment(-possible)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if possible[row, column] > 0]
