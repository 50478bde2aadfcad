"""A server of models on this machine in a few lines, which can be told to answer badly, for the tests of the client."""

import contextlib
import email.policy
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pixelwise.core.image import Image, read_image
from pixelwise.core.predictor import Predictor
from pixelwise.serve.answered import Answered
from pixelwise.serve.answers.bundle import bundled
from pixelwise.serve.described import described
from pixelwise.serve.models import Models, Served
from pixelwise.serve.refusal import Refusal
from pixelwise.serve.wishes import Wishes

Fault = Callable[[BaseHTTPRequestHandler], bool]  # False where it has answered itself


class Here:
    """A running server.

    Attributes:
        models: as they may be changed while it runs.
        faults: what happens to the next requests for a prediction, one each.
        token: that requests must have; None for none.
        asked: method, path and headers of each request, and how long its body was.
        over: set at the end, so that what hangs on purpose goes on.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self.faults: deque[Fault] = deque()
        self.token: str | None = None
        self.asked: list[tuple[str, str, Mapping[str, str], int]] = []
        self.over = threading.Event()
        self.address = ""

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request that is not to be spoilt."""
        if self.token is not None and handler.headers.get("Authorization") != f"Bearer {self.token}":
            raise Refusal(401, "no_token", "expected a token")
        parts = urlsplit(handler.path)
        words = parts.path.strip("/").split("/")
        model = words[2] if len(words) > 2 and words[1] == "models" else None
        version = words[4] if len(words) > 4 and words[3] == "versions" else None
        served = self.models.named(model, version)
        if words[-1] == "card":
            reply(handler, 200, json.dumps(described(served, 10**7)).encode(), "application/json")
            return
        fields, content = _opened(handler, parts.query, body)
        wishes = Wishes.read(fields)
        wishes.check(served.predictor)
        image = wishes.named(_image(content))
        wishes.check_size(image.size, served.predictor.card)
        found = wishes.way.run(served.predictor, [image], [wishes.prompts])[0]
        whole = bundled(Answered(wishes.kept(found.segmentation), served, image, {}, 1, found.uncertainty), wishes)
        reply(handler, 200, whole.content, whole.media_type)


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "text/plain", **headers: str) -> bool:
    """Send an answer; give False, as a fault does that has answered."""
    handler.send_response(status)
    stated = {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **stated}.items():
        handler.send_header(name, value)
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)
    return False


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:  # a client that has hung up is no news here
        pass


@contextlib.contextmanager
def served(**predictors: Predictor) -> Iterator[Here]:
    """Serve predictors by their names, in version 1, while the block runs."""
    here = Here(Models(Served(name, "1", one) for name, one in predictors.items()))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            here.asked.append((self.command, self.path, dict(self.headers), len(body)))
            if self.command == "POST" and here.faults and not here.faults.popleft()(self):
                return
            try:
                here.answer(self, body)
            except Refusal as refusal:
                reply(self, refusal.status, json.dumps(refusal.as_json()).encode(), "application/json")

        def log_message(self, *_: Any) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield here
        finally:
            here.over.set()
            server.shutdown()
            thread.join()


def _opened(handler: BaseHTTPRequestHandler, query: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """Give the fields and the image of a request: of its address and body, or of its form."""
    kind = handler.headers.get("Content-Type", "")
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(query)), body
    parsed = BytesParser(policy=email.policy.HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts = {
        str(part.get_param("name", header="Content-Disposition")): part.get_payload(decode=True) for part in parsed.iter_parts()
    }
    content = parts.pop("image")
    assert isinstance(content, bytes)
    return {name: value.decode() for name, value in parts.items() if isinstance(value, bytes)}, content


def _image(content: bytes) -> Image:
    with TemporaryDirectory() as folder:
        (Path(folder) / "image").write_bytes(content)
        return read_image(Path(folder) / "image")
