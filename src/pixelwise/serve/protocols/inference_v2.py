"""The Open Inference Protocol, version 2, over REST, as the clients of KServe and Triton speak it [1].

A model has one input, ``image``: UINT8, UINT16 or FP32 (in [0, 1]) of shape [H, W, C] or [N, H, W, C], or BYTES of shape [N],
each element an image file, in base64 where it stands in JSON. ``outputs.py`` says what comes back. ``parameters`` of a request
are wishes, as those of ``/v1/predict``. Models are loaded when the server starts; the protocol's extensions for loading them,
for shared memory and for tracing are not there.

[1] Open Inference Protocol, version 2, REST: kserve/open-inference-protocol.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pixelwise import __version__
from pixelwise.core.image import Image
from pixelwise.serve.answered import Answered
from pixelwise.serve.models import Models, Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols.exchange import giving, refused, request_id, whole_body
from pixelwise.serve.protocols.images import check_pixels, counted, four_axes, images_of, predict_all
from pixelwise.serve.protocols.outputs import ALWAYS, described, output
from pixelwise.serve.protocols.tensors import LENGTH_HEADER, Message, Tensor, read_message, write_message
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.wishes import Wishes

INPUT = "image"
_BYTES = "application/octet-stream"
_PIXELS = ("UINT8", "UINT16", "FP32")
_SCHEDULING = frozenset({"priority", "timeout"})  # for servers that have classes of requests; the deadline here is the server's
_Endpoint: TypeAlias = Callable[..., Awaitable[Response]]


def router(service: Service, options: ServeOptions) -> APIRouter:
    """Make the routes under ``/v2``."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol v2"])
    endpoints = _Endpoints(service, options)
    asked: list[tuple[str, _Endpoint, str]] = [
        ("/health/live", endpoints.live, "Tell that the server runs"),
        ("/health/ready", endpoints.ready, "Tell whether the server takes requests"),
        ("", endpoints.server, "Describe the server"),
        ("/models", endpoints.models, "List the models"),
    ]
    found = giving("The outputs: JSON, and behind it bytes where they are wanted.", "application/json", _BYTES)
    of_versions = (endpoints.model_version, endpoints.version_ready, endpoints.infer_version)
    places: dict[str, tuple[_Endpoint, _Endpoint, _Endpoint]] = {
        "/models/{name}": (endpoints.model, endpoints.model_ready, endpoints.infer),
        "/models/{name}/versions/{version}": of_versions,
    }
    for path, (describe, ready, infer) in places.items():
        asked.append((path, describe, "Describe a model"))
        asked.append((f"{path}/ready", ready, "Tell whether a model takes requests"))
        routes.post(f"{path}/infer", summary="Segment images", openapi_extra=_BODY, **found)(infer)
    for path, endpoint, what in asked:
        routes.get(path, summary=what, **giving(f"{what}.", "application/json"))(endpoint)
    return routes


