"""Segment a video and write what was found: frame by frame, in memory that does not grow with its length.

Written to a folder of its own:

- ``ids/<frame>.png``: class ids of semantic segmentations; of followed objects the numbers that they keep; else segment ids,
- ``overlay.mp4``, with each frame's own time; sound is left out,
- ``segments.json``, a line a frame, with its time; ``labels.json``, what the ids stand for; ``video.json``, what was done,
- ``coco_video.json``, ``mots.txt``, ``davis/``, where asked for.

Every file is whole or not there. A run that is stopped goes on where it was, if frames are seen each by itself; what follows
objects or smooths needs the frames before, and begins again.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.errors import OptionError
from pixelwise.core.files import locked, make_folder, read_json
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.streaming import Following
from pixelwise.core.videos.folder import FrameFolder
from pixelwise.core.videos.video import Reader, Video, open_video
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.smoothed import Form, Smoothed
from pixelwise.predict.tracked import Tracked
from pixelwise.predict.videos.propagated import FollowsPrompts, Propagated, propagated
from pixelwise.predict.videos.summary import VideoSummary
from pixelwise.predict.videos.tracks import WRITERS
from pixelwise.predict.videos.work import Progress, VideoWork

_WRITER = "video results 1"  # results of another form than this program's are made again


def predict_video(
    predictor: Predictor,
    source: str | Path | Video,
    out: str | Path,
    *,
    threshold: float | None = None,
    overlay: bool = True,
    ids: bool = True,
    formats: Sequence[str] = (),
    smooth: Form | None = None,
    track: bool = False,
    realtime: bool = False,
    prompts: Sequence[Prompt] = (),
    batch: int = 8,
    reader: Reader = "auto",
    rate: float = 25.0,
    again: bool = False,
    progress: Progress | None = None,
) -> VideoSummary:
    """Segment a video file, or a folder of frames, and write the results to ``out``.

    A video that is cut off is segmented as far as it goes; the summary's ``failure`` then says so.

    Args:
        threshold: for two classes, the foreground probability above which a pixel counts.
        overlay: write ``overlay.mp4``.
        ids: write a picture of ids a frame.
        formats: of ``coco_video``, ``mots`` and ``davis``; they want followed objects.
        smooth: ``exponential`` or ``flow``: steady the classes over time (``Smoothed``).
        track: follow objects (``Tracked``).
        realtime: keep up with the video's clock; frames that come too late are dropped.
        prompts: objects pointed at in the first frame, which are then followed (``Propagated``), with or without ``track``.
        batch: frames segmented at once; always 1 in real time.
        reader, rate: see ``open_video``.
        again: segment all frames, whatever is there.
        progress: called with (frames done, frames in all as far as is known, else 0).

    Raises:
        MissingFile, UnreadableFile: there is no video, or not one frame of it can be read.
        OptionError: the options do not fit the predictor or each other.
        StorageError: ``out`` cannot be written.
        RunInUse: another process writes to ``out``.
    """
    video = open_video(source, reader, rate) if isinstance(source, str | Path) else source
    predictor = _arranged(predictor, smooth, track, prompts, formats)
    out = Path(out)
    if video.path.is_dir() and out.resolve() in (video.path.resolve(), *video.path.resolve().parents):
        raise OptionError(f"--out {out}: holds the frames themselves; choose another, or results would lie among them")
    make_folder(out)
    with locked(out):
        options = [threshold, overlay, ids, sorted(formats), realtime]
        stamp = _stamp(predictor, video, options)
        if not again and (known := _finished(out, stamp)) is not None:
            return known
        work = VideoWork(predictor, video, out, stamp, Request(threshold=threshold), overlay, ids)
        return work.run(formats, 1 if realtime else batch, realtime, again, progress)


def _arranged(
    predictor: Predictor, smooth: Form | None, track: bool, prompts: Sequence[Prompt], formats: Sequence[str]
) -> Predictor:
    """Lay what remembers around a predictor.

    Raises:
        OptionError: that does not fit.
    """
    if prompts or isinstance(predictor, Propagated | FollowsPrompts):
        if smooth is not None:
            raise OptionError(
                "what is pointed at in the first frame is followed, and no classes are smoothed: leave out --smooth"
            )
        predictor = propagated(predictor, prompts) if prompts else predictor
    else:
        predictor = predictor if smooth is None else Smoothed(predictor, smooth)
        predictor = Tracked(predictor) if track else predictor
    for name in formats:
        if name not in WRITERS:
            raise OptionError(f"followed objects are written as {', '.join(WRITERS)}; got {name!r}")
    if formats and not (isinstance(predictor, Following) and predictor.card.kind in ("instance", "panoptic")):
        raise OptionError(f"{formats[0]} holds objects that are followed: add --track, or point at some in the first frame")
    return predictor


def _stamp(predictor: Predictor, video: Video, options: list[Any]) -> str:
    """Sum up all that the results depend on; a file that changed has another size or time."""
    files = video.pictures() if isinstance(video, FrameFolder) else [video.path]
    state = [(str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    text = json.dumps([_WRITER, fingerprint(predictor), options, video.about.rate, video.about.reader, state])
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _finished(out: Path, stamp: str) -> VideoSummary | None:
    """Give what an earlier run of the same stamp did, if it came to its end and its files are there."""
    path = out / "video.json"
    if not path.is_file():
        return None
    told = read_json(path)
    if not isinstance(told, dict) or told.get("stamp") != stamp or not all((out / name).exists() for name in told["files"]):
        return None
    numbers = {name: told[name] for name in ("count", "segments", "tracks", "dropped", "failure")}
    return VideoSummary(out, kept=told["count"], notes=tuple(told["notes"]), **numbers)
