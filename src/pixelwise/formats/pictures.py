"""The pictures of a folder, found by what label files call them.

A file name in a label file is looked for among the pictures of the folder, never opened as a path: what leads outside, by
``..``, by a full path or by a link, finds nothing or a picture of that name inside.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from pixelwise.core.sample import LostLabels
from pixelwise.formats.folder import Listing

Rank = Callable[[PurePosixPath], object]
_NAMELESS = "unnamed"  # stands for a picture that a label file gives no name
_TOLD = 20  # images that are missing, a sentence each; the rest are counted
_LONGEST = 120  # characters of a name in a message; addresses may carry long keys


class Pictures:
    """The pictures of a listing, by name; names that differ in case or in Unicode form alone are the same name.

    Attributes:
        are_absent: no picture is looked for: the name that a label file has for one stands for it.
        any_found: some name was that of a picture.
    """

    def __init__(self, listing: Listing, *, are_absent: bool = False) -> None:
        """Index a listing."""
        self.are_absent = are_absent
        self.any_found = False
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for picture in listing.pictures:
            self._by_name[_folded(picture.name)].append(picture)
            self._by_stem[_folded(picture.stem)].append(picture)
        self._folders = {_folded(part) for picture in listing.pictures for part in picture.parent.parts}

    def find(self, name: str, file: PurePosixPath, rank: Rank | None = None) -> list[PurePosixPath]:
        """Find the picture that the label file ``file`` (relative to the root) calls ``name``; several where that is open.

        The longest part of the name that fits decides; a folder in the name is given up only where no folder is called so,
        as in a path of another machine. Among equals: the one in the file's own folder, the one written the very same way,
        then those of the lowest ``rank``.
        """
        if self.are_absent:
            return [PurePosixPath(*(name_parts(name.partition("?")[0]) or (_NAMELESS,)))]
        parts = name_parts(name)
        return self._find(parts, self._by_name.get(_folded(parts[-1]), []) if parts else [], file, rank)

    def of_stem(self, stem: str, file: PurePosixPath, rank: Rank | None = None) -> list[PurePosixPath]:
        """Find the picture whose name less its suffix is ``stem``, which may have folders in front; else as ``find``."""
        parts = () if self.are_absent else name_parts(stem)
        return self._find(parts, self._by_stem.get(_folded(parts[-1]), []) if parts else [], file, rank)

    def _find(
        self, wanted: tuple[str, ...], there: list[PurePosixPath], file: PurePosixPath, rank: Rank | None
    ) -> list[PurePosixPath]:
        for start in range(len(wanted)):
            above = wanted[start:-1]  # the folders that must be those of the picture
            fits = [one for one in there if _ends_with(one.parent, above)]
            if beside := [
                one for one in fits if len(one.parts) == len(file.parts) + len(above) and one.is_relative_to(file.parent)
            ]:
                fits = beside
            if same := [one for one in fits if wanted[-1] in (one.name, one.stem)]:
                fits = same
            if fits:
                self.any_found = True
                return _nearest(fits, file, rank)
            if above and _folded(above[0]) in self._folders:
                return []
        return []


def attempts(listing: Listing) -> Iterator[Pictures]:
    """Give the pictures of a listing; then, where not one of those asked for was there, the names alone."""
    pictures = Pictures(listing)
    yield pictures
    if not pictures.any_found:
        yield Pictures(listing, are_absent=True)


def name_parts(name: str) -> tuple[str, ...]:
    r"""Divide a file name as any system writes it: with backslashes, a drive, ``./``, ``file://``.

    >>> name_parts(r"C:\data\a.jpg"), name_parts("../../etc/passwd")
    (('data', 'a.jpg'), ('etc', 'passwd'))
    """
    bare = re.sub(r"^[a-z][a-z0-9+.\-]*://", "", name.strip(), flags=re.IGNORECASE).replace("\\", "/")
    return tuple(part for part in bare.split("/") if part not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", part))


def _ends_with(folder: PurePosixPath, parts: tuple[str, ...]) -> bool:
    last = folder.parts[len(folder.parts) - len(parts) :]
    return len(last) == len(parts) and all(_folded(one) == _folded(other) for one, other in zip(last, parts, strict=True))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _nearest(pictures: list[PurePosixPath], file: PurePosixPath, rank: Rank | None) -> list[PurePosixPath]:
    """Keep the pictures that fit a label file best."""
    if len(pictures) == 1:
        return pictures

    def key(one: PurePosixPath) -> tuple[object, int]:
        return (0 if rank is None else rank(one)), -_shared(one.parent, file.parent)

    best = min(map(key, pictures))
    return [one for one in pictures if key(one) == best]


def _shared(one: PurePosixPath, other: PurePosixPath) -> int:
    return sum(1 for a, b in zip(one.parts, other.parts, strict=False) if a == b)


def not_found(name: object, file: Path, there: Sequence[PurePosixPath]) -> LostLabels:
    """Say that the picture that ``file`` calls ``name`` is left out, as none or several (``there``) are called so."""
    shown = str(name)[:_LONGEST] if name else "an image without a name"
    why = f"{there[0]} and {there[1]} may both be meant" if there else "there is no such image"
    return LostLabels(f"{shown}: {file} names it, but {why}; it is left out")


def told(missing: Sequence[str], path: Path) -> Iterator[str]:
    """Give what ``not_found`` says of the images of ``path``: the first sentences, and how many there are besides."""
    yield from missing[:_TOLD]
    if len(missing) > _TOLD:
        yield LostLabels(f"{path}: {len(missing) - _TOLD} more of the images named are not there; they are left out")


def named_twice(pictures: Iterable[PurePosixPath], path: Path) -> Iterator[str]:
    """Tell, in a sentence or none, of pictures that are there more than once."""
    if twice := [picture for picture, count in Counter(pictures).items() if count > 1]:
        yield f"{path}: {len(twice)} images are named more than once ({twice[0]}); each naming is a sample of its own"


def unnamed(listing: Listing, used: Iterable[PurePosixPath]) -> Iterable[str]:
    """Tell of pictures that no label file names, in folders of which they name others."""
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
