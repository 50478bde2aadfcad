"""Find the label file of each image of a YOLO set, and which split it is in.

A label file has its image's name and ``.txt``, and lies beside it or where ``images`` in the path is ``labels``. Paths in
``data.yaml`` and in lists are those of the machine that trained last: they are looked up among the folder's own files.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.image import SUFFIXES
from pixelwise.formats.folder import Listing
from pixelwise.formats.names import place_of
from pixelwise.formats.pictures import Pictures, name_parts
from pixelwise.formats.yolo.names import is_about

_WORDS = frozenset({"images", "image", "imgs", "img", "labels", "label", "annotations", "labeltxt", "txt", "jpegimages"})
_MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Pair:
    """An image, and its label file if there is one."""

    image: PurePosixPath
    label: PurePosixPath | None


def find_pairs(listing: Listing) -> tuple[list[Pair], list[PurePosixPath]]:
    """Pair images with label files; give also the label files that are left over."""
    labels: dict[tuple[str, ...], PurePosixPath] = {}
    for one in listing.texts:
        if one.suffix.lower() == ".txt" and not is_about(one) and not _is_crowds(one):
            labels.setdefault(key_of(one), one)
    pairs = [Pair(picture, labels.get(key_of(picture))) for picture in listing.pictures]
    used = {pair.label for pair in pairs}
    return pairs, [one for one in labels.values() if one not in used]


def beside_labels(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Divide pairs: those of folders in which some image has a label file, and pictures of other folders, such as plots."""
    folders = {pair.image.parent for pair in pairs if pair.label is not None}
    return [pair for pair in pairs if pair.image.parent in folders], [
        pair for pair in pairs if pair.image.parent not in folders
    ]


def crowds_of(listing: Listing) -> dict[tuple[str, ...], PurePosixPath]:
    """List our own files of crowds, by the key of their label file."""
    return {key_of(PurePosixPath(*one.parts[1:])): one for one in listing.texts if _is_crowds(one)}


def _is_crowds(one: PurePosixPath) -> bool:
    return len(one.parts) > 1 and one.parts[0] == "crowds"


def key_of(one: PurePosixPath) -> tuple[str, ...]:
    """Give what an image and its label file have in common: the path without the words for either, and no suffix.

    >>> key_of(PurePosixPath("train/images/a.jpg")) == key_of(PurePosixPath("train/labels/a.txt"))
    True
    """
    return *(part for part in map(str.casefold, one.parent.parts) if part not in _WORDS), one.stem.casefold()


def find_splits(
    listing: Listing, pairs: Sequence[Pair], stated: Mapping[str, Sequence[str]], notes: list[str], by_folder: bool = True
) -> dict[str, list[int]]:
    """Tell who is in which split: as stated; of what is not found so, with ``by_folder``, as its folder is called."""
    rows = {pair.image: row for row, pair in enumerate(pairs)}
    found: dict[str, list[int]] = defaultdict(list)
    for name, places in stated.items():
        for place in places:
            these = list(_members(listing, rows, place))
            if not these and by_folder:
                notes.append(f"{name}: '{place}' is no folder or list of this set; folders named after splits count instead")
            found[name] += these
    taken = {row for these in found.values() for row in these}
    for row, pair in enumerate(pairs if by_folder else ()):
        split = place_of(pair.image.parent).split
        if row not in taken and split is not None:
            found[split].append(row)
    return {name: list(dict.fromkeys(these)) for name, these in found.items() if these}


def _members(listing: Listing, rows: Mapping[PurePosixPath, int], place: str) -> Iterator[int]:
    """List the images of a folder or of a list file, which is looked for by the last parts of its path."""
    parts = name_parts(place)
    if parts and parts[-1].casefold().endswith(".txt"):
        names = [one for one in listing.texts if one.name == parts[-1]]
        if names:
            yield from _listed(listing, rows, min(names, key=lambda one: len(one.parts)))
        return
    for start in range(len(parts)):
        inside = [row for one, row in rows.items() if one.parts[: len(parts) - start] == parts[start:]]
        if inside:
            yield from inside
            return
    if not parts and place.strip():  # "." and "./" are the root
        yield from rows.values()


def _listed(listing: Listing, rows: Mapping[PurePosixPath, int], file: PurePosixPath) -> Iterator[int]:
    path = listing.root / file
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path}: {path.stat().st_size:,} bytes; expected a list of images")
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: expected a list of images in UTF-8, but {error}; save it as UTF-8 text") from None
    pictures = Pictures(listing)
    for line in lines:
        there = pictures.find(line.strip(), file) if line.strip() else []
        if len(there) == 1 and there[0] in rows:
            yield rows[there[0]]


def is_list(listing: Listing, one: PurePosixPath) -> bool:
    """Tell a list of images from a label file by its first line."""
    try:
        with open(listing.root / one, "rb") as file:
            line = file.readline(4096).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return Path(line).suffix.lower() in SUFFIXES
