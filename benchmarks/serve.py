"""The server against what it could be at best, and against what people write instead, on this machine and one network.

A network on 512 x 512 photographs sent as JPEG, answered as PNG of ids, to 16 clients that ask again once they are answered:

- ours: ``pixelwise serve`` of ``pixelwise export --to openvino --precision bf16``, as it comes: queue, limits, telemetry;
- bare: that file in OpenVINO alone, on decoded images, at the best setting of streams, threads and batch of those tried;
- plain: FastAPI with cv2, NumPy and the same network in OpenVINO, in a coroutine as in tutorials; threaded: the same in
  FastAPI's threads; eager: as plain, with the network in PyTorch as it was trained;
- litserve: plain's steps in LitServe as it comes, one image at a time; tuned: the better of batches and several workers; eager
  litserve: as it comes, with the network in PyTorch.

All are measured in turns, so that a machine that slows down does so for all. Then ours gets four times the load it can bear,
in an open loop: every request has to be answered, by 200 or 429, those accepted in bounded time, and memory stays flat.

Run: python benchmarks/serve.py RUN [--images DIR] [--seconds 30] [--rounds 3] [--litserve PYTHON] [--only ours,bare]
LitServe wants an environment of its own: litserve and pixelwise with its extra ``runtime``; ``--litserve`` names its Python.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import cv2

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("PIXELWISE_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
QUEUE_SECONDS = 2.0  # configured for the overload: who would wait longer is refused
START_SECONDS = 180.0
Found: TypeAlias = dict[str, list[float]]  # a number a turn, by subject


@dataclass(frozen=True)
class Subject:
    """A server to measure: how it is started, and where it takes images."""

    name: str
    command: Sequence[str]
    path: str
    ready: str


def pictures(source: Path, folder: Path, size: int, count: int = 32) -> None:
    """Write photographs at one size as JPEG."""
    folder.mkdir()
    for number, path in enumerate(sorted(each for each in source.iterdir() if each.suffix in (".jpg", ".png"))[:count]):
        image = cv2.resize(cv2.imread(str(path)), (size, size), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 92])


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(subject: Subject) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start a server, wait until it answers, and end it and all it started at the end."""
    port = free_port()
    command = [word.replace("PORT", str(port)) for word in subject.command]
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait(subject, port, server, said)
            yield port, server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def _wait(subject: Subject, port: int, server: subprocess.Popen[bytes], said: Any) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}{subject.ready}", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    said.seek(0)
    raise SystemExit(f"{subject.name} did not start:\n{said.read().decode(errors='replace')[-3000:]}")


