"""The forms an answer may take, by name.

Each module has ``MEDIA_TYPE`` and ``write(answered, wishes) -> bytes``. ``bundle.bundled`` gives what a request asked for: one
form as it is, several in one JSON object.
"""

from pixelwise.catalog import Catalog

ANSWERS = Catalog(
    "answer",
    {
        "ids": "pixelwise.serve.answers.ids",
        "overlay": "pixelwise.serve.answers.overlay",
        "coco": "pixelwise.serve.answers.coco",
        "polygons": "pixelwise.serve.answers.polygons",
        "geojson": "pixelwise.serve.answers.geojson",
        "panoptic": "pixelwise.serve.answers.panoptic",
        "json": "pixelwise.serve.answers.json",
        "uncertainty": "pixelwise.serve.answers.uncertainty",
        "segmentation": "pixelwise.serve.answers.segmentation",
    },
)
