"""Google Cloud Functions: ``segment``, for the Functions Framework; its requests are Flask's, whose methods alone are used [1].

A ``main.py`` of one line makes it the function::

    from pixelwise.serve.handlers.google import segment

Cloud Run needs no handler: it runs the container, which listens on ``$PORT``.

[1] Functions Framework for Python; Cloud Run functions documentation, "Write HTTP functions".
"""

from collections.abc import Iterable
from typing import Protocol

from pixelwise.serve.handlers.calling import Call, Runner

_RUNNER = Runner()


class _Headers(Protocol):
    def items(self) -> Iterable[tuple[str, str]]: ...


class FlaskRequest(Protocol):
    """What is used of a Flask request."""

    method: str
    path: str
    query_string: bytes
    headers: _Headers

    def get_data(self) -> bytes:
        """Give the body."""


def segment(request: FlaskRequest) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Answer one request with body, status and headers, as Flask takes them from a function."""
    from urllib.parse import quote

    headers = tuple((name, value) for name, value in request.headers.items())
    query = request.query_string.decode("utf-8", "replace")
    reply = _RUNNER.answer(Call(request.method, quote(request.path), query, headers, request.get_data()))
    return reply.body, reply.status, list(reply.headers)
