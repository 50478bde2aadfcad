"""Find the files of a Pascal VOC set by the names of its folders, and the splits by its lists."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import SPLITS

_ROLES = {
    "jpegimages": "image",
    "segmentationclass": "classes",
    "segmentationclasspng": "classes",  # labelme2voc keeps arrays in SegmentationClass
    "segmentationobject": "objects",
    "segmentationobjectpng": "objects",
    "annotations": "page",
}
_MOST_BYTES = 64 * 2**20

Key = tuple[PurePosixPath, str]  # the folder that holds JPEGImages, and the rest of a file's path without its suffix


@dataclass
class Found:
    """The files of a set by what they are; where ``are_absent``, ``images`` are the names that they would have."""

    images: dict[Key, PurePosixPath] = field(default_factory=dict)
    classes: dict[Key, PurePosixPath] = field(default_factory=dict)
    objects: dict[Key, PurePosixPath] = field(default_factory=dict)
    pages: dict[Key, PurePosixPath] = field(default_factory=dict)
    are_absent: bool = False

    @property
    def pairs(self) -> list[Key]:
        """The images that have a class mask."""
        return [key for key in self.images if key in self.classes]


def find(listing: Listing) -> Found:
    """Sort the files of a folder; VOC's folders may lie deeper, as in ``VOCdevkit/VOC2012``."""
    found = Found()
    tables = {"image": found.images, "classes": found.classes, "objects": found.objects}
    for one in listing.pictures:
        if (place := _place(one)) is not None and place[0] in tables:
            tables[place[0]].setdefault(place[1], one)
    for one in pages_of(listing):
        if (place := _place(one)) is not None and place[0] == "page":
            found.pages.setdefault(place[1], one)
    is_alone = not found.images and all(_place(one) is not None for one in listing.pictures)
    if found.classes and is_alone:  # CVAT exports masks without pictures unless it is asked for them
        found.images = {(base, stem): base / "JPEGImages" / f"{stem}.jpg" for base, stem in found.classes}
        found.are_absent = True
    return found


def pages_of(listing: Listing) -> list[PurePosixPath]:
    """List the XML files of a folder."""
    return [one for one in listing.others if one.suffix.lower() == ".xml"]


def _place(one: PurePosixPath) -> tuple[str, Key] | None:
    """Tell what a file is by its folder, and its key."""
    for index, part in enumerate(one.parts[:-1]):
        if (role := _ROLES.get(part.casefold())) is not None:
            rest = PurePosixPath(*one.parts[index + 1 :])
            return role, (PurePosixPath(*one.parts[:index]), rest.with_suffix("").as_posix())
    return None


def partners(found: Found, root: Path, taken: Iterable[Key]) -> Iterator[str]:
    """Tell of images without masks and of masks without images."""
    left = [found.images[key] for key in found.images.keys() - set(taken)]
    if left:
        yield f"{root}: {len(left):,} images (such as {min(left).name}) have no class mask and are in no list; left out"
    for key, mask in found.classes.items():
        if key not in found.images:
            yield LostLabels(f"{root / mask}: no image in JPEGImages has its name; left out")


def read_splits(listing: Listing, keys: Iterable[Key], names: Sequence[str]) -> dict[str, list[Key]]:
    """Read ``ImageSets/Segmentation/*.txt``, else ``ImageSets/Main/*.txt`` without the lists of single classes.

    ``trainval`` is left out where it says no more than ``train`` and ``val`` do.

    Raises:
        UnreadableFile: a list is no text in UTF-8.
    """
    index: dict[Key, Key] = {}
    for base, stem in keys:
        index[base, stem.casefold()] = index[base, PurePosixPath(stem).name.casefold()] = (base, stem)
    for folder in ("segmentation", "main"):
        found: dict[str, list[Key]] = defaultdict(list)
        for one in listing.texts:
            where = [part.casefold() for part in one.parts]
            if one.suffix.lower() != ".txt" or where[-3:-1] != ["imagesets", folder] or _is_of_a_class(one.stem, names):
                continue
            base = PurePosixPath(*one.parts[:-3])
            stems = _lines(listing.root / one)
            found[SPLITS.get(one.stem.casefold(), one.stem)] += [index[base, stem] for stem in stems if (base, stem) in index]
        if any(found.values()):
            return _without_sums(found)
    return {}


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: expected a list of images, found {path.stat().st_size:,} bytes")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected a list of images in UTF-8, but {error}; save it as UTF-8 text") from None
    return [line.strip().strip('"').casefold() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _is_of_a_class(stem: str, names: Sequence[str]) -> bool:
    """Tell ``cow_train``, which says of each image whether a cow is in it."""
    return any(stem.casefold().startswith(f"{name.casefold()}_") for name in (*names, "background", "ignored"))


def _without_sums(splits: Mapping[str, list[Key]]) -> dict[str, list[Key]]:
    kept = {name: list(dict.fromkeys(keys)) for name, keys in splits.items() if keys}
    if {"trainval", "train", "val"} <= kept.keys() and set(kept["trainval"]) <= {*kept["train"], *kept["val"]}:
        del kept["trainval"]
    return kept
