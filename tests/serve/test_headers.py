"""Answers carry what protects browsers; heads and bodies have a size; only named hosts and origins are served."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("httpx")

import httpx

from pixelwise.core.errors import OptionError
from pixelwise.serve.asgi import Application, Receive, Scope, Send
from pixelwise.serve.headers import Bounded, Hosts, Secured, checked_hosts, checked_origins


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, and answer with its size."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"server", b"x"), (b"x-frame-options", b"ALLOWALL")]}
    )
    await send({"type": "http.response.body", "body": str(size).encode()})


async def catching(scope: Scope, receive: Receive, send: Send) -> None:
    """Take any trouble with the body for a bad request, as web frameworks do."""
    try:
        await echo(scope, receive, send)
    except Exception:
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b"bad"})


def ask(app: Application, **request: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server:8000") as client:
            return await client.request(**{"method": "POST", "url": "/v1/predict", **request})

    return asyncio.run(once())


async def parts(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


def test_every_answer_forbids_guessing_framing_and_keeping() -> None:
    headers = ask(Secured(echo)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert "server" not in headers


def test_a_page_may_state_its_own_policy() -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        stated = [(b"Content-Security-Policy", b"default-src 'self'"), (b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": stated})
        await send({"type": "http.response.body", "body": b""})

    headers = ask(Secured(page), method="GET").headers
    assert headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert headers.get_list("cache-control") == ["max-age=60"]


def test_a_body_within_the_limit_passes() -> None:
    assert ask(Bounded(echo, 1000), content=b"x" * 1000).text == "1000"
    assert ask(Bounded(echo, 1000), content=parts(10, 100)).text == "1000"


@pytest.mark.parametrize("app", [echo, catching])
def test_a_body_beyond_it_is_refused_by_its_stated_and_by_its_real_length(app: Application) -> None:
    for content in (b"x" * 1001, parts(11, 100)):
        answer = ask(Bounded(app, 1000), content=content)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"


def test_a_refused_body_is_not_held() -> None:
    held: list[int] = []

    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            held.append(len(message["body"]))

    assert ask(Bounded(holding, 1000), content=parts(1000, 100)).status_code == 413
    assert sum(held) <= 1000


@pytest.mark.parametrize("stated", ["-1", "1e3", "ten", "٣", "9" * 30])
def test_an_odd_length_is_refused(stated: str) -> None:
    answer = ask(Bounded(echo, 1000), headers=[(b"content-length", stated.encode())])
    assert answer.status_code == (413 if stated.startswith("9") else 400)


def test_two_lengths_are_refused() -> None:
    answer = ask(Bounded(echo, 1000), headers=[(b"content-length", b"1"), (b"content-length", b"2")])
    assert answer.json()["error"]["code"] == "bad_content_length"


def test_heads_have_a_size() -> None:
    assert ask(Bounded(echo, 1000), url="/" + "a" * 2**15).status_code == 414
    assert ask(Bounded(echo, 1000), headers={"x-long": "a" * 2**15}).status_code == 431
    assert ask(Bounded(echo, 1000), headers={f"x-{number}": "a" for number in range(200)}).status_code == 431


@pytest.mark.parametrize("host", ["masks.example.org", "MASKS.example.org:8000", "[::1]", "[::1]:80"])
def test_a_named_host_is_answered(host: str) -> None:
    assert ask(Hosts(echo, ["masks.example.org", "[::1]"]), headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "masks.example.org.evil.net", "", "masks.example.org:80@evil.net"])
def test_another_host_is_not(host: str) -> None:
    assert ask(Hosts(echo, ["masks.example.org", "[::1]"]), headers={"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["*", "null", "https://*.example.org", "example.org", "https://example.org/", "HTTPS://A.B"])
def test_an_origin_that_is_not_exact_is_refused(origin: str) -> None:
    with pytest.raises(OptionError, match="exact origin"):
        checked_origins([origin])


@pytest.mark.parametrize("host", ["*", "*.example.org", "http://a", "a:80", ""])
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(OptionError, match="without a port"):
        checked_hosts([host])
