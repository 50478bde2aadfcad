"""The options ``--track --smooth --realtime --video-format``: what is asked of videos among the inputs of ``predict``."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pixelwise.core.errors import OptionError, PixelwiseError, StorageError, nearest

if TYPE_CHECKING:
    from pixelwise.core.predictor import Predictor
    from pixelwise.core.prompt import Prompts
    from pixelwise.predict.videos.summary import VideoSummary

TRACK = "Videos: follow objects, so that each keeps its number; a folder of images is then a video too."
SMOOTH = "Videos: steady the classes over time: exponential, or flow (carried along by optical flow)."
REALTIME = "Videos: keep up with the video's own clock; frames that come too late are dropped and counted."
FORMAT = "Videos: also write followed objects as coco_video, mots or davis; several with commas."
FIRST = "Videos: a mask of the first frame, a number an object, which are followed; MODEL is asked only where it is SAM 2."
RATE = "Frames a second of a folder of images that is a video."
_VOID = 255
FORMS = ("exponential", "flow")
FORMATS = ("coco_video", "mots", "davis")


@dataclass(frozen=True)
class VideoOptions:
    """What is asked of videos, as the command line has it."""

    track: bool = False
    smooth: str | None = None
    realtime: bool = False
    formats: tuple[str, ...] = ()
    first: Path | None = None
    rate: float | None = None

    @classmethod
    def read(
        cls,
        track: bool,
        smooth: str | None,
        realtime: bool,
        formats: str | None,
        first: Path | None,
        rate: float | None,
    ) -> "VideoOptions":
        """Read the options.

        Raises:
            OptionError: a word is not known; the message has the nearest.
        """
        if smooth is not None and smooth not in FORMS:
            raise OptionError(f"--smooth {smooth}: there is no such smoothing; {nearest(smooth, FORMS)}")
        names = tuple(name.strip() for name in (formats or "").split(",") if name.strip())
        for name in names:
            if name not in FORMATS:
                raise OptionError(f"--video-format {name}: there is no such format; {nearest(name, FORMATS)}")
        if rate is not None and not 0 < rate < float("inf"):
            raise OptionError(f"--rate {rate}: expected frames a second, above 0")
        return cls(track, smooth, realtime, names, first, rate)

    @property
    def are_stated(self) -> bool:
        """Tell whether something is asked of videos, so that a folder of images is one."""
        return self != VideoOptions()


def videos_among(inputs: Sequence[str], options: VideoOptions, **others: object) -> tuple[Path, ...]:
    """Find the videos: files by their content or suffix, and folders of frames where something is asked of videos.

    Args:
        others: options that are for images alone, by their names, and what was given.

    Raises:
        OptionError: videos and images are mixed, something is asked of videos and there is none, or an option is for images.
    """
    from pixelwise.core.videos.video import is_video

    videos = [one for one in inputs if is_video(one) or (options.are_stated and Path(one).is_dir())]
    rest = [one for one in inputs if one not in videos]
    if options.are_stated and rest:
        raise OptionError(
            f"{rest[0]}: --track, --smooth, --realtime, --video-format, --first-mask and --rate are for videos and folders of "
            f"frames, and this is neither; predict it by itself"
        )
    if videos and rest:
        raise OptionError(f"{videos[0]} is a video and {rest[0]} is not; predict them by themselves")
    given = [name for name, value in others.items() if value]
    if videos and given:
        raise OptionError(f"--{given[0].replace('_', '-')} is for images, and {videos[0]} is a video; leave it out")
    return tuple(map(Path, videos))


def run_videos(
    predictor: "Predictor",
    videos: Sequence[Path],
    out: Path,
    options: VideoOptions,
    prompts: "Prompts",
    threshold: float | None,
    overlay: bool,
    batch: int,
    again: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Do what the command does for videos: tell the plan, or segment them.

    Raises:
        Exit: with 1 where a video could not be read to its end, with 130 when interrupted.
    """
    if dry_run:
        tell_plans(videos, out, options, as_json)
        return
    if options.first is not None:
        predictor = followed_from(options.first, predictor)

    def segment(video: Path, name: str) -> "VideoSummary":
        from pixelwise.cli.progress import Pace, pace_bar
        from pixelwise.predict.videos.video import predict_video

        with pace_bar(video.name, Pace("frames")) as progress:
            return predict_video(
                predictor,
                video,
                out / name,
                threshold=threshold,
                overlay=overlay,
                formats=options.formats,
                smooth=options.smooth,  # type: ignore[arg-type]  # checked by ``read``
                track=options.track,
                realtime=options.realtime,
                prompts=prompts.of(video),
                batch=batch,
                rate=options.rate or 25.0,
                again=again,
                progress=progress,
            )

    try:
        all_well = _each(videos, out, segment, as_json)
    except KeyboardInterrupt:
        print(f"interrupted; what is done is in {out}, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    if not all_well:
        raise typer.Exit(1)


def _each(videos: Sequence[Path], out: Path, segment: Callable[[Path, str], "VideoSummary"], as_json: bool) -> bool:
    """Segment each video into a folder of its own, and print what was done; tell whether all went well.

    A video that cannot be read is told, and the rest go on.
    """
    told: list[dict[str, object]] = []
    failures = 0
    for video, name in zip(videos, names_of(videos), strict=True):
        try:
            summary = segment(video, name)
        except (StorageError, OptionError):
            raise  # the rest would fail alike
        except PixelwiseError as error:
            failures += 1
            told.append({"file": str(video), "error": str(error)})
            print(f"failed: {error}", file=sys.stderr)
            continue
        failures += summary.failure is not None
        told.append({"file": str(video), **summary.to_json()})
        if not as_json:
            _tell(summary)
        if summary.failure is not None:
            print(f"failed: {summary.failure}", file=sys.stderr)
    if as_json:
        print(json.dumps({"out": str(out), "videos": told}, indent=2, ensure_ascii=False))
    return not failures


def followed_from(mask: Path, predictor: "Predictor") -> "Predictor":
    """Follow the objects of a mask of the first frame: its values above 0, but 255 where others are there, as in DAVIS.

    The predictor follows them where it can, as SAM 2 does; else flow and colours do.

    Raises:
        MissingFile, UnreadableFile: there is no mask.
        OptionError: no object is in it.
    """
    import numpy as np

    from pixelwise.core.image import read_ids
    from pixelwise.core.masks import from_dense
    from pixelwise.core.segmentation import Segmentation
    from pixelwise.predict.videos.propagated import OBJECT, FollowsPrompts, Propagated

    ids, _ = read_ids(mask)
    numbers = np.unique(ids[ids > 0])
    numbers = numbers[numbers != _VOID] if len(numbers) > 1 else numbers
    if isinstance(predictor, FollowsPrompts):
        return predictor.following(masks=[ids == number for number in numbers])
    masks = from_dense(np.stack([ids == number for number in numbers]) if len(numbers) else np.zeros((0, *ids.shape), bool))
    tracks = np.arange(1, len(numbers) + 1) if numbers.tolist() == [_VOID] else numbers
    return Propagated(Segmentation("instance", masks, numbers * 0, OBJECT, track_ids=tracks))


def tell_plans(videos: Sequence[Path], out: Path, options: VideoOptions, as_json: bool) -> None:
    """Print what videos say of themselves, and where their results would go."""
    from pixelwise.core.videos.video import open_video

    plans = []
    for video, name in zip(videos, names_of(videos), strict=True):
        about = open_video(video, rate=options.rate or 25.0).about
        plans.append({"file": str(video), "out": str(out / name), **asdict(about)})
        if not as_json:
            length = "" if about.seconds is None else f", {about.seconds:.2f} s"
            pace = "" if about.rate is None else f" at {about.rate:.4g} frames/s"
            frames = "an unknown number of" if about.count is None else f"about {about.count}"
            print(f"{video}: {frames} frames of {about.size[1]} x {about.size[0]}{length}{pace} -> {out / name}")
    if as_json:
        print(json.dumps({"videos": plans}, indent=2, ensure_ascii=False))


def _tell(summary: "VideoSummary") -> None:
    print(summary)
    for note in summary.notes:
        print(f"note: {note}")


def names_of(videos: Sequence[Path]) -> list[str]:
    """Name a folder for each video: its stem, with a number where that is taken.

    >>> names_of([Path("a/clip.mp4"), Path("b/clip.mov"), Path("b/clip_2.mp4")])
    ['clip', 'clip_3', 'clip_2']
    """
    own = {video.resolve().stem.casefold() for video in videos}
    taken: set[str] = set()
    names = []
    for video in videos:
        stem = name = video.resolve().stem
        number = 2
        while name.casefold() in taken or (name != stem and name.casefold() in own):
            name, number = f"{stem}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names
