"""What a request gets: one form of answer as it is, or several in one JSON object.

There, forms that are JSON stand as such, the others as text in base 64::

    {"model": …, "version": …, "size": [H, W], "timings": {…},
     "answers": {"json": {…}, "ids": {"media_type": "image/png", "base64": "iVBO…"}}}
"""

import base64
from typing import Any, NamedTuple

import msgspec

from pixelwise.serve.answered import Answered
from pixelwise.serve.answers import ANSWERS
from pixelwise.serve.wishes import Wishes

JSON_TYPES = ("application/json", "application/geo+json")
_SUFFIXES = {
    "image/png": ".png",
    "application/zip": ".zip",
    "application/json": ".json",
    "application/geo+json": ".geojson",
    "application/vnd.pixelwise.segmentation": ".safetensors",
}


class Bundled(NamedTuple):
    """The body of an answer, what it is, and what it would be called as a file."""

    content: bytes
    media_type: str
    name: str


def bundled(answered: Answered, wishes: Wishes) -> Bundled:
    """Write an answer in the forms wished for.

    Raises:
        PixelwiseError: a form cannot hold it.
    """
    if len(wishes.forms) == 1:
        form = ANSWERS[wishes.forms[0]]
        suffix = _SUFFIXES.get(form.MEDIA_TYPE, ".bin")
        return Bundled(form.write(answered, wishes), form.MEDIA_TYPE, f"{wishes.forms[0]}{suffix}")
    found = {name: _embedded(ANSWERS[name], answered, wishes) for name in wishes.forms}
    whole = {
        "model": answered.served.name,
        "version": answered.served.version,
        "size": list(answered.segmentation.size),
        "timings": {name: round(seconds, 6) for name, seconds in answered.timings.items()},
        "answers": found,
    }
    return Bundled(msgspec.json.encode(whole), "application/json", "answers.json")


def _embedded(form: Any, answered: Answered, wishes: Wishes) -> Any:
    content: bytes = form.write(answered, wishes)
    if form.MEDIA_TYPE in JSON_TYPES:
        return msgspec.Raw(content)
    return {"media_type": form.MEDIA_TYPE, "base64": base64.b64encode(content).decode("ascii")}
