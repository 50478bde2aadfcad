"""Timing models: in turns, the fastest that can be trusted is named, and what goes wrong is a row's own."""

import csv
import json
import math
from itertools import count

import pytest

from pixelwise.cli import main
from pixelwise.core.errors import OptionError
from pixelwise.jobs.bench import BenchOptions, bench
from pixelwise.jobs.benchmark import Bench, Row
from pixelwise.jobs.timer import ProcessTimer, TimedElsewhere


class Drawn:
    """Opens models that take as long as stated, and notes who is called."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.calls, self.closed = seconds, [], []

    def __call__(self, source: str, precision: str, threads: int) -> "Drawn.One":
        if source not in self.seconds:
            raise TimedElsewhere("no such model")
        return Drawn.One(self, source)

    class One:
        def __init__(self, owner: "Drawn", source: str) -> None:
            self.owner, self.source = owner, source

        def time(self, batch: int, size: tuple[int, int]) -> float:
            if batch == 3:
                raise TimedElsewhere("a batch of 1 is expected")
            self.owner.calls.append((self.source, batch))
            return self.owner.seconds[self.source] * batch

        def close(self) -> None:
            self.owner.closed.append(self.source)


def ticking():
    ticks = count()
    return lambda: float(next(ticks))


def row(model: str, proof: str, *seconds: float, batch: int = 1) -> Row:
    return Row(model, "onnxruntime", "fp32", 1, batch, (8, 8), proof, seconds)


def test_models_are_timed_in_turns_and_the_first_calls_do_not_count():
    opener = Drawn(otsu=0.1, kmeans=0.3)
    found = bench(["otsu", "kmeans"], BenchOptions(seconds=1e-9), opener=opener, clock=ticking())
    assert [name[0] for name, _ in opener.calls] == list("ookk" + "okkookkook")
    assert [len(one.seconds) for one in found.rows] == [5, 5]
    assert opener.closed == ["kmeans", "otsu"]


def test_what_cannot_be_loaded_or_run_is_told_in_its_row_and_stops_no_other():
    found = bench(["otsu", "gone"], BenchOptions(batches=(1, 3), seconds=1e-9), opener=Drawn(otsu=0.1), clock=ticking())
    assert [one.problem for one in found.rows] == ["", "a batch of 1 is expected", "no such model", "no such model"]
    assert found.rows[0].seconds
    assert not found.rows[1].seconds
    json.dumps(found.to_json(), allow_nan=False)
    assert "not timed: gone" in str(found)


def test_throughput_is_images_by_time_and_latencies_are_of_calls():
    one = row("a", "holds", 0.1, 0.1, 0.1, 0.5, batch=4)
    assert one.throughput == pytest.approx(16 / 0.8)
    assert one.latency(0.5) == pytest.approx(0.1)
    assert 0.3 < one.latency(0.9) < 0.5
    assert math.isnan(row("a", "holds").throughput)


def test_the_fastest_whose_proof_holds_is_named_and_a_faster_one_without_is_told():
    found = Bench((row("slow", "the model itself", 0.2), row("good", "holds", 0.1), row("bad", "fails", 0.01)))
    assert [one.model for one in found.picked] == ["good", "good"]
    assert "bad, fp32, 1 thread, batch 1, 8 x 8 was faster (100.0), but its proof failed" in found.answer
    assert "No model can be named" in Bench((row("bad", "none", 0.01),)).answer


def test_tables_and_a_picture_are_written(tmp_path):
    Bench((row("good", "holds", 0.1, 0.2), row("none", "none"))).write(tmp_path)
    with (tmp_path / "bench.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["model"], float(first["p50_ms"]), second["p50_ms"]) == ("good", pytest.approx(150), "")
    assert (tmp_path / "bench.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0}, "--time: expected seconds above 0"),
        ({"threads": (4096,)}, "--threads 4096: this process may use"),
        ({"batches": (0,)}, "--batch: expected numbers from 1 up"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(options, message):
    with pytest.raises(OptionError, match=message):
        BenchOptions(**options)


def test_a_model_named_twice_is_refused():
    with pytest.raises(OptionError, match="twice"):
        bench(["otsu", "otsu"], opener=Drawn(otsu=0.1))


def test_a_model_is_timed_in_a_process_of_its_own():
    timer = ProcessTimer("otsu", "", 1)
    try:
        assert timer.time(2, (40, 48)) > 0
    finally:
        timer.close()


def test_the_command_refuses_bad_numbers(capsys):
    assert main(["bench", "otsu", "--size", "360"]) == 2
    assert "--size 360: expected height and width" in capsys.readouterr().err
    assert main(["bench", "otsu", "--precision", "fp31"]) == 2
    assert "did you mean 'fp32'" in capsys.readouterr().err