def ask(port: int, folder: Path, path: str, *options: object) -> dict[str, Any]:
    """Run the clients in a process of their own."""
    command = [sys.executable, HERE / "serve_clients.py", port, folder, "--path", path, *options]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def memory_of(process: int) -> int:
    """Give the bytes that a process and all it started hold, what they share counted once (Pss)."""
    total, to_ask = 0, [process]
    while to_ask:
        place = Path(f"/proc/{to_ask.pop()}")
        with contextlib.suppress(OSError, StopIteration):
            lines = (place / "smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line.split()[1] for line in lines if line.startswith("Pss:")))
        for thread in place.glob("task/*/children"):
            with contextlib.suppress(OSError):
                to_ask += [int(word) for word in thread.read_text().split()]
    return total


def best_bare(
    graph: Path, folder: Path, seconds: float, tried: Sequence[tuple[int, int, int]]
) -> tuple[float, tuple[int, int, int]]:
    """Give the most images a second that the runtime reaches, and with how many streams, threads and images a call."""
    found = []
    for streams, threads, batch in tried:
        command = [sys.executable, HERE / "serve_peers.py", "bare", graph, folder]
        options = ["--streams", streams, "--threads", threads, "--batch", batch, "--seconds", seconds]
        done = subprocess.run([str(word) for word in [*command, *options]], capture_output=True, text=True, check=True)
        found.append((float(json.loads(done.stdout.splitlines()[-1])["rate"]), (streams, threads, batch)))
    return max(found)


def measure(subjects: Sequence[Subject], graph: Path, folder: Path, given: argparse.Namespace) -> tuple[Found, Found]:
    """Measure all subjects in turns; print each, and give by name the rates and p99 / p50 of every turn."""
    cores = len(os.sched_getaffinity(0))
    tried = sorted({(streams, cores, batch) for streams in (1, 2, cores, 2 * cores) for batch in (1, 4, 8)})
    rates: Found = {subject.name: [] for subject in subjects} | {"bare": []}
    spreads: Found = {subject.name: [] for subject in subjects}
    for turn in range(given.rounds):
        rate, setting = best_bare(graph, folder, max(given.seconds / 3, 1), tried)
        tried = [setting]  # the search is for the first turn
        rates["bare"].append(rate)
        said = "{} streams, {} threads, batch {}".format(*setting)
        print(f"turn {turn + 1}  {'bare':<22} {rate:7.2f} images/s  {said}")
        for subject in subjects:
            with running(subject) as (port, server):
                ask(port, folder, subject.path, "--clients", given.clients, "--seconds", 2)  # to warm up
                seen = ask(port, folder, subject.path, "--clients", given.clients, "--seconds", given.seconds)
                held = memory_of(server.pid)
            if not seen["statuses"].get("200"):
                print(f"turn {turn + 1}  {subject.name:<22} answered nothing: this turn does not count for it")
                continue
            if set(seen["statuses"]) != {"200"}:
                print(f"  {subject.name}: answers {seen['statuses']}")
            rates[subject.name].append(seen["rate"])
            spreads[subject.name].append(seen["p99"] / seen["p50"])
            times = f"p50 {seen['p50'] * 1e3:.0f} ms, p99 {seen['p99'] * 1e3:.0f} ms, p99/p50 {seen['p99'] / seen['p50']:.2f}"
            print(f"turn {turn + 1}  {subject.name:<22} {seen['rate']:7.2f} images/s  {times}, {held / 2**20:,.0f} MiB")
    return rates, spreads


def overload(subject: Subject, folder: Path, rate: float, seconds: float) -> None:
    """Send four times the load that ``rate`` is, twice as long as needed to see memory grow; print what came of it."""
    limits = ["--queue-seconds", str(QUEUE_SECONDS)]
    with running(Subject(subject.name, [*subject.command, *limits], subject.path, subject.ready)) as (port, server):
        ask(port, folder, subject.path, "--rate", 4 * rate, "--seconds", seconds)
        before = memory_of(server.pid)
        seen = ask(port, folder, subject.path, "--rate", 4 * rate, "--seconds", seconds)
        after = memory_of(server.pid)
    statuses, strange = seen["statuses"], set(seen["statuses"]) - {"200", "429"}
    print(
        f"overload  {4 * rate:.0f} requests/s begun: {statuses.get('200', 0)} accepted ({seen['rate']:.2f} images/s), ", end=""
    )
    print(f"{statuses.get('429', 0)} told to come back, {sum(statuses[one] for one in strange)} anything else")
    print(f"overload  accepted: p50 {seen['p50']:.2f} s, p99 {seen['p99']:.2f} s, longest {seen['longest']:.2f} s; ", end="")
    print(f"waiting is bounded at {QUEUE_SECONDS:g} s; memory {before / 2**20:,.0f} -> {after / 2**20:,.0f} MiB")
    print(f"OVERLOAD {'all answered' if not strange else 'NOT all answered'}")


def subjects_of(given: argparse.Namespace, folder: Path, graph: Path) -> list[Subject]:
    """Give the servers to measure; one that is not installed is left out, and that is said."""
    serve = [sys.executable, "-m", "pixelwise", "serve", str(graph), "--port", "PORT"]
    peer, textbook = [str(HERE / "serve_peers.py")], str(folder / "textbook.xml")
    found = [
        Subject("ours", serve, "/v1/predict", "/readyz"),
        Subject("plain", [sys.executable, *peer, "plain", textbook, "PORT"], "/predict", "/openapi.json"),
        Subject("threaded", [sys.executable, *peer, "plain", textbook, "PORT", "--threaded"], "/predict", "/openapi.json"),
        Subject("eager", [sys.executable, *peer, "plain", str(given.run), "PORT"], "/predict", "/openapi.json"),
    ]
    if given.litserve is None:
        print("litserve is left out: --litserve names the Python of an environment that has it")
    else:
        cores = len(os.sched_getaffinity(0))
        for name, source, batch, workers in (
            ("litserve", textbook, 1, 1),
            ("tuned, batch 8", textbook, 8, 1),
            (f"tuned, {cores} workers", textbook, 1, cores),
            ("eager litserve", str(given.run), 1, 1),
        ):
            setting = ["--batch", str(batch), "--workers", str(workers)]
            command = [given.litserve, str(HERE / "serve_litserve.py"), source, "PORT", *setting]
            found.append(Subject(name, command, "/predict", "/health"))
    return [one for one in found if given.only is None or one.name.split(",")[0] in given.only.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder of a network of 512 x 512 images")
    parser.add_argument("--images", type=Path, default=SHARED / "camvid" / "val")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litserve", help="Python of an environment with LitServe")
    parser.add_argument("--only", help="of ours, plain, threaded, eager, litserve, tuned, eager litserve; with commas")
    parser.add_argument("--work", type=Path, help="folder that keeps graphs between runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "pictures").is_dir():
            pictures(given.images, folder / "pictures", given.size)
        if not (folder / "textbook.xml").exists():
            graphs = [HERE / "serve_peers.py", "graphs", given.run, folder, "--size", given.size]
            subprocess.run([sys.executable, *map(str, graphs)], check=True)
        graph = next((folder / "ours").rglob("*.xml"))
        subjects = subjects_of(given, folder, graph)
        rates, spreads = measure(subjects, graph, folder / "pictures", given)
        if subjects and subjects[0].name == "ours":
            overload(subjects[0], folder / "pictures", median(rates["ours"]), given.seconds)
    tell(rates, spreads)


def tell(rates: Found, spreads: Found) -> None:
    """Print the ratios of medians over the turns."""
    if "ours" not in rates:
        return
    ours = median(rates["ours"])
    print(f"RATIO serve ours p99/p50 {median(spreads['ours']):.2f}")
    print(f"RATIO serve ours/bare {ours / median(rates['bare']):.2f}")
    for peer in ("plain", "threaded", "eager", "litserve", "tuned", "eager litserve"):
        if found := [median(each) for name, each in rates.items() if name.split(",")[0] == peer and each]:
            print(f"RATIO serve ours/{peer} {ours / max(found):.2f}")


if __name__ == "__main__":
    main()
