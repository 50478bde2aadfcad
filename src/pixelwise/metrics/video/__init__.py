"""Objects followed through films: region similarity J and contour accuracy F, as the DAVIS challenges score them.

The rules:

- J is the IoU of an object's mask with its prediction in one frame, F the F-score of their borders (``outline``). Both are 1
  where neither is there, and 0 where one is. ``j`` and ``f`` are means over the frames of an object, then over the objects of
  all clips; ``j_and_f`` is the mean of the two. Recall is the share of an object's frames in which J, or F, is above 0.5 [1].
- The first and the last frame of a clip do not count [2]; of clips of one or two frames all do. An image that is of no clip is
  a clip of one frame.
- An object is known by its number (``track_ids``) and may be any class. The prediction of the same number is its own, wherever
  it lies; predictions of numbers that the truth does not know count for nothing, and the details tell how many there are.
- ``j_and_f_unsupervised`` is for predictions that number objects in their own way: over all frames of the clip, tracks are
  given to objects so that J and F are highest [3].
- Where truth or prediction has no numbers, each frame is matched by itself, so that J and F are highest: shapes are scored,
  the following of objects is not. An object of the truth without a number stands for itself in its one frame.
- Pixels under a crowd of the truth are void: they count for neither. Predictions with a score below 0.5 are left out.

Of a frame with T objects and P predictions 2 (T + 1) (P + 1) numbers are kept, no mask.

[1] Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016.
[2] Pont-Tuset et al., The 2017 DAVIS Challenge on Video Object Segmentation, 2017.
[3] Caelles et al., The 2019 DAVIS Challenge on VOS: Unsupervised Multi-Object Segmentation, 2019.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixelwise.core.arrays import AnyArray, FloatArray, IntArray
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.context import ALONE, Context
from pixelwise.metrics.interval import Resampled
from pixelwise.metrics.video.clips import Frame, Line, by_fit, by_number, clips_of, is_numbered
from pixelwise.metrics.video.outline import Outline, compared, outline, radius_of
from pixelwise.metrics.views import CONFIDENT

__all__ = ["Counts", "count", "details", "per_class", "resampled", "score"]

KIND = "instance"
WANTS_CONTEXT = True
UNIT = "clip"

RULES: dict[str, str] = {
    "j": "region similarity: IoU of an object with its prediction, mean over its frames, then over objects",
    "f": "contour accuracy: F-score of borders within 0.8 % of the diagonal, mean over an object's frames, then over objects",
    "j_and_f": "mean of j and f",
    "j_recall": "share of an object's frames with J above 0.5, mean over objects",
    "f_recall": "share of an object's frames with F above 0.5, mean over objects",
    "j_and_f_unsupervised": "mean of j and f over all frames, with predicted tracks given to objects so that it is highest",
}
NOTES: dict[str, str] = {
    "frames of clips": "the first and last of a clip do not count, but for j_and_f_unsupervised and in clips of one or two",
    "numbered objects": "a prediction of an object's number is its own; without numbers each frame is matched for the best fit",
    "absent in a frame": "where neither object nor prediction is, J and F are 1; predictions of no object do not count",
    "left out of j and f": f"pixels under a crowd of the truth, and predictions with a score below {CONFIDENT}",
}
LOWER_IS_BETTER: frozenset[str] = frozenset()

_THRESHOLD = 0.5
_SHOWN = 200  # objects listed in the details, those with the lowest J and F
_FOLLOWED = ("j", "f", "j_recall", "f_recall")


@dataclass(frozen=True, eq=False)
class Counts:
    """The frames that were counted, in the order they were added; ``labels`` are the classes of the truth."""

    labels: LabelSet
    frames: tuple[Frame, ...]

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if not self.labels.same_classes(other.labels):
            raise DataError(f"counts of different classes do not add: {self.labels.names} and {other.labels.names}")
        return Counts(self.labels, self.frames + other.frames)

    def __radd__(self, other: object) -> "Counts":  # sum() starts with 0
        return self if other == 0 else NotImplemented


def count(prediction: Segmentation, truth: Segmentation, context: Context = ALONE) -> Counts:
    """Compare the objects of one frame with the predictions.

    Raises:
        SizeMismatch: the two differ in size.
        DataError: a score is not in [0, 1], or two masks of a frame have the same number.
    """
    if prediction.size != truth.size:
        raise SizeMismatch(f"the prediction is {prediction.size}, the truth {truth.size} (height, width); predict at full size")
    is_void = np.zeros(truth.size, bool)
    for index in np.flatnonzero(truth.is_crowd).tolist():
        is_void |= truth.masks.mask(index)
    objects, rows = _outlines(truth, np.flatnonzero(~truth.is_crowd), is_void)
    predicted, own = _outlines(prediction, np.flatnonzero(_confident(prediction)), is_void)
    j, f = compared(objects, predicted)
    frame = Frame(
        context.clip,
        (context.frame or 0, context.key),
        _numbers(truth, rows, "truth"),
        truth.class_ids[rows],
        _numbers(prediction, own, "prediction"),
        j,
        f,
    )
    return Counts(truth.labels, (frame,))


def _confident(prediction: Segmentation) -> AnyArray:
    if prediction.scores is None:
        return np.ones(len(prediction), bool)
    if (wrong := np.flatnonzero(~((prediction.scores >= 0) & (prediction.scores <= 1)))).size:
        raise DataError(f"segment {wrong[0]} has the score {prediction.scores[wrong[0]]}; expected one in [0, 1]")
    return np.asarray(prediction.scores >= CONFIDENT)


def _outlines(one: Segmentation, rows: IntArray, is_void: AnyArray) -> tuple[list[Outline], IntArray]:
    """Outline the segments at ``rows`` outside of void; those of which nothing is left are none."""
    found, kept = [], []
    radius, seen = radius_of(one.size), ~is_void
    for row in rows.tolist():
        mask = one.masks.mask(row) & seen
        if mask.any():
            found.append(outline(mask, radius))
            kept.append(row)
    return found, np.array(kept, np.int64)


def _numbers(one: Segmentation, rows: IntArray, role: str) -> IntArray | None:
    if not rows.size:
        return rows
    if one.track_ids is None:
        return None
    numbers, times = np.unique(one.track_ids[rows], return_counts=True)
    if (times > 1).any():
        raise DataError(f"the {role} has two masks of the number {numbers[times > 1][0]} in one frame; a number is one object")
    return np.asarray(one.track_ids[rows])


def score(counts: Counts) -> dict[str, float]:
    """Give every score of ``RULES`` by name; NaN where the truth has no object."""
    given, fitted = _followed(counts)
    found = {name: _mean(_values(line)[name] for line in given) for name in _FOLLOWED}
    free = [_mean(_values(line)[name] for line in fitted) for name in ("j", "f")]
    return _named(found, sum(free) / 2)


def _followed(counts: Counts) -> tuple[list[Line], list[Line]]:
    """Follow all objects of all clips: by number, and by the best fit."""
    clips = clips_of(counts.frames)
    given, fitted = ([line for rows in clips for line in follow(counts.frames, rows)] for follow in (by_number, by_fit))
    return given, fitted


def _values(line: Line) -> dict[str, float]:
    """Score one object."""
    frames = len(line.rows)
    return {
        "j": math.fsum(line.j) / frames,
        "f": math.fsum(line.f) / frames,
        "j_recall": int(np.count_nonzero(line.j > _THRESHOLD)) / frames,
        "f_recall": int(np.count_nonzero(line.f > _THRESHOLD)) / frames,
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else math.nan  # fsum: the order of clips does not matter


def _named(found: dict[str, Any], unsupervised: Any) -> dict[str, Any]:
    j, f, *recalls = (found[name] for name in _FOLLOWED)
    return dict(zip(RULES, (j, f, (j + f) / 2, *recalls, unsupervised), strict=True))


def per_class(counts: Counts) -> dict[str, dict[str, float]]:
    """Give J, F and J&F of the objects of each class, and how many there are; NaN for a class without any."""
    return {
        name: _by_class({key: _mean(_values(line)[key] for line in lines) for key in ("j", "f")}) | {"objects": len(lines)}
        for name, lines in _classes(counts, _followed(counts)[0]).items()
    }


def _classes(counts: Counts, lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[int, list[Line]] = {}
    for line in lines:
        found.setdefault(line.class_id, []).append(line)
    return {name: found.get(index, []) for index, name in enumerate(counts.labels.names)}


def _by_class(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "j_and_f": (found["j"] + found["f"]) / 2}


def resampled(counts: Counts, weights: IntArray) -> Resampled:
    """Score B data sets in which frame n stands ``weights[b, n]`` times.

    Draw whole clips (``Bootstrap(group="sequence")``): frames of one clip resemble each other. If single frames are drawn, an
    object's weight is the share of its frames that were, and tracks keep the objects they were given over the whole clip.
    """
    given, fitted = _followed(counts)
    drawn = weights.astype(np.float64)
    free = _weighted(fitted, drawn)
    by_class = {name: _weighted(lines, drawn) for name, lines in _classes(counts, given).items()}
    return Resampled(
        _named(_weighted(given, drawn), (free["j"] + free["f"]) / 2),
        {name: _by_class({key: found[key] for key in ("j", "f")}) for name, found in by_class.items()},
    )


def _weighted(lines: Sequence[Line], weights: FloatArray) -> dict[str, FloatArray]:
    """Score objects in B draws: each frame carries its share of an object, so that sums over frames are enough."""
    table = np.zeros((weights.shape[1], len(_FOLLOWED) + 1))
    for line in lines:
        values = np.stack([line.j, line.f, line.j > _THRESHOLD, line.f > _THRESHOLD, np.ones(len(line.rows))], axis=1)
        table[line.rows] += values / len(line.rows)  # a frame is in a line once
    sums = weights @ table
    whole = np.where(sums[:, -1] > 0, sums[:, -1], np.nan)
    return {name: sums[:, column] / whole for column, name in enumerate(_FOLLOWED)}


def details(counts: Counts, names: Sequence[str]) -> dict[str, Any]:
    """List the objects, those with the lowest J&F first, and what else is known of the film.

    Decay is what J and F lose from the first quarter of an object's frames to the last [1]; below 0 they gain.
    """
    lines, _ = _followed(counts)
    frames = counts.frames
    rows = []
    for line in lines:
        first = frames[line.rows[0]]
        rows.append(
            {
                "clip": names[line.rows[0]] if first.clip is None else first.clip,
                "object": line.number,
                "class": counts.labels.names[line.class_id],
                "frames": len(line.rows),
                **_values(line),
                "j_decay": decay(line.j),
                "f_decay": decay(line.f),
            }
        )
    strange = sum(_strange([frames[row] for row in clip]) for clip in clips_of(frames))
    return {
        "followed": sorted(rows, key=lambda row: (row["j"] + row["f"], row["clip"], row["object"] or 0))[:_SHOWN],
        "film": {
            "clips": len(clips_of(frames)),
            "frames": len(frames),
            "objects": len(lines),
            "matched_by_number": all(is_numbered(frame) for frame in frames),
            "tracks_of_no_object": strange,
            "j_decay": _mean(row["j_decay"] for row in rows),
            "f_decay": _mean(row["f_decay"] for row in rows),
        },
    }


def decay(values: FloatArray) -> float:
    """Give the mean of the first quarter of an object's frames less that of the last; the quarters share their ends [1].

    >>> decay(np.array([1.0, 1.0, 0.5, 0.5]))
    0.5
    """
    ends = np.floor(np.linspace(0, len(values) - 1, 5) + 0.5).astype(int)
    return float(values[ends[0] : ends[1] + 1].mean() - values[ends[3] : ends[4] + 1].mean())


def _strange(frames: Sequence[Frame]) -> int:
    """Count the predicted tracks of a clip whose number no object has."""
    objects, tracks = (
        {number for frame in frames for number in (getattr(frame, field) if getattr(frame, field) is not None else ())}
        for field in ("objects", "tracks")
    )
    return len(tracks - objects)
