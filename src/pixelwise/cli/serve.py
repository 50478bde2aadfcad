"""``pixelwise serve``: models over HTTP."""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.machine import DEVICE, PRECISION
from pixelwise.core.errors import MissingExtra, OptionError

if TYPE_CHECKING:
    from pixelwise.serve.models import Models
    from pixelwise.serve.options import ServeOptions

MODELS = "What to serve: a run folder, a checkpoint, an exported file, a method's name; NAME=… or NAME:VERSION=… names it."
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def serve(
    models: Annotated[list[str], typer.Argument(help=MODELS, metavar="MODEL…")],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 for all addresses of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Calls of models at once; 0 chooses by models and cores.", min=0)] = 0,
    decoders: Annotated[int, typer.Option(help="Processes that decode images; 0 chooses by cores.", min=0)] = 0,
    device: Annotated[str, typer.Option(help=DEVICE)] = "auto",
    precision: Annotated[str, typer.Option(help=PRECISION)] = "auto",
    batch: Annotated[
        int, typer.Option(help="Images of one size that share a call at most; 0 chooses by the device.", min=0)
    ] = 0,
    batch_wait: Annotated[
        float, typer.Option(help="Seconds that an image waits for others on their way.", metavar="S")
    ] = 0.005,
    max_pixels: Annotated[str, typer.Option(help="Pixels of an image at most, as in 25M.", metavar="N")] = "25M",
    max_bytes: Annotated[str, typer.Option(help="Bytes of a request at most, as in 32M.", metavar="N")] = "32M",
    queue_pixels: Annotated[str, typer.Option(help="Pixels of all images under way at most.", metavar="N")] = "100M",
    queue_seconds: Annotated[float, typer.Option(help="Refuse what would wait for longer.", metavar="S")] = 10.0,
    deadline: Annotated[float, typer.Option(help="Seconds from a request to its answer at most.", metavar="S")] = 60.0,
    connections: Annotated[int, typer.Option(help="Open connections at most.", min=1)] = 1000,
    header_seconds: Annotated[float, typer.Option(help="Seconds a client may take to send a head.", metavar="S")] = 10.0,
    body_seconds: Annotated[float, typer.Option(help="Seconds a client may take to send a body.", metavar="S")] = 30.0,
    grace_seconds: Annotated[
        float, typer.Option(help="Seconds to answer on after SIGTERM, no longer ready.", metavar="S")
    ] = 2.0,
    drain_seconds: Annotated[float, typer.Option(help="Seconds after that for what is under way.", metavar="S")] = 30.0,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with a token a line; others are refused.", metavar="FILE")
    ] = None,
    metrics_open: Annotated[bool, typer.Option("--metrics-open", help="Give /metrics without a token.")] = False,
    allowed_host: Annotated[list[str] | None, typer.Option(help="Answer under this host name alone; several.")] = None,
    cors_origin: Annotated[list[str] | None, typer.Option(help="Let pages of this address call; several.")] = None,
    allow_urls: Annotated[bool, typer.Option("--allow-urls", help="Fetch images from public addresses in requests.")] = False,
    log_images: Annotated[Path | None, typer.Option(help="Keep images of requests in a folder.", metavar="DIR")] = None,
    log_share: Annotated[float, typer.Option(help="Share of the images that is kept.")] = 0.01,
    log_days: Annotated[float, typer.Option(help="Days for which an image is kept.")] = 7.0,
    page: Annotated[bool, typer.Option(help="Have a page for people at /.")] = True,
) -> None:
    """Answer requests for masks over HTTP, until SIGTERM or Ctrl-C; a second one stops at once."""
    try:
        import fastapi  # noqa: F401 - what it brings is imported below
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtra(error.name or "fastapi", extra="serve", purpose="the server") from None
    from pixelwise.serve.models import loaded
    from pixelwise.serve.options import ServeOptions

    options = ServeOptions(
        host=host,
        port=port,
        workers=workers,
        decoders=decoders,
        device=device,
        precision=precision,
        batch=batch,
        batch_wait=batch_wait,
        max_pixels=counted(max_pixels, "--max-pixels"),
        max_bytes=(most := counted(max_bytes, "--max-bytes")),
        upload_bytes=max(8 * most, ServeOptions.upload_bytes),
        queue_pixels=max(counted(queue_pixels, "--queue-pixels"), 1),
        queue_seconds=queue_seconds,
        deadline=deadline,
        connections=connections,
        header_seconds=header_seconds,
        body_seconds=body_seconds,
        grace_seconds=grace_seconds,
        drain_seconds=drain_seconds,
        token_file=token_file,
        metrics_open=metrics_open,
        hosts=tuple(allowed_host or ()),
        cors_origins=tuple(cors_origin or ()),
        allow_urls=allow_urls,
        log_images=log_images,
        log_share=log_share,
        log_days=log_days,
        has_page=page,
    )
    _serve(options, lambda: loaded(models, device, precision))


def counted(text: str, option: str) -> int:
    """Read a number with k, M or G behind it.

    >>> counted("25M", "--max-pixels"), counted("1.5k", "--max-pixels")
    (25000000, 1500)

    Raises:
        OptionError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)", text.strip().lower())
    if found is None:
        raise OptionError(f"{option}: expected a number such as 25M, 500k or 40000, got {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def _serve(options: "ServeOptions", load: Callable[[], "Models"]) -> None:
    """Bind, load, answer, stop; what is wrong with the address or the tokens is told before anything slow is begun."""
    from pixelwise.serve import logs
    from pixelwise.serve.http.app import create_app
    from pixelwise.serve.http.server import bind, run
    from pixelwise.serve.service import Service
    from pixelwise.serve.telemetry import Telemetry
    from pixelwise.serve.tokens import Tokens

    if options.token_file is not None:
        Tokens(options.token_file)
    listener = bind(options)
    with listener:
        logs.set_up()
        models = load()
        service = Service(models, options, Telemetry())
        app = create_app(service, options)
        address = "http://{}:{}".format(*(f"[{part}]" if ":" in str(part) else part for part in listener.getsockname()[:2]))

        def started() -> None:
            names = ", ".join(f"{one.name}:{one.version}" for one in models.all())
            limits = f"images up to {options.max_pixels:,} pixels, {options.max_bytes:,} bytes; {service.workers} at once"
            print(f"serving {names} at {address} ({limits})", flush=True)

        is_finished = asyncio.run(run(app, service, options, listener, started))
    if not is_finished:  # a call of a model is still under way, and Python would wait for its thread
        print("stopped with requests under way", file=sys.stderr, flush=True)
        os._exit(1)
