"""Images from addresses: only public ones, only so much, and nothing is followed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pixelwise.serve.fetching import fetched, is_public
from pixelwise.serve.refusal import Refusal


class Answers(BaseHTTPRequestHandler):
    """Answer by path."""

    def do_GET(self) -> None:
        body = b"an image" if self.path == "/image?a=1" else bytes(1000)
        self.send_response(302 if self.path == "/elsewhere" else 200)
        self.send_header("Location", "/image?a=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None: ...


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def refusal(url: object, port: int | None = None) -> tuple[int, str]:
    with pytest.raises(Refusal) as found:
        fetched(url, 100, *([] if port is None else [lambda address: True, port]))
    return found.value.status, found.value.code


def test_an_image_is_fetched(port: int) -> None:
    assert fetched("http://127.0.0.1/image?a=1", 100, lambda address: True, port) == b"an image"


def test_a_redirect_is_not_followed(port: int) -> None:
    assert refusal("http://127.0.0.1/elsewhere", port) == (422, "url_failed")


def test_too_much_is_not_read_to_its_end(port: int) -> None:
    assert refusal("http://127.0.0.1/much", port) == (413, "body_too_large")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "10.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_machines_beside_the_server_are_not_asked(host: str) -> None:
    assert refusal(f"http://{host}/") == (403, "url_not_allowed")


@pytest.mark.parametrize(
    "url",
    [
        *(None, 3, "", "file:///etc/passwd", "ftp://a/b", "http://", "http://a:22/", "http://u:p@a/", "http://a/ b"),
        *("http://a/\r\nX: y", "http://[", "http://a:x/", "http://ä/", "http://a/" + "b" * 5000),
    ],
)
def test_what_is_no_plain_address_is_refused(url: object) -> None:
    assert refusal(url) == (422, "bad_url")


@pytest.mark.parametrize("address", ["100.64.0.1", "fe80::1%eth0", "fc00::1", "224.0.0.1", "192.168.1.1", "2002:7f00:1::"])
def test_addresses_that_are_not_public_are_known(address: str) -> None:
    assert not is_public(address)
