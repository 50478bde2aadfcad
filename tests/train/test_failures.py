"""A full disk and a device that vanishes in the middle of a run: what was saved stays, and the way on is said."""

import errno
import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pixelwise.augment.policy import NONE
from pixelwise.core.errors import StorageError, TrainingError
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.models.weights import read_tensors
from pixelwise.scenes import scenes
from pixelwise.train.failures import is_lost_device, is_lost_process, is_out_of_memory
from pixelwise.train.fit import fit
from pixelwise.train.options import TrainOptions
from pixelwise.train.reporter import Reporter

DATA = scenes(4, (32, 32), seed=4)
OPTIONS = TrainOptions(steps=6, batch=2, crop=(32, 32), threads=1, precision="32-true", validations=3, save_seconds=0)


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(DATA.labels, encoder="plain", width=4, depth=2)


def full_between(first: int, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk be full while the optimiser has made ``first`` to ``last`` steps."""
    files = importlib.import_module("pixelwise.core.files")
    replace_file, fitting = files.os.replace, importlib.import_module("pixelwise.train.fit")
    now = [0]
    step = fitting.Loop.step

    def counted(self: object, *given: object, **named: object) -> object:
        result = step(self, *given, **named)
        now[0] = self.progress.step  # type: ignore[attr-defined]
        return result

    def refuse(source: Path, target: Path) -> None:
        if first <= now[0] <= last:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(source, target)

    monkeypatch.setattr(fitting.Loop, "step", counted)
    monkeypatch.setattr(files.os, "replace", refuse)


def test_a_disk_that_is_full_for_a_while_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path / "whole", quiet=True)
    full_between(3, 4, monkeypatch)
    run = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path / "run")
    told = capsys.readouterr().err
    assert "not saved at step 4" in told
    assert "no space is left on the disk" in told
    assert "the files of step 2 stay" in told
    assert run.progress.step == 6
    for name in ("best.safetensors", "last.safetensors"):
        mine, yours = read_tensors(tmp_path / "whole" / name), read_tensors(tmp_path / "run" / name)
        assert all(torch.equal(mine[key], yours[key]) for key in mine)
    assert whole.progress.best_step == run.progress.best_step


def test_a_disk_that_stays_full_ends_in_an_error_and_keeps_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(tiny(), DATA, DATA, OPTIONS, NONE, quiet=True)
    with monkeypatch.context() as patched:
        full_between(4, 99, patched)
        with pytest.raises(StorageError, match="no space is left"):
            fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "best.safetensors").is_file()
    run = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path / "run", resume=True, quiet=True)
    mine, yours = whole.model.state_dict(), run.model.state_dict()
    assert all(torch.equal(mine[key], yours[key]) for key in mine)


def vanishing(step: int) -> Segmenter:
    model, seen = tiny(), [0]

    def vanish(module: nn.Module, given: object, found: Tensor) -> None:
        if module.training:
            seen[0] += 1
            if seen[0] > step:
                raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA …")

    model.network.register_forward_hook(vanish)
    return model


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_log_on_a_full_disk_does_not_end_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(Path("/dev/full"), total=2)
    reporter.line("one")
    reporter.line("two")
    told = capsys.readouterr().err
    assert "one" in told
    assert "two" in told
    assert told.count("lines are missing from here on") == 1


def test_a_device_that_vanishes_leaves_a_state_to_go_on_from(tmp_path: Path) -> None:
    whole = fit(tiny(), DATA, DATA, OPTIONS, NONE, quiet=True)
    rarely = replace(OPTIONS, save_seconds=1e6)
    with pytest.raises(
        TrainingError, match=r"failed at step 4 .*launch failure\); the state of step 3 is saved.*--resume --out"
    ):
        fit(vanishing(3), DATA, DATA, rarely, NONE, tmp_path, quiet=True)
    run = fit(tiny(), DATA, DATA, OPTIONS, NONE, tmp_path, resume=True, quiet=True)
    mine, yours = whole.model.state_dict(), run.model.state_dict()
    assert all(torch.equal(mine[key], yours[key]) for key in mine)


def test_a_device_that_vanishes_without_a_folder_says_that_nothing_was_saved() -> None:
    with pytest.raises(TrainingError, match="nothing was saved"):
        fit(vanishing(1), DATA, DATA, OPTIONS, NONE, quiet=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), is_out_of_memory),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), is_out_of_memory),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), is_lost_device),
        (RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1"), is_lost_process),
    ],
)
def test_errors_are_told_apart(error: RuntimeError, kind: object) -> None:
    kinds = [is_out_of_memory, is_lost_device, is_lost_process]
    found = [one for one in kinds if one(error)]
    assert kind in found
    assert (is_out_of_memory in found) is (kind is is_out_of_memory)
    assert not any(one(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) for one in kinds)
