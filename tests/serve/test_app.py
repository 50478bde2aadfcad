"""The service over HTTP: every way to send an image, every refusal as JSON, and clients that dawdle or leave."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
httpx = pytest.importorskip("httpx")

from small_models import Halves, Inside, grey, png, run, until  # noqa: E402

from pixelwise.serve import service as serving  # noqa: E402
from pixelwise.serve.clients import Clients  # noqa: E402
from pixelwise.serve.http.app import create_app  # noqa: E402
from pixelwise.serve.limits import Budget  # noqa: E402
from pixelwise.serve.models import Models, Served  # noqa: E402
from pixelwise.serve.options import ServeOptions  # noqa: E402
from pixelwise.serve.refusal import Refusal  # noqa: E402
from pixelwise.serve.service import Service  # noqa: E402
from pixelwise.serve.telemetry import Telemetry  # noqa: E402

FILE = png(grey())
TEXT = base64.b64encode(FILE).decode()


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "Decoders", Inside)


def ready(*models: Halves, **options: Any) -> Service:
    settings = ServeOptions(**{"workers": 1, "decoders": 1, "max_pixels": 1000, **options})
    served = [Served(model.card.name, "1", model) for model in models or (Halves(),)]
    return Service(Models(served), settings, Telemetry())


@asynccontextmanager
async def client(service: Service) -> AsyncIterator[Any]:
    app = create_app(service, service.options)
    async with app.router.lifespan_context(app):
        for one in service.models.all():
            one.predictor.begun.clear()  # type: ignore[attr-defined]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://masks") as found:
            yield found


def asked(method: str, path: str, service: Service | None = None, **request: Any) -> Any:
    async def within() -> Any:
        async with client(service or ready()) as found:
            return await found.request(method, path, **request)

    return run(within())


@pytest.mark.parametrize(
    "request_",
    [
        {"content": FILE},
        {"content": FILE, "headers": {"content-type": "image/png"}},
        {"content": FILE, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"files": {"image": ("a.png", FILE)}},
        {"files": {"file": ("../../etc/passwd", FILE)}},
        {"json": {"image": TEXT}},
        {"json": {"image": "data:image/png;base64," + TEXT}},
    ],
)
def test_every_way_to_send_an_image_gives_the_same_mask(request_: dict[str, Any]) -> None:
    answer = asked("POST", "/v1/predict", **request_)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["x-model"] == "halves:1"
    assert answer.content[:4] == b"\x89PNG"


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/models/halves/predict", "/v1/models/halves/versions/1/predict"])
def test_wishes_come_from_the_address_a_form_and_json(path: str) -> None:
    bodies = (
        {"params": {"forms": "json"}, "content": FILE},
        {"data": {"forms": "json"}, "files": {"image": ("a.png", FILE)}},
        {"json": {"image": TEXT, "forms": ["json"]}},
    )
    for body in bodies:
        assert asked("POST", path, **body).json()["model"] == "halves"


def test_a_model_can_be_named_in_a_field() -> None:
    answer = asked("POST", "/v1/predict?model=b&forms=json", ready(Halves("a"), Halves("b")), content=FILE)
    assert answer.json()["model"] == "b"


def test_several_forms_come_together() -> None:
    answers = asked("POST", "/v1/predict?forms=ids,json", content=FILE).json()["answers"]
    assert base64.b64decode(answers["ids"]["base64"])[:4] == b"\x89PNG"
    assert answers["json"]["model"] == "halves"


@pytest.mark.parametrize(
    ("path", "request_", "status", "code"),
    [
        ("/v1/predict", {"content": b"text"}, 415, "not_an_image"),
        ("/v1/predict", {"content": b""}, 415, "empty_image"),
        ("/v1/predict", {"content": png(grey(100, 100))}, 413, "too_many_pixels"),
        ("/v1/predict", {"content": FILE, "headers": {"content-encoding": "gzip"}}, 415, "compressed_body"),
        ("/v1/predict", {"json": {"url": "http://127.0.0.1/"}}, 403, "urls_not_allowed"),
        ("/v1/predict", {"json": {}}, 422, "no_image"),
        ("/v1/predict", {"json": []}, 422, "bad_json"),
        ("/v1/predict", {"json": {"image": 3}}, 422, "bad_image"),
        ("/v1/predict", {"json": {"image": "*"}}, 422, "bad_image"),
        ("/v1/predict", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "bad_json"),
        ("/v1/predict", {"content": FILE, "headers": {"content-type": "multipart/form-data"}}, 422, "bad_form"),
        ("/v1/predict", {"files": {"picture": ("a.png", FILE)}}, 422, "no_image"),
        ("/v1/predict?treshold=1", {"content": FILE}, 422, "unknown_field"),
        ("/v1/predict?forms=json", {"json": {"image": TEXT, "forms": "json"}}, 422, "bad_forms"),
        ("/v1/predict?model=a&model=b", {"content": FILE}, 422, "bad_model"),
        ("/v1/models/halves/predict?model=halves", {"content": FILE}, 422, "bad_model"),
        ("/v1/models/halve/predict", {"content": FILE}, 404, "unknown_model"),
        ("/v1/models/halves/versions/2/predict", {"content": FILE}, 404, "unknown_version"),
        ("/v1/nothing", {"content": FILE}, 404, "unknown_address"),
    ],
)
def test_what_is_wrong_is_said_with_a_status_and_a_code(path: str, request_: dict[str, Any], status: int, code: str) -> None:
    answer = asked("POST", path, **request_)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_another_method_is_refused_and_the_right_one_named() -> None:
    answer = asked("GET", "/v1/predict")
    assert (answer.status_code, answer.headers["allow"], answer.json()["error"]["code"]) == (405, "POST", "wrong_method")


def test_a_model_that_fails_says_nothing_of_why() -> None:
    model = Halves()
    service = ready(model)

    async def within() -> Any:
        async with client(service) as found:
            model.failing = [RuntimeError("at /home/secret")]
            return await found.post("/v1/predict", content=FILE)

    answer = run(within())
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
    assert "secret" not in answer.text


def test_a_full_server_says_when_to_come_again() -> None:
    model = Halves()
    service = ready(model, queue_pixels=2**14)

    async def within() -> Any:
        async with client(service) as found:
            model.gate.clear()
            first = asyncio.ensure_future(found.post("/v1/predict", content=FILE))
            await until(model.begun.is_set)
            second = await found.post("/v1/predict", content=FILE)
            model.gate.set()
            return (await first).status_code, second

    status, answer = run(within())
    assert (status, answer.status_code) == (200, 429)
    assert int(answer.headers["retry-after"]) >= 1


def test_readiness_goes_before_the_answers_do() -> None:
    service = ready()

    async def within() -> list[Any]:
        async with client(service) as found:
            before = await found.get("/readyz")
            service.retire()
            paths = ("/readyz", "/healthz")
            return [before, *[await found.get(path) for path in paths], await found.post("/v1/predict", content=FILE)]

    before, retired, alive, answer = run(within())
    assert [before.status_code, retired.status_code, alive.status_code, answer.status_code] == [200, 503, 200, 200]
    assert (before.headers.get("connection"), answer.headers["connection"]) == (None, "close")


def test_models_are_listed_with_what_they_take() -> None:
    found = asked("GET", "/v1/models", ready(Halves("a"), Halves("b"))).json()
    assert [one["model"] for one in found["models"]] == ["a", "b"]
    assert found["default"] == "a"
    assert found["models"][0]["takes"] == {"threshold": True, "prompts": True, "tile": True, "flips": False, "uncertainty": []}
    assert found["limits"]["max_pixels"] == 1000


def test_metrics_are_those_of_the_requests_before() -> None:
    service = ready()

    async def within() -> str:
        async with client(service) as found:
            await found.post("/v1/predict", content=FILE)
            return str((await found.get("/metrics")).text)

    assert 'pixelwise_requests_total{model="halves",route="/v1/predict",status="200",version="1"} 1.0' in run(within())


def test_the_description_names_every_field_and_every_refusal() -> None:
    from pixelwise.serve.wishes import FIELDS

    about = asked("GET", "/openapi.json").json()
    predict = about["paths"]["/v1/predict"]["post"]
    assert {one["name"] for one in predict["parameters"]} == {*FIELDS, "model", "version"}
    assert set(predict["requestBody"]["content"]) >= {"multipart/form-data", "application/json", "image/*"}
    assert {"200", "400", "404", "408", "413", "415", "422", "429", "500", "503", "504"} <= set(predict["responses"])


def test_the_description_can_be_read_without_a_script_or_another_address() -> None:
    answer = asked("GET", "/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "POST /v1/predict" in answer.text
    assert "<script" not in answer.text
    assert "//" not in answer.text.replace("<!doctype html>", "")


async def by_hand(service: Service, talk: Callable[[Any], Awaitable[Any]]) -> list[dict[str, Any]]:
    """Run one request whose messages ``talk`` gives out as it likes; give what was sent."""
    app = create_app(service, service.options)
    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "raw_path": b"/v1/predict", "query_string": b"",
             "headers": [(b"host", b"masks"), (b"transfer-encoding", b"chunked")], "http_version": "1.1", "scheme": "http",
             "server": ("masks", 80), "client": ("there", 1), "root_path": "", "asgi": {"version": "3.0"}}  # fmt: skip
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async with app.router.lifespan_context(app):
        for one in service.models.all():
            one.predictor.begun.clear()  # type: ignore[attr-defined]
        answering = asyncio.ensure_future(app(scope, messages.get, send))
        await talk(messages)
        await answering
    return sent


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def dawdle(messages: Any) -> None:
        await messages.put(body(FILE[:10], more=True))

    start, content = run(by_hand(ready(body_seconds=0.01), dawdle))
    assert (start["status"], json.loads(content["body"])["error"]["code"]) == (408, "body_too_slow")
    assert (b"connection", b"close") in start["headers"]


def test_bodies_are_held_up_to_a_number_of_bytes_of_all_requests() -> None:
    budget, statuses = Budget(100), []

    async def read(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
            statuses.append(200)
        except Refusal as refusal:
            statuses.append(refusal.status)

    async def receive() -> dict[str, Any]:
        return body(bytes(60), more=True)

    async def send(message: Any) -> None: ...

    async def two() -> None:
        around = Clients(lambda *asgi: around_again(*asgi), 60, budget, lambda: False)
        again = Clients(read, 60, budget, lambda: False)

        async def around_again(scope: Any, receive: Any, send: Any) -> None:
            await read(scope, receive, send)
            await again(scope, receive, send)

        await around({"type": "http"}, receive, send)
        await again({"type": "http"}, receive, send)

    run(two())
    assert statuses == [200, 429, 200]
    assert (budget.held, budget.holders) == (0, 0)


def test_a_client_that_leaves_takes_its_image_out_of_the_queue() -> None:
    model = Halves()
    service = ready(model)

    async def leave(messages: Any) -> None:
        model.gate.clear()
        first = asyncio.ensure_future(service.predict(grey(2, 2)))
        await until(model.begun.is_set)
        model.calls.clear()
        await messages.put(body(FILE))
        batcher = service._batcher
        assert batcher is not None
        await until(lambda: len(batcher.queue) == 1)
        await messages.put({"type": "http.disconnect"})
        await until(lambda: not len(batcher.queue))
        model.gate.set()
        await first

    assert run(by_hand(service, leave)) == []
    assert model.calls == []
