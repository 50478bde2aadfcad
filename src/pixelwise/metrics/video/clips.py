"""Follow the objects of a clip through its frames: which predicted mask is compared with which object, and where.

``by_number`` is the rule of DAVIS 2017 for objects that are given in the first frame, ``by_fit`` that of its unsupervised
track [1].

[1] Caelles et al., The 2019 DAVIS Challenge on VOS: Unsupervised Multi-Object Segmentation, 2019.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from pixelwise.core.arrays import FloatArray, IntArray
from pixelwise.metrics.context import Key

Place: TypeAlias = tuple[int, Key]


class Frame(NamedTuple):
    """What is kept of a frame with T objects and P predicted masks.

    Attributes:
        clip: the film it is of; None for an image that stands alone.
        place: where it stands in the film.
        objects: (T,) the numbers of the objects through the film; None where they have none.
        classes: (T,) their classes.
        tracks: (P,) the numbers of the predictions; None where they have none.
        j, f: (T + 1, P + 1) region similarity and contour accuracy; the last row and column stand for no mask.
    """

    clip: str | None
    place: Place
    objects: IntArray | None
    classes: IntArray
    tracks: IntArray | None
    j: FloatArray
    f: FloatArray


class Line(NamedTuple):
    """An object through a clip: its number (None: it has none), class, and J and F (E,) in the frames ``rows`` (E,)."""

    number: int | None
    class_id: int
    rows: IntArray
    j: FloatArray
    f: FloatArray


def clips_of(frames: Sequence[Frame]) -> list[list[int]]:
    """Group the rows of frames by clip, each in the order of time; an image that stands alone is a clip of one frame."""
    found: dict[Hashable, list[int]] = {}
    for row, frame in enumerate(frames):
        found.setdefault(row if frame.clip is None else frame.clip, []).append(row)
    return [sorted(rows, key=lambda row: frames[row].place) for rows in found.values()]


def counted(rows: Sequence[int]) -> list[int]:
    """Leave out the first frame of a clip, in which the objects are given, and the last, as DAVIS does; not of short ones."""
    return list(rows[1:-1] if len(rows) > 2 else rows)


def by_number(frames: Sequence[Frame], rows: Sequence[int]) -> list[Line]:
    """Follow each object of a clip; predictions of its number are its own.

    Frames in which objects or predictions have no numbers are matched one by one.
    """
    return _lines(frames, rows, counted(rows), lambda frame: _given(frame, None) if is_numbered(frame) else _fitting(frame))


def by_fit(frames: Sequence[Frame], rows: Sequence[int]) -> list[Line]:
    """Follow each object of a clip, in all frames, with the predicted track that the best assignment gives it.

    An assignment gives each track to one object at most; the best has the highest sum of J and F over the clip. As in DAVIS an
    object goes without only where there are more objects than tracks. Without numbers frames are matched one by one.
    """
    if not all(is_numbered(frames[row]) for row in rows):
        return _lines(frames, rows, rows, _fitting)
    objects, tracks = (_union(each) for each in ([frames[row].objects for row in rows], [frames[row].tracks for row in rows]))
    fits = np.zeros((len(objects), max(len(objects), len(tracks))))
    for row in rows:
        frame = frames[row]
        columns = np.full(fits.shape[1], -1)
        columns[: len(tracks)] = _places(tracks, frame.tracks)
        cells = np.ix_(_places(objects, frame.objects), columns)
        fits += frame.j[cells] + frame.f[cells]
    given = {objects[row]: tracks[column] for row, column in zip(*_assigned(fits), strict=True) if column < len(tracks)}
    return _lines(frames, rows, rows, lambda frame: _given(frame, given))


def is_numbered(frame: Frame) -> bool:
    """Tell whether objects and predictions are known by number; where there are none of them, nothing is missing."""
    return frame.objects is not None and frame.tracks is not None


class _Match(NamedTuple):
    """Whose prediction is which in a frame: of objects seen in it (T,), and by the number of one that is not; -1 is none."""

    seen: IntArray
    by_number: Mapping[int, int]


def _given(frame: Frame, given: Mapping[int, int] | None) -> _Match:
    """Give each object the prediction of the track that is ``given`` to its number; None is the track of that number."""
    place = {number: row for row, number in enumerate(_listed(frame.tracks))}
    own = place if given is None else {number: place.get(track, -1) for number, track in given.items()}
    return _Match(np.array([own.get(number, -1) for number in _listed(frame.objects)], np.int64), own)


def _fitting(frame: Frame) -> _Match:
    """Give each object of one frame a prediction so that the sum of J and F is highest; what is left over is nobody's."""
    own = np.full(len(frame.classes), -1, np.int64)
    rows, columns = _assigned(frame.j[:-1, :-1] + frame.f[:-1, :-1])
    own[rows] = columns
    return _Match(own, {})


def _assigned(fits: FloatArray) -> tuple[list[int], list[int]]:
    from scipy.optimize import linear_sum_assignment  # on first use: most scores need no SciPy

    rows, columns = linear_sum_assignment(fits, maximize=True)
    return rows.tolist(), columns.tolist()


def _lines(frames: Sequence[Frame], rows: Sequence[int], kept: Sequence[int], match: Callable[[Frame], _Match]) -> list[Line]:
    """Follow every object of the clip ``rows`` through its frames ``kept``; one without a number is in a single frame."""
    matches = {row: match(frames[row]) for row in kept}
    classes: dict[int, int] = {}
    for row in rows:
        for number, class_id in zip(_listed(frames[row].objects), frames[row].classes.tolist(), strict=False):
            classes.setdefault(number, class_id)
    numbered = [row for row in kept if frames[row].objects is not None]
    found = []
    for number, class_id in sorted(classes.items()) if numbered else ():
        cells = []
        for row in numbered:
            place = _listed(frames[row].objects)
            seen = place.index(number) if number in place else -1
            cells.append((row, seen, int(matches[row].seen[seen]) if seen >= 0 else matches[row].by_number.get(number, -1)))
        found.append(_line(frames, number, class_id, cells))
    for row in kept:
        if frames[row].objects is None:
            for seen, class_id in enumerate(frames[row].classes.tolist()):
                found.append(_line(frames, None, class_id, [(row, seen, int(matches[row].seen[seen]))]))
    return found


def _line(frames: Sequence[Frame], number: int | None, class_id: int, cells: Sequence[tuple[int, int, int]]) -> Line:
    """Read J and F at ``cells``: the row of a frame, the place of the object in it, and that of its prediction."""
    j = np.array([frames[row].j[seen, own] for row, seen, own in cells])
    f = np.array([frames[row].f[seen, own] for row, seen, own in cells])
    return Line(number, class_id, np.array([row for row, _, _ in cells], np.int64), j, f)


def _listed(numbers: IntArray | None) -> list[int]:
    return [] if numbers is None else numbers.tolist()


def _union(every: Sequence[IntArray | None]) -> list[int]:
    return sorted({number for numbers in every for number in _listed(numbers)})


def _places(wanted: Sequence[int], numbers: IntArray | None) -> IntArray:
    """Find where each wanted number stands in a frame; -1 where it does not."""
    place = {number: row for row, number in enumerate(_listed(numbers))}
    return np.array([place.get(number, -1) for number in wanted], np.int64)
