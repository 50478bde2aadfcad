"""What is kept of a proof: ``parity.json`` beside the files, and of one that failed the pictures that show where."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.files import make_folder, read_json, write_json
from pixelwise.core.image import Image, write_image
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Segmentation
from pixelwise.export.agreement import differing
from pixelwise.export.parity import Parity

PARITY = "parity.json"
FAILED = "failed"


def keep(parity: Parity, artefact: Path, *more: Path) -> Path:
    """Write the proof of ``artefact`` (a file, or a folder) into ``parity.json`` beside it, under its name.

    The proof holds the digests of the file and of those that belong to it, ``more``; it says nothing of others of their names.

    Raises:
        StorageError: it cannot be written.
        UnreadableFile: a file of that name is there that is no proof.
    """
    path = artefact.parent / PARITY
    known = _read(path) if path.is_file() else {}
    files = {one.name: digest(one) for one in (artefact, *more)}
    write_json(path, {**known, artefact.name: {**parity.to_json(), "files": files}})
    return path


def proof_of(artefact: Path) -> dict[str, Any] | None:
    """Read the proof of an exported file; None where there is none, or the file has changed since.

    Raises:
        UnreadableFile: ``parity.json`` is there and is no proof.
    """
    path = artefact.parent / PARITY
    found = _read(path).get(artefact.name) if path.is_file() else None
    if not isinstance(found, dict):
        return None
    files = found.get("files")
    places = {artefact.parent / name: stated for name, stated in files.items()} if isinstance(files, dict) else {}
    return found if places and all(place.exists() and digest(place) == stated for place, stated in places.items()) else None


def _read(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise UnreadableFile(f"{path}: expected proofs by the names of files, found {type(found).__name__}")
    return found


def digest(path: Path) -> str:
    """Sum up a file, or all files of a folder by name and content, with SHA-256."""
    sums = hashlib.sha256()
    for one in [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file()):
        if one != path:
            sums.update(one.relative_to(path).as_posix().encode() + b"\0")
        with one.open("rb") as file:
            while part := file.read(2**20):
                sums.update(part)
    return sums.hexdigest()


def keep_failed(parity: Parity, model: Predictor, exported: Predictor, samples: Dataset, folder: Path) -> Path:
    """Write what shows that a proof failed into ``folder``: ``parity.json``, and a picture of each of the worst images.

    A picture has the image, the segments of the model, those of the exported model, and where they differ.

    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(folder)
    write_json(folder / PARITY, parity.to_json())
    wanted = {one.name: rank for rank, one in enumerate(parity.worst, start=1)}
    for sample in samples:
        if sample.name not in wanted:
            continue
        name = re.sub(r"[^\w.-]+", "_", sample.name)[:100]
        image = sample.image
        first, second = (one([image])[0] for one in (model, exported))
        picture = _picture(image, first, second)
        write_image(folder / f"{wanted[sample.name]:02}_{name}.png", picture)
    return folder


def _picture(image: Image, first: Segmentation, second: Segmentation) -> Any:
    from pixelwise.draw.colours import rgb_bytes
    from pixelwise.draw.compare import WRONG, side_by_side
    from pixelwise.draw.overlay import overlay
    from pixelwise.draw.scaled import faded

    base = np.ascontiguousarray(rgb_bytes(image))
    differs = differing(first, second)
    canvas = faded(base)
    canvas[differs] = WRONG
    panels = {
        "image": base,
        "model": overlay(image, first),
        "exported": overlay(image, second),
        f"differs: {differs.mean():.2%} of pixels": canvas,
    }
    return side_by_side(panels, columns=2 if image.size[1] > image.size[0] else None)
