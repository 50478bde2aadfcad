"""The report page of an evaluation: its scores, and the best, middle and worst images segmented once more to be shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.curves import Row
from pixelwise.metrics.result import Report
from pixelwise.report.examples import Example, best_middle_worst
from pixelwise.report.page import Page


def page_of(
    report: Report,
    dataset: Dataset,
    segment: Callable[[Sample], Segmentation],
    title: str,
    facts: Mapping[str, Any] | None = None,
    history: Sequence[Row] = (),
    others: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Page:
    """Make the page of ``report``, which was made from ``dataset``.

    Images are kept by their own score and chosen before any is read, so that a data set of any size costs nine images.

    Args:
        segment: gives the prediction of a sample, as it was scored.
        facts: what was trained on what and how long.
        history: the rows of the training's ``history.csv``.
        others: scores of other predictors on the same images, to compare with.
    """
    keys = [key for key in (report.per_image[0] if report.per_image else {}) if key != "name"]
    key = "miou" if "miou" in keys else keys[0] if keys else "miou"
    rows = [row for group in best_middle_worst([row.get(key) for row in report.per_image]).values() for row in group]
    samples = {sample.name: sample for sample in dataset}
    notes = [*report.notes, *(f"{name} could not be scored: {error}" for name, error in report.failures)]
    examples = []
    for row in rows:
        scored = report.per_image[row]
        sample = samples[scored["name"]]
        try:
            examples.append(Example(sample.name, sample.image, sample.truth, segment(sample), scored[key]))
        except PixelwiseError as error:
            notes.append(f"{sample.name} cannot be shown: {error}")  # changed on the disk since it was scored
    return Page(
        title=title,
        scores=dict(report.scores),
        labels=dataset.labels,
        per_class=report.per_class,
        confusion=report.confusion,
        history=history,
        examples=examples,
        facts={**report.about, "images scored": report.count, **(facts or {})},
        notes=notes,
        rules=report.rules,
        others=others or {},
        per_image_score={"miou": "mIoU"}.get(key, key.replace("_", " ")),
    )
