"""Refiners: one file each, a function from an image and its segmentation to a better segmentation.

A refiner's module has ``ABOUT`` (what it does to each kind of segmentation, and why it refuses the others) and
``refine(image, found, **options spelled out) -> Segmentation``. What it gives is fixed by the image, the segmentation and the
options alone. It takes images of any size, depth and number of bands.
"""

from pixelwise.catalog import Catalog

REFINERS = Catalog(
    "refiner",
    {
        "crf": "pixelwise.refine.crf",
        "guided": "pixelwise.refine.guided",
        "grabcut": "pixelwise.refine.grabcut",
        "merge": "pixelwise.refine.merge",
        "split": "pixelwise.refine.split",
        "holes": "pixelwise.refine.holes",
        "smallest": "pixelwise.refine.smallest",
        "smooth": "pixelwise.refine.smooth",
    },
)
