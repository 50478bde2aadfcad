"""Take the image and the wishes out of a request: a form with a file, the bytes of a file, or JSON."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pixelwise.serve.fetching import fetched
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols.exchange import media_type, whole_body
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.wishes import gathered

FILE_FIELDS = ("image", "file")
_MOST_FIELDS = 100
_MOST_FIELD = 2**20  # bytes of a field that is no file


class _InMemory(MultiPartParser):
    """Starlette's parser without files on disk: bodies are bounded, and nothing of them shall be written down."""

    spool_max_size = 2**62


async def read(request: Request, options: ServeOptions) -> tuple[bytes, dict[str, Any]]:
    """Read a request; give the image's bytes and the other fields, those of the address among them.

    Raises:
        Refusal: 400, 415 or 422, it is not formed as it must be; 408 or 413, the layers around refuse it; 403, it names an
            address, and this server fetches none.
    """
    stated = gathered(request.query_params.multi_items())
    if len(request.query_params) > _MOST_FIELDS:
        raise Refusal(422, "too_many_fields", f"expected at most {_MOST_FIELDS} fields, got {len(request.query_params)}")
    kind = media_type(request)
    if kind == "multipart/form-data":
        content, fields = await from_form(request)
    elif kind == "application/json":
        content, fields = await _from_json(await whole_body(request), options)
    else:  # curl --data-binary says application/x-www-form-urlencoded of an image: what it is, its first bytes tell
        content, fields = await whole_body(request), {}
    if twice := sorted(stated.keys() & fields.keys()):
        raise Refusal(422, f"bad_{twice[0]}", f"{twice[0]}: given both in the address and in the body; leave one out")
    return content, stated | fields


async def from_form(request: Request, names: Sequence[str] = FILE_FIELDS) -> tuple[bytes, dict[str, Any]]:
    """Take the file of a form, in a field of one of ``names``, and the other fields.

    Raises:
        Refusal: 422, it is no such form.
    """
    parser = _InMemory(request.headers, request.stream(), max_files=1, max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:  # KeyError: it states no boundary
        why = error.message if isinstance(error, MultiPartException) else "it has no boundary, or one that is no text"
        raise Refusal(422, "bad_form", f"expected a form with an image in '{names[0]}', but {why}") from None
    files = [(name, one) for name, one in form.multi_items() if isinstance(one, UploadFile)]
    if not files or files[0][0] not in names:
        found = f"one in '{files[0][0][:40]}'" if files else "none"
        raise Refusal(422, "no_image", f"expected a form with an image file in '{names[0]}', got {found}")
    fields = gathered((name, one) for name, one in form.multi_items() if isinstance(one, str))
    return await files[0][1].read(), fields


async def _from_json(body: bytes, options: ServeOptions) -> tuple[bytes, dict[str, Any]]:
    fields = await asyncio.to_thread(_parsed, body)
    image, url = fields.pop("image", None), fields.pop("url", None)
    if (image is None) == (url is None):
        raise Refusal(422, "no_image", "expected JSON with either 'image', a file in base64, or 'url', and not both")
    if url is None:
        return await asyncio.to_thread(_unpacked, image), fields
    if not options.allow_urls:
        sentence = "this server fetches no images from addresses; send the image itself in 'image' as base64"
        raise Refusal(403, "urls_not_allowed", sentence)
    return await asyncio.to_thread(fetched, url, options.max_bytes), fields


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refusal(400, "bad_json", "expected a JSON object with 'image' in base64, got something that is no JSON") from None
    if not isinstance(fields, dict):
        raise Refusal(422, "bad_json", "expected a JSON object with 'image' in base64, got another JSON value")
    return fields


def _unpacked(image: Any) -> bytes:
    """Take base64 as text, after ``data:image/png;base64,`` too, as pages have it."""
    if not isinstance(image, str):
        raise Refusal(422, "bad_image", "image: expected a file in base64 as a text, got another JSON value")
    text = image.partition(",")[2] if image.startswith("data:") else image
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, "bad_image", "image: expected a file in base64, got a text that is none") from None
