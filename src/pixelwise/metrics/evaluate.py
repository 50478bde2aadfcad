"""Score a predictor on a data set in bounded memory."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from pixelwise.core.batches import stream
from pixelwise.core.errors import DataError, OptionError, PixelwiseError, UnknownName, nearest
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Predictor, Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import METRICS
from pixelwise.metrics.result import Report
from pixelwise.metrics.settle import under_model, unknown_to

Progress = Callable[[int, int], None]  # called with (images done, images in all)
_MERGE = 64  # counts kept apart before they are added: adding one by one would copy the rows of images each time


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    metrics: Sequence[str] = ("overlap",),
    *,
    batch: int = 8,
    threshold: float | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score ``predictor`` on every sample of ``dataset``.

    Classes are joined by name; where the data has no settled names of its own, its masks are read under the value map the
    model was trained with. A sample that cannot be read is listed in ``failures``, and the rest go on.

    Args:
        metrics: names of families (``overlap``) or of single scores (``miou``).
        threshold: for one-class work, the foreground probability above which a pixel counts.
        progress: called after each image.

    Raises:
        UnknownName: no metric or score has that name.
        UnsettledLabels: the data's stored values do not fit the model's value map.
        OptionError: the predictor gives regions without classes, or shares no class with the data.
    """
    families = families_of(metrics)
    if predictor.card.kind == "regions":
        raise OptionError(
            f"'{predictor.card.name}' gives regions without classes; match them to classes first: "
            f"match(predictor, the training split) of pixelwise.metrics.majority"
        )
    given, dataset = dataset, under_model(dataset, predictor.card.labels)
    failures: list[tuple[str, str]] = []
    found = stream(predictor, _images(dataset, failures, progress), batch, Request(threshold=threshold))
    report = tally(((sample, result) for sample, _, result in found), dataset, families, metrics, failures)
    about = {"model": predictor.card.name, "data": dataset.name}
    return with_about(report, about, notes_on(given, dataset, predictor.card.labels))


def notes_on(given: Dataset, dataset: Dataset, known: LabelSet) -> list[str]:
    """Say what the reader must know of how a data set was joined with the classes a model knows."""
    notes = []
    if dataset is not given:
        labels = dataset.labels
        pairs = [
            f"{labels.describe(value)} {labels.names[index] if index >= 0 else 'void'}"
            for value, index in labels.values.items()
        ]
        notes.append(f"the masks were read under the model's value map: {', '.join(pairs)}")
    if missing := unknown_to(known, dataset):
        notes.append(f"the model does not know {', '.join(missing)}: it cannot be right there")
    return notes


def with_about(report: Report, about: dict[str, Any], notes: Sequence[str] = ()) -> Report:
    """Say more of what was scored."""
    from dataclasses import replace

    return replace(report, about={**report.about, **about}, notes=(*report.notes, *notes))


def families_of(metrics: Sequence[str]) -> dict[str, ModuleType]:
    """Find the metric modules that give the families or scores named.

    Raises:
        UnknownName: no family and no score has a name; the message has the nearest ones.
        OptionError: none is asked for.
    """
    if not metrics:
        raise OptionError(f"no metric is asked for; known are: {', '.join(sorted(METRICS))}")
    found: dict[str, ModuleType] = {}
    for name in metrics:
        if name in METRICS:
            found[name] = METRICS[name]
            continue
        holders = [family for family in METRICS if name in METRICS[family].RULES]
        if not holders:
            known = {*METRICS, *(score for family in METRICS for score in METRICS[family].RULES)}
            raise UnknownName(f"no metric or score is called '{name}'; {nearest(name, known)}")
        found[holders[0]] = METRICS[holders[0]]
    return found


def tally(
    results: Iterable[tuple[Sample, Segmentation | PixelwiseError]],
    dataset: Dataset,
    families: dict[str, ModuleType],
    metrics: Sequence[str],
    failures: list[tuple[str, str]],
) -> Report:
    """Count predictions against the truths of their samples, and score the sums.

    ``failures`` may grow while ``results`` is read; nothing is kept of an image but its counts.
    """
    pending: dict[str, list[Any]] = {family: [] for family in families}
    rows: list[dict[str, Any]] = []
    for sample, result in results:
        try:
            if isinstance(result, PixelwiseError):
                raise result
            truth = _truth(sample)
            counts = {family: module.count(result, truth) for family, module in families.items()}
        except PixelwiseError as error:
            failures.append((sample.name, str(error)))
            continue
        scores = {key: value for family, module in families.items() for key, value in module.score(counts[family]).items()}
        rows.append({"name": sample.name, **_chosen(_of_one_image(scores), metrics, families)})
        for family, one in counts.items():
            pending[family].append(one)
            if len(pending[family]) >= _MERGE:
                pending[family] = [sum(pending[family])]
    return _report(
        {family: sum(each) for family, each in pending.items() if each}, dataset.labels, families, metrics, rows, failures
    )


def _report(
    counts: dict[str, Any],
    labels: LabelSet,
    families: dict[str, ModuleType],
    metrics: Sequence[str],
    rows: list[dict[str, Any]],
    failures: list[tuple[str, str]],
) -> Report:
    scores: dict[str, float] = {}
    per_class: dict[str, dict[str, float]] = {name: {} for name in labels.names} if counts else {}
    rules: dict[str, str] = {}
    for family, total in counts.items():
        scores.update(families[family].score(total))
        rules.update(families[family].RULES | families[family].NOTES)
        for name, values in families[family].per_class(total).items():
            per_class[name].update(values)
    for module in families.values() if not counts else ():
        scores.update(dict.fromkeys(module.RULES, math.nan))
    overlap = counts.get("overlap")
    kept = _chosen(scores, metrics, families)
    return Report(
        scores=kept,
        per_class={name: values for name, values in per_class.items() if values},
        confusion=None if overlap is None else overlap.confusion,
        classes=labels.names,
        per_image=tuple(rows),
        count=len(rows),
        rules={name: text for name, text in rules.items() if name in kept or name not in scores},
        failures=tuple(failures),
    )


def _chosen(scores: dict[str, float], metrics: Sequence[str], families: dict[str, ModuleType]) -> dict[str, float]:
    """Keep the scores asked for by name, and all of the families asked for."""
    wanted = {name for family in families if family in metrics for name in families[family].RULES} | set(metrics)
    return {name: value for name, value in scores.items() if name in wanted}


def _of_one_image(scores: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if not name.endswith("_per_image")}


def _images(dataset: Dataset, failures: list[tuple[str, str]], progress: Progress | None) -> Iterator[tuple[Sample, Image]]:
    for done, sample in enumerate(dataset, start=1):
        try:
            yield sample, sample.image
        except PixelwiseError as error:
            failures.append((sample.name, str(error)))
        if progress is not None:
            progress(done, len(dataset))


def _truth(sample: Sample) -> Segmentation:
    truths = sample.truths
    if len(truths) != 1:
        raise DataError(f"{sample.name}: expected one truth to score against, found {len(truths)}")
    return truths[0]
