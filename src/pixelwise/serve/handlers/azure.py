"""Azure Functions: ``main``, a function with an HTTP trigger in either programming model of Python [1].

In ``function_app.py``::

    import azure.functions as func
    from pixelwise.serve.handlers.azure import main

    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.route("{*path}")(main)

The address of a function begins with ``/api`` unless ``host.json`` says otherwise; that is taken off, and what follows it is
the server's path. A function's key may stand in the address as ``code``; that is Azure's, and no wish.

[1] Azure Functions Python developer guide; reference of ``azure.functions.HttpRequest``.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from pixelwise.core.errors import MissingExtra
from pixelwise.serve.handlers.calling import Call, Reply, Runner

PREFIX = "/api"
_AZURES = frozenset({"code", "clientId"})

_RUNNER = Runner()


class HttpRequest(Protocol):
    """What is used of a request of Azure's."""

    @property
    def method(self) -> str:
        """Give the verb of HTTP."""

    @property
    def url(self) -> str:
        """Give the whole address."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Give them by name."""

    def get_body(self) -> bytes:
        """Give the body."""


def main(req: HttpRequest) -> Any:
    """Answer one request with an ``azure.functions.HttpResponse``.

    Raises:
        MissingExtra: azure-functions is not there; on Azure it always is.
    """
    try:
        from azure.functions import HttpResponse  # type: ignore[import-not-found]
    except ImportError:
        raise MissingExtra("azure-functions", extra="serve", purpose="answering as an Azure function") from None
    reply = answer(req)
    kind = next((value for name, value in reply.headers if name == "content-type"), None)
    headers = {name: value for name, value in reply.headers if name != "content-type"}
    return HttpResponse(reply.body, status_code=reply.status, headers=headers, mimetype=kind)


def answer(req: HttpRequest, runner: Runner | None = None) -> Reply:
    """Answer one request, without a type of Azure's."""
    return (runner or _RUNNER).answer(call_of(req))


def call_of(req: HttpRequest) -> Call:
    """Read a request."""
    address = urlsplit(req.url)
    path = address.path
    if path == PREFIX or path.startswith(f"{PREFIX}/"):
        path = path.removeprefix(PREFIX) or "/"
    query = urlencode([(name, value) for name, value in parse_qsl(address.query, True) if name not in _AZURES])
    return Call(req.method, path, query, tuple(req.headers.items()), req.get_body() or b"")
