"""Write followed objects in the forms of the benchmarks: COCO for video, MOTS, DAVIS.

- ``coco_video``: one JSON file as YouTube-VIS [1] has it: a row a track, with run lengths, boxes and areas a frame.
- ``mots``: a line an object and frame, ``frame id class height width run-lengths`` [2]; frames from 0, classes from 1, ids are
  class * 1000 + number, and where objects overlap the smaller is on top, as a pixel is of one object there.
- ``davis``: a folder of frames and palette pictures [3], by the writer of ``pixelwise.formats``.

They are made from the ledger when the video is done, with one frame or one track in memory.

[1] Yang, Fan, Xu, Video Instance Segmentation, ICCV 2019. [2] Voigtlaender et al., MOTS, CVPR 2019. [3] Pont-Tuset et al., The
2017 DAVIS Challenge on Video Object Segmentation, 2017.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.core.arrays import IntArray, Size
from pixelwise.core.errors import DataError
from pixelwise.core.files import replacing, write_text
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import as_overlapping, paint
from pixelwise.core.sample import Dataset, ImageFile, ImageSource, Salvaged, Sample, TruthArray, relabelled
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.videos.folder import FrameFolder
from pixelwise.core.videos.video import Video
from pixelwise.predict.videos.ledger import Ledger, found_in

_STEP = 1000  # ids of a class in MOTS
_MOST_IN_DAVIS = 254  # objects that a palette picture numbers


@dataclass(frozen=True)
class Done:
    """A video that is segmented: where it is, what it is called, and what was found in each frame."""

    video: Video
    name: str
    ledger: Ledger
    labels: LabelSet

    def objects(self, row: int) -> Segmentation:
        """Give the followed objects of the n-th frame that is done; stuff is none."""
        found = found_in(self.ledger.nth(row), self.labels)
        return found.instances() if found.kind == "panoptic" else replace(found, kind="instance")


def write_coco_video(done: Done, out: Path) -> str:
    """Write ``coco_video.json``, track by track."""
    rows = _rows_of_tracks(done)
    frames = [(entry["name"], entry["time"], entry["size"]) for entry in done.ledger.entries()]
    height, width = frames[0][2] if frames else (0, 0)
    video = {"id": 1, "name": done.name, "height": height, "width": width, "length": len(frames)}
    video |= {"file_names": [name for name, _, _ in frames], "times": [time for _, time, _ in frames]}
    things = set(done.labels.things)
    categories = [
        {"id": index + 1, "name": name, "isthing": int(index in things)} for index, name in enumerate(done.labels.names)
    ]
    with replacing(out / "coco_video.json") as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write('{"info": {"description": "tracks of pixelwise"},\n')
        file.write(f'"videos": [{json.dumps(video)}],\n"categories": {json.dumps(categories)},\n"annotations": [')
        for index, (number, there) in enumerate(sorted(rows.items())):
            track = _track(done, number, there, len(frames))
            file.write((",\n" if index else "\n") + json.dumps({"id": index + 1, "video_id": 1, **track}))
        file.write("\n]}\n")
    return "coco_video.json"


def _rows_of_tracks(done: Done) -> dict[int, list[int]]:
    """List the frames that each track is in."""
    rows: dict[int, list[int]] = {}
    for row, entry in enumerate(done.ledger.entries()):
        for one in _things(entry, done.labels):
            rows.setdefault(one["track"], []).append(row)
    return rows


def _things(entry: dict[str, Any], labels: LabelSet) -> list[dict[str, Any]]:
    things = set(labels.things)
    return [one for one in entry["segments"] if entry["kind"] != "panoptic" or one["class_id"] in things]


def _track(done: Done, number: int, rows: list[int], length: int) -> dict[str, Any]:
    masks, found_boxes, areas = ([None] * length for _ in range(3))  # type: list[Any], list[Any], list[Any]
    classes: Counter[int] = Counter()
    scores = []
    for row in rows:
        one = next(each for each in _things(done.ledger.nth(row), done.labels) if each["track"] == number)
        left, top, right, bottom = one["box"]
        masks[row], areas[row], found_boxes[row] = one["run_lengths"], one["area"], [left, top, right - left, bottom - top]
        classes[one["class_id"]] += 1
        scores += [] if one["score"] is None else [one["score"]]
    score = round(sum(scores) / len(scores), 6) if scores else 1.0
    about = {"category_id": classes.most_common(1)[0][0] + 1, "score": score, "iscrowd": 0, "track_id": number}
    return {**about, "segmentations": masks, "bboxes": found_boxes, "areas": areas}


def write_mots(done: Done, out: Path) -> str:
    """Write ``mots.txt``, and the names of its classes as ``mots_labels.txt``.

    Raises:
        DataError: a class has more tracks than its ids.
    """
    ids: dict[tuple[int, int], int] = {}
    counts: Counter[int] = Counter()
    with replacing(out / "mots.txt") as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        for row, entry in enumerate(done.ledger.entries()):
            found = done.objects(row)
            # Larger ones first: a pixel is of one object, and the smaller would vanish under the larger.
            masks = as_overlapping(paint(found.masks, (-found.masks.areas()).argsort(kind="stable")))
            for runs, class_id, track in zip(masks.runs, found.class_ids.tolist(), _numbers(found), strict=True):
                if (class_id, track) not in ids:
                    counts[class_id] += 1
                    ids[class_id, track] = (class_id + 1) * _STEP + counts[class_id]
                if counts[class_id] >= _STEP:
                    raise DataError(
                        f"{out / 'mots.txt'}: more than {_STEP - 1} tracks of '{done.labels.names[class_id]}', and MOTS has "
                        f"no ids for more; write coco_video"
                    )
                if runs.area:
                    height, width = runs.size
                    line = f"{entry['frame']} {ids[class_id, track]} {class_id + 1} {height} {width} {runs.counts.decode()}"
                    file.write(line + "\n")
    write_text(out / "mots_labels.txt", "".join(f"{name}\n" for name in done.labels.names))
    return "mots.txt"


def _numbers(found: Segmentation) -> list[int]:
    assert found.track_ids is not None
    return [int(number) for number in found.track_ids]


def write_davis(done: Done, out: Path) -> str:
    """Write the folder ``davis``: frames, and pictures of object numbers.

    Raises:
        DataError: there are more tracks than a palette numbers.
    """
    from pixelwise.formats.davis import write

    if (count := len(_rows_of_tracks(done))) > _MOST_IN_DAVIS:
        raise DataError(
            f"{out / 'davis'}: {count} tracks, and a DAVIS picture numbers {_MOST_IN_DAVIS}; write coco_video or mots"
        )
    write(dataset_of(done), out / "davis")
    return "davis"


WRITERS: dict[str, Callable[[Done, Path], str]] = {
    "coco_video": write_coco_video,
    "mots": write_mots,
    "davis": write_davis,
}


def dataset_of(done: Done) -> Dataset:
    """Make a data set of a segmented video, read frame by frame; what was found is its truth."""
    cursor = _Cursor(done.video)
    pictures = done.video.pictures() if isinstance(done.video, FrameFolder) else []
    samples = []
    for row, entry in enumerate(done.ledger.entries()):
        size = (entry["size"][0], entry["size"][1])
        frame = entry["frame"]
        pixels: ImageSource = ImageFile(pictures[frame]) if pictures else _FrameImage(cursor, frame, size)
        meta = {"sequence": done.name, "frame": frame, "time": entry["time"]}
        samples.append(Sample(f"{done.name}_{entry['name']}", pixels, _FoundObjects(done, row), done.labels, meta=meta))
    return Dataset(samples, done.labels, "instance", name=done.name)


class _Cursor:
    """One place in a video: frames in order are decoded once, and going back begins anew."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self._frames: Iterator[Any] = iter(())
        self._last: tuple[int, Image] | None = None

    def image(self, index: int) -> Image:
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if self._last is None or index < self._last[0]:
            self._frames = self._video.frames()
        for frame in self._frames:
            if frame.index == index:
                self._last = (index, frame.image)
                return self._last[1]
        raise DataError(f"{self._video.path}: frame {index} is not there any more; was the file changed?")


@dataclass(frozen=True, eq=False)
class _FrameImage:
    """A frame as the image of a sample."""

    cursor: _Cursor
    index: int
    frame_size: Size

    def read(self) -> Image:
        return self.cursor.image(self.index)

    def size(self) -> Size:
        return self.frame_size


@dataclass(frozen=True, eq=False)
class _FoundObjects:
    """What was found in a frame as the truth of a sample."""

    done: Done
    row: int

    def read(self, labels: LabelSet, size: Size) -> tuple[Segmentation, ...]:
        return (relabelled(replace(self.done.objects(self.row), scores=None), labels),)

    def salvage(self, labels: LabelSet, size: Size) -> Salvaged:
        return self.read(labels, size), ()

    def raw(self) -> list[IntArray]:
        return TruthArray(self.read(self.done.labels, (0, 0))).raw()
