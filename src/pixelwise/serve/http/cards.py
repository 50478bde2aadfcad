"""The routes that say what a model is, for the client."""

import asyncio
from typing import Any

from fastapi import APIRouter

from pixelwise.serve.described import described
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.service import Service


def router(service: Service, options: ServeOptions) -> APIRouter:
    """Give the routes ``/v1/card``, of the first model, and ``/v1/models/NAME[/versions/VERSION]/card``."""
    routes = APIRouter(tags=["models"])
    known: dict[tuple[str, str], dict[str, Any]] = {}  # weights are summed up once

    async def card(model: str | None = None, version: str | None = None) -> dict[str, Any]:
        served = service.models.named(model, version)
        key = (served.name, served.version)
        if key not in known:
            known[key] = await asyncio.to_thread(described, served, options.max_pixels)
        return known[key]

    @routes.get("/v1/card", summary="What the first model is")
    async def first() -> dict[str, Any]:
        return await card()

    @routes.get("/v1/models/{model}/card", summary="What a model is")
    async def named(model: str) -> dict[str, Any]:
        return await card(model)

    @routes.get("/v1/models/{model}/versions/{version}/card", summary="What a version of a model is")
    async def of_version(model: str, version: str) -> dict[str, Any]:
        return await card(model, version)

    return routes
