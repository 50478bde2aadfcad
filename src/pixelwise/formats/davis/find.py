"""Find the frames of videos, their annotations and their splits in a folder laid out as DAVIS or YouTube-VOS are."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing, natural
from pixelwise.formats.names import split_of
from pixelwise.formats.splits import ordered

LAYOUTS = (
    "JPEGImages/480p/<sequence>/00000.jpg + Annotations/480p/<sequence>/00000.png (DAVIS; ImageSets/2017/train.txt …)",
    "train/JPEGImages/<sequence>/00000.jpg + train/Annotations/<sequence>/00000.png, meta.json (YouTube-VOS)",
)
_IMAGES, _MASKS = "JPEGImages", "Annotations"
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Frame:
    """A frame: its picture and its annotation, relative to the root, its sequence and its number."""

    image: PurePosixPath
    annotation: PurePosixPath | None
    sequence: str
    number: int
    split: str | None


@dataclass(frozen=True)
class Videos:
    """All frames in order, the splits (indices into them), each ``meta.json`` there is, and what was left out."""

    frames: tuple[Frame, ...]
    splits: dict[str, tuple[int, ...]]
    metas: tuple[PurePosixPath, ...]
    notes: tuple[str, ...]


def has_videos(listing: Listing) -> bool:
    """Tell whether a folder has sequences in both JPEGImages and Annotations."""
    return all(any(_place(one, word) is not None for one in listing.pictures) for word in (_IMAGES, _MASKS))


def find_videos(listing: Listing) -> Videos:
    """Find the videos of a folder; of several sizes of the same frames, the one with most annotations is taken."""
    masks = {one.with_suffix(""): one for one in listing.pictures if _place(one, _MASKS) is not None}
    pictures = [(one, at) for one in listing.pictures if (at := _place(one, _IMAGES)) is not None]
    if not masks or not pictures:
        return Videos((), {}, (), ())
    by_base: dict[PurePosixPath, list[Frame]] = defaultdict(list)
    folders = {mask.parent for mask in masks}
    for picture, at in pictures:
        base, inner = PurePosixPath(*picture.parts[:at]), picture.parts[at + 1 : -1]
        annotation = masks.get(PurePosixPath(base, _MASKS, *inner, picture.stem))
        if PurePosixPath(base, _MASKS, *inner) in folders:
            size, sequence = (inner[0], inner[1:]) if len(inner) > 1 else ("", inner)
            frame = Frame(picture, annotation, "/".join(sequence), _number(picture.stem), split_of(base.name))
            by_base[base / size].append(frame)
    kept, notes = _best(by_base)
    frames = tuple(sorted(kept, key=lambda one: natural(one.image)))
    splits, missing = _splits(listing, frames)
    metas = tuple(one for one in listing.texts if one.name == "meta.json" and len(one.parts) <= 2)
    taken = {one.annotation for one in frames if one.annotation is not None}
    used = {one.parent for one in taken}
    lone = [one for one in masks.values() if one.parent in used and one not in taken]
    if lone:
        notes.append(LostLabels(f"{listing.root}: {len(lone)} annotations ({lone[0]} …) have no frame in {_IMAGES}; left out"))
    return Videos(frames, splits, metas, (*notes, *missing))


def _place(picture: PurePosixPath, word: str) -> int | None:
    """Find the folder called ``word`` with a sequence below it."""
    at = next((at for at, part in enumerate(picture.parts[:2]) if part == word), None)
    return at if at is not None and len(picture.parts) in (at + 3, at + 4) else None


def _number(stem: str) -> int:
    return int(stem) if stem.isdecimal() and len(stem) < 18 else -1


def _best(by_base: dict[PurePosixPath, list[Frame]]) -> tuple[list[Frame], list[str]]:
    """Take each sequence once: frames of DAVIS come as 480p and Full-Resolution."""
    owner: dict[tuple[PurePosixPath, str], PurePosixPath] = {}
    ranked = sorted(by_base, key=lambda base: (-sum(one.annotation is not None for one in by_base[base]), str(base)))
    kept, spare = [], Counter[PurePosixPath]()
    for base in ranked:
        above = PurePosixPath(*by_base[base][0].image.parts[: by_base[base][0].image.parts.index(_IMAGES)])
        for frame in by_base[base]:
            if owner.setdefault((above, frame.sequence), base) == base:
                kept.append(frame)
            else:
                spare[base] += 1
    return kept, [
        f"{base}: {count} frames of sequences that are read in another size; left out" for base, count in spare.items()
    ]


def _splits(listing: Listing, frames: tuple[Frame, ...]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Find the splits: lists of ImageSets, else the folders train, valid and test."""
    by_name: dict[str, list[int]] = defaultdict(list)
    by_image: dict[str, list[int]] = defaultdict(list)
    for row, frame in enumerate(frames):
        by_name[frame.sequence].append(row)
        by_image["/".join(frame.image.parts[-3:])].append(row)
    found: dict[str, list[int]] = defaultdict(list)
    notes = []
    for path in _lists(listing):
        missing = []
        lines = [stripped for line in _text(listing.root / path).splitlines() if (stripped := line.strip())]
        for line in lines:  # a sequence, a frame, or a frame and its annotation as in DAVIS 2016; names may have spaces
            entries = ("/".join(entry.split("/")[-3:]) for entry in (line, line.split()[0]))
            rows = by_name.get(line) or next((by_image[entry] for entry in entries if entry in by_image), [])
            found[path.stem] += rows
            missing += [] if rows else [line]
        if missing:
            notes.append(f"{path}: {len(missing)} of {len(lines)} entries name no sequence here, the first: {missing[0]!r}")
    if not any(found.values()):
        for row, frame in enumerate(frames):
            if frame.split is not None:
                found[frame.split].append(row)
    return ordered(found), notes


def _lists(listing: Listing) -> Iterator[PurePosixPath]:
    """Give the lists of ImageSets; where several years have one of a name, all count."""
    for path in listing.texts:
        if path.suffix.lower() == ".txt" and "ImageSets" in path.parts[:-1]:
            yield path


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read as a list")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected a list of sequences in UTF-8, but {error}") from None
