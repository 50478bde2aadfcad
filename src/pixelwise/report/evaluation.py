"""The report page of an evaluation: its scores, and the best, middle and worst images segmented once more to be shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.compare import class_errors
from pixelwise.draw.curves import Row
from pixelwise.metrics.result import Report, joined
from pixelwise.report.examples import ClassExample, Example, Picture, best_middle_worst, embedded
from pixelwise.report.page import Page

MOST_CLASSES = 24  # of more, those of the lowest IoU are drawn


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
    class_examples, left_out = _class_examples(report, samples, segment)
    return Page(
        title=title,
        scores=joined(report.scores, report.intervals),
        labels=dataset.labels,
        per_class={name: joined(scores, report.class_intervals.get(name, {})) for name, scores in report.per_class.items()},
        confusion=report.confusion,
        history=history,
        examples=examples,
        facts={**report.about, "images scored": report.count, **(facts or {})},
        notes=notes,
        rules=report.rules,
        others=others or {},
        per_image_score={"miou": "mIoU"}.get(key, key.replace("_", " ")),
        reliability=report.details.get("reliability", ()),
        by_size=report.details.get("by_size", ()),
        class_examples=class_examples,
        classes_left_out=left_out,
    )


def _class_examples(
    report: Report, samples: Mapping[str, Sample], segment: Callable[[Sample], Segmentation]
) -> tuple[list[ClassExample], int]:
    """Draw each class in the images it is told best and worst in; of many classes those of the lowest IoU.

    One image is held at a time, and each is segmented once.
    """
    ends: Mapping[str, Mapping[str, Mapping[str, Any]]] = report.details.get("best_worst", {})
    order = sorted(ends, key=lambda name: report.per_class[name]["iou"]) if report.per_class else list(ends)
    wanted: dict[str, list[tuple[str, str, float]]] = {}
    for name in order[:MOST_CLASSES]:
        for end in ("best", "worst"):
            wanted.setdefault(ends[name][end]["name"], []).append((name, end, ends[name][end]["iou"]))
    drawn: dict[str, dict[str, Picture]] = {}
    for image_name, jobs in wanted.items():
        try:
            sample = samples[image_name]
            image, truth, prediction = sample.image, sample.truth, segment(sample)
        except PixelwiseError:
            continue  # among the examples of the page it is told that an image can no longer be shown
        for name, end, iou in jobs:
            caption = f"{end}: IoU {iou:.4f}, {image_name}"
            drawn.setdefault(name, {})[end] = embedded(caption, class_errors(prediction, truth, name, image), 400)
    examples = [
        ClassExample(name, tuple(drawn[name][end] for end in ("best", "worst") if end in drawn[name])) for name in drawn
    ]
    return sorted(examples, key=lambda one: order.index(one.name)), max(0, len(order) - MOST_CLASSES)
