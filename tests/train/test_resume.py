"""A run that was killed and resumed ends with the same weights, bit for bit, as one that never was."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from pixelwise.core.errors import CheckpointError, MissingFile, RunInUse
from pixelwise.formats import masks
from pixelwise.models.weights import read_state, read_tensors
from pixelwise.scenes import scenes
from pixelwise.train import start as starting
from pixelwise.train.options import Recipe, read_recipe, recipe_from

STEPS = 24


def recipe_for(data: Path, **train: object) -> Recipe:
    return recipe_from(
        {
            "data": {"path": str(data), "val": "0.25"},
            "model": {"encoder": "plain", "width": 4, "depth": 2, "dropout": 0.2},
            "train": {"steps": STEPS, "batch": 3, "crop": [32, 32], "threads": 1, "save_seconds": 0, "validations": 4, **train},
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resume") / "scenes"
    masks.write(scenes(8, (48, 48), seed=3), path)
    return path


def _run_until(
    context: multiprocessing.context.BaseContext, target: object, arguments: tuple[object, ...], out: Path, step: int
) -> None:
    """Run in a process of its own and kill it with SIGKILL once its state says ``step``; step 0 lets it end."""
    process = context.Process(target=target, args=arguments)  # type: ignore[attr-defined]
    process.start()
    deadline = time.monotonic() + 120
    while step and process.is_alive() and time.monotonic() < deadline:
        state = out / "state.pt"
        if state.is_file() and read_state(state)["progress"]["step"] >= step:  # type: ignore[index]
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    process.join(120)
    assert process.exitcode == (-signal.SIGKILL if step else 0)


def test_resume_after_sigkill_at_three_random_steps_ends_with_equal_weights(data: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")  # one process imports torch, its forks train
    context.set_forkserver_preload(["pixelwise.train.start", "pixelwise.models.networks.unet"])
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    _run_until(context, starting.start, (recipe_for(data), whole, True), whole, 0)
    kills = sorted(random.SystemRandom().sample(range(1, STEPS - 4), 3))
    _run_until(context, starting.start, (recipe_for(data), broken, True), broken, kills[0])
    for step in kills[1:]:
        _run_until(context, starting.resume, (broken, True), broken, step)
    _run_until(context, starting.resume, (broken, True), broken, 0)
    for name in ("last.safetensors", "best.safetensors"):
        first, second = read_tensors(whole / name), read_tensors(broken / name)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), f"{name} differs after kills at {kills}"
    states = [read_state(folder / "state.pt") for folder in (whole, broken)]
    optimisers = [state["parts"]["optimiser"]["state"] for state in states]  # type: ignore[index]
    assert all(torch.equal(optimisers[0][row]["exp_avg"], optimisers[1][row]["exp_avg"]) for row in optimisers[0])
    histories = [[(row["step"], row["loss"], row["val_miou"]) for row in state["progress"]["history"]] for state in states]  # type: ignore[index]
    assert histories[0] == histories[1]


def test_a_recipe_read_back_reproduces_the_run(data: Path, tmp_path: Path) -> None:
    first, _, _ = starting.start(recipe_for(data, steps=3), tmp_path / "first", quiet=True)
    again, _, _ = starting.start(read_recipe(tmp_path / "first" / "recipe.toml"), tmp_path / "again", quiet=True)
    mine, yours = first.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(mine[key], yours[key]) for key in mine)


def test_resuming_a_finished_run_changes_nothing(data: Path, tmp_path: Path) -> None:
    starting.start(recipe_for(data, steps=3), tmp_path / "run", quiet=True)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    run, _, _ = starting.resume(tmp_path / "run", quiet=True)
    assert run.progress.step == 3
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_a_changed_recipe_is_not_resumed(data: Path, tmp_path: Path) -> None:
    starting.start(recipe_for(data, steps=3), tmp_path / "run", quiet=True)
    recipe = tmp_path / "run" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("rate = 0.001", "rate = 0.002"))
    with pytest.raises(CheckpointError, match="changed since"):
        starting.resume(tmp_path / "run", quiet=True)


def test_a_truncated_state_is_named(data: Path, tmp_path: Path) -> None:
    starting.start(recipe_for(data, steps=3), tmp_path / "run", quiet=True)
    state = tmp_path / "run" / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        starting.resume(tmp_path / "run", quiet=True)


def test_a_folder_with_another_run_is_refused(data: Path, tmp_path: Path) -> None:
    starting.start(recipe_for(data, steps=3), tmp_path / "run", quiet=True)
    with pytest.raises(RunInUse, match="--resume"):
        starting.start(recipe_for(data, steps=3), tmp_path / "run", quiet=True)


def test_a_folder_with_other_files_is_refused_and_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunInUse, match=r"thesis\.tex"):
        starting.start(recipe_for(data, steps=3), tmp_path, quiet=True)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_resuming_nothing_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="--data"):
        starting.resume(tmp_path / "none")
