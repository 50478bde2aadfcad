"""Find the images a person means by files, folders and patterns, and name what is written for each."""

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import MissingFile, OptionError
from pixelwise.core.image import SUFFIXES


@dataclass(frozen=True)
class Job:
    """One image to segment.

    Attributes:
        path: of the image, as the person gave it.
        mask, overlay: the names of what is written for it; ``overlay`` is empty where none is.
        stamp: of the image, those names and the settings: equal stamps have equal results.
    """

    path: Path
    mask: str
    overlay: str
    stamp: str


def jobs_of(images: Sequence[Path], out: Path, overlay: bool, settings: str) -> list[Job]:
    """Name the results of each image, and stamp it with ``settings``; a file that changed has another size or time."""
    found = []
    for path, stem in zip(images, name_results(images, out), strict=True):
        mask, drawn = f"{stem}.png", f"{stem}_overlay.jpg" if overlay else ""
        text = "\n".join([settings, os.path.abspath(path), *_state(path), mask, drawn])
        found.append(Job(path, mask, drawn, hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()))
    return found


def _state(path: Path) -> list[str]:
    try:
        found = path.stat()
    except OSError:  # reading the image will say what is wrong with it
        return ["gone"]
    return [str(found.st_size), str(found.st_mtime_ns)]


def find_images(inputs: Sequence[str | Path], out: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """List the images under ``inputs``, each once, in the order given, and what was asked for but is not there.

    A folder gives every image in it and below it but hidden ones and those in ``out``, by suffix; a file is taken whatever
    its suffix; a pattern (``*.png``, ``**/*.jpg``) is expanded.

    Raises:
        MissingFile: nothing was found at all; the message says where it was looked for.
        OptionError: ``out`` is one of the folders, so that the results would be read as images the next time.
    """
    found: dict[Path, Path] = {}
    missing: list[tuple[Path, str]] = []
    for one in inputs:
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
        return [Path(path) for path in sorted(glob.glob(text, recursive=True)) if os.path.isfile(path)]
    return []


def _in_folder(folder: Path, out: Path) -> list[Path]:
    results = out.resolve()
    if folder.resolve() == results:
        raise OptionError(f"--out {out}: is the folder of the images; choose another, or its results would be read as images")
    images = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (Path(place) / name).resolve() != results)
        images += [
            Path(place) / name for name in sorted(files) if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return images


def name_results(images: Sequence[Path], out: Path) -> list[str]:
    """Choose a stem for what is written for each image: its own, with a number where it is taken.

    Two images of one stem get ``a`` and ``a_2``; a stem whose results would fall on an input image is taken too. Case does
    not tell stems apart, as on some disks it does not tell files apart.
    """
    own = {image.stem.casefold() for image in images}
    inputs = {str(Path(os.path.abspath(image))).casefold() for image in images}
    folder = os.path.abspath(out)
    taken: set[str] = set()

    def is_free(stem: str) -> bool:
        results = (os.path.join(folder, stem + end).casefold() for end in (".png", "_overlay.jpg"))
        return stem.casefold() not in taken and not any(result in inputs for result in results)

    names = []
    for image in images:
        stem, number = image.stem, 2
        while not is_free(stem) or (stem != image.stem and stem.casefold() in own):
            stem, number = f"{image.stem}_{number}", number + 1
        taken.add(stem.casefold())
        names.append(stem)
    return names
