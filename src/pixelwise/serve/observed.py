"""The outermost layer of the HTTP server: every request gets an id, a line in the log, and is counted.

What happens inside and is nobody's refusal becomes one sentence with the id; its trace goes to the log alone.
"""

import logging
import time
from typing import Any

from pixelwise.serve import logs
from pixelwise.serve.asgi import Application, Message, Receive, Scope, Send, headers_named, refuse
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.telemetry import Telemetry

CLIENT_GONE = 499  # no status is sent to who has left; logs and metrics want a number, and many servers use this one
_QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/ping"})  # asked every few seconds; told only when they fail


class Observed:
    """An ASGI application with every request noted."""

    def __init__(self, app: Application, telemetry: Telemetry | None = None) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(scope, receive, send)
        try:
            await self._app(scope, answering.receive, answering.send)
        except Exception as error:
            await self._failed(answering, error)
        except BaseException:  # the task is cancelled: the client left, or the server stops at once
            answering.status = answering.status or CLIENT_GONE
            raise
        finally:
            self._tell(answering)

    async def _failed(self, answering: "_Answering", error: Exception) -> None:
        """Answer for an error that nobody meant; one after the client has left is its end, and no fault."""
        if answering.is_gone:
            answering.status = answering.status or CLIENT_GONE
            return
        request_id = answering.noted.request_id
        logs.event(logging.ERROR, "failed", {"request_id": request_id}, error)
        if not answering.status:
            sentence = f"the server failed at this request; its log says why under the request id {request_id}"
            await refuse(answering.send, Refusal(500, "internal_error", sentence))
        answering.noted.code = answering.noted.code or "internal_error"

    def _tell(self, answering: "_Answering") -> None:
        noted, status = answering.noted, answering.status or CLIENT_GONE
        seconds, route = time.perf_counter() - answering.begun, _route(answering.scope)
        if self._telemetry is not None:
            self._telemetry.observe_request(noted.model, noted.version, status, seconds, route, noted.code)
        level = logging.ERROR if status >= 500 else logging.WARNING if status >= 400 else logging.INFO
        if route in _QUIET and level < logging.ERROR:
            level = logging.DEBUG
        fields: dict[str, Any] = {
            "request_id": noted.request_id,
            "method": answering.scope["method"] if answering.scope["method"].isalpha() else "",
            "route": route,
            "status": status,
            "code": noted.code,
            "client": noted.client,
            "model": noted.model,
            "version": noted.version,
            "bytes_in": answering.read,
            "bytes_out": answering.written,
            "height": noted.size[0] if noted.size else 0,
            "width": noted.size[1] if noted.size else 0,
            "batch": noted.batch,
            "seconds": seconds,
            "stages": dict(noted.seconds),
        }
        logs.event(level, "request", {name: value for name, value in fields.items() if value not in ("", 0, {})})


class _Answering:
    """One request under way: what was read and written of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stated = headers_named(scope, logs.REQUEST_ID)
        self.scope, self._receive, self._send = scope, receive, send
        self.noted = logs.begin(stated[0].decode("latin-1") if len(stated) == 1 else None)
        self.begun = time.perf_counter()
        self.status = self.read = self.written = 0
        self.is_gone = False
        scope.setdefault("state", {})["request_id"] = self.noted.request_id

    async def receive(self) -> Message:
        """Take a part of the request, and count it."""
        message = await self._receive()
        self.is_gone |= message["type"] == "http.disconnect" and not self.status
        self.read += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the request's id in its head."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), (logs.REQUEST_ID, self.noted.request_id.encode())]}
        self.written += len(message.get("body", b""))
        await self._send(message)


def _route(scope: Scope) -> str:
    """Give the template of the route that was taken, never the address itself."""
    return str(getattr(scope.get("route"), "path", "none"))
