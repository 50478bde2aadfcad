"""Find the COCO files of a folder, which split each stands for, and the picture that each image in them means.

A file name in a COCO file is looked for among the pictures of the folder, never opened as a path: what leads outside, by
``..``, by a full path or by a link, finds nothing or a picture of that name inside.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import MissingFile
from pixelwise.formats.coco_file import looks_like_coco
from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.names import place_of, split_of

LAYOUTS = (
    "annotations/instances_train2017.json (val …) + train2017/ or images/train2017/",
    "train/_annotations.coco.json beside its images (valid, test)",
    "one COCO .json beside or above its images",
)
_FOLDERS = ("annotations", "annotation", "labels", "anns", "ann", "json")
_PREFIXES = re.compile(r"^_?(instances?|annotations?|person_keypoints|stuff|coco|labels?)([_.\-]coco)?(?=[_.\-]|$)[_.\-]?")
_MOST_OTHERS = 64  # JSON files of another make that are looked into before the rest is taken for such


@dataclass(frozen=True)
class Found:
    """The COCO files of a folder, relative to it, and what to call them."""

    listing: Listing
    files: tuple[PurePosixPath, ...]
    dialect: str


def find_files(path: Path) -> Found | None:
    """Find the COCO files that ``path`` means: a folder, the folder of the annotations alone, or one file.

    Raises:
        MissingFile: there is nothing at ``path``.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path}: expected a COCO file or folder, found nothing there; check the path")
    if not path.is_dir():
        return _of_file(path) if path.suffix.lower() == ".json" and _is_coco(path) else None
    listing = list_folder(path)
    files = _chosen(listing.root, listing.texts)
    if files and not listing.pictures and path.resolve().name.casefold() in _FOLDERS:
        above = list_folder(path.resolve().parent)
        return Found(above, tuple(PurePosixPath(path.resolve().name) / one for one in files), _dialect(files))
    return Found(listing, files, _dialect(files)) if files else None


def _of_file(path: Path) -> Found:
    folder = path.resolve().parent
    root = folder.parent if folder.name.casefold() in _FOLDERS else folder
    file = PurePosixPath(path.resolve().relative_to(root).as_posix())
    return Found(list_folder(root), (file,), "one COCO file")


def _chosen(root: Path, texts: Sequence[PurePosixPath]) -> tuple[PurePosixPath, ...]:
    """Choose among the JSON files; beside ``instances_*``, the others of a folder (key points, stuff) say the same again."""
    candidates = [one for one in texts if one.suffix.lower() == ".json"]
    candidates.sort(key=lambda one: (_PREFIXES.search(one.stem.casefold()) is None, len(one.parts)))
    found, others = [], 0
    for one in candidates:
        if others >= _MOST_OTHERS:
            break
        if _is_coco(root / one):
            found.append(one)
        else:
            others += 1
    with_instances = {one.parent for one in found if one.stem.casefold().startswith("instances")}
    kept = {one for one in found if one.parent not in with_instances or one.stem.casefold().startswith("instances")}
    return tuple(one for one in texts if one in kept)


def _is_coco(path: Path) -> bool:
    """Tell a COCO file by what is in it; one by its name counts even if it is broken, so that reading says what is wrong."""
    stem = path.stem.casefold()
    return stem.startswith("instances") or stem == "_annotations.coco" or looks_like_coco(path)


def _dialect(files: Sequence[PurePosixPath]) -> str:
    if not files:
        return ""
    if all(one.name.casefold() == "_annotations.coco.json" for one in files):
        return "Roboflow's COCO: _annotations.coco.json in the folder of its images"
    shown = ", ".join(str(one) for one in files[:3])
    return f"COCO: {shown}{' …' if len(files) > 3 else ''}"


