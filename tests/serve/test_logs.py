"""A line of the log is one event, whole, and holds nothing that a client sent but an id of safe form."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("httpx")
pytest.importorskip("prometheus_client")

import httpx

from pixelwise.serve import logs
from pixelwise.serve.asgi import Application, Receive, Scope, Send
from pixelwise.serve.observed import Observed
from pixelwise.serve.telemetry import Telemetry

SECRET = "my-face.jpg"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream, loggers = io.StringIO(), [logging.getLogger(name) for name in ("pixelwise.serve", "uvicorn", "uvicorn.error")]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    access = logging.getLogger("uvicorn.access").disabled
    logs.set_up(stream, as_json=True)
    yield stream
    for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = access


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def ask(app: Application, **request: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(**{"method": "POST", "url": "/v1/predict", **request})

    return asyncio.run(once())


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    scope["route"] = type("Route", (), {"path": "/v1/predict"})()
    note = logs.noted()
    assert note is not None
    note.model, note.version, note.size, note.batch = "streets", "2", (480, 640), 4
    note.seconds["predict"] = 0.0312345678
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"12345"})


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("/home/someone/secret.py")


def test_a_request_is_one_line_with_its_model_sizes_and_times(written: io.StringIO) -> None:
    ask(Observed(answering), content=b"1234567")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["route"], line["status"]) == ("request", "info", "/v1/predict", 200)
    assert (line["model"], line["height"], line["width"], line["batch"]) == ("streets", 480, 640, 4)
    assert (line["bytes_in"], line["bytes_out"], line["stages"]) == (7, 5, {"predict": 0.0312346})


def test_nothing_of_the_address_the_file_or_the_token_is_written(written: io.StringIO) -> None:
    files = {"file": (SECRET, b"pixels-of-a-face")}
    ask(
        Observed(answering),
        url=f"/v1/predict?name={SECRET}",
        files=files,
        headers={"Authorization": "Bearer sesame-open-up-now"},
    )
    assert not any(word in written.getvalue() for word in (SECRET, "pixels-of-a-face", "sesame"))


@pytest.mark.parametrize("stated", ["order-17_b", "a" * 64])
def test_a_safe_id_of_the_client_is_kept_and_returned(written: io.StringIO, stated: str) -> None:
    answer = ask(Observed(answering), headers={"X-Request-Id": stated})
    assert answer.headers["x-request-id"] == lines(written)[0]["request_id"] == stated


@pytest.mark.parametrize("stated", ["", "a" * 65, "../../etc", "a b", 'x"y', "-rf", "é", "a;b"])
def test_an_id_of_another_form_is_replaced(written: io.StringIO, stated: str) -> None:
    answer = ask(Observed(answering), headers={"X-Request-Id": stated.encode()})
    assert answer.headers["x-request-id"] == lines(written)[0]["request_id"] != stated
    assert len(answer.headers["x-request-id"]) == 24


def test_an_error_nobody_meant_is_told_by_its_id_and_traced_in_the_log_alone(written: io.StringIO) -> None:
    answer = ask(Observed(failing))
    failed, request = lines(written)
    assert answer.status_code == request["status"] == 500
    assert answer.json()["error"]["code"] == request["code"] == "internal_error"
    assert failed["request_id"] == request["request_id"] == answer.headers["x-request-id"] in answer.text
    assert "ZeroDivisionError" in failed["trace"]
    assert not any(word in answer.text for word in ("secret", "ZeroDivision"))


def test_a_client_that_left_is_no_fault_of_the_server(written: io.StringIO) -> None:
    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ConnectionError("client disconnected")

    async def once() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise AssertionError("nobody is there to answer to")

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
        await Observed(gone)(scope, receive, send)

    asyncio.run(once())
    (line,) = lines(written)
    assert (line["status"], line["level"]) == (499, "warning")


def test_probes_that_go_well_are_not_told_but_counted(written: io.StringIO) -> None:
    async def healthy(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = type("Route", (), {"path": "/healthz"})()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    telemetry = Telemetry()
    ask(Observed(healthy, telemetry), url="/healthz")
    assert lines(written) == []
    assert b'route="/healthz",status="200"' in telemetry.text()


def test_a_line_break_in_an_event_cannot_begin_a_line(written: io.StringIO) -> None:
    logs.event(logging.INFO, 'one\n{"event": "forged"}', {"reason": "two\nthree", "share": float("nan")})
    (line,) = lines(written)
    assert line["event"].startswith("one\n")
    assert line["share"] == "nan"


def test_a_terminal_gets_plain_lines_without_control_characters() -> None:
    record = logging.LogRecord("pixelwise.serve", logging.INFO, "", 0, "request", (), None)
    record.fields = {"status": 200, "route": "/v1/predict", "model": "a\x1b[31m\nb", "seconds": 0.25}
    text = logs.PlainLines().format(record)
    assert text.isprintable()
    assert text.endswith("info request /v1/predict a [31m b 200 seconds=0.25")
