"""Which figures a page has, in the order they are read; a part of which nothing is known is left out."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.metrics.result import Slice
from pixelwise.report.bars import reliability_chart, size_chart
from pixelwise.report.borders import border_figures
from pixelwise.report.error_kinds import error_figures
from pixelwise.report.figure import Figure, Section
from pixelwise.report.films import Clip, film_figures, film_words
from pixelwise.report.levels import level_figures
from pixelwise.report.objects import object_figures, panoptic_figures
from pixelwise.report.precision_recall import precision_figures
from pixelwise.report.slices import slice_figures

Scores = Mapping[str, Any]
_PRECISION = (
    "Predicted objects are taken in by falling score: recall is the share of the true ones found so far, precision the "
    "share of those taken in that are right, here the mean over classes."
)
_SLICES = (
    "Each part is scored by itself, by the rules of the whole and over the classes it has, so all parts may lie above the "
    "whole, or below it. Parts whose intervals do not overlap differ by more than the choice of images."
)


def before_classes(scores: Scores, per_class: Mapping[str, Scores], details: Mapping[str, Any]) -> list[Section]:
    """Make the parts that say where a score is lost."""
    return _known(
        [
            Section("lost", "Where the score is lost", error_figures(scores, per_class)),
            Section("segments", "Things and stuff", panoptic_figures(details)),
        ]
    )


def after_classes(
    scores: Scores,
    per_class: Mapping[str, Scores],
    details: Mapping[str, Any],
    clips: Sequence[Clip] = (),
) -> list[Section]:
    """Make the parts that look more closely."""
    return _known(
        [
            Section("precision", "Precision and recall", precision_figures(scores, per_class, details), _PRECISION),
            Section("objects", "Objects", object_figures(details)),
            Section("levels", "Levels and superpixels", level_figures(details)),
            Section("films", "Films", film_figures(clips, details), film_words(clips)),
            Section("borders", "Borders", border_figures(scores, per_class, details)),
            Section("trust", "Where it can be trusted", _trust(details)),
        ]
    )


def after_confusion(scores: Scores, slices: Sequence[Slice]) -> list[Section]:
    """Make the part that tells images apart."""
    return _known([Section("slices", "Parts of the data", slice_figures(slices, scores), _SLICES)])


def _known(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.figures]


def _trust(details: Mapping[str, Any]) -> list[Figure]:
    """Draw calibration, and recall by size."""
    figures = [
        Figure(
            "Calibration",
            reliability_chart(details.get("reliability") or ()),
            "Of the pixels told with a confidence (across), the share that is right (bars). On the dashed line the model is as "
            "often right as it is sure; orange is what it is off by. Below: where the pixels are.",
        ),
        Figure(
            "By size of segment",
            size_chart(details.get("by_size") or ()),
            "Of the connected segments of the truth of each size (area in pixels), the share of their pixels that is right "
            "(bars), and the share of segments that is at least half right (orange marks). Below: how many segments there are.",
        ),
    ]
    return [figure for figure in figures if figure.drawing]
