"""A folder of predicted id PNGs, as ``pixelwise predict`` or any other tool writes them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pixelwise.core.errors import MissingFile, UnreadableFile
from pixelwise.core.files import read_json
from pixelwise.core.image import read_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import KINDS, Kind, Segmentation
from pixelwise.metrics.predictions.segments import StoredSegments

_AGAIN = "predict again"


@dataclass(frozen=True)
class ClassPngs:
    """Class maps as id PNGs in a folder, one an image.

    Attributes:
        folder: where they are.
        labels: the classes their values stand for; None where the folder does not say, so that the truth's own coding holds.
        stored: the values that stand for them.
        masks: the PNG of an image, by the image's path as it was predicted from.
    """

    folder: Path
    labels: LabelSet | None
    stored: LabelSet | None
    masks: Mapping[Path, Path]
    kind: Literal["semantic"] = "semantic"

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    @cached_property
    def keys(self) -> Collection[str]:
        """The names of the PNGs."""
        return {path.name for path in (self.masks.values() or self.folder.glob("*.png"))}

    def key(self, sample: Sample) -> str:
        """Find the PNG predicted for a sample: by the path of its image, else by its name."""
        return self._of(sample).name

    def _of(self, sample: Sample) -> Path:
        image = sample.source.image
        if image is not None and image.resolve() in self.masks:
            return self.masks[image.resolve()]
        names = names_of(sample)
        for name in names:
            if (path := self.folder / f"{name}.png").is_file():
                return path
        raise MissingFile(f"{self.folder}: expected {names[0]}.png, the prediction of {sample.name}; found none")

    def read(self, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample; where the folder does not say how it is coded, as the sample's truth is.

        Raises:
            MissingFile: nothing was.
            UnreadableFile: the PNG is damaged.
            DataError: it holds a value outside the label set.
        """
        path, labels = self._of(sample), self.stored or sample.labels
        return Segmentation.from_class_map(labels.to_classes(read_ids(path)[0], str(path)), labels)


def names_of(sample: Sample) -> list[str]:
    """List the names by which the prediction of a sample may be kept, the surest first."""
    image = sample.source.image
    return list(dict.fromkeys([sample.name, Path(sample.name).name, *([image.stem] if image is not None else [])]))


def is_predictions(path: Path) -> bool:
    """Tell whether ``path`` is a folder of predictions: what ``predict`` wrote, or PNGs and no model beside them."""
    if not path.is_dir():
        return False
    return (path / "segments.json").is_file() or (not is_model(path) and any(path.glob("*.png")))


def is_model(path: Path) -> bool:
    """Tell whether ``path`` is a run folder or a checkpoint."""
    if path.is_file():
        return path.suffix == ".safetensors"
    return (path / "card.json").exists() or (path / "checkpoints").exists() or any(path.glob("*.safetensors"))


def read_folder(folder: Path) -> ClassPngs | StoredSegments:
    """Find the predictions in a folder and, where it says so, what their values mean.

    Raises:
        MissingFile: the folder is not there or holds no PNG.
        UnreadableFile: its ``segments.json`` or ``labels.json`` is damaged.
    """
    folder = Path(folder)
    if not any(folder.glob("*.png")):
        raise MissingFile(f"{folder}: expected predicted id maps (<image>.png), found none")
    stated, labels, stored = _stated(folder)
    if stated == "semantic":
        entries = _listed(folder) if (folder / "segments.json").is_file() else []
        return ClassPngs(folder, labels, stored, {image.resolve(): folder / mask.name for image, mask in entries})
    assert labels is not None
    return StoredSegments(folder / "segments.json", stated, labels)


def _stated(folder: Path) -> tuple[Kind, LabelSet | None, LabelSet | None]:
    """Read what a folder says of its predictions: the kind, the classes and the values that stand for them."""
    path = folder / "labels.json"
    if not path.is_file():
        return "semantic", None, None
    stated: Any = read_json(path)
    if not isinstance(stated, dict) or not {"labels", "stored"} <= set(stated) or stated.get("kind") not in KINDS:
        raise UnreadableFile(f"{path}: expected kind, labels and stored as predict writes them; {_AGAIN}")
    return stated["kind"], LabelSet.from_json(stated["labels"]), LabelSet.from_json(stated["stored"])


def _listed(folder: Path) -> list[tuple[Path, Path]]:
    listing = folder / "segments.json"
    try:
        return [(Path(entry["file"]), Path(entry["mask"])) for entry in read_json(listing)]
    except (TypeError, KeyError) as error:
        raise UnreadableFile(f"{listing}: expected a list with file and mask an image, but {error!r}; {_AGAIN}") from None
