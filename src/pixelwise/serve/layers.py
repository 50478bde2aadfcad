"""The layers around the application, in their order: what is outside sees, and may refuse, before what is inside.

A request meets: the one that notes it, limits of head and body, the host check, cross-origin rules (a browser's preflight has
no token), and the token. Headers of answers are set outside all that refuses, so that refusals have them too.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from pixelwise.serve.headers import Bounded, Hosts, Secured
from pixelwise.serve.observed import Observed
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.telemetry import Telemetry
from pixelwise.serve.tokens import OPEN, Guarded, Tokens

if TYPE_CHECKING:
    from starlette.applications import Starlette

_READABLE = ["X-Request-Id", "Retry-After", "Content-Disposition", "Server-Timing"]  # by a script of another origin


def lay_around(
    app: "Starlette", options: ServeOptions, telemetry: Telemetry | None = None, open_folders: Collection[str] = ("/page/",)
) -> None:
    """Lay all layers that ``options`` ask for around ``app``.

    Raises:
        OptionError: an origin, a host or the file of tokens is not as it must be.
        MissingFile, UnreadableFile: there is no such file of tokens, or it cannot be read.
    """
    from starlette.middleware.cors import CORSMiddleware

    if options.token_file is not None:  # added from the inside out: the last one is met first
        is_open = OPEN | {"/metrics"} if options.metrics_open else OPEN
        app.add_middleware(Guarded, tokens=Tokens(options.token_file), open_paths=is_open, open_folders=tuple(open_folders))
    if options.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(options.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=_READABLE,
            max_age=600,
        )
    if options.hosts:
        app.add_middleware(Hosts, hosts=options.hosts)
    app.add_middleware(Bounded, max_bytes=options.max_bytes)
    app.add_middleware(Secured)
    app.add_middleware(Observed, telemetry=telemetry)
