"""A web server on this machine whose answers are scripted."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Behaviour = Callable[["Handler", bytes], None]


@dataclass
class Server:
    """Serves ``files``; each request is answered by the next behaviour of ``script``, and well once that is over.

    Attributes:
        asked: the range that each request named, or "all".
        sent: how many bytes of files were sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    script: list[Behaviour] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def send(self, handler: "Handler", body: bytes, code: int = 200, stated: int | None = None, **headers: str) -> None:
        """Send an answer that states ``stated`` bytes; none at all for -1."""
        handler.send_response(code)
        if stated != -1:
            handler.send_header("Content-Length", str(len(body) if stated is None else stated))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        self.sent += len(body)
        handler.wfile.write(body)

    def good(self, handler: "Handler", data: bytes, etag: str = '"one"', only: int | None = None) -> None:
        """Answer as a good server does; with ``only``, break off after so many bytes."""
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(asked[1]) if asked and handler.headers.get("If-Range", etag) == etag else 0
        if start >= len(data):
            self.send(handler, b"", 416, Content_Range=f"bytes */{len(data)}")
            return
        body, stated = data[start:][:only], len(data) - start
        if start:
            self.send(handler, body, 206, stated, ETag=etag, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send(handler, body, 200, stated, ETag=etag)

    def breaks_off(self, after: int) -> Behaviour:
        """Send so many bytes of what was asked for, and close."""
        return lambda handler, data: self.good(handler, data, only=after)

    def knows_no_ranges(self, handler: "Handler", data: bytes) -> None:
        """Send all of it, whatever was asked for."""
        self.send(handler, data, ETag='"one"')

    def answers(self, code: int, **headers: str) -> Behaviour:
        """Answer with a code and no content."""
        return lambda handler, data: self.send(handler, b"", code, **headers)


class Handler(BaseHTTPRequestHandler):
    world: Server

    def do_GET(self) -> None:
        self.world.asked.append(self.headers.get("Range", "all"))
        behaviour = self.world.script.pop(0) if self.world.script else self.world.good
        behaviour(self, self.world.files[self.path])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is stopped after the test."""
    world = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Handler,), {"world": world}))
    world.address = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield world
    http.shutdown()
    thread.join()
    http.server_close()
