"""Run the application: bind, say when it is ready, and stop without losing a request.

At the first signal the server is no longer ready, and answers on for a while with ``Connection: close``, so that balancers and
clients turn elsewhere; then it takes no more connections, and ends when what is under way has been answered. A second signal
ends it at once.
"""

import asyncio
import functools
import math
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pixelwise.core.errors import OptionError
from pixelwise.serve.http.connections import Connection
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI


def bind(options: ServeOptions) -> socket.socket:
    """Take the address, before anything slow is begun.

    Raises:
        OptionError: there is no such host, the port is taken or not allowed.
    """
    place = f"{options.host}:{options.port}"
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise OptionError(f"--host {options.host}: there is no such address here; try 127.0.0.1, or 0.0.0.0 for all") from None
    family, kind, protocol, _, address = found[0]
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(2048)  # two processes may bind a port, and only one of them listen: so this is told here, too
    except OSError as error:
        taken.close()
        raise OptionError(f"cannot listen on {place}: {error.strerror}; choose another one with --port") from None
    return taken


async def run(
    app: "FastAPI", service: Service, options: ServeOptions, listener: socket.socket, started: Callable[[], None]
) -> bool:
    """Serve until a signal comes; tell whether everything under way was finished.

    Args:
        app: stops the service with itself.
        listener: from ``bind``.
        started: called once requests are answered.

    Raises:
        Refusal, OptionError, StorageError: the service does not start.
    """
    import uvicorn

    await service.start()  # before uvicorn, which would hide what is wrong
    config = uvicorn.Config(
        app,
        http=functools.partial(_connection, options),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(options.idle_seconds),
        timeout_graceful_shutdown=math.ceil(options.drain_seconds),
    )
    server = uvicorn.Server(config)
    spare = listener.dup()
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        loop, ending = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):  # in place of uvicorn's own, which close at once
            loop.add_signal_handler(number, _stop, server, service, options.grace_seconds, ending)
        started()
        await asyncio.wait({serving, (told := asyncio.create_task(ending.wait()))}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        await _take_last(server, spare, functools.partial(_connection, options, config, server.server_state, {}))
    await serving
    return not server.force_exit and service.is_idle


def _stop(server: Any, service: Service, grace: float, ending: asyncio.Event) -> None:
    """Act on a signal: retire at the first and end after a while, at the second one end at once."""

    def end() -> None:
        server.should_exit = True
        ending.set()

    if service.is_ready:
        service.retire()
        asyncio.get_running_loop().call_later(grace, end)
    else:
        server.force_exit = True
        end()


async def _take_last(server: Any, spare: socket.socket, connect: Callable[[], Connection]) -> None:
    """Take the connections that came while the server stopped listening: the system has let them in, and would cut them off.

    The address stays open until then, as ``spare`` is the same socket once more.
    """
    loop = asyncio.get_running_loop()
    with spare:
        spare.setblocking(False)
        while any(one.is_serving() for one in server.servers):
            await asyncio.sleep(0.01)
        while True:
            try:
                accepted, _ = spare.accept()
            except BlockingIOError:
                return
            _, connection = await loop.connect_accepted_socket(connect, accepted)
            connection.shutdown()


def _connection(options: ServeOptions, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> Connection:
    """Make a connection as uvicorn does, around its fast protocol where that is installed."""
    inner = _protocol()(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
    return Connection(options, inner, server_state.connections)


@functools.cache
def _protocol() -> Any:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return HttpToolsProtocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        return H11Protocol
