"""Write how unsure a folder's predictions are: a map beside each id map, numbers in its entry, and a list of what to look at.

``<stem>_uncertainty.png`` has 8 bits, 0 for sure and 255 for as unsure as can be. In ``segments.json``, each segment has its
number, and each image the mean over segments (``image``) and over pixels (``pixels``). ``look_first.csv`` has a row an image,
the most unsure first by the mean over segments: what to label next, or to check by eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.core.card import Card
from pixelwise.core.files import write_csv
from pixelwise.core.image import Image, write_image
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.fingerprint import fingerprint
from pixelwise.predict.inputs import Job
from pixelwise.predict.journal import entries
from pixelwise.predict.uncertainty import Assessment, Uncertain

LIST = "look_first.csv"
COLUMNS = ("rank", "image", "uncertainty", "map", "least_sure_class", "its_uncertainty")


@dataclass
class Assessed:
    """An ``Uncertain`` on its way through a folder's work, where segmentations travel and assessments wait to be written."""

    predictor: Uncertain
    _waiting: dict[int, Assessment] = field(default_factory=dict)

    @property
    def card(self) -> Card:
        """What the predictor is."""
        return self.predictor.card

    def fingerprint(self) -> str:
        """Sum up the predictor."""
        return fingerprint(self.predictor)

    def __call__(self, images: Sequence[Image], request: Request = PLAIN) -> list[Segmentation]:
        """Segment each image, and keep how unsure that is until it is written."""
        found = self.predictor.assess(images, request)
        for one in found:
            self._waiting[id(one.segmentation)] = one  # which holds the segmentation, so that no other gets its id
        return [one.segmentation for one in found]

    def write(self, folder: Path, job: Job, found: Segmentation, entry: dict[str, Any]) -> None:
        """Write the map of one image, and put the numbers into its entry of ``segments.json``.

        Raises:
            StorageError: the folder cannot be written.
        """
        assessment = self._waiting.pop(id(found))
        write_image(folder / job.map, np.rint(assessment.pixels * 255).astype(np.uint8))
        numbers = {"image": round(assessment.image, 6), "pixels": round(assessment.mean, 6)}
        entry["uncertainty"] = {"measure": self.predictor.measure, **numbers, "map": job.map}
        for segment, number in zip(entry["segments"], assessment.segments.tolist(), strict=True):
            segment["uncertainty"] = round(number, 6)


def write_list(folder: Path) -> None:
    """Write ``look_first.csv`` from the entries of ``segments.json``.

    Raises:
        StorageError: the folder cannot be written.
    """
    rows = []
    for entry in entries(folder):
        segments: list[dict[str, Any]] = entry["segments"]
        worst = max(segments, key=lambda one: float(one["uncertainty"]), default=None)
        about = entry["uncertainty"]
        least = ("", "") if worst is None else (worst["class"], worst["uncertainty"])
        rows.append((about["image"], entry["file"], about["map"], *least))
    rows.sort(key=lambda row: -row[0])  # in the images' order where they are alike
    listed = [(rank, file, number, *rest) for rank, (number, file, *rest) in enumerate(rows, start=1)]
    write_csv(folder / LIST, COLUMNS, listed)
