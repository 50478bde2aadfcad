"""Objects through films: J and F frame by frame, the objects that were followed worst, and how steady classes are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwise.core.sample import Sample
from pixelwise.report.axes import closed, frame, line
from pixelwise.report.charts import ticks
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.names import title_of
from pixelwise.report.numbers import plain, shown

MOST_CLIPS = 12  # drawn, those with the lowest J&F
_MOST_OBJECTS = 20
_LINES = (("j", "first"), ("f", "second"))


@dataclass(frozen=True)
class Clip:
    """The scores of a film's frames, in their order; None where a frame has no object."""

    name: str
    frames: Sequence[int]
    j: Sequence[float | None]
    f: Sequence[float | None]


def clips_of(per_image: Sequence[Mapping[str, Any]], samples: Mapping[str, Sample]) -> list[Clip]:
    """Gather the frames of films from the scores of images, those films first that have the lowest J and F."""
    found: dict[str, list[tuple[int, float | None, float | None]]] = {}
    for row in per_image:
        meta = samples[row["name"]].meta if row["name"] in samples else {}
        if "j" in row and "f" in row and "sequence" in meta and isinstance(meta.get("frame"), int):
            found.setdefault(str(meta["sequence"]), []).append((meta["frame"], plain(row["j"]), plain(row["f"])))
    clips = [Clip(name, *zip(*sorted(rows, key=lambda row: row[0]), strict=True)) for name, rows in found.items()]
    means = [(clip, [value for value in (*clip.j, *clip.f) if value is not None]) for clip in clips if len(clip.frames) > 1]
    return [clip for clip, known in sorted(means, key=lambda one: sum(one[1]) / max(1, len(one[1]))) if known]


def film_figures(clips: Sequence[Clip], details: Mapping[str, Any]) -> list[Figure]:
    """Draw films frame by frame, and list objects and films with their numbers; nothing where none was scored."""
    figures = []
    if clips:
        key = [Key(title_of(name), role, is_line=True) for name, role in _LINES]
        figures += [Figure(clip.name, _drawing(clip), key=key) for clip in clips[:MOST_CLIPS]]
    if followed := details.get("followed"):
        figures.append(_followed(followed, details.get("film") or {}))
    if steadiness := details.get("steadiness"):
        figures.append(_steadiness(steadiness))
    return figures


def film_words(clips: Sequence[Clip]) -> str:
    """Say what the drawings of films show, and of how many."""
    if not clips:
        return ""
    which = f" Drawn are the {MOST_CLIPS} films of the lowest J&F, of {len(clips):,}." if len(clips) > MOST_CLIPS else ""
    return f"J is how well masks overlap, F how well outlines fit, frame by frame, the mean over the objects in it.{which}"


def _drawing(clip: Clip) -> Any:
    first, last = clip.frames[0], clip.frames[-1]
    names = [((number - first) / (last - first), f"{number:.0f}") for number in ticks(first, last) if number == round(number)]
    parts = frame(f"J and F of {clip.name}", names, "frame")
    for name, role in _LINES:
        values = getattr(clip, name)
        points: list[tuple[float, float]] = []
        for number, value in zip(clip.frames, values, strict=True):
            if value is None:  # a gap, not a line over it
                parts.append(line(points, role))
                points = []
            else:
                points.append(((number - first) / (last - first), value))
        parts.append(line(points, role))
    return closed(parts)


def _followed(followed: Sequence[Mapping[str, Any]], film: Mapping[str, Any]) -> Figure:
    rows = [
        [
            f"{one['clip']}, " + (one["class"] if one["object"] is None else f"object {one['object']} ({one['class']})"),
            *(shown(plain(one[name])) for name in ("j", "f", "j_recall", "f_recall", "j_decay", "f_decay", "frames")),
        ]
        for one in followed[:_MOST_OBJECTS]
    ]
    head = ("object", "J", "F", "J recall", "F recall", "J decay", "F decay", "frames")
    words = "Decay: what is lost from the first quarter of an object's frames to the last; below 0 it gains."
    if len(followed) > len(rows):
        words = f"The {len(rows)} with the lowest J and F. {words}"
    if strange := film.get("tracks_of_no_object"):
        words += f" {strange:,} predicted track{'' if strange == 1 else 's'} follow{'s' if strange == 1 else ''} no object."
    return Figure("Objects followed", words=words, table=Table(head, rows), is_wide=True)


def _steadiness(clips: Sequence[Mapping[str, Any]]) -> Figure:
    columns = ("temporal_consistency", "temporal_stability", "video_consistency", "flow_trusted", "pairs")
    rows = [
        [str(one["clip"]), *(shown(plain(one[name])) for name in columns)]
        for one in sorted(clips, key=lambda one: plain(one["temporal_stability"]) or 0.0)[:_MOST_OBJECTS]
    ]
    head = ("film", *map(title_of, columns[:3]), "pixels the flow is trusted at", "pairs of frames")
    words = (
        "The least steady films first."
        if len(clips) <= _MOST_OBJECTS
        else f"The {_MOST_OBJECTS} least steady of {len(clips):,}."
    )
    return Figure("Steadiness", words=words, table=Table(head, rows), is_wide=True)
