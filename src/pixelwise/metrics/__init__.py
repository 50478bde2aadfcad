"""Scores, each as counts that add: one file a family.

A metric's module has ``count(prediction, truth) -> Counts`` (counts add with ``+``, in any order), ``score(counts)`` by name
(NaN where a score is undefined), ``per_class(counts)`` by class name (empty where a score has no classes), ``RULES`` (each
score's name and what it means, in words), ``NOTES`` (what holds for all of them) and ``LOWER_IS_BETTER`` (the scores whose
perfect value is 0, not 1).

It may have more. ``resampled(counts, weights) -> Resampled`` scores many drawn data sets at once from what a sum of counts
keeps of each image, in the order they were added; without it intervals are made by adding the counts of images draw by draw,
so a family whose ``+`` is a union by image needs it. ``details(counts, names)`` gives tables for the report as plain values.
``NEEDS_PROBABILITIES = True`` has predictors asked for them.
"""

from pixelwise.catalog import Catalog

METRICS = Catalog(
    "metric",
    {
        "overlap": "pixelwise.metrics.overlap",
        "calibration": "pixelwise.metrics.calibration",
        "sizes": "pixelwise.metrics.sizes",
    },
)
