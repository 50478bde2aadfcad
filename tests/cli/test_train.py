"""``train``, ``show``, ``list`` and ``demo`` as a user calls them; the app runs in this process."""

import json
from pathlib import Path

import pytest

from pixelwise.cli import main
from pixelwise.formats import masks
from pixelwise.scenes import scenes

TINY = ["--encoder", "plain", "--set", "model.width=4", "--set", "model.depth=2", "--set", "train.threads=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "scenes"
    masks.write(scenes(8, (48, 64), seed=2), path)
    return path


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--data", str(data), "--epochs", "2", "--out", str(out), "--split", "0.25", *TINY]) == 0
    return out


def test_a_run_leaves_all_that_the_readme_names(run: Path) -> None:
    names = {entry.name for entry in run.iterdir()}
    assert names >= {
        "report.html", "scores.json", "best.safetensors", "last.safetensors", "card.json", "recipe.toml", "history.csv",
        "curves.png", "train.log", "state.pt", "environment.json",
    }  # fmt: skip


def test_the_recipe_is_resolved(run: Path) -> None:
    import tomllib

    recipe = tomllib.loads((run / "recipe.toml").read_text())
    assert recipe["train"]["steps"] == 2  # 6 images in batches of 6, twice
    assert recipe["train"]["crop"] == [64, 64]
    assert "minutes" not in recipe["train"] or recipe["train"]["minutes"] == 0


def test_evaluate_and_predict_take_the_run(run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), str(data), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert 0 <= scores["miou"] <= 1
    assert main(["predict", str(run), str(data / "images"), "--out", str(tmp_path / "masks")]) == 0
    assert len(list((tmp_path / "masks").glob("*_overlay.jpg"))) == 8


def test_a_time_becomes_steps_in_the_recipe(data: Path, tmp_path: Path) -> None:
    import tomllib

    arguments = ["train", "--data", str(data), "--minutes", "0.02", "--out", str(tmp_path / "timed"), "--quiet", *TINY]
    assert main(arguments) == 0
    recipe = tomllib.loads((tmp_path / "timed" / "recipe.toml").read_text())
    assert recipe["train"]["steps"] >= 1
    assert recipe["train"]["minutes"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "unett"], "unet"),
        (["--encoder", "resnet18x"], "resnet18"),
        (["--set", "train.epoch=3"], "epochs"),
        (["--set", "modle.width=3"], "model"),
        (["--set", "model.widht=3"], "width"),
        (["--set", "rate=3"], "table.key=value"),
        (["--split", "vall"], "vall"),
        (["--epochs", "1", "--minutes", "1"], "exclude"),
        (["--void", "9"], "9"),
    ],
)
def test_a_typo_is_one_sentence_with_the_nearest_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "run"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "run" / "recipe.toml").exists()


