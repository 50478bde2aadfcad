"""Connections that cannot be held open for nothing: what uvicorn leaves to a proxy in front of it.

A head must come within a time and a size, an answer must be read on, and there are so many connections and no more. The rest is
uvicorn's own protocol, which each connection hands everything to.
"""

import asyncio
from typing import Any

from pixelwise.serve.options import ServeOptions

LINGER = 1.0  # seconds that a server which ends listens on open connections for a request that is on its way
MOST_HEAD = 2**16  # bytes before a request begins: of its own head, or of what is sent ahead of its turn
_ANSWERS = {
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


class Connection(asyncio.Protocol):
    """One connection: a protocol of uvicorn, and clocks beside it."""

    def __init__(self, options: ServeOptions, inner: Any, connections: set[Any]) -> None:
        """Watch over ``inner``, one of uvicorn's protocols; ``connections`` are those that are open now."""
        self._options, self._inner, self._connections = options, inner, connections
        self._head: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._unsent = self._ahead = 0
        self._is_ending = False

    def connection_made(self, transport: Any) -> None:
        """Begin, or turn away what is one too many."""
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        is_full = len(self._connections) >= self._options.connections
        self._inner.connection_made(transport)
        self._connections.discard(self._inner)  # uvicorn asks those in this set to end, which is done below
        self._connections.add(self)
        self._look_later()
        if is_full:
            self._end(503)
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, and watch how far the head of a request is."""
        if self._transport.is_closing():
            return
        before = self._inner.cycle
        is_body = before is not None and before.more_body  # asked before: these bytes may be the body's last
        if self._is_waiting and self._head is None:
            self._wait_for_head()
        self._inner.data_received(data)
        if self._inner.cycle is not before:
            self._ahead = 0
            self._stop_waiting()
            if self._is_ending:
                self._inner.shutdown()
        elif not is_body and (self._is_waiting or not self._inner.cycle.more_body):
            self._ahead += len(data)
            if self._ahead > MOST_HEAD:
                self._end(431)

    def eof_received(self) -> bool | None:
        """Pass on that the client sends no more."""
        end: bool | None = self._inner.eof_received()
        return end

    def pause_writing(self) -> None:
        """Pass on that the client reads slower than answers are written."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that there is room again."""
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop all clocks."""
        self._stop_waiting()
        if self._look is not None:
            self._look.cancel()
        self._connections.discard(self)
        self._inner.connection_lost(error)

    def shutdown(self) -> None:
        """End after the answer that is under way; without one, after a moment in which a request may still come.

        A request may be on its way from a client that does not know yet, and closing at once would lose it.
        """
        self._is_ending = True
        if self._is_waiting:
            self._stop_waiting()
            self._head = self._loop.call_later(LINGER, self._transport.close)
        else:
            self._inner.shutdown()

    @property
    def _is_waiting(self) -> bool:
        """Whether no request is under way."""
        return self._inner.cycle is None or self._inner.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._head = self._loop.call_later(self._options.header_seconds, self._end, 408)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _look_later(self) -> None:
        self._look = self._loop.call_later(self._options.write_seconds, self._look_at_unsent)

    def _look_at_unsent(self) -> None:
        """Cut the client off if it has read nothing since the last look."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent >= self._unsent > 0:
            self._transport.abort()
            return
        self._unsent = unsent
        self._look_later()

    def _end(self, status: int) -> None:
        """Say why, if nothing else is being said, and close."""
        if self._transport.is_closing():
            return
        if self._is_waiting:
            words = _ANSWERS[status]
            line = b"HTTP/1.1 %d %s\r\n" % (status, words)
            self._transport.write(line + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self._transport.close()
