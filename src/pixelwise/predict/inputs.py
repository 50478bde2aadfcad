"""Find the images a person means by files, folders and patterns, and name what is written for each."""

import glob
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.core.image import SUFFIXES

MAP = "_uncertainty"  # after a stem, its map
_LONGEST_STEM = 220  # bytes; file systems take names of 255, with "_overlay.jpg" and a number


@dataclass(frozen=True)
class Job:
    """One image to segment.

    Attributes:
        path: of the image, as the person gave it.
        mask, overlay, map: the names of what is written for it: its ids, the overlay, how unsure they are; empty where none is.
        stamp: of the image, those names and the settings: equal stamps have equal results.
    """

    path: Path
    mask: str
    overlay: str
    stamp: str
    map: str = ""


def jobs_of(images: Sequence[Path], out: Path, overlay: bool, settings: str, maps: bool = False) -> list[Job]:
    """Name the results of each image, and stamp it with ``settings``; a file that changed has another size or time.

    With ``maps``, how unsure each is gets a name too.
    """
    found = []
    for path, stem in zip(images, name_results(images, out, maps), strict=True):
        mask, drawn = f"{stem}.png", f"{stem}_overlay.jpg" if overlay else ""
        drawn_map = f"{stem}{MAP}.png" if maps else ""
        text = "\n".join([settings, os.path.abspath(path), *_state(path), mask, drawn])
        found.append(Job(path, mask, drawn, hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest(), drawn_map))
    return found


def _state(path: Path) -> list[str]:
    try:
        found = path.stat()
    except OSError:  # reading the image will say what is wrong with it
        return ["gone"]
    return [str(found.st_size), str(found.st_mtime_ns)]


def find_images(inputs: str | Path | Sequence[str | Path], out: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """List the images under ``inputs``, each once, in the order given, and what was asked for but is not there.

    A folder gives every image in it and below it but hidden ones and those in ``out``, by suffix; links to folders are
    followed, and no folder is entered twice, so links that loop come to an end. A file is taken whatever its suffix; a pattern
    (``*.png``, ``**/*.jpg``) is expanded.

    Raises:
        MissingFile: nothing was found at all; the message says where it was looked for.
        OptionError: ``out`` is one of the folders, so that the results would be read as images the next time.
    """
    found: dict[Path, Path] = {}
    missing: list[tuple[Path, str]] = []
    for one in [inputs] if isinstance(inputs, str | Path) else inputs:
        places = _expanded(str(one))
        images = [image for place in places for image in (_in_folder(place, out) if place.is_dir() else [place])]
        if not places:
            missing.append((Path(one), "expected an image, a folder or a pattern that matches some; found nothing there"))
        elif not images:
            missing.append((Path(one), f"expected images ({' '.join(sorted(SUFFIXES))}) in the folder; found none"))
        for image in images:
            found.setdefault(Path(os.path.abspath(image)), image)
    if not found:
        if not missing:
            raise MissingFile("no images are given; expected files, folders or patterns")
        raise MissingFile("; ".join(f"{path}: {reason}" for path, reason in missing))
    return list(found.values()), missing


def _expanded(text: str) -> list[Path]:
    if os.path.exists(text):
        return [Path(text)]
    if any(sign in text for sign in "*?["):
        return [Path(path) for path in _matching(text) if os.path.isfile(path)]
    return []


def _matching(pattern: str) -> list[str]:
    """Expand a pattern; ``**`` stands for a folder and those below it, each once, so that links that loop come to an end."""
    pattern = pattern.replace(os.altsep or os.sep, os.sep)
    head, below, tail = (
        f"{pattern}{os.sep}*".partition(f"**{os.sep}") if pattern.endswith("**") else pattern.partition(f"**{os.sep}")
    )
    if not below or (head and not head.endswith(os.sep)):
        return sorted(glob.glob(pattern))
    found: dict[str, None] = {}
    for start in sorted(glob.glob(head)) if head else [os.curdir]:
        for place, _, _ in _folders(Path(start)):
            near = glob.escape(os.path.join(place, "")).removeprefix(os.path.join(os.curdir, ""))
            found |= dict.fromkeys(_matching(near + tail))
    return sorted(found)


def _in_folder(folder: Path, out: Path) -> list[Path]:
    results = out.resolve()
    if folder.resolve() == results:
        raise OptionError(f"--out {out}: is the folder of the images; choose another, or its results would be read as images")
    images = []
    for place, folders, files in _folders(folder):
        folders[:] = [name for name in folders if (place / name).resolve() != results]
        images += [place / name for name in sorted(files) if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES]
    return images


def _folders(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk over a folder and those below it, also through links, but hidden ones; each is entered once, by its first path.

    What of the names of folders is left out by the caller is not entered.
    """
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        try:
            own = os.stat(place)
        except OSError:  # gone meanwhile
            folders.clear()
            continue
        if (own.st_dev, own.st_ino) in seen and own.st_ino:
            folders.clear()
            continue
        seen.add((own.st_dev, own.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), folders, files


def name_results(images: Sequence[Path], out: Path, maps: bool = False) -> list[str]:
    """Choose a stem for what is written for each image: its own, with a number where it is taken.

    Two images of one stem get ``a`` and ``a_2``; a stem whose results would fall on an input image is taken too. Case does
    not tell stems apart, as on some disks it does not tell files apart. A stem too long for a name with an ending is cut. With
    ``maps``, a stem is also taken that would be the name of another one's map.
    """
    own = {image.stem.casefold() for image in images}
    inputs = {str(Path(os.path.abspath(image))).casefold() for image in images}
    folder = os.path.abspath(out)
    taken: set[str] = set()

    def is_free(stem: str) -> bool:
        ends = (".png", "_overlay.jpg", *([f"{MAP}.png"] if maps else []))
        results = (os.path.join(folder, stem + end).casefold() for end in ends)
        if maps and stem.casefold().endswith(MAP) and stem.casefold().removesuffix(MAP) in own | taken:
            return False
        return stem.casefold() not in taken and not any(result in inputs for result in results)

    names = []
    for image in images:
        first = stem = _cut(image.stem)
        number = 2
        while not is_free(stem) or (stem != image.stem and stem.casefold() in own):
            stem, number = f"{first}_{number}", number + 1
        taken.add(stem.casefold())
        names.append(stem)
    return names


def _cut(stem: str) -> str:
    """Cut a stem whose bytes leave no room for an ending and a number; a character is left out whole."""
    if len(os.fsencode(stem)) <= _LONGEST_STEM:
        return stem
    return os.fsencode(stem)[:_LONGEST_STEM].decode(sys.getfilesystemencoding(), "ignore")
