"""What every answer says to browsers, and what a request's head and body may be: size, host, and the page it comes from."""

import asyncio
import contextlib
import re
from collections.abc import Collection, Iterable

from pixelwise.core.errors import OptionError
from pixelwise.serve import logs
from pixelwise.serve.asgi import Application, Message, Receive, Scope, Send, headers_named, refuse
from pixelwise.serve.refusal import Refusal

ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",  # for browsers that do not know frame-ancestors
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}
UNLESS_STATED = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",  # a page states its own
    b"cache-control": b"no-store",  # masks of a user's image are nobody else's
}
_DRAIN_SECONDS, _DRAIN_BYTES = 10.0, 2**28  # that a client which only then reads is listened to after a refusal
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)")


class Secured:
    """An ASGI application whose answers tell browsers to guess no types, frame no page and keep no copy."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                stated = list(message.get("headers", ()))
                present = {name.lower() for name, _ in stated}
                kept = [(name, value) for name, value in stated if name.lower() not in ALWAYS and name.lower() != b"server"]
                missing = [(name, value) for name, value in UNLESS_STATED.items() if name not in present]
                message = {**message, "headers": [*kept, *ALWAYS.items(), *missing]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Bounded:
    """An ASGI application that takes heads and bodies up to a size, the one stated before reading and the real one while."""

    def __init__(self, app: Application, max_bytes: int, max_head: int = 2**15, max_headers: int = 100) -> None:
        """Lay it around ``app``.

        Args:
            max_bytes: of a body.
            max_head: bytes of the address and of all headers, each on its own.
            max_headers: how many there may be.
        """
        self._app = app
        self._max_bytes, self._max_head, self._max_headers = max_bytes, max_head, max_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (refusal := self._of_head(scope)) is not None:
            await _refuse_and_drain(scope, receive, send, refusal)
            return
        counting = _Counting(receive, send, self._max_bytes)
        try:
            await self._app(scope, counting.receive, counting.send)
        except _BodyTooLarge:
            counting.is_over = True
        if counting.is_over and not counting.has_answered:
            await _refuse_and_drain(scope, receive, send, _too_large(self._max_bytes, "more came"))

    def _of_head(self, scope: Scope) -> Refusal | None:
        address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
        if address > self._max_head:
            return Refusal(414, "address_too_long", f"expected an address of at most {self._max_head:,} bytes, got {address:,}")
        headers = scope["headers"]
        size = sum(len(name) + len(value) for name, value in headers)
        if size > self._max_head or len(headers) > self._max_headers:
            limits = f"{self._max_headers} headers of {self._max_head:,} bytes together"
            return Refusal(431, "headers_too_large", f"expected at most {limits}, got {len(headers)} of {size:,}")
        stated = headers_named(scope, b"content-length")
        if not stated:
            return None
        if len(set(stated)) > 1 or not stated[0].isdigit():
            return Refusal(400, "bad_content_length", "expected one Content-Length, a number from 0 up")
        if len(stated[0]) > 18 or int(stated[0]) > self._max_bytes:
            return _too_large(self._max_bytes, "the request states more")
        return None


class _BodyTooLarge(Exception):
    """End the reading of a body that is longer than allowed."""


class _Counting:
    """One request whose body is counted; once it is too long, the application's own answer is held back for ours."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._left = receive, send, most
        self.is_over = self.has_answered = False

    async def receive(self) -> Message:
        """Take a part of the body.

        Raises:
            _BodyTooLarge: it is longer than allowed.
        """
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.is_over = True
            raise _BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        """Send a part of an answer, unless the body was too long before it began."""
        if self.is_over and not self.has_answered:
            return  # the application took our error for a fault of its own
        self.has_answered = True
        await self._send(message)


class Hosts:
    """An ASGI application that answers only under the names it is meant for: a page cannot rebind a name of its own to it."""

    def __init__(self, app: Application, hosts: Iterable[str]) -> None:
        """Lay it around ``app``; ``hosts`` are names without ports.

        Raises:
            OptionError: one is no name of a host.
        """
        self._app, self._hosts = app, frozenset(checked_hosts(hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or 421."""
        stated = headers_named(scope, b"host") if scope["type"] == "http" else []
        if scope["type"] == "http" and (len(stated) != 1 or _without_port(stated[0]) not in self._hosts):
            refusal = Refusal(421, "wrong_host", "this server does not answer under the host name that the request states")
            _note(refusal)
            await refuse(send, refusal)
            return
        await self._app(scope, receive, send)


def checked_origins(origins: Collection[str]) -> tuple[str, ...]:
    """Take the origins whose pages may call, each exactly as browsers send it.

    >>> checked_origins(["https://masks.example.org", "http://localhost:3000"])
    ('https://masks.example.org', 'http://localhost:3000')

    Raises:
        OptionError: one is no origin, or stands for many.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise OptionError(f"expected an exact origin in lower case, such as https://masks.example.org, got {origin!r}")
    return tuple(dict.fromkeys(origins))


def checked_hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    """Take the names under which a server answers, without ports.

    Raises:
        OptionError: one is no name of a host.
    """
    lower = tuple(dict.fromkeys(host.lower() for host in hosts))
    for host in lower:
        if not _HOST.fullmatch(host):
            raise OptionError(f"expected the name of a host without a port, such as masks.example.org, got {host!r}")
    return lower


def _without_port(host: bytes) -> str:
    return re.sub(r":[0-9]*$", "", host.decode("latin-1").lower())


def _too_large(most: int, found: str) -> Refusal:
    return Refusal(413, "body_too_large", f"expected a request of at most {most:,} bytes, and {found}; send a smaller image")


async def _refuse_and_drain(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    """Refuse, and throw away what still comes: closed in the middle of sending, most clients never read why."""
    _note(refusal)
    await refuse(send, refusal, is_last=False)
    if not headers_named(scope, b"expect"):  # who asked before sending the body does not send it now
        left = _DRAIN_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0 and (message := await receive()).get("more_body"):
                    left -= len(message["body"])
    await send({"type": "http.response.body", "body": b""})


def _note(refusal: Refusal) -> None:
    if (one := logs.noted()) is not None:
        one.code = refusal.code
