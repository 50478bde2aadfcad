"""Segments as JSON, as an entry of the ``segments.json`` that ``pixelwise predict`` writes: figures and run lengths of each.

Beside them stand the model, its version, and what it took; with uncertainty also that of the image and of each segment.
"""

from typing import Any

import msgspec

from pixelwise.predict.measure import measure
from pixelwise.predict.uncertainty import Assessment, segment_uncertainty
from pixelwise.serve.answered import Answered
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/json"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer."""
    return msgspec.json.encode(described(answered, wishes))


def described(answered: Answered, wishes: Wishes) -> dict[str, Any]:
    """Put the answer into plain JSON values."""
    found, served = answered.segmentation, answered.served
    segments: list[dict[str, Any]] = list(measure(answered.image, found))
    told: dict[str, Any] = {"notes": list(found.notes)} if found.notes else {}
    if answered.uncertainty is not None:
        numbers = segment_uncertainty(found, answered.uncertainty)
        whole = Assessment(found, answered.uncertainty, numbers)
        about = {"measure": wishes.measure, "image": round(whole.image, 6), "pixels": round(whole.mean, 6)}
        told["uncertainty"] = about
        for segment, number in zip(segments, numbers.tolist(), strict=True):
            segment["uncertainty"] = round(number, 6)
    return {
        "model": served.name,
        "version": served.version,
        "size": list(found.size),
        "kind": found.kind,
        **told,
        "timings": {name: round(seconds, 6) for name, seconds in answered.timings.items()},
        "segments": segments,
    }
