"""Predictions made before or elsewhere, found by what a person gives: a folder, a file of COCO results, labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.core.sample import Dataset
    from pixelwise.metrics.predictions import Predictions

_WANTED = (
    "expected a run folder, a checkpoint, a method's name; or predictions: a folder that predict wrote, one of PNGs named as "
    "the images are, COCO results (.json), or labelled images"
)


def open_predictions(source: str, dataset: "Dataset") -> "Predictions | None":
    """Open predictions for the samples of ``dataset``; None where ``source`` is a model or a method, or a misspelt one.

    Raises:
        MissingFile, UnknownLayout: there is nothing, or nothing that can be scored.
        UnreadableFile, DataError: a file of predictions is broken, or does not fit the data.
        OptionError: results are of one of several files that the truth comes from.
    """
    from pixelwise.core.errors import MissingFile
    from pixelwise.methods import METHODS
    from pixelwise.methods.stored import is_stored
    from pixelwise.metrics.predictions import is_model, is_stated, read_predictions

    path = Path(source)
    if source in METHODS:
        return None
    if not path.exists():
        if path.suffix or len(path.parts) > 1:  # no method is called so
            raise MissingFile(f"{source}: {_WANTED}; found nothing there")
        return None
    if is_stated(path):
        return read_predictions(path, dataset)
    return None if is_stored(path) or is_model(path) else _labelled(path, dataset)


def _labelled(path: Path, dataset: "Dataset") -> "Predictions":
    """Read what is no model as labelled images, else as pictures of numbers."""
    from pixelwise.core.errors import UnknownLayout
    from pixelwise.formats import read, recognise
    from pixelwise.formats.coco.form import form_of
    from pixelwise.metrics.predictions import PredictedData, read_predictions
    from pixelwise.metrics.predictions.pictures import pictures_in

    if path.suffix.lower() == ".json" and form_of(path) in (None, "results", "box results"):
        return _results(path, dataset)
    try:
        recognise(path)
    except UnknownLayout as error:
        if path.is_dir() and pictures_in(path):
            return read_predictions(path, dataset)
        raise UnknownLayout(f"{path}: {_WANTED}; found {_found(path)}") from error
    return PredictedData.of(read(path), str(path), dataset)


def _found(path: Path) -> str:
    """Say what a path holds instead."""
    if path.is_file():
        return f"a file of another kind ({path.suffix or 'without ending'})"
    endings = sorted({one.suffix.lower() or one.name for one in path.rglob("*") if one.is_file()})
    return f"files of {', '.join(endings[:6])}" if endings else "an empty folder"


def _results(path: Path, dataset: "Dataset") -> "Predictions":
    """Read COCO results: their images and classes are those of the COCO file the truth came from, where it came from one."""
    from pixelwise.core.errors import DataError, OptionError
    from pixelwise.formats import read
    from pixelwise.formats.coco.file import read_info
    from pixelwise.formats.coco.form import form_of
    from pixelwise.formats.coco_results import image_ids, read_with
    from pixelwise.metrics.predictions import PredictedData

    if form_of(path) == "box results":
        raise DataError(f"{path}: its results are boxes without masks (segmentation), and what is scored are masks")
    files = sorted({file for sample in dataset for file in sample.source.truths if file.suffix.lower() == ".json"})
    wanted = set(map(_plain, image_ids(path)))
    if not files:
        return PredictedData.of(read(path), str(path), dataset)
    images = {file: set(map(_plain, read_info(file).image_ids)) for file in files}
    shared = {file: len(wanted & images[file]) for file in files}
    if len(files) > 1:
        counts = ", ".join(f"{count} of {file.name}" for file, count in shared.items())
        split = _split_of(max(files, key=lambda file: shared[file]), dataset)
        raise OptionError(
            f"{path}: results are of the images of one COCO file, and the truth comes from {len(files)}; they name {counts}; "
            f"give --split {split or 'NAME'}"
        )
    (file,) = files
    if wanted and not shared[file]:
        raise DataError(
            f"{path}: none of the {len(wanted)} images its results name is in {file.name}; give the --split they are of, or "
            f"the results of these images"
        )
    told: tuple[str, ...] = ()
    lacking = len(images[file]) - shared[file]
    if lacking:
        told = (f"{lacking} of the {len(images[file])} images of {file.name} have no result: nothing was found on them",)
    return PredictedData.of(read_with(path, file), str(path), dataset, told)


def _plain(number: "float | str") -> str:
    return str(int(number)) if isinstance(number, int | float) and number == int(number) else str(number).lstrip("0")


def _split_of(file: Path, dataset: "Dataset") -> str | None:
    """Name the split whose truth is in a file."""
    for name in dataset.splits:
        if any(file in sample.source.truths for sample in dataset.split(name)):
            return name
    return None
