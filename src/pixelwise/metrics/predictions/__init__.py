"""Score predictions made before or elsewhere, without the model.

They come as what ``pixelwise predict`` writes (``folder``, ``segments``), as pictures of numbers in a folder (``pictures``),
or as anything that can be read as labelled images (``dataset``): COCO results, panoptic PNGs, a folder of masks. Each goes with
the sample of the same image (``pairing``). A sample without one is a failure; predictions of images that are not among the
samples do not count, and a note says how many there are.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.predictions.dataset import PredictedData
from pixelwise.metrics.predictions.folder import is_model, is_stated, read_folder
from pixelwise.metrics.predictions.pairing import Pairs, listed, pairs
from pixelwise.metrics.tally import Progress, Tally, needs_probabilities, tally
from pixelwise.metrics.truths import Truths, require_kind
from pixelwise.metrics.views import Families

__all__ = [
    "PredictedData",
    "Predictions",
    "Scored",
    "is_model",
    "is_stated",
    "read_predictions",
]


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
    def notes(self) -> tuple[str, ...]:
        """What the reader must know of it."""

    @property
    def keys(self) -> Collection[str]:
        """A path without ending for each image something was predicted for."""

    def read(self, key: str, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            DataError, MissingFile: it cannot be read.
        """


def read_predictions(source: Dataset | str | Path, truth: Dataset | None = None) -> Predictions:
    """Take predictions of the samples of ``truth``: a folder of them, or what was read from one as labelled images.

    Raises:
        MissingFile: the folder is not there or holds no picture.
        UnreadableFile: its ``segments.json`` or ``labels.json`` is damaged.
        UnsettledLabels: neither it nor the truth says what its values mean.
    """
    if isinstance(source, Dataset):
        return PredictedData.of(source, source.name, source if truth is None else truth)
    if not Path(source).is_dir():
        raise MissingFile(
            f"{source}: expected a folder of predictions, found {'a file' if Path(source).exists() else 'nothing there'}; COCO "
            f"results and the like are read first: evaluate(read(path), data)"
        )
    return read_folder(Path(source), truth)


@dataclass(frozen=True)
class Scored:
    """Predictions, each with the sample it is scored on."""

    predictions: Predictions
    dataset: Dataset
    pairs: Pairs

    @classmethod
    def on(cls, predictions: Predictions, dataset: Dataset) -> "Scored":
        """Pair predictions with the samples of a data set.

        Raises:
            DataError: none of them is of one of the samples, or one could as well be of two.
        """
        return cls(predictions, dataset, pairs(predictions.keys, dataset, predictions.name))

    @property
    def name(self) -> str:
        """Where the predictions are."""
        return self.predictions.name

    @property
    def kind(self) -> Kind:
        """Of their segments."""
        return self.predictions.kind

    def truths(self, families: Families) -> Truths:
        """Read the truth so that it can be compared with the predictions.

        Raises:
            UnsettledLabels: the data's stored values do not fit the predictions' label set.
            OptionError: a family cannot score such truths or predictions, needs probabilities, or the two have no class in
                common.
        """
        if wanted := needs_probabilities(families):
            raise OptionError(f"{self.name} holds no probabilities, which {', '.join(wanted)} needs; evaluate the model itself")
        require_kind(self.kind, families, self.name)
        return Truths.of(self.dataset, families, None if self.kind == "regions" else self.predictions.labels)

    def count(self, truths: Truths, families: Families, group: str | None = None, progress: Progress | None = None) -> Tally:
        """Count the predictions against ``truths``; samples without one are listed as failures, and the rest go on."""
        return tally(_each(self, truths.dataset, progress), truths, families, [], group)

    def read(self, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            MissingFile: nothing was.
            DataError: it cannot be read, or several were.
        """
        if sample.name in self.pairs.doubtful:
            shown = listed(self.pairs.doubtful[sample.name])
            raise DataError(f"{self.predictions.name}: {shown} could each be the prediction of {sample.name}; keep one")
        if sample.name not in self.pairs.keys:
            raise MissingFile(f"{self.predictions.name}: expected a prediction for {sample.name}, found none of that name")
        return self.predictions.read(self.pairs.keys[sample.name], sample)

    def notes(self, truths: Truths) -> list[str]:
        """Say how they were joined with the data, and which are of no image in it."""
        known, strange = self.predictions, self.pairs.strange
        notes = [*truths.notes(self.dataset, known.labels, known.kind), *known.notes, *self.pairs.notes]
        if strange:
            what = "1 prediction is" if len(strange) == 1 else f"{len(strange)} predictions are"
            notes.append(f"{what} of images that are not scored: {listed(strange)}; not counted")
        return notes


def _each(
    scored: Scored, dataset: Sequence[Sample], progress: Progress | None
) -> Iterator[tuple[int, Segmentation | PixelwiseError]]:
    for row, sample in enumerate(dataset):
        result: Segmentation | PixelwiseError
        try:
            result = scored.read(sample)
        except PixelwiseError as error:
            result = error
        yield row, result
        if progress is not None:
            progress(row + 1, len(dataset))
