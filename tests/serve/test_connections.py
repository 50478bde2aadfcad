"""Connections are held open for a time and a size; a real server ends without losing a request."""

import asyncio
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from small_models import PATIENCE, grey, png, run, until

from pixelwise.core.errors import OptionError
from pixelwise.serve.http.connections import MOST_HEAD, Connection
from pixelwise.serve.http.server import bind
from pixelwise.serve.options import ServeOptions


class Line:
    """A transport that keeps what is written, and has as much unsent as it is told."""

    def __init__(self) -> None:
        self.written, self.unsent = b"", 0
        self.is_closed = self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Cycle:
    """A request under way."""

    def __init__(self, more_body: bool = False) -> None:
        self.response_complete, self.more_body = False, more_body


class Inner:
    """Stand in for uvicorn's protocol: a request begins when its head is whole."""

    def __init__(self) -> None:
        self.cycle: Cycle | None = None
        self.got = b""

    def connection_made(self, transport: Any) -> None: ...

    def connection_lost(self, error: Exception | None) -> None: ...

    def data_received(self, data: bytes) -> None:
        self.got += data
        if b"\r\n\r\n" in self.got:
            self.cycle, self.got = Cycle(), b""


def opened(open_now: int = 0, **options: Any) -> tuple[Connection, Inner, Line]:
    inner, line = Inner(), Line()
    connection = Connection(ServeOptions(**options), inner, set(range(open_now)))
    connection.connection_made(line)
    return connection, inner, line


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async def dawdle() -> None:
        connection, _, line = opened(header_seconds=0.01)
        connection.data_received(b"GET / HT")
        await until(line.is_closing)
        assert line.written.startswith(b"HTTP/1.1 408 ")
        connection.connection_lost(None)

    run(dawdle())


def test_a_request_whose_head_came_has_time() -> None:
    async def ask() -> None:
        connection, _, line = opened(header_seconds=0.01)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.05)
        assert not line.is_closed
        connection.connection_lost(None)

    run(ask())


def test_the_second_head_of_a_connection_is_waited_for_as_the_first() -> None:
    async def ask_twice() -> None:
        connection, inner, line = opened(header_seconds=0.01)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        assert inner.cycle is not None
        inner.cycle.response_complete = True
        connection.data_received(b"GET ")
        await until(line.is_closing)
        connection.connection_lost(None)

    run(ask_twice())


def test_a_head_without_end_is_cut_off() -> None:
    async def ramble() -> None:
        connection, _, line = opened()
        connection.data_received(bytes(MOST_HEAD))
        assert not line.is_closed
        connection.data_received(b"x")
        assert line.written.startswith(b"HTTP/1.1 431 ")
        connection.connection_lost(None)

    run(ramble())


def test_what_is_sent_ahead_of_its_turn_is_bounded_and_a_body_is_not() -> None:
    async def push() -> None:
        connection, inner, line = opened()
        connection.data_received(b"POST / HTTP/1.1\r\n\r\n")
        assert inner.cycle is not None
        inner.cycle.more_body = True
        connection.data_received(bytes(2 * MOST_HEAD))
        assert not line.is_closed
        inner.cycle.more_body = False
        connection.data_received(bytes(MOST_HEAD + 1))
        assert (line.is_closed, line.written) == (True, b"")  # an answer is under way: nothing is put into it
        connection.connection_lost(None)

    run(push())


def test_one_connection_too_many_is_turned_away() -> None:
    async def ask() -> None:
        connection, _, line = opened(open_now=3, connections=3)
        assert line.written.startswith(b"HTTP/1.1 503 ")
        assert line.is_closed
        connection.connection_lost(None)

    run(ask())


def test_a_client_that_does_not_read_on_is_cut_off() -> None:
    async def stall() -> None:
        connection, _, line = opened(write_seconds=0.01)
        line.unsent = 1000
        await until(lambda: line.is_aborted)
        connection.connection_lost(None)

    run(stall())


def test_a_client_that_reads_slowly_is_not() -> None:
    async def sip() -> None:
        connection, _, line = opened(write_seconds=0.01)
        for unsent in range(100, 90, -1):
            line.unsent = unsent
            connection._look_at_unsent()
        assert not line.is_aborted
        connection.connection_lost(None)

    run(sip())


def test_a_port_that_is_taken_is_told_before_anything_is_loaded() -> None:
    with bind(ServeOptions(port=0)) as taken, pytest.raises(OptionError, match="choose another one with --port"):
        bind(ServeOptions(port=taken.getsockname()[1]))


def test_a_host_that_is_not_here_is_told() -> None:
    with pytest.raises(OptionError, match=r"--host nowhere\.invalid"):
        bind(ServeOptions(host="nowhere.invalid", port=0))


def serving(*arguments: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "pixelwise", "serve", "otsu", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    found = re.search(r"at http://127\.0\.0\.1:(\d+) ", process.stdout.readline())
    assert found
    return process, int(found[1])


@pytest.mark.slow
def test_a_signal_under_load_loses_no_request() -> None:
    process, port = serving("--grace-seconds", "1")
    counts: Counter[str] = Counter()
    content = png(grey(64, 64))
    warm = threading.Barrier(5)

    def ask_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        waited = False
        while True:
            try:
                connection.request("POST", "/v1/predict", content)
                counts[str(connection.getresponse().read()[:4])] += 1
            except ConnectionRefusedError:  # nobody listens any longer: a balancer would not send anybody here
                return
            if not waited:
                waited = bool(warm.wait(PATIENCE)) or True

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    warm.wait(PATIENCE)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(PATIENCE)
    assert process.wait(PATIENCE) == 0
    assert set(counts) == {str(b"\x89PNG")}


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process, port = serving("--grace-seconds", "1000")
    with socket.create_connection(("127.0.0.1", port)):
        process.send_signal(signal.SIGTERM)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        while True:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 503:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
