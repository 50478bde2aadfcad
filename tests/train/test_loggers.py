"""Loggers: what TensorBoard reads back, what MLflow and wandb are told, and that none can stop a run."""

import contextlib
import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelwise.augment.policy import NONE
from pixelwise.core.arrays import ByteArray
from pixelwise.core.errors import MissingExtra, OptionError
from pixelwise.models.networks import unet
from pixelwise.scenes import scenes
from pixelwise.train.fit import fit
from pixelwise.train.loggers import Loggers, Mlflow, TensorBoard, Wandb, choose, listening
from pixelwise.train.options import TrainOptions

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def test_a_run_leaves_figures_and_pictures_for_tensorboard(tmp_path: Path) -> None:
    data = scenes(4, (32, 32), seed=1)
    torch.manual_seed(0)
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    options = TrainOptions(steps=4, batch=2, crop=(32, 32), threads=1, validations=2, loggers="tensorboard")
    found = fit(model, data, data.take([0, 1]), options, NONE, tmp_path, quiet=True)
    events = read(tmp_path / "tensorboard")
    losses = events.Scalars("train/loss")
    assert [event.step for event in losses] == [1, 2, 3, 4]
    assert losses[0].value == pytest.approx(found.progress.history[0]["loss"])
    assert [event.step for event in events.Scalars("val/miou")] == [2, 4]
    assert {"train/lr", "train/images_per_second", "loss/dice", "loss/cross_entropy"} <= set(events.Tags()["scalars"])
    name = data[0].name
    assert [event.step for event in events.Images(f"val/{name}")] == [2, 4]
    assert "options" in " ".join(events.Tags()["tensors"])


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    for first, last in ((0, 6), (4, 8)):  # killed after step 6, whose last state was of step 4
        board = TensorBoard(tmp_path)
        board.start({}, first)
        for step in range(first + 1, last + 1):
            board.scalars(step, {"loss": float(step + 100 * first)})
        board.finish("finished")
    found = read(tmp_path / "tensorboard").Scalars("loss")
    assert [event.step for event in found] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found[4].value == 405


def test_the_picture_comes_back(tmp_path: Path) -> None:
    import io

    import PIL.Image

    board = TensorBoard(tmp_path)
    board.start({}, 0)
    board.image(3, "val/a", PICTURE)
    board.finish("finished")
    event = read(tmp_path / "tensorboard").Images("val/a")[0]
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(event.encoded_image_string))), PICTURE)


class Broken:
    """A logger that fails at one of its functions."""

    def __init__(self, at: str) -> None:
        self.at, self.told = at, [""]

    def _may_fail(self, name: str) -> None:
        self.told.append(name)
        if name == self.at:
            raise RuntimeError(f"no {name} today\nand more")

    def start(self, params: Mapping[str, Any], step: int) -> None:
        self._may_fail("start")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._may_fail("scalars")

    def image(self, step: int, name: str, picture: ByteArray) -> None:
        self._may_fail("image")

    def finish(self, state: str) -> None:
        self._may_fail("finish")


@pytest.mark.parametrize("at", ["start", "scalars", "image", "finish"])
def test_a_logger_that_fails_is_said_once_and_told_nothing_more(at: str) -> None:
    said: list[str] = []
    broken, whole = Broken(at), Broken("")
    loggers = Loggers({"broken": broken, "whole": whole}, said.append)
    loggers.start({})
    for step in range(3):
        loggers.scalars(step, {"loss": 1.0, "val/miou": None})
        loggers.images(step, [("a", PICTURE)])
    loggers.finish()
    assert said == [f"logger broken: no {at} today; it is told nothing more of this run, and training goes on"]
    assert broken.told[-1] == at
    assert whole.told[-1] == "finish"


def test_training_outlives_its_logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelwise.train import loggers

    monkeypatch.setitem(loggers.LOGGERS, "tensorboard", lambda run: Broken("scalars"))
    data = scenes(2, (32, 32), seed=1)
    model = unet.build(data.labels, encoder="plain", width=4, depth=2)
    options = TrainOptions(steps=3, batch=2, crop=(32, 32), threads=1, loggers="tensorboard")
    assert fit(model, data, data.take([]), options, NONE, tmp_path, quiet=True).progress.step == 3
    assert "no scalars today" in (tmp_path / "train.log").read_text()


@pytest.mark.parametrize(("error", "state"), [(None, "finished"), (RuntimeError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_loggers_are_told_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None, state: str
) -> None:
    from pixelwise.train import loggers

    ended: list[str] = []
    one = Broken("")
    one.finish = ended.append  # type: ignore[method-assign]
    monkeypatch.setitem(loggers.LOGGERS, "tensorboard", lambda run: one)
    with contextlib.suppress(RuntimeError, KeyboardInterrupt), listening("tensorboard", tmp_path, {}, 0, str):
        if error is not None:
            raise error
    assert ended == [state]


def test_auto_takes_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelwise.train import loggers

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(loggers, "_installed", lambda name: name != "mlflow")
    assert choose("auto") == ["tensorboard"]
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert choose("auto") == ["tensorboard", "wandb"]
    assert choose("none") == []
    with pytest.raises(MissingExtra, match=r"mlflow.*pixelwise\[track\]"):
        choose("mlflow")


def test_an_unknown_logger_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match="mlflow"):
        replace(TrainOptions(), loggers="mlfow")


def test_wandb_is_told_by_its_own_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    run = types.SimpleNamespace(
        log=lambda values, step: told.append((next(iter(values)), step)),
        finish=lambda exit_code: told.append(("end", exit_code)),
    )
    fake = types.ModuleType("wandb")
    fake.init = lambda **given: told.append(("init", given["resume"])) or run  # type: ignore[attr-defined]
    fake.Image = lambda picture: picture  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    logger = Wandb(tmp_path)
    logger.start({"train.rate": 0.1}, 0)
    logger.scalars(1, {"train/loss": 2.0})
    logger.image(1, "val/a", PICTURE)
    logger.finish("failed")
    assert told == [("init", "allow"), ("train/loss", 1), ("val/a", 1), ("end", 1)]


@pytest.mark.slow
def test_mlflow_keeps_the_run_in_sqlite_and_goes_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "run").mkdir()
    for first, state in ((0, "interrupted"), (2, "finished")):
        logger = Mlflow(tmp_path / "run")
        logger.start({f"train.option{index}": index for index in range(150)}, first)
        logger.scalars(first + 1, {"train/loss": 1.5, "val/miou": 0.25})
        logger.image(first + 1, "val/a", np.zeros((8, 8, 3), np.uint8))
        logger.finish(state)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "pixelwise"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert len(run.data.params) == 150
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 3]
