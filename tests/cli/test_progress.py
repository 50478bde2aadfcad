"""What is told of the work under way: the pace, the time left, the memory."""

import pytest

from pixelwise.cli import progress
from pixelwise.cli.progress import Pace, pace_bar


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_pace_counts_from_what_an_earlier_run_had_done() -> None:
    clock = Clock()
    pace = Pace("images", clock)
    assert (pace.a_second, pace.seconds_left) == (None, None)
    pace.update(40, 100)
    clock.now += 5
    pace.update(50, 100)
    assert (pace.a_second, pace.seconds_left) == (2.0, 25.0)
    assert str(pace).startswith("2.0 images/s")


def test_no_pace_is_told_of_the_first_moment() -> None:
    clock = Clock()
    pace = Pace("images", clock)
    pace.update(0, 10)
    clock.now += 0.1
    pace.update(1, 10)
    assert pace.a_second is None


def test_a_log_file_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    with pace_bar("predict", Pace("images", clock)) as update:
        for done in range(101):
            clock.now += 1
            update(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("predict: 29 of 1000 images, 1.0 images/s")
    assert lines[0].endswith("about 16 min left")