def split_names(files: Sequence[PurePosixPath]) -> list[str | None]:
    """Name the split of each file: by a word for one in its name, else in its folders', else by what its name alone says.

    >>> split_names([PurePosixPath("annotations/instances_train2017.json"), PurePosixPath("valid/_annotations.coco.json")])
    ['train', 'val']
    >>> split_names([PurePosixPath("a/instances_default.json")])
    [None]
    """
    known = [split_of(re.sub(r"\d+", " ", one.stem)) or place_of(one.parent).split or _folder_split(one) for one in files]
    rests = [_PREFIXES.sub("", one.stem.casefold()) or None for one in files]
    if len(files) > 1 and not any(known) and len(set(rests)) == len(rests):
        return rests
    return known


def _folder_split(path: PurePosixPath) -> str | None:
    """Read the split off a folder called after one and a year: ``train2017``."""
    found = [split_of(re.sub(r"\d+", " ", part)) for part in reversed(path.parent.parts)]
    return next((one for one in found if one), None)


class Pictures:
    """The pictures of a folder, found by what label files call them."""

    def __init__(self, listing: Listing) -> None:
        """Index a listing."""
        self._root = listing.root
        self._all = frozenset(listing.pictures)
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        for picture in listing.pictures:
            self._by_name[picture.name.casefold()].append(picture)
        self._folders = {part.casefold() for picture in listing.pictures for part in picture.parent.parts}

    def find(self, name: str, file: PurePosixPath, split: str | None) -> list[PurePosixPath]:
        """Find the picture that ``file`` (relative to the root, for ``split``) calls ``name``; several where that is open.

        The longest part of the name that fits decides; a folder in the name is given up only where no folder is called so,
        as in a path of another machine. Among equals: the file's own folder, then the split's.
        """
        wanted = _parts(name)
        if not wanted:
            return []
        if (beside := file.parent.joinpath(*wanted)) in self._all:
            return [beside]
        there = self._by_name.get(wanted[-1], [])
        while wanted:
            fits = [one for one in there if tuple(part.casefold() for part in one.parts[-len(wanted) :]) == wanted]
            if fits:
                return _nearest(fits, file, split)
            if len(wanted) > 1 and wanted[0] in self._folders:
                return []
            wanted = wanted[1:]
        return []


def _parts(name: str) -> tuple[str, ...]:
    """Divide a file name as any system writes it: with backslashes, a drive, ``./``, ``file://``."""
    bare = re.sub(r"^[a-z][a-z0-9+.\-]*://", "", name.strip(), flags=re.IGNORECASE).replace("\\", "/")
    parts = [part.casefold() for part in bare.split("/")]
    return tuple(part for part in parts if part not in ("", ".", "..") and not re.fullmatch(r"[a-z]:", part))


def _nearest(pictures: Sequence[PurePosixPath], file: PurePosixPath, split: str | None) -> list[PurePosixPath]:
    """Keep the pictures that fit a label file best."""
    if len(pictures) == 1:
        return list(pictures)
    rest = _PREFIXES.sub("", file.stem.casefold())

    def rank(one: PurePosixPath) -> tuple[bool, bool, int]:
        parts = [part.casefold() for part in one.parent.parts]
        of_split = split is not None and split in (place_of(one.parent).split, _folder_split(one))
        return rest not in parts, not of_split, -_shared(one.parent, file.parent)

    best = min(rank(one) for one in pictures)
    return [one for one in pictures if rank(one) == best]


def _shared(one: PurePosixPath, other: PurePosixPath) -> int:
    return sum(1 for a, b in zip(one.parts, other.parts, strict=False) if a == b)


def unnamed(listing: Listing, used: Iterable[PurePosixPath]) -> Iterable[str]:
    """Tell of pictures that no file names, in folders of which it names others."""
    taken = set(used)
    folders = {one.parent for one in taken}
    left: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
    for picture in listing.pictures:
        if picture.parent in folders and picture not in taken:
            left[picture.parent].append(picture)
    for folder, pictures in left.items():
        names = ", ".join(one.name for one in pictures[:3]) + (" …" if len(pictures) > 3 else "")
        what = f"{len(pictures)} images ({names}) are" if len(pictures) > 1 else f"1 image ({names}) is"
        yield f"{listing.root / folder}: {what} in no annotation file; left out"
