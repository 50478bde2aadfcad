"""The report page of an evaluation: its scores, and the images worth seeing segmented once more to be shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.compare import class_errors
from pixelwise.draw.curves import Row
from pixelwise.metrics.result import Report, joined
from pixelwise.report.examples import ClassExample, Example, Picture, best_middle_worst, embedded, kind_pictures
from pixelwise.report.films import clips_of
from pixelwise.report.names import headlines, is_lower_better, title_of
from pixelwise.report.page import KindExample, Page

MOST_CLASSES = 24  # of more, those of the lowest IoU are drawn
EACH_KIND = 3  # images drawn with most of each kind of error
MOST_ROWS = 20_000  # images whose own scores stand in the page; a page of more would not open well
Segment = Callable[[Sample], Segmentation]


def page_of(
    report: Report,
    dataset: Dataset,
    segment: Segment,
    title: str,
    facts: Mapping[str, Any] | None = None,
    history: Sequence[Row] = (),
    others: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Page:
    """Make the page of ``report``, which was made from ``dataset``.

    Images are kept by their own score and chosen before any is read, so that a data set of any size costs a few dozen images.

    Args:
        segment: gives the prediction of a sample, as it was scored.
        facts: what was trained on what and how long.
        history: the rows of the training's ``history.csv``.
        others: scores of other predictors on the same images, to compare with.
    """
    samples = {sample.name: sample for sample in dataset}
    key = _image_score(report)
    examples, failures = _examples(report, samples, segment, key)
    class_examples, left_out = _class_examples(report, samples, segment)
    return Page(
        title=title,
        scores=joined(report.scores, report.intervals),
        labels=LabelSet(()) if dataset.kind == "regions" else dataset.labels,
        per_class={name: joined(scores, report.class_intervals.get(name, {})) for name, scores in report.per_class.items()},
        confusion=report.confusion,
        history=history,
        examples=examples,
        facts={**report.about, "images scored": report.count, **(facts or {})},
        notes=[*report.notes, *(f"{name} could not be scored: {error}" for name, error in report.failures), *failures],
        rules=report.rules,
        others=others or {},
        per_image_score=title_of(key),
        details=report.details,
        slices=report.slices,
        clips=clips_of(report.per_image, samples),
        kind_examples=_kind_examples(report, samples, segment),
        class_examples=class_examples,
        classes_left_out=left_out,
        is_lower_better=is_lower_better(key),
        count=report.count,
        data=_json(report),
    )


def _json(report: Report) -> dict[str, Any]:
    """Give all that ``scores.json`` has; of very many images, all but the scores of each."""
    found = report.to_json()
    if len(report.per_image) > MOST_ROWS:
        found["per_image"] = []
    return found


def _image_score(report: Report) -> str:
    """Choose the score by which single images are called good or bad."""
    keys = [key for key in (report.per_image[0] if report.per_image else {}) if key != "name"]
    return (headlines(keys) or ["miou"])[0]


def _examples(report: Report, samples: Mapping[str, Sample], segment: Segment, key: str) -> tuple[list[Example], list[str]]:
    """Read the best, middle and worst images, and say which of them cannot be shown."""
    scores = [row.get(key) for row in report.per_image]
    order = [None if score is None else -score for score in scores] if is_lower_better(key) else scores
    examples, failures = [], []
    for row in (row for group in best_middle_worst(order).values() for row in group):
        name = report.per_image[row]["name"]
        try:
            examples.append(Example.of(samples[name], segment(samples[name]), scores[row]))
        except PixelwiseError as error:
            failures.append(f"{name} cannot be shown: {error}")  # changed on the disk since it was scored
    return examples, failures


def _kind_examples(report: Report, samples: Mapping[str, Sample], segment: Segment) -> dict[str, list[KindExample]]:
    """Draw the images with most of each kind of error; each is read once, however many kinds it stands for."""
    worst: Mapping[str, Sequence[Mapping[str, Any]]] = report.details.get("worst_by_kind") or {}
    drawn: dict[str, tuple[Picture, ...] | None] = {}
    for name in dict.fromkeys(one["name"] for images in worst.values() for one in images[:EACH_KIND]):
        try:
            sample = samples[name]
            drawn[name] = tuple(kind_pictures(sample, sample.truth, segment(sample)))
        except PixelwiseError:
            drawn[name] = None  # it is left out here; among the examples it would be told why
    found: dict[str, list[KindExample]] = {}
    for kind, images in worst.items():
        for one in images[:EACH_KIND]:
            if (pictures := drawn[one["name"]]) is not None:
                found.setdefault(kind, []).append(KindExample(one["name"], one["share"], pictures))
    return found


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
