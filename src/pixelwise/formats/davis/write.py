"""Write videos as DAVIS stores them; see ``davis``."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_json, write_text
from pixelwise.core.image import write_ids
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.davis.meta import FORMAT, MARK, VOID, is_ours
from pixelwise.formats.losses import tell_losses
from pixelwise.formats.numbered import flattened
from pixelwise.formats.output import require_names, store_image
from pixelwise.formats.voc.labels import COLOURS
from pixelwise.formats.writing import Writing, Written, staged

_SIZE = "Full-Resolution"
_LISTS = "2017"


def write(dataset: Dataset, path: Path, writing: Writing | None = None) -> Written:
    """Write frames of videos; an image that is of no video becomes a video of one frame.

    Raises:
        DataError: it holds no instances, two frames have one number, a frame has too many objects, a name cannot be a file's,
            or an image cannot be stored.
        StorageError: the folder holds something else, or cannot be written.
    """
    path = Path(path)
    if dataset.kind != "instance":
        raise DataError(
            f"{path}: DAVIS's files hold objects, and this data set is {dataset.kind}; what its pixels are would be lost. "
            f"Write coco or masks"
        )
    require_names(dataset)
    places = _places(dataset)
    own = ("JPEGImages", "Annotations", "ImageSets", "meta.json")
    with staged(path, lambda name: name in own, is_ours, writing) as stage:
        entries = list(stage.each(dataset, partial(_write_one, places=places)))
        write_json(stage.folder / "meta.json", _meta(dataset, [one for one in entries if one is not None]))
        for name, rows in dataset.splits.items():
            written = [row for row in rows if entries[row] is not None]
            text = "".join(f"{line}\n" for line in _lines(dataset, places, entries, written))
            write_text(stage.folder / "ImageSets" / _LISTS / f"{name}.txt", text)
    return stage.written


def _places(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Give each sample, by name, a sequence and the stem of its frame."""
    places: dict[str, tuple[str, str]] = {}
    taken: dict[tuple[str, str], str] = {}
    for sample in dataset:
        sequence, frame = sample.meta.get("sequence"), sample.meta.get("frame")
        if isinstance(sequence, str) and _is_plain(sequence) and isinstance(frame, int) and frame >= 0:
            place = sequence, f"{frame:05d}"
        else:
            place = sample.name, "00000"
        if (other := taken.setdefault((place[0].casefold(), place[1]), sample.name)) != sample.name:
            raise DataError(f"{sample.name} and {other}: both are frame {place[1]} of '{place[0]}'; number the frames anew")
        places[sample.name] = place
    return places


def _is_plain(name: str) -> bool:
    return bool(name.strip()) and not name.startswith(".") and not set(name) & set('/\\:*?"<>|\0\n\r') and name == name.strip()


def _write_one(sample: Sample, folder: Path, places: Mapping[str, tuple[str, str]]) -> tuple[dict[str, Any], int]:
    """Store a frame and its annotation; give what ``meta.json`` says of it."""
    sequence, stem = places[sample.name]
    truth = None if sample.truth_source is None else sample.truth
    entry: dict[str, Any] = {"sequence": sequence, "stem": stem, "name": sample.name, "objects": []}
    if truth is not None:
        ids, seen = flattened(truth, sample.name)
        numbers, are_tracks = _numbers(truth)
        tell_losses(sample.name, truth, holds={"track_ids"} if are_tracks else ())
        if len(numbers) and numbers.max() >= VOID:
            raise DataError(
                f"{sample.name}: {len(truth)} objects; a DAVIS annotation numbers {VOID - 1}, the rest would be lost"
            )
        table: IntArray = np.zeros(len(truth) + 1, np.uint8)
        table[1:] = numbers
        write_ids(folder / "Annotations" / _SIZE / sequence / f"{stem}.png", table[ids], COLOURS)
        rows = zip(numbers[seen].tolist(), truth.class_ids[seen].tolist(), truth.is_crowd[seen].tolist(), strict=True)
        entry["objects"] = [list(row) for row in rows]
    entry["image"] = store_image(replace(sample, name=stem), folder / "JPEGImages" / _SIZE / sequence)
    return entry, len(entry["objects"])


def _numbers(truth: Segmentation) -> tuple[IntArray, bool]:
    """Number the objects (S,): by their tracks where those fit into a palette, else in order."""
    tracks = truth.track_ids
    if (
        tracks is not None
        and len(tracks)
        and (tracks > 0).all()
        and (tracks < VOID).all()
        and len(set(tracks.tolist())) == len(tracks)
    ):
        return tracks, True
    return np.arange(1, len(truth) + 1), False


def _meta(dataset: Dataset, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """State the category of each object for other tools, and all that the pictures do not hold for ourselves."""
    videos: dict[str, dict[str, Any]] = defaultdict(dict)
    names = dataset.labels.names
    for one in entries:
        objects = videos[one["sequence"]]
        for number, index, _ in one["objects"]:
            objects.setdefault(str(number), {"category": names[index], "frames": []})["frames"].append(one["stem"])
    frames = {f"{one['sequence']}/{one['stem']}": {"name": one["name"], "objects": one["objects"]} for one in entries}
    ours = {"format": FORMAT, "labels": dataset.labels.to_json(), "frames": frames}
    return {"videos": {name: {"objects": objects} for name, objects in videos.items()}, MARK: ours}


def _lines(
    dataset: Dataset, places: Mapping[str, tuple[str, str]], entries: Sequence[dict[str, Any] | None], rows: Sequence[int]
) -> list[str]:
    """List a split's sequences; frame by frame where it has some frames of a sequence alone."""
    whole: dict[str, set[int]] = defaultdict(set)
    for row, entry in enumerate(entries):
        if entry is not None:
            whole[places[dataset[row].name][0]].add(row)
    there = set(rows)
    lines = []
    for row in rows:
        entry = entries[row]
        if entry is not None:
            sequence = entry["sequence"]
            lines.append(sequence if whole[sequence] <= there else f"JPEGImages/{_SIZE}/{sequence}/{entry['image']}")
    return list(dict.fromkeys(lines))
