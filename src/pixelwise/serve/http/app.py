"""The service as an application: routes, errors as JSON, and what lies around each answer."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pixelwise import __version__
from pixelwise.serve import page
from pixelwise.serve.clients import Clients
from pixelwise.serve.http import cards, openapi, reference, routes
from pixelwise.serve.layers import lay_around
from pixelwise.serve.limits import Budget
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.protocols import inference_v2, sagemaker, torchserve
from pixelwise.serve.protocols.exchange import refused
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.service import Service

_WORDS = {404: "there is nothing at this address", 405: "this address takes another method"}


def create_app(service: Service, options: ServeOptions) -> FastAPI:
    """Make the application; it starts and stops the service with itself.

    The routers of protocols (``router(service, options)``) and of the page (``router()``) are included here.
    """

    @contextlib.asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="Pixelwise", version=__version__, summary="Images in, masks out.", docs_url=None, redoc_url=None, lifespan=living
    )
    app.state.service = service
    app.include_router(routes.router(service, options))
    app.include_router(cards.router(service, options), responses=openapi.refusals(404))
    app.include_router(reference.router())
    for protocol in (inference_v2, sagemaker, torchserve):
        app.include_router(protocol.router(service, options), responses=openapi.of_protocols())
    if options.has_page:
        app.include_router(page.router())
    app.add_exception_handler(Refusal, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _of_http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _of_validation)  # type: ignore[arg-type]
    app.add_middleware(
        Clients, seconds=options.body_seconds, budget=Budget(options.upload_bytes), is_closing=lambda: not service.is_ready
    )
    lay_around(app, options, service.telemetry)  # ids, log, limits, CORS, tokens; at the end: what is added last is outermost
    return app


async def _refused(request: Request, refusal: Refusal) -> Response:
    return refused(refusal)


async def _of_http(request: Request, error: HTTPException) -> Response:
    """Say in our form what the router refuses: an unknown address, or another method."""
    codes = {404: "unknown_address", 405: "wrong_method"}
    sentence = _WORDS.get(error.status_code, "the request could not be read")
    answer = refused(Refusal(error.status_code, codes.get(error.status_code, "bad_request"), sentence))
    answer.headers.update(error.headers or {})
    return answer


async def _of_validation(request: Request, error: RequestValidationError) -> Response:
    first: Any = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])[:100]
    return refused(Refusal(422, f"bad_{first['loc'][0]}", f"{field}: {first['msg']}"))
