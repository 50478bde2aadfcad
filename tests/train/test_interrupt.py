"""Ctrl-C stops between two steps, saves, says how to go on, and loses nothing."""

import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from pixelwise.augment.policy import NONE
from pixelwise.cli import main
from pixelwise.formats import masks
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.scenes import scenes
from pixelwise.train import loop
from pixelwise.train.fit import fit
from pixelwise.train.interrupt import gentle_stop
from pixelwise.train.options import TrainOptions

DATA = scenes(4, (32, 32), seed=1)
OPTIONS = TrainOptions(steps=6, batch=2, crop=(32, 32), threads=1, validations=1, precision="32-true")


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(DATA.labels, encoder="plain", width=4, depth=2)


def press_at(step: int, monkeypatch: pytest.MonkeyPatch, number: int = signal.SIGINT) -> None:
    """Send this process a signal in the middle of a step."""
    rate = loop.rate_at

    def rate_and_press(now: int, options: TrainOptions) -> float:
        if now == step and not pressed:
            pressed.append(now)
            os.kill(os.getpid(), number)
        return rate(now, options)

    pressed: list[int] = []
    monkeypatch.setattr(loop, "rate_at", rate_and_press)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_interrupted_and_resumed_equals_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    whole = fit(tiny(), DATA, DATA, OPTIONS, NONE, quiet=True)
    press_at(2, monkeypatch, number)
    first = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path, quiet=True)
    assert first.stopped == "interrupted"
    assert 2 <= first.progress.step < OPTIONS.steps
    second = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path, resume=True, quiet=True)
    assert second.stopped == ""
    mine, yours = whole.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(mine[key], yours[key]) for key in mine)


def test_the_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    masks.write(DATA, tmp_path / "data")
    settings = ["--set", "model.width=4", "--set", "model.depth=2", "--set", "train.threads=1", "--set", "train.steps=5"]
    press_at(2, monkeypatch)
    arguments = ["train", "--data", str(tmp_path / "data"), "--encoder", "plain", "--out", str(tmp_path / "run"), *settings]
    assert main(arguments) == 130
    error = capsys.readouterr().err
    assert "pixelwise train --resume --out" in error
    assert main(["train", "--resume", "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_second_press_interrupts_at_once() -> None:
    with gentle_stop() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    found = []

    def look() -> None:
        with gentle_stop() as asked:
            found.append((asked.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [(False, signal.getsignal(signal.SIGINT))]
