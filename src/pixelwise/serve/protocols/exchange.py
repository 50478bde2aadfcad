"""What the routes of every protocol share: the body and the id of a request, and the answer that says what was refused."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pixelwise.serve import logs
from pixelwise.serve.refusal import Refusal

_BINARY = {"type": "string", "format": "binary"}


async def whole_body(request: Request) -> bytes:
    """Read the body, whose size the layers around the application have bounded.

    Raises:
        Refusal: it is compressed (415): images are so already, and what unpacks to gigabytes is not let in.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal(415, "compressed_body", f"expected a body as it is, got one in '{encoding[:20]}'; send it uncompressed")
    return await request.body()


def media_type(request: Request) -> str:
    """Give the type that the body is said to be of, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def request_id(request: Request) -> str:
    """Give the id under which the request stands in the log; none where no log is kept."""
    return str(getattr(request.state, "request_id", ""))


def giving(what: str, *kinds: str) -> dict[str, Any]:
    """Describe a route's good answer, of one of several types of content, as OpenAPI has it."""
    content = {kind: {"schema": {} if kind.endswith("json") else _BINARY} for kind in kinds}
    return {"response_class": Response, "responses": {200: {"description": what, "content": content}}}


def refused(refusal: Refusal, body: dict[str, Any] | None = None) -> JSONResponse:
    """Answer with a refusal, in a protocol's own form where ``body`` is given, and note its code for the log."""
    if (noted := logs.noted()) is not None:
        noted.code = refusal.code
    headers = {} if refusal.retry_after is None else {"Retry-After": str(max(1, round(refusal.retry_after)))}
    return JSONResponse(refusal.as_json() if body is None else body, refusal.status, headers)
