"""Call the server's application without a socket: a request in, an answer out, from any thread.

The application and its service live in one event loop on a thread of its own, begun by the first call and kept for those that
follow; a platform that freezes the process between calls freezes it with it.
"""

import asyncio
import json
import logging
import os
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from pixelwise.core.errors import OptionError
from pixelwise.serve import logs
from pixelwise.serve.asgi import Application, Message, Scope
from pixelwise.serve.refusal import Refusal

MODEL = "PIXELWISE_MODEL"
TOKEN_FILE = "PIXELWISE_TOKEN_FILE"
_TEXT = ("text/", "application/json", "application/geo+json", "application/openapi+json")
_HOP = frozenset({"content-length", "transfer-encoding", "connection"})  # of a connection that is not there, or of another body


@dataclass(frozen=True)
class Call:
    """A request: its path as it stood in the address, what followed the ``?``, headers as they came, and its body, decoded."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Give the first header of that name, whatever its case; "" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def refusing(cls, refusal: Refusal) -> "Reply":
        """Say what was refused, as the server does."""
        headers = [("content-type", "application/json")]
        if refusal.retry_after is not None:
            headers.append(("retry-after", str(max(1, round(refusal.retry_after)))))
        return cls(refusal.status, tuple(headers), json.dumps(refusal.as_json()).encode())

    @property
    def is_text(self) -> bool:
        """Whether the body is text, which platforms pass on as it is."""
        kind = next((value for name, value in self.headers if name == "content-type"), "")
        return kind.startswith(_TEXT)


def from_environment(environment: Mapping[str, str] = os.environ) -> Application:
    """Load the models that ``PIXELWISE_MODEL`` names and make the application, with one process that decodes and no page.

    ``PIXELWISE_TOKEN_FILE`` names a file of tokens, where the platform does not say who may call.

    Raises:
        OptionError: it names none.
        PixelwiseError: a model cannot be loaded.
    """
    from pixelwise.serve.http.app import create_app
    from pixelwise.serve.models import loaded
    from pixelwise.serve.options import ServeOptions
    from pixelwise.serve.service import Service

    logs.set_up(as_json=True)
    sources = shlex.split(environment.get(MODEL, ""))
    if not sources:
        raise OptionError(f"{MODEL}: expected what to serve, as a run folder, an exported file or a method's name, got nothing")
    tokens = environment.get(TOKEN_FILE)
    options = ServeOptions(decoders=1, has_page=False, token_file=Path(tokens) if tokens else None)
    models = loaded(sources, options.device, options.precision)
    return create_app(Service(models, options), options)


class Runner:
    """The application, made on the first call and kept."""

    def __init__(self, make: Callable[[], Application] = from_environment) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: Application | None = None
        self._ending: asyncio.Event | None = None
        self._lifespan: asyncio.Task[None] | None = None

    def answer(self, call: Call) -> Reply:
        """Answer a call; whatever goes wrong becomes an answer, and its cause a line of the log."""
        try:
            loop = self._started()
        except Exception as error:
            logs.event(logging.ERROR, "failed", {"reason": str(error)}, error)
            sentence = "the function could not load what it serves; its log says why"
            return Reply.refusing(Refusal(503, "not_ready", sentence))
        return asyncio.run_coroutine_threadsafe(self._called(call), loop).result()

    def close(self) -> None:
        """Stop the application, if it was made, and its thread."""
        with self._lock:
            if self._loop is None:
                return
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = self._app = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                app, loop = self._make(), asyncio.new_event_loop()
                threading.Thread(target=_run, args=(loop,), name="pixelwise", daemon=True).start()
                try:
                    asyncio.run_coroutine_threadsafe(self._start(app), loop).result()
                except BaseException:
                    loop.call_soon_threadsafe(loop.stop)
                    raise
                self._loop, self._app = loop, app
            return self._loop

    async def _start(self, app: Application) -> None:
        """Begin the application's life, as a server does, and wait until it has begun."""
        self._ending = ending = asyncio.Event()
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told = iter(["lifespan.startup"])

        async def receive() -> Message:
            if (first := next(told, None)) is not None:
                return {"type": first}
            await ending.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                begun.set_result(None)
            elif message["type"] == "lifespan.startup.failed":
                begun.set_exception(RuntimeError(message.get("message") or "the application could not start"))

        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._lifespan = asyncio.ensure_future(app(scope, receive, send))
        await asyncio.wait([begun, self._lifespan], return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            self._lifespan.result()  # it raised; or it has no lifespan, and nothing has to begin
        else:
            begun.result()

    async def _stop(self) -> None:
        if self._ending is not None and self._lifespan is not None:
            self._ending.set()
            await self._lifespan

    async def _called(self, call: Call) -> Reply:
        assert self._app is not None
        return await called(self._app, call)


async def called(app: Application, call: Call) -> Reply:
    """Pass one call to an ASGI application and collect its answer."""
    done, bodies = asyncio.Event(), iter([call.body])
    status, headers, parts = 500, list[tuple[bytes, bytes]](), list[bytes]()

    async def receive() -> Message:
        if (body := next(bodies, None)) is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await done.wait()  # a client that is still there says nothing more
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        else:
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                done.set()

    try:
        await app(_scope(call), receive, send)
    finally:
        done.set()
    plain = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return Reply(status, tuple((name, value) for name, value in plain if name not in _HOP), b"".join(parts))


def _scope(call: Call) -> Scope:
    path = call.path if call.path.startswith("/") else f"/{call.path}"
    headers = [(_bytes(name.lower()), _bytes(value)) for name, value in call.headers if name.lower() not in _HOP]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method.upper(),
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": call.query.encode("utf-8", "replace"),
        "root_path": "",
        "headers": [*headers, (b"content-length", str(len(call.body)).encode())],
        "client": None,
        "server": None,
        "state": {},
    }


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
