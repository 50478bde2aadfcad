"""Say what a file cannot hold of a truth beside its masks: scores, stated boxes and areas, numbers, attributes."""

from collections.abc import Collection

import numpy as np

from pixelwise.core.segmentation import Segmentation
from pixelwise.formats.writing import drop

_WORDS = {
    "scores": "scores",
    "boxes": "boxes that differ from the masks'",
    "areas": "areas that differ from the masks'",
    "source_ids": "the source's own ids",
    "track_ids": "track ids",
    "attributes": "attributes",
}


def tell_losses(name: str, truth: Segmentation, holds: Collection[str] = ()) -> None:
    """Tell, in one sentence for the sample ``name``, which fields of a truth are lost; ``holds`` names those that are not."""
    lost = [words for field, words in _WORDS.items() if field not in holds and _says_something(truth, field)]
    if lost:
        drop(f"{name}: not kept, as the format has no place for them: {', '.join(lost)}")


def tell_class_map(name: str, truth: Segmentation) -> None:
    """Tell what a class map of the sample ``name`` loses of a semantic truth, in one sentence for each sort."""
    tell_losses(name, truth)
    if truth.is_crowd.any() or (np.diff(truth.class_ids) <= 0).any() or not truth.masks.areas().all():
        drop(f"{name}: the order of its classes, empty ones and crowd marks, which a class map cannot say")


def _says_something(truth: Segmentation, field: str) -> bool:
    value = getattr(truth, field)
    if value is None or not len(truth):
        return False
    if field == "attributes":
        return any(truth.attributes)
    if field in ("boxes", "areas"):
        return not np.array_equal(value, getattr(truth.masks, field)())
    return True
