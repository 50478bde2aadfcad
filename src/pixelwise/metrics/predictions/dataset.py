"""Predictions that were read as labelled images are: COCO results, panoptic PNGs, a folder of masks."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from pixelwise.core.errors import DataError, UnsettledLabels
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation


@dataclass(frozen=True)
class PredictedData:
    """What a data set says of each image, as a prediction; ``name`` is where it was read from, ``said`` what is known of it."""

    dataset: Dataset
    name: str
    said: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, name: str, truth: Dataset, said: tuple[str, ...] = ()) -> "PredictedData":
        """Take a data set as predictions of the images of ``truth``.

        Raises:
            UnsettledLabels: what its values mean is in doubt, and the truth has no values to tell it by.
        """
        if not dataset.labels.settled and truth.kind != "semantic":
            shown = ", ".join(dataset.labels.describe(value) for value in list(dataset.labels.values)[:12])
            raise UnsettledLabels(
                f"{name}: what its mask values ({shown}) mean is not settled, and {truth.kind} truth does not say it; put "
                f"names beside them (classes.txt) or give predictions as COCO results"
            )
        return cls(dataset, name, said)

    @property
    def kind(self) -> Kind:
        """Of its segments."""
        return self.dataset.kind

    @property
    def labels(self) -> LabelSet | None:
        """Its classes; None where their values are in doubt, so that the truth's own coding holds."""
        return self.dataset.labels if self.dataset.labels.settled else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed when it was read: results of unknown images, scores out of range."""
        return (*self.said, *(f"in the predictions: {note}" for note in self.dataset.notes))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {sample.name: row for row, sample in enumerate(self.dataset)}

    @property
    def keys(self) -> Collection[str]:
        """The names of its samples."""
        return self._rows.keys()

    def read(self, key: str, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            DataError: it cannot be read, or there is not one prediction of the image.
        """
        found = self.dataset[self._rows[key]]
        truths = (found if self.dataset.labels.settled else found.under(sample.labels)).truths
        if len(truths) != 1:
            raise DataError(f"{self.name}: expected one prediction of {key}, found {len(truths)}")
        return truths[0]
