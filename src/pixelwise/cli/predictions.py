"""Predictions made before or elsewhere, found by what a person gives: a folder, a file of COCO results, labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelwise.core.sample import Dataset
    from pixelwise.metrics.predictions import Predictions


def open_predictions(source: str, dataset: "Dataset") -> "Predictions | None":
    """Open predictions for the samples of ``dataset``; None where ``source`` is a model, a method or nothing at all.

    Raises:
        UnreadableFile, DataError: a file of predictions is broken, or does not fit the data.
    """
    from pixelwise.methods import METHODS
    from pixelwise.metrics.predictions import is_model, is_predictions, read_predictions
    from pixelwise.metrics.predictions.dataset import PredictedData

    path = Path(source)
    if source in METHODS or not path.exists():
        return None
    if is_predictions(path):
        return read_predictions(path)
    if is_model(path):
        return None
    found = _labelled(path, dataset)
    return None if found is None else PredictedData(found, source)


def _labelled(path: Path, dataset: "Dataset") -> "Dataset | None":
    """Read what is no model as labelled images; results of COCO name their images by the file the truth came from."""
    from pixelwise.core.errors import DataError, UnknownLayout
    from pixelwise.formats import read, recognise
    from pixelwise.formats.coco.form import form_of
    from pixelwise.formats.coco_results import read_with

    if path.suffix.lower() == ".json" and form_of(path) == "results":
        files = {file for sample in dataset for file in sample.source.truths if file.suffix.lower() == ".json"}
        if len(files) == 1:
            return read_with(path, files.pop())
        if len(files) > 1:
            names = ", ".join(sorted(file.name for file in files))
            raise DataError(
                f"{path}: results are of the images of one COCO file, and the truth comes from {names}; give --split"
            )
        return read(path)
    try:
        recognise(path)
    except UnknownLayout:
        return None
    return read(path)
