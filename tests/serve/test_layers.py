"""The layers work together: what is refused early is refused politely, with an id, headers, and a line in the metrics."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")
pytest.importorskip("prometheus_client")

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pixelwise.core.errors import OptionError
from pixelwise.serve.layers import lay_around
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.telemetry import Telemetry

TOKEN = "a-token-0123456789"
ORIGIN = "https://masks.example.org"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"{TOKEN} shop")
    path.chmod(0o600)
    return path


def ask(options: ServeOptions, method: str, path: str, telemetry: Telemetry | None = None, **request: Any) -> httpx.Response:
    async def size(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    paths = ("/v1/predict", "/healthz", "/metrics", "/page/page.js")
    app = Starlette(routes=[Route(one, size, methods=["GET", "POST"]) for one in paths])
    lay_around(app, options, telemetry)

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.request(method, path, **request)

    return asyncio.run(once())


def test_a_refused_request_has_an_id_and_the_headers_of_every_answer(token_file: Path) -> None:
    answer = ask(ServeOptions(token_file=token_file), "POST", "/v1/predict", headers={"x-request-id": "mine"})
    assert answer.status_code == 401
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_refusal_is_counted_by_its_code(token_file: Path) -> None:
    telemetry = Telemetry()
    ask(ServeOptions(token_file=token_file), "POST", "/v1/predict", telemetry)
    ask(ServeOptions(max_bytes=10), "POST", "/v1/predict", telemetry, content=bytes(11))
    assert b'pixelwise_errors_total{code="token_missing"} 1.0' in telemetry.text()
    assert b'pixelwise_errors_total{code="body_too_large"} 1.0' in telemetry.text()


def test_the_log_names_the_client_and_not_its_token(token_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "pixelwise.serve"):
        ask(ServeOptions(token_file=token_file), "POST", "/v1/predict", headers=BEARER)
    (record,) = caplog.records
    assert record.__dict__["fields"]["client"] == "shop"
    assert TOKEN not in repr(record.__dict__)


def test_a_body_too_large_is_refused_before_the_token_is_asked_for(token_file: Path) -> None:
    options = ServeOptions(token_file=token_file, max_bytes=10)
    assert ask(options, "POST", "/v1/predict", content=bytes(11)).status_code == 413
    assert ask(options, "POST", "/v1/predict", content=bytes(10), headers=BEARER).text == "10"


@pytest.mark.parametrize(("is_open", "status"), [(False, 401), (True, 200)])
def test_metrics_want_a_token_unless_they_are_opened(token_file: Path, is_open: bool, status: int) -> None:
    options = ServeOptions(token_file=token_file, metrics_open=is_open)
    assert ask(options, "GET", "/metrics").status_code == status
    assert [ask(options, "GET", path).status_code for path in ("/healthz", "/page/page.js")] == [200, 200]


def test_a_browser_asks_without_a_token_first_and_its_page_may_then_call(token_file: Path) -> None:
    options = ServeOptions(token_file=token_file, cors_origins=(ORIGIN,))
    asked = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    first = ask(options, "OPTIONS", "/v1/predict", headers=asked)
    then = ask(options, "POST", "/v1/predict", headers={"origin": ORIGIN, **BEARER})
    assert (first.status_code, first.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert (then.status_code, then.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "x-request-id" in then.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "https://masks.example.org.evil.net", "http://masks.example.org", "null"]
)
def test_pages_of_other_origins_may_not_call(origin: str) -> None:
    for options in (ServeOptions(), ServeOptions(cors_origins=(ORIGIN,))):
        answer = ask(options, "POST", "/v1/predict", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


def test_only_named_hosts_are_served() -> None:
    options = ServeOptions(hosts=("masks.example.org",))
    assert ask(options, "GET", "/healthz").status_code == 421
    assert ask(options, "GET", "/healthz", headers={"host": "masks.example.org:8000"}).status_code == 200


def test_wrong_origins_and_hosts_are_refused_before_anything_starts() -> None:
    for wrong in ({"cors_origins": ("*",)}, {"hosts": ("http://a",)}):
        with pytest.raises(OptionError):
            ServeOptions(**wrong)
