"""A preparation that was killed goes on: the result is that of an uninterrupted one, and nothing is done twice but the last."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pixelwise.core.sample import Dataset
from pixelwise.curate.prepare import prepare
from pixelwise.formats import coco
from pixelwise.formats.writing import JOURNAL, Writing
from pixelwise.formats.writing.journal import Journal
from pixelwise.scenes import scenes

SAMPLES, DEADLY = 14, 6

# Prepares the set; where a file `deadly` lies beside it, the truth of one sample kills the first process when it is read.
SCRIPT = """
import os, signal, sys
from dataclasses import dataclass, replace
from pathlib import Path
from pixelwise.core.sample import Dataset
from pixelwise.curate.prepare import prepare
from pixelwise.formats import coco
from pixelwise.formats.writing import Writing

@dataclass(frozen=True, eq=False)
class Deadly:
    source: object
    flag: Path
    first: int

    def read(self, labels, size):
        return self.salvage(labels, size)[0]

    def salvage(self, labels, size):
        if self.flag.exists():
            self.flag.unlink()
            os.kill(self.first, signal.SIGKILL)
        return self.source.salvage(labels, size)

    def raw(self):
        return self.source.raw()

if __name__ == "__main__":
    root, out, workers, row = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    data = coco.read(root)
    samples = list(data.samples)
    samples[row] = replace(samples[row], truth_source=Deadly(samples[row].truth_source, root.parent / "deadly", os.getpid()))
    whole = Dataset(samples, data.labels, data.kind, data.splits, data.name)
    prepare(whole, out, writing=Writing(strict=False, workers=workers))
"""


def tree(path: Path) -> dict[str, bytes]:
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in sorted(path.rglob("*")) if one.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    drawn = scenes(SAMPLES, (32, 40), "instance", seed=3)
    coco.write(Dataset(drawn.samples, drawn.labels, "instance", {"train": range(SAMPLES)}, "things"), tmp_path / "set")
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "set"


def run(data: Path, out: Path, workers: int) -> int:
    command = [sys.executable, str(data.parent / "script.py"), str(data), str(out), str(workers), str(DEADLY)]
    return subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300).returncode


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_and_started_again_it_ends_as_if_nothing_had_been(workers: int, data: Path, tmp_path: Path) -> None:
    prepare(coco.read(data), tmp_path / "whole")
    (tmp_path / "deadly").touch()
    assert run(data, tmp_path / "out", workers) == -signal.SIGKILL
    (part,) = tmp_path.glob(".out.*.part")
    journal = Journal(part / JOURNAL)
    finished = [row for row in range(SAMPLES) if row in journal]
    assert len([row for row in finished if row < DEADLY]) >= DEADLY + 1 - workers  # each other process had one in its hands
    assert DEADLY not in finished
    times = {row: _time(part, coco.read(data)[row].name) for row in finished}
    assert run(data, tmp_path / "out", workers) == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert {row: _time(tmp_path / "out", coco.read(data)[row].name) for row in finished} == times
    assert list(tmp_path.glob(".out*")) == []


def _time(folder: Path, name: str) -> int:
    return (folder / "semantic" / f"{name}.png").stat().st_mtime_ns


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same_bytes(data: Path, tmp_path: Path) -> None:
    for workers in (1, 2, 3):
        prepare(coco.read(data), tmp_path / str(workers), writing=Writing(strict=False, workers=workers))
    assert tree(tmp_path / "1") == tree(tmp_path / "2") == tree(tmp_path / "3")
