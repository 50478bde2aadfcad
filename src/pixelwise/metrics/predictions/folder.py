"""A folder of predictions: as ``pixelwise predict`` writes it, with what its numbers mean, or of pictures of any other tool."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pixelwise.core.errors import MissingFile, UnreadableFile
from pixelwise.core.files import read_json
from pixelwise.core.image import read_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import KINDS, Kind, Segmentation
from pixelwise.metrics.predictions.pairing import keys_of
from pixelwise.metrics.predictions.pictures import SUFFIXES, NumberedPictures, pictures_in
from pixelwise.metrics.predictions.segments import StoredSegments

_AGAIN = "predict again"
_LISTING, _LABELS = "segments.json", "labels.json"
_OF_RUNS = ("card.json", "checkpoints", "recipe.toml")


@dataclass(frozen=True)
class ClassPngs:
    """Class maps as id PNGs in a folder whose ``labels.json`` says what they mean.

    Attributes:
        folder: where they are.
        labels: the classes their values stand for.
        stored: the values that stand for them.
        masks: the PNGs, by the path of their image without its ending; where nobody wrote those down, by their own.
    """

    folder: Path
    labels: LabelSet
    stored: LabelSet
    masks: Mapping[str, Path]
    kind: Literal["semantic"] = "semantic"
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def keys(self) -> Collection[str]:
        """Paths without endings."""
        return self.masks.keys()

    def read(self, key: str, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample.

        Raises:
            MissingFile, UnreadableFile: the PNG is gone or damaged.
            DataError: it holds a value outside the label set.
        """
        path = self.masks[key]
        return Segmentation.from_class_map(self.stored.to_classes(read_ids(path)[0], str(path)), self.stored)


def is_stated(path: Path) -> bool:
    """Tell whether ``path`` is a folder that says what its predictions are, as ``predict`` writes it."""
    return path.is_dir() and any((path / name).is_file() for name in (_LISTING, _LABELS)) and not (path / _OF_RUNS[0]).is_file()


def is_model(path: Path) -> bool:
    """Tell whether ``path`` is a run folder or a checkpoint."""
    if path.is_file():
        return path.suffix == ".safetensors"
    return any((path / name).exists() for name in _OF_RUNS) or any(path.glob("*.safetensors"))


def read_folder(folder: Path, truth: Dataset | None = None) -> ClassPngs | StoredSegments | NumberedPictures:
    """Find the predictions in a folder, and what their values mean: as it says, else as the ``truth`` is coded.

    Raises:
        MissingFile: the folder holds no picture, or says nothing of what its pictures mean where there is no truth to tell.
        UnreadableFile: its ``segments.json`` or ``labels.json`` is damaged.
        UnsettledLabels: neither it nor the truth says what its values mean.
    """
    folder = Path(folder)
    stated = _stated(folder)
    if stated is None:
        files = pictures_in(folder)
        if not files:
            raise MissingFile(f"{folder}: expected predicted maps of ids ({', '.join(SUFFIXES)}), found none")
        if truth is None:
            raise MissingFile(f"{folder}: expected {_LABELS}, which says what the ids mean; read it with the truth they are of")
        return NumberedPictures.of(folder, files, truth)
    kind, labels, stored = stated
    if kind != "semantic":
        return StoredSegments(folder / _LISTING, kind, labels)
    if (folder / _LISTING).is_file():
        return ClassPngs(folder, labels, stored, _listed(folder))
    return ClassPngs(folder, labels, stored, {key: path for key, path in pictures_in(folder).items() if path.suffix == ".png"})


def _stated(folder: Path) -> tuple[Kind, LabelSet, LabelSet] | None:
    """Read what a folder says of its predictions: the kind, the classes and the values that stand for them."""
    path = folder / _LABELS
    if not path.is_file():
        if (folder / _LISTING).is_file():
            raise UnreadableFile(f"{path}: expected what predict writes beside {_LISTING}, found nothing; {_AGAIN}")
        return None
    stated: Any = read_json(path)
    if not isinstance(stated, dict) or not {"labels", "stored"} <= set(stated) or stated.get("kind") not in KINDS:
        raise UnreadableFile(f"{path}: expected kind, labels and stored as predict writes them; {_AGAIN}")
    return stated["kind"], LabelSet.from_json(stated["labels"]), LabelSet.from_json(stated["stored"])


def _listed(folder: Path) -> dict[str, Path]:
    listing = folder / _LISTING
    try:
        entries = [(str(entry["file"]), folder / Path(entry["mask"]).name) for entry in read_json(listing)]
    except (TypeError, KeyError) as error:
        raise UnreadableFile(f"{listing}: expected a list with file and mask an image, but {error!r}; {_AGAIN}") from None
    return dict(zip(keys_of([file for file, _ in entries]), (path for _, path in entries), strict=True))
