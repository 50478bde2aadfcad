"""A server process of its own for tests: started, asked over sockets, loaded, and looked at from outside."""

import contextlib
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hostile_images import good

PATIENCE = 120.0  # seconds until a test that hangs is given up; nothing is measured by them
LIMITS = ["--header-seconds", "2", "--body-seconds", "2", "--max-bytes", str(2**21), "--max-pixels", str(2**20)]


class Running:
    """A server process."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.said = (folder / "log").open("w+")
        command = [sys.executable, "-m", "pixelwise", "serve", "otsu", "--port", str(self.port), *LIMITS]
        self.process = subprocess.Popen(command, stdout=self.said, stderr=self.said)
        until(lambda: self.process.poll() is not None or self.get("/readyz") == 200)
        assert self.process.poll() is None, (folder / "log").read_text()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Ask once on a connection of its own; the status is 0 if there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {"content-length": str(len(body or b"")), **headers}.items():
                connection.putheader(name, value.encode("utf-8", "surrogateescape"))
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body or b"")  # a server may refuse before the end, and close
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def get(self, path: str) -> int:
        return self.ask("GET", path)[0]

    def predict(self, image: bytes | None = None) -> int:
        return self.ask("POST", "/v1/predict", good() if image is None else image, **{"content-type": "image/png"})[0]

    def raw(self, content: bytes) -> socket.socket:
        """Open a connection and send bytes."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        opened.sendall(content)
        return opened

    def memory(self) -> float:
        """Give the bytes that the server says it and its workers hold."""
        found = re.search(rb"^pixelwise_memory_bytes (\S+)$", self.ask("GET", "/metrics")[1], re.MULTILINE)
        assert found
        return float(found[1])

    def workers(self) -> set[int]:
        """List the processes it has started."""
        folder = Path(f"/proc/{self.process.pid}/task")
        return {int(word) for place in folder.glob("*/children") for word in place.read_text().split()}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.said.close()


def until(happens: Callable[[], bool]) -> None:
    """Wait until something happens; it must, some time."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def answer_of(connection: socket.socket) -> bytes:
    """Read all that comes until the other side closes; a reset is a close, too."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(2**16):
            parts.append(part)
    connection.close()
    return b"".join(parts)


class Load:
    """Clients in threads that ask while the server is ready, until they are told to stop; ``statuses`` counts the answers."""

    def __init__(self, server: Running, clients: int) -> None:
        self.statuses: Counter[int] = Counter()
        self._image = good("jpeg", 800)
        self._server, self._lock, self._is_over = server, threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._is_over.is_set():
            if self._server.get("/readyz") != 200:
                return  # as a balancer does
            status = self._server.predict(self._image)
            with self._lock:
                self.statuses[status] += 1

    def answered(self, count: int) -> bool:
        return sum(self.statuses.values()) >= count

    def stop(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
