"""Several processes make the run of one: parts of an order, who leads, and two gloo processes against one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from pixelwise.cli.app import main
from pixelwise.core.errors import OptionError
from pixelwise.formats import masks
from pixelwise.models.weights import read_state
from pixelwise.scenes import scenes
from pixelwise.train import start as starting
from pixelwise.train.devices import Share, fits, layout, leads, ranks
from pixelwise.train.loader import Order
from pixelwise.train.options import PLACE, Recipe, TrainOptions, recipe_from

SCRIPT = """
import os, sys, torch
from pixelwise.augment.policy import NONE
from pixelwise.models.networks import unet
from pixelwise.scenes import scenes
from pixelwise.train import TrainOptions, fit

count, out = int(sys.argv[1]), sys.argv[2]
data = scenes(8, (32, 32), seed=4)
found = []
for norm in ("group", "batch"):
    torch.manual_seed(0)
    model = unet.build(data.labels, encoder="plain", width=8, depth=2, norm=norm, loss="cross_entropy + dice + lovasz")
    options = TrainOptions(
        device="cpu", devices=count, steps=3, batch=4, crop=(32, 32), threads=1, precision="32-true", validations=3, ema=0.5,
        optimiser="sgd", rate=0.05, accumulate=2, freeze_norm=norm == "batch", loggers="none",
    )
    run = fit(model, data, data.take(range(5)), options, NONE, quiet=True)
    found.append((run.progress.history, run.model.state_dict()))
if os.environ.get("LOCAL_RANK", "0") == "0":
    torch.save(found, out)
"""


def test_the_parts_of_all_processes_make_the_order_of_one() -> None:
    order = Order(7, 6, seed=3)
    for step in range(5):
        parts = [key for rank in range(3) for key in Share(order, rank, 3).keys(step)]
        assert parts == order.keys(step)


@pytest.mark.parametrize(("batch", "wanted"), [(6, "4 or 8"), (3, "use 4"), (9, "8 or 12")])
def test_a_batch_that_cannot_be_divided_is_refused_with_those_that_can(batch: int, wanted: str) -> None:
    with pytest.raises(OptionError, match=wanted):
        fits(TrainOptions(devices=2, nodes=2, batch=batch))


def test_without_a_launcher_the_options_say_how_many() -> None:
    assert layout(TrainOptions(device="cpu", devices=3, nodes=2)) == (3, 2)
    assert layout(TrainOptions(device="cpu", devices="auto")) == (1, 1)
    assert leads(TrainOptions(devices=3))


def test_torchrun_says_how_many_and_who_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "TORCHELASTIC_RUN_ID": "1",
        "RANK": "5",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "8",
        "LOCAL_WORLD_SIZE": "4",
        "GROUP_RANK": "1",
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert layout(TrainOptions(device="cpu")) == (4, 2)
    assert ranks(TrainOptions(device="cpu")) == 8
    assert not leads(TrainOptions(device="cpu"))
    monkeypatch.setenv("RANK", "0")
    assert leads(TrainOptions(device="cpu"))


def test_several_machines_must_be_told_where_to_meet(tmp_path: Path) -> None:
    masks.write(scenes(4, (32, 32), seed=1), tmp_path / "data")
    with pytest.raises(OptionError, match="MASTER_ADDR"):
        starting.start(recipe_for(tmp_path / "data", nodes=2), tmp_path / "run", quiet=True)


def recipe_for(data: Path, **train: object) -> Recipe:
    return recipe_from(
        {
            "data": {"path": str(data), "val": "0.25"},
            "model": {"encoder": "plain", "width": 4, "depth": 2, "norm": "group"},
            "augment": {"policy": "none"},
            "train": {
                "steps": 4, "batch": 4, "crop": [32, 32], "threads": 1, "validations": 2, "device": "cpu",
                "precision": "32-true", "loggers": "none", "optimiser": "sgd", "rate": 0.05, **train,
            },
        }
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_of_one_s_own_program_make_the_runs_of_one(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    found = []
    for count in (1, 2):
        out = tmp_path / f"{count}.pt"
        done = subprocess.run([sys.executable, script, str(count), out], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        found.append(torch.load(out, weights_only=True))
    for (alone, weights), (both, others) in zip(*found, strict=True):  # with group norm, and with frozen batch norm
        assert [row["loss"] for row in both] == pytest.approx([row["loss"] for row in alone], rel=1e-5)
        assert [row["val_miou"] for row in both] == [row["val_miou"] for row in alone]
        for name, tensor in weights.items():
            torch.testing.assert_close(others[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_command_trains_with_two_processes_and_goes_on_with_one(tmp_path: Path) -> None:
    masks.write(scenes(8, (32, 32), seed=4), tmp_path / "data")
    whole, _, _ = starting.start(recipe_for(tmp_path / "data"), tmp_path / "whole", quiet=True)
    run, _, _ = starting.start(recipe_for(tmp_path / "data", devices=2), tmp_path / "two", quiet=True)
    mine, yours = whole.model.state_dict(), run.model.state_dict()
    for name, tensor in mine.items():
        torch.testing.assert_close(yours[name], tensor, rtol=1e-4, atol=1e-6)
    assert not {"MASTER_PORT", "LOCAL_RANK"} & os.environ.keys()
    again, _, _ = starting.resume(tmp_path / "two", quiet=True, place={"devices": 1})
    assert again.progress.step == 4
    assert main(["train", "--resume", "--out", str(tmp_path / "two"), "--set", "train.devices=1", "--quiet"]) == 0


@pytest.mark.slow
def test_two_processes_interrupted_go_on_as_one(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    masks.write(scenes(8, (32, 32), seed=4), data)
    whole, _, _ = starting.start(recipe_for(data, steps=400), tmp_path / "whole", quiet=True)
    program = str(Path(sys.executable).with_name("pixelwise"))
    command = [program, "train", str(tmp_path / "whole" / "recipe.toml"), "--out", str(out)]
    settings = ["train.devices=2", "train.save_seconds=0"]
    process = subprocess.Popen([*command, *(word for one in settings for word in ("--set", one))], start_new_session=True)
    deadline = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < deadline:
        if (out / "state.pt").is_file() and read_state(out / "state.pt")["progress"]["step"] >= 20:  # type: ignore[index]
            os.killpg(process.pid, signal.SIGINT)
            break
        time.sleep(0.05)
    assert process.wait(60) == 130
    run, _, _ = starting.resume(out, quiet=True, place={"devices": 1})
    assert run.progress.step == 400
    pairs = list(zip(whole.progress.history, run.progress.history, strict=True))
    assert [one["step"] for one, _ in pairs] == [other["step"] for _, other in pairs]
    for one, other in pairs[:10]:  # later on, sums in another order have grown into other weights
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-3)


def test_what_a_run_is_cannot_change_on_resume(tmp_path: Path) -> None:
    masks.write(scenes(4, (32, 32), seed=1), tmp_path / "data")
    starting.start(recipe_for(tmp_path / "data", batch=1), tmp_path / "run", quiet=True)
    with pytest.raises(OptionError, match="rate belongs to what a run is"):
        starting.resume(tmp_path / "run", quiet=True, place={"rate": 0.1})
    assert "rate" not in PLACE
