"""A folder of pictures of numbers, as any tool writes them: nothing in it says what the numbers mean, so the truth does.

- Of classes, they are coded as the truth is: by the same numbers, or by the same colours. Where the truth is objects of several
  classes, the numbers are those that its file gives the classes, and 0 is background.
- Of regions, each number is a region, 0 too.
- Of objects of one class, each number but 0 is an object. In a film the number is the object's through all frames; where the
  truth is one object numbered 255, as masks of 0 and 255 are, all that is not 0 is that object.
- Of objects of several classes in films, an object is of the class of the true one that has its number.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, UnsettledLabels
from pixelwise.core.idmaps import present_in
from pixelwise.core.image import read_ids
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.masks import DisjointMasks, smallest_dtype
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.core.stored import read_values
from pixelwise.metrics.films import is_film
from pixelwise.metrics.views import REGIONS

SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
_MOST_OBJECTS = 2**16
_LOOKED_AT = 8  # pictures that are opened to tell masks from numbers of objects
_MASK = 255  # the number of the one object of a film whose masks are of 0 and 255


@dataclass(frozen=True)
class NumberedPictures:
    """Pictures of numbers, one an image, read as what the truth is: ``kind``.

    Attributes:
        folder: where they are.
        files: them, by path without ending.
        truth: the data they are scored on.
    """

    folder: Path
    files: Mapping[str, Path]
    truth: Dataset
    _single: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)  # by film: its truth is one mask

    @classmethod
    def of(cls, folder: Path, files: Mapping[str, Path], truth: Dataset) -> "NumberedPictures":
        """Take pictures as predictions of the images of ``truth``.

        Raises:
            UnsettledLabels: the truth is objects whose classes have no numbers of their own, so that 0 would be one of them.
        """
        made = cls(folder, files, truth)
        if made.kind == "semantic" and truth.kind != "semantic" and truth.labels.values.get(0, VOID) >= 0:
            raise UnsettledLabels(
                f"{folder}: its pictures do not say which number is which class, nor does the truth; give predictions as COCO "
                f"results, or with the labels.json that predict writes"
            )
        return made

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    @cached_property
    def kind(self) -> Literal["semantic", "instance", "regions"]:
        """Of its segments."""
        if self.truth.kind == "regions":
            return "regions"
        if self.truth.kind == "instance" and (len(self.truth.labels) == 1 or self._is_film):
            return "instance"
        return "semantic"

    @property
    def labels(self) -> LabelSet | None:
        """Its classes; None as the truth's own coding holds."""
        return None

    @property
    def keys(self) -> Collection[str]:
        """The pictures, without their endings."""
        return self.files.keys()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know of how the numbers are taken."""
        if self.kind == "regions":
            return ()
        if self.kind == "semantic":
            return (
                () if self.truth.kind == "semantic" else (f"predicted numbers are the classes' in the truth: {self._coding}",)
            )
        told = "every number of a predicted picture but 0 is taken for an object"
        if self._is_film:
            return (told,)
        told += "; all objects have one score"
        if self._are_masks:
            told += (
                f"; the pictures hold a single number, so each is one object: if they are masks of "
                f"'{self.truth.labels.names[0]}', score them with --metrics overlap"
            )
        return (told,)

    @cached_property
    def _is_film(self) -> bool:
        return is_film(self.truth)

    @cached_property
    def _coding(self) -> str:
        labels = self.truth.labels.with_background() if self.truth.kind == "instance" else self.truth.labels
        shown = [f"{labels.describe(value)} {labels.names[index]}" for value, index in labels.values.items() if index >= 0]
        return ", ".join(shown[:6]) + (" …" if len(shown) > 6 else "")

    @cached_property
    def _are_masks(self) -> bool:
        """Tell whether the first pictures hold one and the same number besides 0, as masks of a class do."""
        found: set[int] = set()
        for path in list(self.files.values())[:_LOOKED_AT]:
            try:
                values = present_in(read_ids(path)[0])
            except PixelwiseError:
                continue  # it is listed as a failure when its turn comes
            found.update(values[values > 0].tolist())
        return len(found) == 1

    def read(self, key: str, sample: Sample) -> Segmentation:
        """Read a picture as the prediction of a sample.

        Raises:
            MissingFile, UnreadableFile: the picture is gone or damaged.
            DataError: it holds what no class of the truth is coded by, or too many numbers for objects.
        """
        path = self.files[key]
        if self.kind == "semantic":
            return self._classes(path, sample)
        stored, _ = read_ids(path)
        if self.kind == "regions":
            values = present_in(stored)
            ids = np.searchsorted(values, stored) + 1
            return _numbered("regions", ids, np.zeros(len(values), np.int64), REGIONS)
        return self._objects(stored, path, sample)

    def _classes(self, path: Path, sample: Sample) -> Segmentation:
        labels = sample.labels.with_background() if self.truth.kind == "instance" else sample.labels
        try:
            classes = labels.to_classes(read_values(path, labels.encoding), str(path))
        except MissingFile:
            raise
        except DataError as error:
            hint = "; panoptic PNGs need their JSON beside them" if self.truth.kind == "panoptic" else ""
            raise DataError(f"{error}; predictions are read in the coding of the truth{hint}") from None
        return Segmentation.from_class_map(classes, labels)

    def _objects(self, stored: IntArray, path: Path, sample: Sample) -> Segmentation:
        if self._is_one_mask(sample):
            stored = np.where(stored > 0, _MASK, 0)
        values = present_in(stored)
        values = values[values > 0]
        if len(values) > _MOST_OBJECTS:
            raise DataError(f"{path}: {len(values):,} different numbers, more than {_MOST_OBJECTS:,}: is it a photograph?")
        ids = np.where(stored > 0, np.searchsorted(values, stored) + 1, 0)
        found = _numbered("instance", ids, self._classes_of(values, sample), self.truth.labels)
        return replace(found, track_ids=values.astype(np.int64)) if self._is_film else found

    def _classes_of(self, values: IntArray, sample: Sample) -> IntArray:
        """Give the classes of the objects of one frame: that of the true object of their number, where there are several."""
        found = np.zeros(len(values), np.int64)
        if len(self.truth.labels) > 1:
            truth = sample.truth
            if truth.track_ids is not None:
                known = dict(zip(truth.track_ids.tolist(), truth.class_ids.tolist(), strict=True))
                found[:] = [known.get(value, 0) for value in values.tolist()]
        return found

    def _is_one_mask(self, sample: Sample) -> bool:
        """Tell whether the truth of a film is one object numbered 255: its first frame with an object says so."""
        clip = str(sample.meta.get("sequence"))
        if not self._is_film:
            return False
        if clip not in self._single:
            tracks = next(
                (
                    one.truth.track_ids
                    for one in self.truth
                    if str(one.meta.get("sequence")) == clip and one.truth_source is not None and len(one.truth)
                ),
                None,
            )
            self._single[clip] = tracks is not None and tracks.tolist() == [_MASK]
        return self._single[clip]


def _numbered(kind: Literal["instance", "regions"], ids: IntArray, classes: IntArray, labels: LabelSet) -> Segmentation:
    count = len(classes)
    return Segmentation(kind, DisjointMasks(ids.astype(smallest_dtype(count)), count), classes, labels)


def pictures_in(folder: Path) -> dict[str, Path]:
    """List the pictures in a folder and those below it, by path without ending; of two of one name the PNG counts."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    found.sort(key=lambda path: (SUFFIXES.index(path.suffix.lower()), path))
    listed: dict[str, Path] = {}
    for path in found:
        listed.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return listed
