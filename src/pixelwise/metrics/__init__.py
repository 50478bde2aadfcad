"""Scores, each as counts that add: one file a family.

A metric's module has ``count(prediction, truth) -> Counts`` (counts add with ``+``, in any order), ``score(counts)`` by name
(NaN where a score is undefined), ``per_class(counts)`` by class name (empty where a score has no classes), ``RULES`` (each
score's name and what it means, in words) and ``LOWER_IS_BETTER`` (the scores whose perfect value is 0, not 1).
"""

from pixelwise.catalog import Catalog

METRICS = Catalog("metric", {"overlap": "pixelwise.metrics.overlap"})
