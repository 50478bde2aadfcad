"""What one client may cost: the time it takes to send, the bytes of it that are held, and the work it no longer waits for.

``Clients`` is the innermost layer around the application, so that whoever is refused further out has cost nothing yet. Once a
request has been read, it watches for the client to leave, and then cancels the work.
"""

import asyncio
from collections.abc import Callable

from pixelwise.serve.asgi import Application, Message, Receive, Scope, Send
from pixelwise.serve.limits import Budget, busy
from pixelwise.serve.refusal import Refusal


class Clients:
    """An ASGI application whose requests are read within a time and a budget, and dropped when nobody waits for them."""

    def __init__(self, app: Application, seconds: float, budget: Budget, is_closing: Callable[[], bool]) -> None:
        """Lay it around ``app``.

        Args:
            seconds: that a body may take to come.
            budget: of bytes of all bodies that are held.
            is_closing: whether answers ask clients to connect anew, as a server that is about to stop does.
        """
        self._app, self._seconds, self._budget, self._is_closing = app, seconds, budget, is_closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = _Client(receive, send, self._seconds, self._budget, self._is_closing)
        try:
            await self._app(scope, client.receive, client.send)
        except asyncio.CancelledError:
            if not client.is_gone or (task := asyncio.current_task()) is None or task.uncancel():
                raise  # somebody else wants this to end
        finally:
            client.close()


class _Client:
    """One request on its way in and out."""

    def __init__(self, receive: Receive, send: Send, seconds: float, budget: Budget, is_closing: Callable[[], bool]) -> None:
        self._receive, self._send, self._budget, self._is_closing = receive, send, budget, is_closing
        self._task = asyncio.current_task()
        self._until = asyncio.get_running_loop().time() + seconds
        self._seconds = seconds
        self._held: int | None = None
        self._watch: asyncio.Future[Message] | None = None
        self._is_answered = False
        self.is_gone = False

    async def receive(self) -> Message:
        """Take a part of the request, or after its end wait for the client to leave.

        Raises:
            Refusal: 408, it comes too slowly; 429, as many bytes are held as may be.
        """
        if self._watch is not None:
            return await asyncio.shield(self._watch)
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            sentence = f"expected the whole request within {self._seconds:g} s; send it faster, or a smaller image"
            raise Refusal(408, "body_too_slow", sentence) from None
        if message["type"] == "http.request":
            self._hold(len(message.get("body", b"")))
            if not message.get("more_body", False):
                self._watch = asyncio.ensure_future(self._receive())
                self._watch.add_done_callback(self._left)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start" and (self._is_closing() or not self._is_read):
            headers = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        self._is_answered |= message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    @property
    def _is_read(self) -> bool:
        """Whether nothing of the request is left on its way: it was read to its end, or not at all begun."""
        return self._watch is not None or self._held is None

    def _hold(self, count: int) -> None:
        if self._held is None:
            self._held = 0
            self._budget.take(0)
        if not self._budget.change(self._held, self._held + count):
            raise busy("as many bytes of requests are held as this server allows", 1)
        self._held += count

    def _left(self, watch: "asyncio.Future[Message]") -> None:
        """Cancel the work when the client has left; after the last word of the answer that is its good right."""
        if watch.cancelled() or watch.exception() is not None or self._is_answered:
            return
        if watch.result()["type"] == "http.disconnect" and self._task is not None:
            self.is_gone = True
            self._task.cancel()

    def close(self) -> None:
        """Stop watching, and give back what was held."""
        self._is_answered = True
        if self._watch is not None:
            self._watch.cancel()
        if self._held is not None:
            self._budget.give_back(self._held)
            self._held = None
