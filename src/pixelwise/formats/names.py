"""What folder and file names say: which hold images, which hold masks, which split, and who belongs to whom.

Names are compared without case. A folder's *key* is its path without the words for "images" and "masks", so that
``train/images`` and ``train/masks``, ``images/train`` and ``masks/train``, ``train`` and ``trainannot`` have one key each.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from pixelwise.core.image import SUFFIXES

Role: TypeAlias = Literal["image", "mask", "plain"]

IMAGE_FOLDERS = ("original_images", "images", "image", "imgs", "img", "photos", "photo", "frames", "inputs", "input")
MASK_FOLDERS = (  # in order of preference where a data set has several
    "label_images_semantic",
    "masks",
    "mask",
    "labels",
    "label",
    "annotations",
    "annotation",
    "annots",
    "annot",
    "anns",
    "ann",
    "groundtruth",
    "ground_truth",
    "gts",
    "gt",
    "segmentations",
    "segs",
    "seg",
    "semseg",
    "targets",
    "target",
)
SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
MASK_MARKS = (
    "gtfine_labelids",
    "labelids",
    "labeltrainids",
    "mask",
    "masks",
    "label",
    "labels",
    "gt",
    "groundtruth",
    "ground_truth",
    "seg",
    "segmentation",
    "annotation",
    "annot",
    "ann",
    "target",
    "matte",
    "manual1",
    "l",
    "p",
)
SHORT_MARKS = frozenset({"l", "p"})  # CamVid's; too short to mean "mask" in one folder with the images
IMAGE_MARKS = ("leftimg8bit", "image", "img", "sat", "rgb", "photo", "original", "orig", "training")
LAST_IMAGES = len(IMAGE_FOLDERS) + 1  # the rank of rgb/: beside other folders of images it may hold coloured masks
_JOINT = r"[_\-. ]"
_CAMERA = re.compile(r"(rgb|gt)(left|right)?")  # SYNTHIA's RGB/ + GT/, and RGBLeft/ + GTLeft/ of its two cameras
_LONGEST_SPLITS = sorted(SPLITS, key=len, reverse=True)


@dataclass(frozen=True)
class Place:
    """What a folder's path says: its role, its key, the split, and how much it is preferred among equals."""

    role: Role
    key: tuple[str, ...]
    split: str | None
    rank: int = 0


def split_of(name: str) -> str | None:
    """Name the split a folder or list file stands for, if it does.

    >>> split_of("Validation"), split_of("train_list"), split_of("trains")
    ('val', 'train', None)
    """
    words = re.split(_JOINT, name.casefold())
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else None


@lru_cache(maxsize=4096)  # asked once an image
def place_of(folder: PurePosixPath) -> Place:
    """Read the path of a folder.

    >>> place_of(PurePosixPath("trainannot"))
    Place(role='mask', key=('train',), split='train', rank=8)
    >>> place_of(PurePosixPath("images/val")).key
    ('val',)
    """
    role: Role = "plain"
    key, split, rank = [], None, 0
    for part in folder.parts:
        word, found = _without_split(part.casefold())
        if word and (kind := _role(word)):
            this, rest, order = kind
            if this == "mask" or role == "plain":
                role, rank = this, order
            if rest:
                key.append(rest)
        elif word:
            key.append(word if found is None else part.casefold())
        if found is not None and (not word or _role(word)):
            split = found
            key.append(found)
    return Place(role, tuple(key), split, rank)


def _without_split(part: str) -> tuple[str, str | None]:
    """Take the split off a folder's name: ``train_masks`` gives ``masks`` and ``train``."""
    for word in _LONGEST_SPLITS:
        if part == word:
            return "", SPLITS[word]
        for rest in (
            part.removeprefix(word) if part.startswith(word) else None,
            part.removesuffix(word) if part.endswith(word) else None,
        ):
            if rest is not None and _role(bare := rest.strip("_-. ")):
                return bare, SPLITS[word]
    return part, None


def _role(word: str) -> tuple[Role, str, int] | None:
    """Tell the role of a folder's name, what else the name says, and its rank."""
    if word in MASK_FOLDERS:
        return "mask", "", MASK_FOLDERS.index(word)
    if word in IMAGE_FOLDERS:
        return "image", "", IMAGE_FOLDERS.index(word)
    if camera := _CAMERA.fullmatch(word):
        side = camera[2] or ""
        return ("image", side, LAST_IMAGES) if camera[1] == "rgb" else ("mask", side, MASK_FOLDERS.index("gt"))
    head, joint, last = re.split(rf"({_JOINT})(?!.*{_JOINT})", word) if re.search(_JOINT, word) else ("", "", word)
    if joint and last in MASK_FOLDERS:
        return "mask", head, len(MASK_FOLDERS) + MASK_FOLDERS.index(last)
    if joint and last in IMAGE_FOLDERS:
        return "image", head, len(IMAGE_FOLDERS)
    return None


def stem_of(name: str) -> str:
    """Give a file's stem without case, also of ``a.jpg.png``.

    >>> stem_of("A.jpg.png")
    'a'
    """
    path = PurePosixPath(name)
    inner = PurePosixPath(path.stem)
    return (inner.stem if inner.suffix.lower() in SUFFIXES else path.stem).casefold()


def mask_core(stem: str) -> tuple[str, int] | None:
    """Take the mark off a mask's stem; the second value ranks the mark; None where there is no mark.

    >>> mask_core("0001_mask"), mask_core("gt_0001"), mask_core("0001")
    (('0001', 3), ('0001', 7), None)
    """
    match = _MASK_TAIL.match(stem) or _MASK_HEAD.match(stem)
    return None if match is None else (match["core"], MASK_MARKS.index(match["mark"]))


def image_core(stem: str) -> str:
    """Take the mark off an image's stem.

    >>> image_core("image_0001"), image_core("7_sat"), image_core("7")
    ('0001', '7', '7')
    """
    match = _IMAGE_TAIL.match(stem) or _IMAGE_HEAD.match(stem)
    return stem if match is None else match["core"]


def sample_names(images: Sequence[PurePosixPath]) -> list[str]:
    """Name samples after their images: by stem; by folder and stem where two share one.

    >>> sample_names([PurePosixPath("train/a.jpg"), PurePosixPath("val/a.jpg"), PurePosixPath("val/b.jpg")])
    ['train_a', 'val_a', 'b']
    """
    stems = Counter(image.stem.casefold() for image in images)
    names: list[str] = []
    used: set[str] = set()
    for image in images:
        name = image.stem
        if stems[name.casefold()] > 1:
            name = "_".join((*image.parent.parts, name))
        base, number = name, 2
        while name.casefold() in used:
            name, number = f"{base}_{number}", number + 1
        used.add(name.casefold())
        names.append(name)
    return names


def _tail(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"^(?P<core>.+?){_JOINT}(?P<mark>{'|'.join(marks)})$")  # the shortest core: the longest mark


def _head(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"^(?P<mark>{'|'.join(marks)}){_JOINT}(?P<core>.+)$")


_MASK_TAIL, _IMAGE_TAIL = _tail(MASK_MARKS), _tail(IMAGE_MARKS)
_MASK_HEAD, _IMAGE_HEAD = _head(mark for mark in MASK_MARKS if mark not in SHORT_MARKS), _head(IMAGE_MARKS)
