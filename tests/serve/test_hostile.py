"""Whatever is sent, the server answers in words, without a fault of its own, and answers the next request."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

import httpx
from hostile_images import Upload, good
from hostile_uploads import uploads

from pixelwise.methods.predictor import Method
from pixelwise.serve.http.app import create_app
from pixelwise.serve.models import Models, Served
from pixelwise.serve.options import ServeOptions
from pixelwise.serve.service import Service
from pixelwise.serve.telemetry import Telemetry

DELIBERATE = {503, 504}  # too much at once, or too slow: said on purpose
LEAK = re.compile(r'Traceback|site-packages|/proc/|/tmp/|/home/|File "|\.py\b|root:x:|0x[0-9a-f]{8}')


def wrong(upload: Upload, status: int, kind: str, text: str) -> str | None:
    """Say what is wrong with an answer; None if nothing is."""
    if status >= 500 and status not in DELIBERATE:
        return f"{upload.name}: {status} {text[:200]}"
    if status < 400:
        return None
    if kind.partition(";")[0] != "application/json" or set(json.loads(text)) != {"error"}:
        return f"{upload.name}: {status} without an error in JSON: {text[:200]}"
    error = json.loads(text)["error"]
    if not re.fullmatch(r"[a-z_]{1,60}", error["code"]) or not 10 < len(error["message"]) < 1000:
        return f"{upload.name}: {status} without a code and a sentence: {text[:200]}"
    return f"{upload.name}: it tells of this machine: {text[:300]}" if LEAK.search(error["message"]) else None


async def answered(chosen: Sequence[Upload]) -> tuple[list[str], Counter[int], int]:
    """Send requests to a server in this process; give what was wrong, the statuses, and that of a good image at the end."""
    options = ServeOptions(decoders=1, max_bytes=2**21, max_pixels=2**20, queue_pixels=2**22, decode_seconds=5)
    service = Service(Models([Served("otsu", "1", Method("otsu"))]), options, Telemetry())
    app, found, statuses = create_app(service, options), [], Counter[int]()
    await service.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
        for one in chosen:
            headers = {"content-type": one.kind, **one.headers}
            encoded = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()]
            answer = await client.post(one.path, content=one.body, headers=encoded)
            statuses[answer.status_code] += 1
            if problem := wrong(one, answer.status_code, answer.headers.get("content-type", ""), answer.text):
                found.append(problem)
        last = await client.post("/v1/predict", content=good(), headers={"content-type": "image/png"})
    await service.stop()
    return found, statuses, last.status_code


def test_hostile_requests_are_refused_in_words_and_the_next_is_answered() -> None:
    found, statuses, last = asyncio.run(answered(uploads()[::9]))
    assert found == []
    assert last == 200
    assert statuses.keys() >= {200, 413, 415, 422}  # all of them are met: the test reaches what it means to


@pytest.mark.slow
def test_a_thousand_hostile_requests_are_refused_in_words() -> None:
    made = uploads()
    assert len(made) >= 1000
    found, _, last = asyncio.run(answered(made))
    assert found == []
    assert last == 200
