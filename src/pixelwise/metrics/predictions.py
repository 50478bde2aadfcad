"""Score a folder of predicted id PNGs, as ``pixelwise predict`` or any other tool writes them, without the model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.core.errors import DataError, MissingFile, OptionError, PixelwiseError, UnreadableFile
from pixelwise.core.files import read_json
from pixelwise.core.image import read_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.evaluate import Progress, as_classes, notes_on, with_about
from pixelwise.metrics.interval import PLAIN, Bootstrap
from pixelwise.metrics.result import Report
from pixelwise.metrics.settle import require_settled, under_model
from pixelwise.metrics.tally import Families, Tally, families_of, needs_probabilities, report_of, tally


@dataclass(frozen=True)
class Predictions:
    """Id PNGs in a folder, one an image.

    Attributes:
        folder: where they are.
        labels: the classes their values stand for; None where the folder does not say, so that the truth's own coding holds.
        masks: the PNG of an image, by the image's path as it was predicted from.
    """

    folder: Path
    labels: LabelSet | None
    stored: LabelSet | None
    masks: dict[Path, Path]

    def of(self, sample: Sample) -> Path:
        """Find the PNG predicted for a sample: by the path of its image, else by its name.

        Raises:
            MissingFile: there is none.
        """
        image = sample.source.image
        if image is not None and image.resolve() in self.masks:
            return self.masks[image.resolve()]
        names = dict.fromkeys([sample.name, Path(sample.name).name, *([image.stem] if image is not None else [])])
        for name in names:
            if (path := self.folder / f"{name}.png").is_file():
                return path
        raise MissingFile(f"{self.folder}: expected {next(iter(names))}.png, the prediction of {sample.name}; found none")

    def read(self, sample: Sample) -> Segmentation:
        """Read what was predicted for a sample; where the folder does not say how it is coded, as the sample's truth is.

        Raises:
            MissingFile: nothing was.
            UnreadableFile: the PNG is damaged.
            DataError: it holds a value outside the label set.
        """
        path, labels = self.of(sample), self.stored or sample.labels
        return Segmentation.from_class_map(labels.to_classes(read_ids(path)[0], str(path)), labels)


def is_predictions(path: Path) -> bool:
    """Tell whether ``path`` is a folder of predictions: what ``predict`` wrote, or PNGs and no model beside them."""
    if not path.is_dir():
        return False
    if (path / "segments.json").is_file():
        return True
    is_model = (path / "card.json").exists() or any(path.glob("*.safetensors")) or (path / "checkpoints").exists()
    return not is_model and any(path.glob("*.png"))


def read_predictions(folder: Path) -> Predictions:
    """Find the predictions in a folder and, where it says so, what their values mean.

    Raises:
        MissingFile: the folder is not there or holds no PNG.
        UnreadableFile: its ``segments.json`` or ``labels.json`` is damaged.
        DataError: it holds segment ids, which have no classes.
    """
    folder = Path(folder)
    if not any(folder.glob("*.png")):
        raise MissingFile(f"{folder}: expected predicted id maps (<image>.png), found none")
    labels = stored = None
    if (folder / "labels.json").is_file():
        stated = read_json(folder / "labels.json")
        if not isinstance(stated, dict) or "labels" not in stated or "stored" not in stated:
            raise UnreadableFile(f"{folder / 'labels.json'}: expected labels and stored as predict writes them; predict again")
        if stated.get("kind") != "semantic":
            raise DataError(f"{folder}: holds ids of {stated.get('kind')} segments, not classes; evaluate the model itself")
        labels, stored = (LabelSet.from_json(stated[key]) for key in ("labels", "stored"))
    return Predictions(folder, labels, stored, _masks(folder))


def _masks(folder: Path) -> dict[Path, Path]:
    listing = folder / "segments.json"
    if not listing.is_file():
        return {}
    try:
        return {Path(entry["file"]).resolve(): folder / Path(entry["mask"]).name for entry in read_json(listing)}
    except (TypeError, KeyError) as error:
        raise UnreadableFile(f"{listing}: expected a list with file and mask an image, but {error!r}; predict again") from None


def evaluate_predictions(
    predictions: Predictions,
    dataset: Dataset,
    metrics: Sequence[str] = ("overlap",),
    *,
    intervals: Bootstrap | None = PLAIN,
    progress: Progress | None = None,
) -> Report:
    """Score predictions against ``dataset``; samples without one are listed as failures, and the rest go on.

    Raises:
        UnknownName: no metric or score has that name.
        UnsettledLabels: the data's stored values do not fit the predictions' label set.
        OptionError: a metric needs probabilities, which a folder of id maps does not have.
    """
    families = families_of(metrics)
    read = as_predicted(predictions, dataset)
    notes = [] if predictions.labels is None else notes_on(dataset, read, predictions.labels)
    found = count_predictions(predictions, read, families, None if intervals is None else intervals.group, progress)
    report = report_of(found, families, metrics, intervals)
    return with_about(report, {"model": str(predictions.folder), "data": dataset.name}, notes)


def as_predicted(predictions: Predictions, dataset: Dataset) -> Dataset:
    """Read the truth so that it can be compared with the predictions.

    Raises:
        UnsettledLabels: the data's stored values do not fit the predictions' label set.
    """
    known = as_classes(dataset)
    return require_settled(known) if predictions.labels is None else under_model(known, predictions.labels)


def count_predictions(
    predictions: Predictions,
    dataset: Dataset,
    families: Families,
    group: str | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Count predictions against a data set read ``as_predicted``."""
    if wanted := needs_probabilities(families):
        raise OptionError(
            f"{predictions.folder} holds id maps without probabilities, which {', '.join(wanted)} needs; evaluate the model"
        )
    return tally(_read(predictions, dataset, progress), dataset.labels, families, [], group)


def _read(
    predictions: Predictions, dataset: Dataset, progress: Progress | None
) -> Iterator[tuple[Sample, Segmentation | PixelwiseError]]:
    for done, sample in enumerate(dataset, start=1):
        result: Segmentation | PixelwiseError
        try:
            result = predictions.read(sample)
        except PixelwiseError as error:
            result = error
        yield sample, result
        if progress is not None:
            progress(done, len(dataset))
