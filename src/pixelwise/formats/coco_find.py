"""Find the COCO files of a folder, and which split each stands for."""

import re
from collections.abc import Callable, Sequence
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


def rank_of(file: PurePosixPath, split: str | None) -> Callable[[PurePosixPath], tuple[bool, bool]]:
    """Rank pictures for a file: first those in a folder of the file's own name, then those in a folder of its split."""
    rest = _PREFIXES.sub("", file.stem.casefold())

    def rank(one: PurePosixPath) -> tuple[bool, bool]:
        of_split = split is not None and split in (place_of(one.parent).split, _folder_split(one))
        return rest not in [part.casefold() for part in one.parent.parts], not of_split

    return rank
