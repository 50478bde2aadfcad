"""The two routes by which SageMaker's endpoints and batch transform jobs call a container [1].

``/ping`` says whether requests are taken; TorchServe has the same one. ``/invocations`` takes an image file (``image/*`` or
``application/octet-stream``), an array (``application/x-npy``, never unpickled) or JSON (``{"image": base64, …wishes}``). The
``Accept`` header picks the answer: JSON, a PNG of ids, GeoJSON, or the ids as ``application/x-npy``. Wishes come as a query, as
JSON, or where neither can be had in ``X-Amzn-SageMaker-Custom-Attributes``, written like a query: ``threshold=0.4&flips=1``.

[1] Amazon SageMaker AI Developer Guide, "Custom Inference Code with Hosting Services".
"""

import asyncio
import io
import json
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pixelwise.core.image import Image
from pixelwise.serve.answered import Answered
from pixelwise.serve.models import Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols.exchange import giving, media_type, refused, request_id, whole_body
from pixelwise.serve.protocols.forms import BY_NAME, BY_TYPE, accepted_form
from pixelwise.serve.protocols.images import from_base64, from_npy, images_of, predict_all
from pixelwise.serve.protocols.outputs import output
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.wishes import Wishes, gathered

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
NPY = "application/x-npy"
_FILES = ("", "application/octet-stream", "application/x-image")


def router(service: Service, options: ServeOptions) -> APIRouter:
    """Make the routes ``/ping`` and ``/invocations``."""
    routes = APIRouter(tags=["SageMaker"])

    found = giving("The segmentation, of a type that Accept names.", *BY_TYPE, *BY_NAME, NPY)
    told = giving("Requests are taken.", "application/json")

    @routes.get("/ping", summary="Tell whether the server takes requests (SageMaker, TorchServe)", **told)
    async def ping() -> Response:
        is_ready = service.is_ready
        return JSONResponse({"status": "Healthy" if is_ready else "Unhealthy"}, 200 if is_ready else 503)

    @routes.post("/invocations", summary="Segment an image (SageMaker)", openapi_extra=_BODY, **found)
    async def invocations(request: Request) -> Response:
        try:
            return await _answer(service, options, request)
        except Refusal as refusal:
            return refused(refusal)

    return routes


async def _answer(service: Service, options: ServeOptions, request: Request) -> Response:
    served = service.models.named()
    accept = request.headers.get("accept", "")
    stated = gathered([*request.query_params.multi_items(), *parse_qsl(request.headers.get(ATTRIBUTES, ""))])
    body = await whole_body(request)
    contents, fields = await asyncio.to_thread(_read, body, media_type(request), served, options)
    stated |= fields
    if accept.partition(";")[0].strip().lower() == NPY:
        answers = await predict_all(service, contents, Wishes.read(stated), served, request_id(request))
        return Response(await asyncio.to_thread(_as_npy, answers), media_type=NPY)
    if len(contents) > 1:
        raise Refusal(406, "not_acceptable", f"several images are answered as an array; send 'Accept: {NPY}' or one image")
    if "forms" not in stated:
        stated["forms"] = accepted_form(accept, "json")
    wishes = Wishes.read(stated)
    answered = (await predict_all(service, contents, wishes, served, request_id(request)))[0]
    found = await service.write(answered, wishes)
    return Response(found.content, media_type=found.media_type)


def _read(body: bytes, kind: str, served: Served, options: ServeOptions) -> tuple[list[bytes | Image], dict[str, Any]]:
    """Read images and, from JSON, wishes."""
    if kind in _FILES or kind.startswith("image/"):
        return [body], {}
    if kind == NPY:
        return list(images_of(from_npy(body, options), served, "array")), {}
    if kind != "application/json":
        raise Refusal(
            415, "unknown_content", f"expected image/*, application/octet-stream, {NPY} or application/json, got '{kind[:60]}'"
        )
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(422, "not_json", 'expected JSON, as {"image": "the file in base64"}') from None
    if not isinstance(fields, dict) or "image" not in fields:
        raise Refusal(422, "no_image", 'expected an object with "image", the file in base64; other fields are wishes')
    return [from_base64(fields.pop("image"), "image")], fields


def _as_npy(answers: list[Answered]) -> bytes:
    """Write the ids (N, H, W) of N images, (H, W) of one."""
    ids, file = output("ids", answers), io.BytesIO()
    np.save(file, ids[0] if len(answers) == 1 else ids, allow_pickle=False)
    return file.getvalue()


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BINARY,
            "application/octet-stream": _BINARY,
            NPY: _BINARY,
            "application/json": {
                "schema": {"type": "object", "required": ["image"], "properties": {"image": {"type": "string"}}}
            },
        },
    }
}
