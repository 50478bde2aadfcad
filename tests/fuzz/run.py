"""Fuzz every reader: damage small data sets and read them; the same seed gives the same inputs.

    python tests/fuzz/run.py --count 100000 --seed 0

Inputs are dealt out evenly over the formats, the readers below them (JSON, XML, pictures) and the choice among all formats.
Each target has a process of its own with bounded memory; one that dies or hangs in C is a finding, and the next goes on after
it. The exit code is 1 if anything was found. ``--only coco --index 17`` shows one input again, with its files.
"""

import argparse
import faulthandler
import multiprocessing
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fuzz_binary import mutated_picture
from fuzz_json import damaged_text
from fuzz_mutations import mutated, mutated_content
from fuzz_probe import DIRECT, Finding, probe, targets, watched
from fuzz_seeds import seeds
from fuzz_trees import ALONE, Entry, put

from pixelwise.formats import FORMATS

_ROOM = 3 * 2**30  # bytes of address space beyond what a process has when it begins
_DEAD = 120  # seconds without a word, after which a process is ended: it hangs in C, where no signal is heard
_SUFFIXES = {"json": (".json", ".ndjson", ".geojson"), "xml": (".xml",), "picture": (".png", ".jpg", ".tif", ".gif", ".bmp")}


class Inputs:
    """The inputs of one target, by number."""

    def __init__(self, target: str, seed: int) -> None:
        self.target, self.seed = target, seed
        formats = sorted(FORMATS) if target in DIRECT else [target]
        self.trees = [tree for one in formats for tree in seeds(one)]
        if target in _SUFFIXES:
            files = {
                entry: Path(name).suffix.casefold()
                for tree in self.trees
                for name, entry in tree.items()
                if isinstance(entry, bytes) and name.casefold().endswith(_SUFFIXES[target])
            }
            self.trees = [{f"{ALONE}file{suffix}": content} for content, suffix in files.items()]

    def __getitem__(self, index: int) -> dict[str, Entry]:
        rng = random.Random(f"{self.seed} {self.target} {index}")
        tree = self.trees[index % len(self.trees)]  # each format has a seed; a test sees to that
        name, content = next(iter(tree.items()))
        if self.target == "json" and rng.random() < 0.1:
            return {name: damaged_text(rng)}
        if self.target == "picture" and isinstance(content, bytes):
            return {name: mutated_picture(content, rng) if rng.random() < 0.7 else mutated_content(content, rng)}
        return mutated(tree, rng, self.trees)


