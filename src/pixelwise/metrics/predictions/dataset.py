"""Predictions that were read as labelled images are: COCO results, panoptic PNGs, a folder of masks."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pixelwise.core.errors import MissingFile
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation


@dataclass(frozen=True)
class PredictedData:
    """What a data set says of each image, as a prediction; ``name`` is where it was read from."""

    dataset: Dataset
    name: str

    @property
    def kind(self) -> Kind:
        """Of its segments."""
        return self.dataset.kind

    @property
    def labels(self) -> LabelSet | None:
        """Its classes; None where their values are in doubt, so that the truth's own coding holds."""
        return self.dataset.labels if self.dataset.labels.settled else None

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {sample.name: row for row, sample in enumerate(self.dataset)}

    @cached_property
    def _stems(self) -> dict[str, int | None]:
        """The rows by the last part of their names; None where two images share it."""
        found: dict[str, int | None] = {}
        for row, sample in enumerate(self.dataset):
            stem = Path(sample.name).name
            found[stem] = None if stem in found else row
        return found

    @cached_property
    def keys(self) -> Collection[str]:
        """The names of its samples."""
        return set(self._rows)

    def key(self, sample: Sample) -> str:
        """Find the sample of the same image, by name.

        Raises:
            MissingFile: there is none.
        """
        if sample.name in self._rows:
            return sample.name
        row = self._stems.get(Path(sample.name).name)
        if row is None:
            raise MissingFile(f"{self.name}: expected a prediction for {sample.name}; it has none of that name")
        return self.dataset[row].name

    def read(self, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            MissingFile: nothing was.
            DataError: it cannot be read.
        """
        found = self.dataset[self._rows[self.key(sample)]]
        return (found if self.dataset.labels.settled else found.under(sample.labels)).truth
