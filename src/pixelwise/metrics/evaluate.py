"""Score a predictor, or predictions made before, on a data set in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelwise.core.batches import stream
from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError, PixelwiseError
from pixelwise.core.image import Image
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.sample import Dataset
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.metrics.films import drawn_as, is_film
from pixelwise.metrics.interval import PLAIN, Bootstrap
from pixelwise.metrics.predictions import Scored, read_predictions
from pixelwise.metrics.result import Report
from pixelwise.metrics.slices import columns, with_slices
from pixelwise.metrics.tally import Predicted, Progress, Tally, families_of, needs_probabilities, report_of, tally
from pixelwise.metrics.truths import Truths, require_kind, usual
from pixelwise.metrics.views import Families


def evaluate(
    predictor: Predictor | Sequence[Predictor] | Dataset | str | Path,
    dataset: Dataset,
    metrics: str | Sequence[str] | None = None,
    *,
    batch: int = 8,
    threshold: float | None = None,
    intervals: Bootstrap | None = PLAIN,
    slices: Sequence[str] = (),
    table: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score ``predictor`` on every sample of ``dataset``.

    Classes are joined by name; where the data has no settled names of its own, its masks are read under the value map the
    model was trained with. A sample that cannot be read is listed in ``failures``, and the rest go on.

    Args:
        predictor: what to score; of one method at several settings, all of them: partitions are then scored at the best of
            them, over the set and image by image. Of predictions made before, the folder they are in, or the data set they
            were read as.
        metrics: names of families (``overlap``) or of single scores (``miou``), or one such name; None for those usual for
            the kind of truth.
        threshold: for one-class work, the foreground probability above which a pixel counts.
        intervals: how the 95 % interval of every score is made; None leaves them out.
        slices: columns by which the images are told apart and scored once more: ``brightness``, a key of the samples' ``meta``,
            a column of ``table``.
        table: a CSV file with a header and a row an image, whose first column names it.
        progress: called after each image.

    Raises:
        UnknownName: no metric or score has that name.
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: the metrics do not fit the kind of the truth or of the prediction, the predictor shares no class with the
            data, or gives no probabilities where a metric needs them; or a column of ``slices`` is not known.
        MissingFile: there are no predictions at the path given.
        DataError: no prediction is of one of the images, or one could be of two of them.
    """
    subject: Scored | _Running
    if isinstance(predictor, Dataset | str | Path):
        subject = Scored.on(read_predictions(predictor, dataset), dataset)
    else:
        subject = _Running.of(predictor, dataset, batch, threshold)
    if metrics is None:
        metrics = usual(dataset.kind, subject.kind, is_film(dataset))
    metrics = [metrics] if isinstance(metrics, str) else metrics
    families = families_of(metrics)
    truths = subject.truths(families)
    by = columns(truths.dataset, slices, table)
    intervals = drawn_as(intervals, families, truths.dataset)
    found = subject.count(truths, families, None if intervals is None else intervals.group, progress)
    report = with_slices(report_of(found, families, metrics, intervals), found, families, metrics, by, intervals)
    return with_about(report, {"model": subject.name, "data": dataset.name}, subject.notes(truths))


@dataclass(frozen=True)
class _Running:
    """A predictor, or one method at several settings, with the data it is run on."""

    predictors: Sequence[Predictor]
    dataset: Dataset
    batch: int
    threshold: float | None

    @classmethod
    def of(
        cls, predictor: Predictor | Sequence[Predictor], dataset: Dataset, batch: int, threshold: float | None
    ) -> "_Running":
        predictors = list(predictor) if isinstance(predictor, Sequence) else [predictor]
        if not predictors:
            raise OptionError("no predictor is given to be scored")
        return cls(predictors, dataset, batch, threshold)

    @property
    def _card(self) -> Card:
        return self.predictors[0].card

    @property
    def name(self) -> str:
        return self._card.name

    @property
    def kind(self) -> Kind:
        return self._card.kind

    def truths(self, families: Families) -> Truths:
        return known_truths(self.dataset, self._card, families)

    def count(self, truths: Truths, families: Families, group: str | None, progress: Progress | None) -> Tally:
        batch, threshold = self.batch, self.threshold
        return count(self.predictors, truths, families, batch=batch, threshold=threshold, group=group, progress=progress)

    def notes(self, truths: Truths) -> list[str]:
        return truths.notes(self.dataset, self._card.labels, self.kind)


def known_truths(dataset: Dataset, card: Card, families: Families) -> Truths:
    """Read the truth so that it can be compared with what a predictor of that ``card`` gives.

    Raises:
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: a family cannot score such truths or predictions, or the two have no class in common.
    """
    require_kind(card.kind, families, card.name)
    return Truths.of(dataset, families, None if card.kind == "regions" else card.labels)


def count(
    predictors: Sequence[Predictor],
    truths: Truths,
    families: Families,
    *,
    batch: int = 8,
    threshold: float | None = None,
    group: str | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Count a predictor, or one method at several settings, against ``known_truths``; ``evaluate`` says the rest."""
    first, *others = predictors
    wanted = needs_probabilities(families)
    if wanted and not first.card.gives_probabilities:
        raise OptionError(
            f"'{first.card.name}' gives no probabilities, which {', '.join(wanted)} needs; leave it out of the metrics"
        )
    failures: list[tuple[str, str]] = []
    request = Request(probabilities=bool(wanted), threshold=threshold)
    found = stream(first, _images(truths.dataset, failures, progress), batch, request)
    return tally(_levels(found, others, request), truths, families, failures, group)


def _levels(
    found: Iterable[tuple[int, Image, Segmentation | PixelwiseError]], others: Sequence[Predictor], request: Request
) -> Iterator[tuple[int, Predicted | PixelwiseError]]:
    """Add to each image what the other predictors give on it."""
    for row, image, result in found:
        if isinstance(result, PixelwiseError) or not others:
            yield row, result
            continue
        try:
            yield row, (result, *(one([image], request)[0] for one in others))
        except OptionError:
            raise
        except PixelwiseError as error:
            yield row, error


def with_about(report: Report, about: Mapping[str, Any], notes: Sequence[str] = ()) -> Report:
    """Say more of what was scored."""
    return replace(report, about={**report.about, **about}, notes=(*report.notes, *notes))


def _images(dataset: Dataset, failures: list[tuple[str, str]], progress: Progress | None) -> Iterator[tuple[int, Image]]:
    for row, sample in enumerate(dataset):
        try:
            yield row, sample.image
        except PixelwiseError as error:
            failures.append((sample.name, str(error)))
        if progress is not None:
            progress(row + 1, len(dataset))
