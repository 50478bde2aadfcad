"""Score predictions made before or elsewhere, without the model.

They come as a folder of predicted id PNGs (``folder``), as the segments with run lengths and scores that ``pixelwise predict``
writes (``segments``), or as anything that can be read as labelled images (``dataset``): COCO results, panoptic PNGs, a folder
of masks. Each prediction goes with the sample of the same image. A sample without one is a failure; predictions of images that
are not among the samples do not count, and a note says how many there are.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.evaluate import Progress, with_about
from pixelwise.metrics.interval import PLAIN, Bootstrap
from pixelwise.metrics.predictions.folder import is_model, is_predictions, read_folder
from pixelwise.metrics.result import Report
from pixelwise.metrics.tally import Tally, families_of, needs_probabilities, report_of, tally
from pixelwise.metrics.truths import Families, Truths, drawn_as, is_film, require_kind, usual

__all__ = [
    "Predictions",
    "count_predictions",
    "evaluate_predictions",
    "is_model",
    "is_predictions",
    "predicted_truths",
    "read_predictions",
]
_SHOWN = 3


class Predictions(Protocol):
    """What was predicted for some images."""

    @property
    def name(self) -> str:
        """Where it is."""

    @property
    def kind(self) -> Kind:
        """Of its segments."""

    @property
    def labels(self) -> LabelSet | None:
        """Its classes; None where it does not say, so that the truth's own coding holds."""

    @property
    def keys(self) -> Collection[str]:
        """Of the images something was predicted for."""

    def key(self, sample: Sample) -> str:
        """Find the prediction of a sample.

        Raises:
            MissingFile: there is none.
        """

    def read(self, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            MissingFile: nothing was.
            DataError: it cannot be read.
        """


def read_predictions(folder: Path) -> Predictions:
    """Find the predictions in a folder that ``predict`` wrote, or in a folder of id PNGs.

    Raises:
        MissingFile: the folder is not there or holds no PNG.
        UnreadableFile: its ``segments.json`` or ``labels.json`` is damaged.
    """
    return read_folder(folder)


def evaluate_predictions(
    predictions: Predictions,
    dataset: Dataset,
    metrics: Sequence[str] | None = None,
    *,
    intervals: Bootstrap | None = PLAIN,
    progress: Progress | None = None,
) -> Report:
    """Score predictions against ``dataset``; samples without one are listed as failures, and the rest go on.

    Raises:
        UnknownName: no metric or score has that name.
        UnsettledLabels: the data's stored values do not fit the predictions' label set.
        OptionError: the metrics do not fit the kind of the truth or of the predictions, or need probabilities.
    """
    if metrics is None:
        metrics = usual(dataset.kind, predictions.kind, is_film(dataset))
    families = families_of(metrics)
    truths = predicted_truths(predictions, dataset, families)
    intervals = drawn_as(intervals, families, dataset)
    found = count_predictions(predictions, truths, families, None if intervals is None else intervals.group, progress)
    report = report_of(found, families, metrics, intervals)
    about = {"model": predictions.name, "data": dataset.name}
    return with_about(report, about, notes_on(predictions, truths, dataset))


def predicted_truths(predictions: Predictions, dataset: Dataset, families: Families) -> Truths:
    """Read the truth so that it can be compared with the predictions.

    Raises:
        UnsettledLabels: the data's stored values do not fit the predictions' label set.
        OptionError: a family cannot score such truths or predictions, or the two have no class in common.
    """
    require_kind(predictions.kind, families, predictions.name)
    return Truths.of(dataset, families, None if predictions.kind == "regions" else predictions.labels)


def notes_on(predictions: Predictions, truths: Truths, given: Dataset) -> list[str]:
    """Say how the data set ``given`` was joined with the predictions, and which of these are of no image in it."""
    notes = truths.notes(given, predictions.labels, predictions.kind)
    used = set()
    for sample in truths.dataset:
        try:
            used.add(predictions.key(sample))
        except PixelwiseError:
            continue  # it is listed as a failure when it is counted
    if strange := sorted(set(predictions.keys) - used):
        shown = ", ".join(strange[:_SHOWN]) + (" …" if len(strange) > _SHOWN else "")
        notes.append(f"{len(strange)} predictions are of images that are not scored: {shown}; they do not count")
    return notes


def count_predictions(
    predictions: Predictions,
    truths: Truths,
    families: Families,
    group: str | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Count predictions against ``predicted_truths``."""
    if wanted := needs_probabilities(families):
        raise OptionError(
            f"{predictions.name} holds no probabilities, which {', '.join(wanted)} needs; evaluate the model itself"
        )
    return tally(_read(predictions, truths.dataset, progress), truths, families, [], group)


def _read(
    predictions: Predictions, dataset: Dataset, progress: Progress | None
) -> Iterator[tuple[int, Segmentation | PixelwiseError]]:
    for row, sample in enumerate(dataset):
        result: Segmentation | PixelwiseError
        try:
            result = predictions.read(sample)
        except PixelwiseError as error:
            result = error
        yield row, result
        if progress is not None:
            progress(row + 1, len(dataset))