def test_after_a_typo_the_corrected_command_takes_the_same_folder(data: Path, tmp_path: Path) -> None:
    wrong = ["train", "--data", str(data), "--out", str(tmp_path / "run"), "--epochs", "1", "--encoder", "resnet18x"]
    assert main(wrong) == 2
    right = ["train", "--data", str(data), "--out", str(tmp_path / "run"), "--epochs", "1", "--quiet", *TINY]
    assert main(right) == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.norm=bacth", "batch"),
        ("model.upsampling=nearst", "nearest"),
        ("model.class_weights=[1.0, 2.0]", "class weights"),
        ("model.dropout=2.0", "dropout"),
        ("train.seed=-1", "seed"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, words: str
) -> None:
    arguments = ["train", "--data", str(data), "--out", str(tmp_path / "run"), *TINY, "--set", setting]
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_bad_files_are_left_out_listed_and_exit_with_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(data, tmp_path / "data")
    victim = sorted((tmp_path / "data" / "masks").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:40])
    arguments = ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--epochs", "1", "--quiet", *TINY]
    assert main(arguments) == 1
    assert victim.name in capsys.readouterr().err
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_images_kept_aside_are_those_evaluate_calls_val(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = json.loads((run / "scores.json").read_text())
    capsys.readouterr()
    assert main(["evaluate", str(run), str(data), "--split", "val", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["miou"] == own["miou"]
    assert [row["name"] for row in again["per_image"]] == [row["name"] for row in own["per_image"]]


def test_no_data_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", "--out", str(tmp_path / "run")]) == 2
    assert "--data" in capsys.readouterr().err
    assert main(["train", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_second_run_does_not_overwrite_the_first(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "best.safetensors").read_bytes()
    assert main(["train", "--data", str(data), "--out", str(run), *TINY]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (run / "best.safetensors").read_bytes() == before


def test_resume_keeps_to_the_runs_own_recipe_and_says_so(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "recipe.toml").read_bytes()
    assert main(["train", "--resume", "--data", str(data), "--epochs", "9", "--out", str(run)]) == 0
    assert "not used" in capsys.readouterr().err
    assert (run / "recipe.toml").read_bytes() == before


def test_resume_starts_a_run_that_is_not_there_yet(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert main(["train", "--resume", "--data", str(data), "--epochs", "1", "--out", str(out), "--quiet", *TINY]) == 0
    assert (out / "best.safetensors").is_file()
    assert main(["train", "--resume", "--out", str(tmp_path / "none")]) == 2


def test_unsettled_labels_stop_training_and_name_the_flag(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    from pixelwise.core.image import write_ids, write_image

    for index in range(3):
        mask = np.zeros((32, 32), np.uint8)
        mask[8:20, 4 + index : 20] = 255
        write_image(tmp_path / "data" / "images" / f"{index}.png", np.full((32, 32, 3), 90, np.uint8))
        write_ids(tmp_path / "data" / "masks" / f"{index}.png", mask)
    assert main(["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *TINY]) == 2
    assert "--void" in capsys.readouterr().err
    settled = ["train", "--data", str(tmp_path / "data"), "--void", "none", "--out", str(tmp_path / "run"), "--epochs", "1"]
    assert main([*settled, "--split", "0.34", *TINY]) == 0


def test_show_counts_the_papers_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "model.norm=none", "--set", "model.upsampling=transposed", "--set", "model.bands=['grey']"]
    arguments = ["show", "unet", "--size", "64,64", "--classes", "2", "--encoder", "plain", "--json", *settings]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 31_030_658
    assert found["layers"][0]["output"] == [2, 64, 64]


def test_multiply_adds_of_one_convolution_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "unet", "--size", "64,96", "--encoder", "plain", "--json", "--depth", "9"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    first = next(layer for layer in layers if layer["kind"] == "Conv2d")
    assert first["multiply_adds"] == 64 * 96 * 64 * 3 * 9


def test_show_takes_a_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(run), "--size", "48,64"]) == 0
    assert "multiply-adds" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["show", "unett"], ["show", "unet", "--size", "big"], ["list", "modles"]])
def test_wrong_use_exits_with_two(arguments: list[str]) -> None:
    assert main(arguments) == 2


@pytest.mark.parametrize(
    ("what", "name"), [("models", "unet"), ("methods", "otsu"), ("formats", "masks"), ("metrics", "overlap")]
)
def test_list_names_each_row(what: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", what]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith(name))
    assert len(line.split()) > 3


def test_the_demo_writes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pixelwise.cli import demo

    monkeypatch.setattr(demo, "TRAIN", 8)
    monkeypatch.setattr(demo, "VAL", 3)
    monkeypatch.setattr(demo, "STEPS", 3)
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "U-Net" in printed
    assert "kmeans" in printed
    assert (out / "run" / "report.html").is_file()
    assert len(list((out / "masks").glob("*_overlay.jpg"))) == 3
    assert main(["demo", "--out", str(out)]) == 0  # a second time replaces the first
    (out / "notes.txt").write_text("mine")
    assert main(["demo", "--out", str(out)]) == 2
    assert (out / "notes.txt").exists()


@pytest.mark.slow
def test_the_demo_reaches_its_score(tmp_path: Path) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    scores = json.loads((tmp_path / "demo" / "run" / "scores.json").read_text())
    assert scores["miou"] >= 0.85
