"""TorchServe's inference address, and the part of its management address that only reads [1].

``/predictions/NAME`` and ``/predictions/NAME/VERSION`` take the bytes of an image file, or a form with the file in ``data`` (or
``body``) and wishes beside it; the ``Accept`` header picks the answer, JSON where it says nothing. ``/models`` lists and
``/models/NAME`` describes. Registering, scaling and removing models are not there: what is served is said at the start.
``/ping`` is SageMaker's.

[1] TorchServe documentation, "Inference API" and "Management API".
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pixelwise import __version__
from pixelwise.serve.http.body import from_form
from pixelwise.serve.models import Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols.exchange import giving, media_type, refused, request_id, whole_body
from pixelwise.serve.protocols.forms import BY_NAME, BY_TYPE, accepted_form
from pixelwise.serve.protocols.images import predict_all
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.wishes import Wishes, gathered

_FILE_FIELDS = ("data", "body")
_PAGE = 100  # models a list has unless ``limit`` says otherwise


def router(service: Service, options: ServeOptions) -> APIRouter:
    """Make the routes ``/predictions/…`` and ``/models…``."""
    routes = APIRouter(tags=["TorchServe"])

    async def predictions(request: Request, name: str) -> Response:
        """Segment an image by the last version of a model."""
        return await _answered(service, request, name, None)

    async def predictions_of_version(request: Request, name: str, version: str) -> Response:
        """Segment an image by a version of a model."""
        return await _answered(service, request, name, version)

    async def models(limit: str = "", next_page_token: str = "") -> Response:
        """List the models."""
        try:
            return JSONResponse(_page(list(service.models), limit, next_page_token))
        except Refusal as refusal:
            return _error(refusal)

    async def model(name: str) -> Response:
        """Describe the last version of a model."""
        return _described(service, options, name, None)

    async def model_version(name: str, version: str) -> Response:
        """Describe a version of a model, or with ``all`` each of them."""
        return _described(service, options, name, version)

    found = giving("The segmentation, of a type that Accept names.", *BY_TYPE, *BY_NAME)
    told = giving("The models.", "application/json")
    predicting: dict[str, Any] = {"summary": "Segment an image (TorchServe)", "openapi_extra": _BODY, **found}
    describing: dict[str, Any] = {"summary": "Describe a model (TorchServe)", **told}
    routes.post("/predictions/{name}", **predicting)(predictions)
    routes.post("/predictions/{name}/{version}", **predicting)(predictions_of_version)
    routes.get("/models/{name}", **describing)(model)
    routes.get("/models/{name}/{version}", **describing)(model_version)
    routes.get("/models", summary="List the models (TorchServe)", **told)(models)
    return routes


async def _answered(service: Service, request: Request, name: str, version: str | None) -> Response:
    try:
        return await _answer(service, request, service.models.named(name, version))
    except Refusal as refusal:
        return _error(refusal)


def _described(service: Service, options: ServeOptions, name: str, version: str | None) -> Response:
    try:
        versions = service.models[name].values() if version == "all" and name in service.models else ()
        described = versions or [service.models.named(name, None if version == "all" else version)]
        return JSONResponse([_description(one, service, options) for one in described])
    except Refusal as refusal:
        return _error(refusal)


async def _answer(service: Service, request: Request, served: Served) -> Response:
    stated = gathered(request.query_params.multi_items())
    if media_type(request) == "multipart/form-data":
        content, fields = await from_form(request, _FILE_FIELDS)
        stated |= fields
    else:
        content = await whole_body(request)
    if "forms" not in stated:
        stated["forms"] = accepted_form(request.headers.get("accept", ""), "json")
    wishes = Wishes.read(stated)
    answered = (await predict_all(service, [content], wishes, served, request_id(request)))[0]
    found = await service.write(answered, wishes)
    return Response(found.content, media_type=found.media_type)


def _page(names: list[str], limit: str, token: str) -> dict[str, Any]:
    for what, text in (("limit", limit), ("next_page_token", token)):
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refusal(400, "bad_page", f"{what}: expected a whole number, got '{text[:40]}'")
    first, count = int(token or 0), int(limit or _PAGE)
    shown = names[first : first + count] if count else []
    rest = {"nextPageToken": str(first + count)} if shown and first + count < len(names) else {}
    return rest | {"models": [{"modelName": name, "modelUrl": name} for name in shown]}


def _description(served: Served, service: Service, options: ServeOptions) -> dict[str, Any]:
    """Describe a model in TorchServe's words; where its file lies is nobody's business."""
    return {
        "modelName": served.name,
        "modelVersion": served.version,
        "modelUrl": served.name,
        "runtime": f"pixelwise {__version__}",
        "minWorkers": 1,
        "maxWorkers": service.workers,
        "batchSize": service.batch,
        "maxBatchDelay": round(options.batch_wait * 1000),
        "loadedAtStartup": True,
        "workers": [{"id": "0", "status": "READY" if service.is_ready else "UNLOADING"}],
    }


def _error(refusal: Refusal) -> Response:
    """Answer a refusal as TorchServe does: the status, a name of the error, and a sentence."""
    name = "".join(word.capitalize() for word in refusal.code.split("_")) + "Exception"
    return refused(refusal, {"code": refusal.status, "type": name, "message": refusal.message})


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {"data": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
