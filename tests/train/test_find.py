"""Trials before a run: a rate at which the loss falls, batches until memory ends; the model stays as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwise.augment.policy import NONE
from pixelwise.cli.app import main
from pixelwise.core.errors import TrainingError
from pixelwise.core.files import read_json
from pixelwise.formats import masks
from pixelwise.models.networks import unet
from pixelwise.models.segmenter import Segmenter
from pixelwise.scenes import scenes
from pixelwise.train.find import BatchTest, BatchTrial, find_batch, find_rate
from pixelwise.train.fit import fit
from pixelwise.train.options import TrainOptions

DATA = scenes(6, (32, 32), seed=2)
OPTIONS = TrainOptions(batch=2, crop=(32, 32), threads=1, precision="32-true", steps=30)


def tiny() -> Segmenter:
    torch.manual_seed(0)
    return unet.build(DATA.labels, encoder="plain", width=8, depth=2)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "lion"])
def test_the_suggested_rate_trains_better_than_a_hundredth_or_hundred_times_of_it(optimiser: str) -> None:
    options = replace(OPTIONS, optimiser=optimiser, schedule="constant", ema=0.0)  # type: ignore[arg-type]
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = find_rate(model, DATA, options, NONE, steps=60)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert np.all(np.diff(found.rates) > 0)

    def loss_at(rate: float) -> float:
        history = fit(tiny(), DATA, DATA.take([]), replace(options, rate=rate), NONE, quiet=True).progress.history
        return float(np.mean([row["loss"] for row in history[-8:]]))  # type: ignore[misc]

    assert loss_at(found.suggested) < loss_at(found.suggested / 100)
    assert loss_at(found.suggested) < loss_at(found.suggested * 100)


def test_a_loss_that_falls_nowhere_is_said() -> None:
    model = tiny()
    model.head.classify.register_forward_hook(lambda module, given, found: found * 0)
    with pytest.raises(TrainingError, match="falls at no rate"):
        find_rate(model, DATA, OPTIONS, NONE, steps=30)


def holds(most: int) -> Segmenter:
    model = tiny()

    def refuse(module: torch.nn.Module, given: tuple[Tensor, ...]) -> None:
        if len(given[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.network.register_forward_pre_hook(refuse)
    return model


def test_batches_are_doubled_until_memory_ends() -> None:
    found = find_batch(holds(5), DATA, OPTIONS, NONE)
    assert [trial.batch for trial in found.trials] == [1, 2, 4]
    assert found.largest.batch == 4
    assert "batch of 8 does not fit" in found.ended
    assert found.fastest in found.trials


def test_no_image_that_fits_is_said() -> None:
    with pytest.raises(TrainingError, match=r"one crop.*train\.crop"):
        find_batch(holds(0), DATA, OPTIONS, NONE)


def test_the_fastest_is_the_smallest_within_noise() -> None:
    test = BatchTest((BatchTrial(1, 1.0, 0), BatchTrial(2, 0.5, 0), BatchTrial(4, 0.99, 0)), "")
    assert test.fastest.batch == 2


def test_the_command_tries_and_trains_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks.write(DATA, tmp_path / "data")
    settings = ["model.width=4", "model.depth=2", "train.threads=1", "train.steps=3", "train.batch=2"]
    words = [word for setting in settings for word in ("--set", setting)]
    out = tmp_path / "run"
    arguments = ["train", "--data", str(tmp_path / "data"), "--encoder", "plain", "--out", str(out), *words]
    assert main([*arguments, "--find-lr", "--quiet"]) == 0
    assert "--set train.rate=" in capsys.readouterr().out
    assert {entry.name for entry in out.iterdir()} == {"find_rate.png", "find_rate.json"}
    assert (out / "find_rate.png").read_bytes()[:4] == b"\x89PNG"
    assert read_json(out / "find_rate.json")["suggested"] > 0
    assert main([*arguments, "--quiet"]) == 0  # and the folder is free for the run
    assert {"report.html", "find_rate.png"} <= {entry.name for entry in out.iterdir()}
