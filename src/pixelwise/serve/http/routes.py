"""The server's own routes: predict, describe, and say how it is."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from pixelwise.serve import description
from pixelwise.serve.http import openapi
from pixelwise.serve.http.body import read
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols.exchange import request_id
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service
from pixelwise.serve.telemetry import MEDIA_TYPE
from pixelwise.serve.wishes import Wishes

_PLACES = ("", "/models/{name}", "/models/{name}/versions/{version}")


def router(service: Service, options: ServeOptions) -> APIRouter:
    """Make the routes below ``/v1``, ``/healthz``, ``/readyz`` and ``/metrics``."""
    routes = APIRouter()

    async def predict(request: Request) -> Response:
        """Segment an image; the address, a form or JSON says how."""
        content, fields = await read(request, options)
        name, version = _place(request.path_params, fields)
        wishes = Wishes.read(fields)
        answered = await service.predict(content, wishes, name, version, request_id(request))
        body = await service.write(answered, wishes)
        headers = {
            "Content-Disposition": f'inline; filename="{body.name}"',
            "Server-Timing": ", ".join(f"{stage};dur={1000 * spent:.1f}" for stage, spent in answered.timings.items()),
            "X-Model": f"{answered.served.name}:{answered.served.version}",
        }
        return Response(body.content, media_type=body.media_type, headers=headers)

    async def models() -> Response:
        """List the models, the forms of answers and the limits."""
        return _json(await asyncio.to_thread(description.listed, service.models, options))

    for place in _PLACES:
        routes.add_api_route(f"/v1{place}/predict", predict, methods=["POST"], **openapi.predicting(place))
    routes.add_api_route("/v1/models", models, methods=["GET"], **openapi.telling("List the models", "application/json"))
    _add_health(routes, service)
    return routes


def _add_health(routes: APIRouter, service: Service) -> None:
    async def healthz() -> Response:
        """Say that the process lives."""
        return _json({"status": "alive"})

    async def readyz() -> Response:
        """Say whether requests should be sent here: not while it starts, and not once it is about to stop."""
        return _json({"status": "ready" if service.is_ready else "not ready"}, 200 if service.is_ready else 503)

    async def metrics() -> Response:
        """Give the numbers that Prometheus gathers."""
        if service.telemetry is None:
            raise Refusal(404, "no_metrics", "this server counts nothing")
        return Response(await asyncio.to_thread(service.telemetry.text), headers={"Content-Type": MEDIA_TYPE})

    json = "application/json"
    routes.add_api_route("/healthz", healthz, methods=["GET"], **openapi.telling("Tell whether the process lives", json))
    routes.add_api_route("/readyz", readyz, methods=["GET"], **openapi.telling("Tell whether it is ready", json, 503))
    routes.add_api_route("/metrics", metrics, methods=["GET"], **openapi.telling("Give metrics", "text/plain", 404))


def _place(path: Mapping[str, str], fields: dict[str, Any]) -> tuple[str | None, str | None]:
    """Give the name and version of a model from the path, or else from the fields, out of which they are taken."""
    found: list[str | None] = []
    for in_path, field in (("name", "model"), ("version", "version")):
        stated = fields.pop(field, None)
        if stated is not None and not isinstance(stated, str):
            raise Refusal(422, f"bad_{field}", f"{field}: expected one text, got {type(stated).__name__}")
        if stated is not None and "name" in path:
            raise Refusal(422, f"bad_{field}", f"{field}: the address says it already; leave one out")
        found.append(path.get(in_path, stated))
    return found[0], found[1]


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