@dataclass
class Tally:
    """What became of the inputs of one target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)

    def add(self, index: int, outcome: str, seconds: float, finding: Finding | None) -> None:
        """Count one input."""
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, (seconds, index))
        if finding is not None:
            self.findings.setdefault((finding.what, finding.where), []).append((index, finding.detail))


def _work(target: str, seed: int, first: int, count: int, pipe: Connection) -> None:
    """Probe inputs in a process of its own, and send what became of each."""
    faulthandler.enable()
    inputs = Inputs(target, seed)
    with TemporaryDirectory(prefix="pixelwise-fuzz-") as place, watched():
        os.environ["PIXELWISE_CACHE"] = str(Path(place) / "cache")
        _bound_memory()
        for index in range(first, count):
            pipe.send(index)
            tree = inputs[index]
            begin = time.process_time()
            outcome, finding = probe(target, tree, _root(Path(place)))
            pipe.send((index, outcome, time.process_time() - begin, finding))
    pipe.send(None)


def _bound_memory() -> None:
    """Refuse the process what it might ask for beyond its room, where the system tells how much it has."""
    pages = Path("/proc/self/statm")
    if pages.is_file():
        used = int(pages.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, resource.RLIM_INFINITY))


def _root(place: Path) -> Path:
    """Give the place of the input: two folders down, so that what leads up by two still ends among the canaries."""
    root = place / "outside" / "root"
    root.parent.mkdir(exist_ok=True)
    return root


@dataclass
class _Running:
    process: Any
    pipe: Connection
    target: str
    begun: int = -1
    since: float = 0.0


def fuzz(names: Sequence[str], count: int, seed: int, workers: int) -> dict[str, Tally]:
    """Probe ``count`` inputs, dealt out over ``names``, with several processes at once."""
    shares = {name: count // len(names) + (row < count % len(names)) for row, name in enumerate(names)}
    for module in FORMATS.values():  # imported once, before the processes part
        assert module.LAYOUTS
    waiting = [(name, 0) for name in reversed(names) if shares[name]]
    tallies = {name: Tally() for name in names}
    running: list[_Running] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(_started(*waiting.pop(), shares, seed))
        ready = wait([one.pipe for one in running], timeout=1)
        for one in list(running):
            again = _heard(one, tallies[one.target]) if one.pipe in ready else _overdue(one, tallies[one.target])
            if again is None:
                continue
            running.remove(one)
            if 0 <= again < shares[one.target]:
                waiting.append((one.target, again))
            else:
                _report(one.target, tallies[one.target])
    return tallies


def _started(target: str, first: int, shares: dict[str, int], seed: int) -> _Running:
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(target, seed, first, shares[target], there))
    process.start()
    there.close()
    return _Running(process, here, target, first - 1, time.monotonic())


def _heard(one: _Running, tally: Tally) -> int | None:
    """Take what a process says; give the input to go on with if it ended, -1 if it is done, None if it goes on."""
    one.since = time.monotonic()
    try:
        said = one.pipe.recv()
    except EOFError:
        one.process.join()
        finding = Finding(f"the process died ({one.process.exitcode})", one.target, "")
        tally.add(max(one.begun, 0), "finding", 0.0, finding)
        return one.begun + 1 if one.begun >= 0 else -1
    if said is None:
        one.process.join()
        return -1
    if isinstance(said, int):
        one.begun = said
    else:
        tally.add(*said)
    return None


def _overdue(one: _Running, tally: Tally) -> int | None:
    """End a process that has not been heard of for long."""
    if time.monotonic() - one.since < _DEAD:
        return None
    one.process.kill()
    one.process.join()
    tally.add(max(one.begun, 0), "finding", _DEAD, Finding("hangs", one.target, ""))
    return one.begun + 1 if one.begun >= 0 else -1


def _report(target: str, tally: Tally) -> None:
    counts = ", ".join(f"{tally.outcomes[key]} {key}" for key in sorted(tally.outcomes))
    total, (seconds, slowest) = sum(tally.outcomes.values()), tally.slowest
    print(f"{target:16} {total:7} inputs: {counts}; slowest {seconds:.2f} s (--index {slowest})", flush=True)
    for (what, where), places in tally.findings.items():
        index, detail = places[0]
        print(f"  FINDING {what} at {where}: {len(places)} times, first --only {target} --index {index}")
        print("".join(f"    {line}\n" for line in detail.strip().splitlines()[-4:]), end="", flush=True)


def _show(target: str, index: int, seed: int, folder: Path) -> int:
    """Put one input into ``folder`` and probe it."""
    tree = Inputs(target, seed)[index]
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PIXELWISE_CACHE"] = str(folder / "cache")
    put(tree, folder / "root")
    with watched():
        outcome, finding = probe(target, tree, folder / "root")
    print(f"{folder / 'root'}: {outcome}")
    if finding is not None:
        print(f"{finding.what} at {finding.where}\n{finding.detail}")
    return int(finding is not None)


def main() -> int:
    """Read the command line, fuzz, and tell what was found."""
    parser = argparse.ArgumentParser(description="Fuzz every reader of label files.")
    parser.add_argument("--count", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=targets(), help="a target; may be given several times")
    parser.add_argument("--index", type=int, help="show this one input of the one target")
    parser.add_argument("--out", type=Path, default=Path("fuzz-input"), help="where --index puts its files")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    names = options.only or targets()
    if options.index is not None:
        return _show(names[0], options.index, options.seed, options.out)
    tallies = fuzz(names, options.count, options.seed, options.workers)
    found = sum(tally.outcomes["finding"] for tally in tallies.values())
    total = sum(sum(tally.outcomes.values()) for tally in tallies.values())
    kinds = sum(len(tally.findings) for tally in tallies.values())
    print(f"{total:,} inputs, {found} findings of {kinds} kinds (seed {options.seed})")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
