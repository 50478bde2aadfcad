"""Cloud functions answer their platforms' events as the server answers requests."""

import asyncio
import base64
import io
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from pixelwise.serve.handlers import aws_lambda, azure, google
from pixelwise.serve.handlers.calling import Call, Reply, Runner, called, from_environment

EVENTS = Path(__file__).parent / "events"
FOUND = [[0, 0, 0, 1, 1, 1]] * 4


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    one = Runner(lambda: from_environment({"PIXELWISE_MODEL": "otsu"}))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pixelwise.serve.logs.set_up", lambda **_: None)  # the tests' own logging stays as it is
        one.answer(Call("GET", "/healthz"))
    yield one
    one.close()


@pytest.fixture(autouse=True)
def _one_runner(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (aws_lambda, azure, google):
        monkeypatch.setattr(module, "_RUNNER", runner)


def event(name: str, **changed: Any) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8")) | changed


def ids(png: bytes) -> Any:
    return np.array(PIL.Image.open(io.BytesIO(png))).tolist()


def error(answer: dict[str, Any]) -> Any:
    assert not answer["isBase64Encoded"]
    return json.loads(answer["body"])["error"]["code"]


def flask_request(plain: dict[str, Any]) -> Any:
    return SimpleNamespace(
        method=plain["method"],
        path=plain["path"],
        query_string=plain["query_string"].encode(),
        headers=plain["headers"],
        get_data=lambda: base64.b64decode(plain["data_base64"]),
    )


def azure_request(plain: dict[str, Any]) -> Any:
    body = base64.b64decode(plain["body_base64"])
    return SimpleNamespace(method=plain["method"], url=plain["url"], headers=plain["headers"], get_body=lambda: body)


def test_a_rest_api_gets_a_png_in_base64() -> None:
    answer = aws_lambda.handler(event("lambda_rest"))
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "image/png"
    assert answer["isBase64Encoded"]
    assert ids(base64.b64decode(answer["body"])) == FOUND


def test_an_http_apis_stage_is_no_part_of_the_path() -> None:
    answer = aws_lambda.handler(event("lambda_http"))
    assert answer["statusCode"] == 200
    assert ids(base64.b64decode(answer["body"])) == [[255, 255, 255, 1, 1, 1]] * 4  # classes=foreground: the rest is void


def test_a_functions_address_gets_json_as_text() -> None:
    answer = aws_lambda.handler(event("lambda_url"))
    assert answer["statusCode"] == 200
    assert not answer["isBase64Encoded"]
    assert [one["class"] for one in json.loads(answer["body"])["segments"]] == ["background", "foreground"]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"rawPath": "/v1/models/otsuu/predict"}, 404, "unknown_model"),
        ({"body": base64.b64encode(b"no image").decode()}, 415, "not_an_image"),
        ({"rawQueryString": "threshold=2"}, 422, "bad_threshold"),
        ({"body": "not base64!"}, 400, "not_base64"),
        ({"isBase64Encoded": False, "body": "\ufffdPNG"}, 415, "image_as_text"),
        ({"version": "3.0"}, 400, "unknown_event"),
        ({"requestContext": {}}, 400, "unknown_event"),
    ],
)
def test_refusals_keep_their_status(changed: dict[str, Any], status: int, code: str) -> None:
    answer = aws_lambda.handler(event("lambda_url", **changed))
    assert (answer["statusCode"], error(answer)) == (status, code)


def test_an_answer_beyond_lambdas_limit_says_so() -> None:
    answer = aws_lambda.response_of(Reply(200, (("content-type", "image/png"),), bytes(5 * 2**20)))
    assert (answer["statusCode"], error(answer)) == (413, "answer_too_large")
    fits = aws_lambda.response_of(Reply(200, (("content-type", "image/png"),), bytes(4 * 2**20)))
    assert fits["statusCode"] == 200


def test_queries_of_a_rest_api_keep_repeated_fields() -> None:
    call = aws_lambda.call_of(event("lambda_rest", multiValueQueryStringParameters={"point": ["1,2", "3,4"], "a": ["b c"]}))
    assert call.query == "point=1%2C2&point=3%2C4&a=b+c"


def test_google_gets_body_status_and_headers() -> None:
    body, status, headers = google.segment(flask_request(event("google")))
    assert (status, dict(headers)["content-type"]) == (200, "image/png")
    assert ids(body) == FOUND
    assert google.segment(flask_request(event("google", path="/nowhere")))[1] == 404


def test_azures_prefix_and_key_are_no_part_of_the_request() -> None:
    reply = azure.answer(azure_request(event("azure")))
    assert reply.status == 200, reply.body
    assert ids(reply.body) == FOUND


def test_azure_gets_its_own_type(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = ModuleType("azure.functions")
    functions.HttpResponse = lambda body, **rest: SimpleNamespace(body=body, **rest)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure", ModuleType("azure"))
    monkeypatch.setitem(sys.modules, "azure.functions", functions)
    answer = azure.main(azure_request(event("azure")))
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert "content-type" not in answer.headers
    assert ids(answer.body) == FOUND


def test_health_is_answered_as_by_the_server(runner: Runner) -> None:
    assert runner.answer(Call("GET", "/readyz")).status == 200
    assert runner.answer(Call("GET", "/healthz")).status == 200


def test_calls_from_many_threads_share_one_model(runner: Runner) -> None:
    event_ = event("lambda_url")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: aws_lambda.handler(event_)["statusCode"], range(32)))
    assert answers == [200] * 32


def test_what_cannot_be_loaded_is_tried_again_at_the_next_call() -> None:
    tried = []

    def make() -> Any:
        tried.append(1)
        raise ValueError("/secret/place is not there")

    runner = Runner(make)
    answers = [runner.answer(Call("GET", "/")) for _ in range(2)]
    assert [one.status for one in answers] == [503, 503]
    assert len(tried) == 2
    assert b"secret" not in answers[0].body


def test_the_application_sees_the_length_of_the_decoded_body() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((dict(scope["headers"]), await receive(), scope["path"]))
        await send({"type": "http.response.start", "status": 204, "headers": [(b"X-A", b"b"), (b"Content-Length", b"0")]})
        await send({"type": "http.response.body"})
        seen.append(await receive())

    call = Call("POST", "/a%20b", "", (("Content-Length", "99"), ("Transfer-Encoding", "chunked")), b"abc")
    reply = asyncio.run(called(app, call))
    assert seen[0] == ({b"content-length": b"3"}, {"type": "http.request", "body": b"abc", "more_body": False}, "/a b")
    assert seen[1] == {"type": "http.disconnect"}
    assert reply == Reply(204, (("x-a", "b"),), b"")
