"""What the service gives for one image: the segmentation, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pixelwise.core.arrays import FloatArray
from pixelwise.core.image import Image
from pixelwise.core.rasters.place import GeoReference
from pixelwise.core.segmentation import Segmentation
from pixelwise.serve.models import Served


@dataclass(frozen=True, eq=False)
class Answered:
    """One image, segmented.

    Attributes:
        segmentation: of the image's size.
        served: the model that made it.
        image: as it was decoded, upright.
        timings: in seconds: ``decode``, ``wait`` in the queue, and ``predict``, the call that the image shared with others.
        batch: images in that call.
        uncertainty: (H, W) from 0, sure, to 1; None where it was not wished for.
        place: where on the earth the image lies; None where it does not say.
    """

    segmentation: Segmentation
    served: Served
    image: Image
    timings: Mapping[str, float] = field(default_factory=dict)
    batch: int = 1
    uncertainty: FloatArray | None = None
    place: GeoReference | None = None
