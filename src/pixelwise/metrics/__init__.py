"""Scores, each as counts that add: one file a family.

A metric's module has ``count(prediction, truth) -> Counts`` (counts add with ``+``, in any order), ``score(counts)`` by name
(NaN where a score is undefined), ``per_class(counts)`` by class name (empty where a score has no classes), ``KIND`` (as what
kind of segmentation both are handed to ``count``: ``views`` says how others become it), ``RULES`` (each score's name and what
it means, in words), ``NOTES`` (what holds for all of them) and ``LOWER_IS_BETTER`` (the scores whose perfect value is 0).

It may have more:

- ``WANTS_CONTEXT = True``: ``count(prediction, truth, context)`` is told what else is known of the image (``context.Context``):
  a key that puts images in one order wherever they were counted, the spacing of pixels, the frame before in a film.
- ``UNIT = "clip"``: what is scored are films, of which images are frames; intervals draw whole films. With objects as its kind
  it is handed ``tracks`` (``views``), and so may score classes that are followed through a film.
- ``SEVERAL_TRUTHS = True``: ``truth`` may also be a tuple, of an image that several people have labelled.
- ``SEVERAL_LEVELS = True``: ``prediction`` may also be a tuple, of one method at several settings, coarse to fine or not.
- ``NEEDS_PROBABILITIES = True``: predictors are asked for them.
- ``LIMITED``: scores that count so few objects an image that truth itself may not be perfect.
- ``resampled(counts, weights) -> Resampled`` scores many drawn data sets at once from what a sum of counts keeps of each image,
  in the order they were added; without it intervals are made by adding the counts of images draw by draw.
- ``details(counts, names)`` gives tables for the report as plain values.
"""

from pixelwise.catalog import Catalog

METRICS = Catalog(
    "metric",
    {
        "overlap": "pixelwise.metrics.overlap",
        "calibration": "pixelwise.metrics.calibration",
        "sizes": "pixelwise.metrics.sizes",
        "places": "pixelwise.metrics.places",
        "average_precision": "pixelwise.metrics.average_precision",
        "box_average_precision": "pixelwise.metrics.average_precision.box",
        "boundary_average_precision": "pixelwise.metrics.average_precision.boundary",
        "boundary": "pixelwise.metrics.boundary",
        "surface": "pixelwise.metrics.surface",
        "error_kinds": "pixelwise.metrics.error_kinds",
        "panoptic_quality": "pixelwise.metrics.panoptic_quality",
        "parsing_covering": "pixelwise.metrics.parsing_covering",
        "objects": "pixelwise.metrics.objects",
        "multilabel": "pixelwise.metrics.multilabel",
        "partition": "pixelwise.metrics.partition",
        "superpixels": "pixelwise.metrics.superpixels",
        "video": "pixelwise.metrics.video",
        "temporal": "pixelwise.metrics.temporal",
    },
)
