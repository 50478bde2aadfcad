"""Classical methods: one file each, a function from image to segmentation.

A method's module has ``KIND`` and ``segment(image, **options spelled out) -> Segmentation``. What it finds is fixed by the
image, the options and the seed alone. It takes images of any size, depth and number of bands; an image without contrast is
one segment. Those in ``TRAINED`` also have ``fit(dataset, ...)``, whose result ``segment`` takes as its option ``model``.
"""

from pixelwise.catalog import Catalog

METHODS = Catalog(
    "method",
    {
        "threshold": "pixelwise.methods.thresholds.threshold",
        "otsu": "pixelwise.methods.thresholds.otsu",
        "kmeans": "pixelwise.methods.clusters.kmeans",
        "randomforest": "pixelwise.methods.learned.randomforest",
    },
)
TRAINED = frozenset({"randomforest"})