class _Endpoints:
    """The routes' functions; each answers a refusal in the protocol's own form."""

    def __init__(self, service: Service, options: ServeOptions) -> None:
        self._service, self._options = service, options

    async def live(self) -> Response:
        """Tell that the server runs."""
        return JSONResponse({"live": True})

    async def ready(self) -> Response:
        """Tell whether the server takes requests."""
        return JSONResponse({"ready": self._service.is_ready}, 200 if self._service.is_ready else 503)

    async def server(self) -> Response:
        """Describe the server."""
        return JSONResponse({"name": "pixelwise", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def models(self) -> Response:
        """List the models' names."""
        return JSONResponse({"models": list(self._service.models)})

    async def model(self, name: str) -> Response:
        """Describe a model: its versions, its input and its outputs."""
        return self._described(name, None)

    async def model_version(self, name: str, version: str) -> Response:
        """Describe a version of a model."""
        return self._described(name, version)

    async def model_ready(self, name: str) -> Response:
        """Tell whether a model takes requests."""
        return self._readiness(name, None)

    async def version_ready(self, name: str, version: str) -> Response:
        """Tell whether a version of a model takes requests."""
        return self._readiness(name, version)

    async def infer(self, request: Request, name: str) -> Response:
        """Segment images by the last version of a model."""
        return await self._answered(request, name, None)

    async def infer_version(self, request: Request, name: str, version: str) -> Response:
        """Segment images by a version of a model."""
        return await self._answered(request, name, version)

    def _described(self, name: str, version: str | None) -> Response:
        try:
            return JSONResponse(_description(self._service.models, self._service.models.named(name, version)))
        except Refusal as refusal:
            return _error(refusal)

    def _readiness(self, name: str, version: str | None) -> Response:
        try:
            served, is_ready = self._service.models.named(name, version), self._service.is_ready
        except Refusal as refusal:
            return _error(refusal)
        return JSONResponse({"name": served.name, "ready": is_ready}, 200 if is_ready else 503)

    async def _answered(self, request: Request, name: str, version: str | None) -> Response:
        try:
            return await self._infer(request, name, version)
        except Refusal as refusal:
            return _error(refusal)

    async def _infer(self, request: Request, name: str, version: str | None) -> Response:
        served = self._service.models.named(name, version)
        body = await whole_body(request)
        message = await asyncio.to_thread(read_message, body, request.headers.get(LENGTH_HEADER))
        wanted = _wanted(message, served)
        images = await asyncio.to_thread(_images, message, served, self._options)
        wishes = _wishes(message, wanted)
        answers = await predict_all(self._service, images, wishes, served, request_id(request))
        content, length = await asyncio.to_thread(_written, message, wanted, answers)
        if length is None:
            return Response(content, media_type="application/json")
        return Response(content, media_type=_BYTES, headers={LENGTH_HEADER: str(length)})


def _description(models: Models, served: Served) -> dict[str, Any]:
    card = served.predictor.card
    also = f"UINT16 and FP32 (from 0 to 1) pixels, {INPUT} without its first axis, and BYTES [-1] of image files"
    outputs = [
        {"name": name, "datatype": datatype, "shape": shape} | ({} if name in ALWAYS else {"parameters": {"on_request": True}})
        for name, (datatype, shape) in described(card).items()
    ]
    return {
        "name": served.name,
        "versions": list(models[served.name]),
        "platform": "pixelwise",
        "inputs": [
            {"name": INPUT, "datatype": "UINT8", "shape": [-1, -1, -1, len(card.bands)], "parameters": {"also": also}},
        ],
        "outputs": outputs,
        "parameters": {"version": served.version, "kind": card.kind, "classes": list(card.labels.names)},
    }


def _images(message: Message, served: Served, options: ServeOptions) -> list[bytes | Image]:
    """Take the one input as images: files still to be decoded, or pixels."""
    if len(message.inputs) != 1 or message.inputs[0].name != INPUT:
        found = ", ".join(f"'{one.name}'" for one in message.inputs) or "none"
        raise Refusal(422, "wrong_inputs", f"expected one input, '{INPUT}', got {found}")
    tensor: Tensor = message.inputs[0]
    if tensor.datatype == "BYTES":
        counted(len(tensor.elements))
        return list(tensor.elements)
    if tensor.datatype not in _PIXELS or tensor.numbers is None:
        raise Refusal(422, "wrong_type", f"{INPUT}: expected {', '.join(_PIXELS)} or BYTES, got {tensor.datatype}")
    check_pixels(four_axes(tensor.shape, INPUT), options)
    return list(images_of(tensor.numbers, served, INPUT))


def _wanted(message: Message, served: Served) -> list[tuple[str, bool]]:
    """List the outputs to give, each with whether it goes as bytes."""
    if not message.outputs:
        return [(name, message.wants_bytes) for name in ALWAYS]
    known = described(served.predictor.card)
    for name, _ in message.outputs:
        if name not in known:
            raise Refusal(422, "wrong_output", f"'{served.name}' has no output '{name[:40]}'; it has {', '.join(known)}")
    return [(name, message.wants_bytes if as_bytes is None else as_bytes) for name, as_bytes in message.outputs]


def _wishes(message: Message, wanted: list[tuple[str, bool]]) -> Wishes:
    stated = {name: value for name, value in message.parameters.items() if name not in _SCHEDULING}
    if any(name == "uncertainty" for name, _ in wanted):
        stated["uncertainty"] = True
    return Wishes.read(stated)


def _written(message: Message, wanted: list[tuple[str, bool]], answers: list[Answered]) -> tuple[bytes, int | None]:
    served = answers[0].served
    head = {"model_name": served.name, "model_version": served.version} | ({"id": message.id} if message.id else {})
    return write_message(head, [(name, output(name, answers), as_bytes) for name, as_bytes in wanted])


def _error(refusal: Refusal) -> Response:
    return refused(refusal, {"error": refusal.message})


_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"const": INPUT},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "datatype": {"enum": [*_PIXELS, "BYTES"]},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
                        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
                        "parameters": {"type": "object"},
                    },
                }
            },
            _BYTES: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
