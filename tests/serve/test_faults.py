"""A real server process under what happens to servers: slow and lying clients, floods, signals, and workers that are killed."""

import contextlib
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

from hostile_images import good
from hostile_uploads import uploads
from real_server import Load, Running, answer_of, until

ROOM = 64 * 2**20  # bytes that memory may differ by, before and after

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes under /proc")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("server"))
    yield running
    assert running.process.poll() is None, "it has ended meanwhile"
    assert running.predict() == 200
    running.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.close()


def test_a_thousand_hostile_requests_leave_it_as_it_was(server: Running) -> None:
    made = [one for one in uploads() if all(value.isprintable() for value in (one.kind, *one.headers.values()))]
    statuses: Counter[int] = Counter()
    for one in made[:300]:
        server.ask("POST", one.path, one.body, **{"content-type": one.kind, **one.headers})
    before = server.memory()
    for one in made:
        status, body = server.ask("POST", one.path, one.body, **{"content-type": one.kind, **one.headers})
        assert status in {503, 504} or 200 <= status < 500, (one.name, status, body[:300])
        statuses[status] += 1
    assert server.memory() - before < ROOM
    assert sum(statuses.values()) >= 1000
    assert server.predict() == 200


def test_a_body_that_comes_in_many_pieces_is_read(server: Running) -> None:
    image = good("png", 700)
    assert len(image) > 2**20
    assert server.predict(image) == 200


def test_a_hundred_megabytes_are_refused_and_not_held(server: Running) -> None:
    before = server.memory()
    status, _ = server.ask("POST", "/v1/predict", bytes(100 * 10**6), **{"content-type": "image/png"})
    assert status == 413
    assert server.memory() - before < ROOM


def test_a_hundred_megabytes_without_a_stated_length_are_refused(server: Running) -> None:
    connection = server.raw(
        b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    before = server.memory()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for _ in range(100):
            connection.sendall(b"f4240\r\n" + bytes(10**6) + b"\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 413")
    assert server.memory() - before < ROOM


def test_clients_that_send_their_heads_byte_by_byte_are_cut_off_and_others_served(server: Running) -> None:
    slow = [server.raw(b"POST /v1/predict HTTP/1.1\r\nHost: a\r\n") for _ in range(100)]
    closed: set[int] = set()

    def all_closed() -> bool:
        for number, each in enumerate(slow):
            if number in closed:
                continue
            try:
                each.sendall(b"X")
                each.setblocking(False)
                if each.recv(2**16) == b"":
                    closed.add(number)
            except BlockingIOError:
                pass
            except OSError:
                closed.add(number)
        assert server.predict() == 200
        return len(closed) == len(slow)

    until(all_closed)
    for each in slow:
        each.close()


def test_a_body_that_never_ends_is_answered_with_408(server: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    assert answer_of(server.raw(head + b"half")).startswith(b"HTTP/1.1 408")


def test_a_client_that_leaves_in_the_middle_does_no_harm(server: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    for content in (head + b"half", head + bytes(1000), head[:20], b""):
        for _ in range(20):
            server.raw(content).close()
    assert server.predict() == 200


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "99999999999999999999", "4, 4", "+4", ""])
def test_a_length_that_is_none_is_refused(server: Running, length: str) -> None:
    head = f"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
    answer = answer_of(server.raw(head.encode() + b"abcd"))
    assert answer == b"" or re.match(rb"HTTP/1\.1 4\d\d", answer)


def test_two_ways_to_state_a_length_do_not_smuggle_a_request(server: Running) -> None:
    smuggled = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
    head = f"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(smuggled)}\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = answer_of(server.raw(head.encode() + smuggled))
    assert answer.count(b"HTTP/1.1") <= 1


def test_what_is_no_http_is_refused(server: Running) -> None:
    for content in (
        b"\x16\x03\x01\x02\x00\x01" + bytes(500),
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 1000,
    ):
        assert not re.match(rb"HTTP/1\.1 [235]", answer_of(server.raw(content)))


def test_a_client_that_does_not_read_holds_up_nobody(server: Running) -> None:
    body = good("png", 1000)
    head = f"POST /v1/predict?forms=json HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    deaf = [server.raw(head.encode() + body) for _ in range(8)]
    assert [server.predict() for _ in range(10)] == [200] * 10
    for each in deaf:
        each.close()


def test_workers_that_are_killed_come_back_and_nobody_gets_a_fault(own: Running) -> None:
    load = Load(own, 4)
    for _ in range(5):
        count = sum(load.statuses.values())
        for worker in (before := own.workers()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        until(lambda before=before: bool(own.workers() - before))  # type: ignore[misc]
        until(lambda count=count: load.answered(count + 20))  # type: ignore[misc]
    load.stop()
    assert load.statuses.keys() <= {200, 503}
    assert load.statuses[200] > load.statuses[503]
    assert own.predict() == 200


def test_a_signal_to_stop_loses_no_request(own: Running) -> None:
    load = Load(own, 4)
    until(lambda: load.answered(20))
    own.process.send_signal(signal.SIGTERM)
    until(lambda: own.process.poll() is not None)
    load.stop()
    assert own.process.returncode == 0
    assert load.statuses.keys() == {200}


def test_readiness_goes_before_the_answers_do(own: Running) -> None:
    own.process.send_signal(signal.SIGTERM)
    seen: list[tuple[int, int]] = []

    def stopped() -> bool:
        seen.append((own.get("/readyz"), own.predict()))
        return own.process.poll() is not None

    until(stopped)
    assert (503, 200) in seen


def test_a_second_signal_stops_at_once(own: Running) -> None:
    for _ in range(2):
        own.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)  # two signals in one moment are one
    until(lambda: own.process.poll() is not None)


def test_the_log_holds_no_trace_and_every_line_is_an_event(own: Running) -> None:
    own.predict()
    own.ask("POST", "/v1/predict", b"no image", **{"content-type": "image/png"})
    own.said.flush()
    until(lambda: Path(own.said.name).read_text().count('"event"') >= 2)
    assert "Traceback" not in Path(own.said.name).read_text()
