"""Score a predictor on a data set in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pixelwise.core.batches import stream
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import PAINTED
from pixelwise.metrics.interval import PLAIN, Bootstrap
from pixelwise.metrics.result import Report
from pixelwise.metrics.settle import under_model, unknown_to
from pixelwise.metrics.tally import Families, Tally, families_of, needs_probabilities, report_of, tally

Progress = Callable[[int, int], None]  # called with (images done, images in all)


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    metrics: str | Sequence[str] = ("overlap",),
    *,
    batch: int = 8,
    threshold: float | None = None,
    intervals: Bootstrap | None = PLAIN,
    progress: Progress | None = None,
) -> Report:
    """Score ``predictor`` on every sample of ``dataset``.

    Classes are joined by name; where the data has no settled names of its own, its masks are read under the value map the
    model was trained with. A sample that cannot be read is listed in ``failures``, and the rest go on.

    Args:
        metrics: names of families (``overlap``) or of single scores (``miou``), or one such name.
        threshold: for one-class work, the foreground probability above which a pixel counts.
        intervals: how the 95 % interval of every score is made; None leaves them out.
        progress: called after each image.

    Raises:
        UnknownName: no metric or score has that name.
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: the predictor gives regions without classes, shares no class with the data, or gives no probabilities
            where a metric needs them.
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    families = families_of(metrics)
    read = as_known(dataset, predictor)
    group = None if intervals is None else intervals.group
    found = count(predictor, read, families, batch=batch, threshold=threshold, group=group, progress=progress)
    about = {"model": predictor.card.name, "data": dataset.name}
    report = report_of(found, families, metrics, intervals)
    return with_about(report, about, notes_on(dataset, read, predictor.card.labels))


def count(
    predictor: Predictor,
    dataset: Dataset,
    families: Families,
    *,
    batch: int = 8,
    threshold: float | None = None,
    group: str | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Count ``predictor`` on a data set that is read under its classes (``as_known``); ``evaluate`` says the rest."""
    card = predictor.card
    wanted = needs_probabilities(families)
    if wanted and not card.gives_probabilities:
        raise OptionError(f"'{card.name}' gives no probabilities, which {', '.join(wanted)} needs; leave it out of the metrics")
    failures: list[tuple[str, str]] = []
    request = Request(probabilities=bool(wanted), threshold=threshold)
    found = stream(predictor, _images(dataset, failures, progress), batch, request)
    return tally(((sample, result) for sample, _, result in found), dataset.labels, families, failures, group)


def as_known(dataset: Dataset, predictor: Predictor) -> Dataset:
    """Read the truth so that it can be compared with what ``predictor`` gives.

    Raises:
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: the predictor gives regions without classes, or shares no class with the data.
    """
    card = predictor.card
    if card.kind == "regions":
        raise OptionError(
            f"'{card.name}' gives regions without classes; match them to classes first: "
            f"match(predictor, the training split) of pixelwise.metrics.majority"
        )
    return under_model(as_classes(dataset), card.labels)


def as_classes(dataset: Dataset) -> Dataset:
    """Read instances and panoptic segments as the classes they are of: scores are of classes."""
    return dataset.semantic() if dataset.kind in ("instance", "panoptic") else dataset


def notes_on(given: Dataset, dataset: Dataset, known: LabelSet) -> list[str]:
    """Say what the reader must know of how a data set was joined with the classes a model knows."""
    notes = []
    if given.kind == "instance" and dataset.kind == "semantic":
        notes.append(f"the truth's {PAINTED}")
        given = given.semantic()
    if dataset.labels != given.labels:
        labels = dataset.labels
        pairs = [
            f"{labels.describe(value)} {labels.names[index] if index >= 0 else 'void'}"
            for value, index in labels.values.items()
        ]
        notes.append(f"the masks were read under the model's value map: {', '.join(pairs)}")
    if missing := unknown_to(known, dataset):
        notes.append(f"the model does not know {', '.join(missing)}: it cannot be right there")
    return notes


def with_about(report: Report, about: Mapping[str, Any], notes: Sequence[str] = ()) -> Report:
    """Say more of what was scored."""
    return replace(report, about={**report.about, **about}, notes=(*report.notes, *notes))


def _images(dataset: Dataset, failures: list[tuple[str, str]], progress: Progress | None) -> Iterator[tuple[Sample, Image]]:
    for done, sample in enumerate(dataset, start=1):
        try:
            yield sample, sample.image
        except PixelwiseError as error:
            failures.append((sample.name, str(error)))
        if progress is not None:
            progress(done, len(dataset))
