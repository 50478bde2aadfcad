"""Clients for ``benchmarks/serve.py``, in a process of their own: as little work a request as a client can do.

One thread, sockets that stay open, requests written out beforehand, answers read to their stated length and thrown away.

- Closed loop: each of N clients sends its next request when its last one is answered.
- Open loop (``--rate``): requests begin at even intervals whether or not the server keeps up, as a crowd's do.

Prints one line of JSON: seconds, answers by status, and the latencies in seconds (p50, p90, p99, longest) of those with 200.

Run: python benchmarks/serve_clients.py PORT FOLDER [--path /v1/predict] [--clients 16] [--seconds 30] [--rate 100]
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

CHUNK = 2**16
PATIENCE = 120.0  # seconds after which a request counts as never answered


@dataclass
class Seen:
    """What came back: answers by status (0: none came) and the seconds that those with 200 took."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def note(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        if status == 200:
            self.latencies.append(seconds)


class Connection:
    """One connection to the server, opened again where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """Send a request; give the status of its answer, 0 if none came."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
        except (OSError, EOFError, ValueError, TimeoutError):
            self.close()
            return 0
        if b"connection: close" in head:
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def requests_of(folder: Path, path: str) -> list[bytes]:
    """Write out a request for each image of a folder."""
    found = []
    for image in sorted(folder.iterdir()):
        body = image.read_bytes()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(head.encode() + body)
    return found


async def closed_loop(port: int, requests: list[bytes], clients: int, seconds: float, warm: float) -> tuple[Seen, float]:
    """Let ``clients`` ask one request after another; what ends before ``warm`` is over does not count."""
    seen, images = Seen(), cycle(requests)
    begin = time.perf_counter() + warm
    end = begin + seconds

    async def client() -> None:
        connection = Connection(port)
        while (sent := time.perf_counter()) < end:
            status = await connection.ask(next(images))
            if begin <= (now := time.perf_counter()) < end:
                seen.note(status, now - sent)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return seen, seconds


async def open_loop(port: int, requests: list[bytes], rate: float, seconds: float) -> tuple[Seen, float]:
    """Begin ``rate`` requests a second; every one begun counts."""
    seen, images = Seen(), cycle(requests)
    idle: list[Connection] = []
    begin = time.perf_counter()

    async def one() -> None:
        connection, sent = idle.pop() if idle else Connection(port), time.perf_counter()
        status = await connection.ask(next(images))
        seen.note(status, time.perf_counter() - sent)
        idle.append(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(max(1, int(rate * seconds))):
            await asyncio.sleep(begin + number / rate - time.perf_counter())
            group.create_task(one())
    for connection in idle:
        connection.close()
    return seen, seconds


def summary(seen: Seen, seconds: float) -> dict[str, object]:
    """Give the figures of a run."""
    ordered = sorted(seen.latencies)

    def quantile(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")

    return {
        "seconds": seconds,
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "rate": seen.statuses[200] / seconds,
        **{f"p{round(share * 100)}": quantile(share) for share in (0.5, 0.9, 0.99)},
        "longest": quantile(1.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--path", default="/v1/predict")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm", type=float, default=3.0)
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    requests = requests_of(given.folder, given.path)
    if given.rate is None:
        run = closed_loop(given.port, requests, given.clients, given.seconds, given.warm)
    else:
        run = open_loop(given.port, requests, given.rate, given.seconds)
    print(json.dumps(summary(*asyncio.run(run))))


if __name__ == "__main__":
    main()
