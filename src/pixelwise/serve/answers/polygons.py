"""Segments as polygons in JSON: parts with an outline and holes each, along the sides of pixels.

Points are x, y of corners of pixels, from 0, 0 at the top left of the image to its width and height; rings are not closed.
Filled, with holes left out, they are the masks bit for bit.
"""

from typing import Any

import msgspec

from pixelwise.serve.answered import Answered
from pixelwise.serve.answers.outlines import named, polygons
from pixelwise.serve.wishes import Wishes

MEDIA_TYPE = "application/json"


def write(answered: Answered, wishes: Wishes) -> bytes:
    """Write the answer."""
    found = answered.segmentation
    segments: list[dict[str, Any]] = []
    for about, parts in zip(named(found), polygons(found), strict=True):
        listed = [{"outline": rings[0].tolist(), "holes": [ring.tolist() for ring in rings[1:]]} for rings in parts]
        segments.append({**about, "polygons": listed})
    return msgspec.json.encode({"size": list(found.size), "kind": found.kind, "segments": segments})
