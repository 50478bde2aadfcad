"""What the layers around the application share: the types of ASGI, headers, and answering with a refusal."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from pixelwise.serve.refusal import Refusal

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def headers_named(scope: Scope, name: bytes) -> list[bytes]:
    """Give the values of every header of that name; ``name`` is lower case, as ASGI has them."""
    return [value for key, value in scope["headers"] if key == name]


def path_of(scope: Scope) -> str:
    """Give the path of a request below the prefix that a proxy serves the application under."""
    path, prefix = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(prefix) or "/" if prefix and (path == prefix or path.startswith(f"{prefix}/")) else path


async def refuse(send: Send, refusal: Refusal, headers: Iterable[tuple[bytes, bytes]] = (), is_last: bool = True) -> None:
    """Answer with a refusal as JSON, and close the connection: the rest of the request may not have been read.

    If it is not the last, the caller ends the answer with an empty part.
    """
    body = json.dumps(refusal.as_json()).encode()
    stated = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": [*stated, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
