"""Fine-tuning and cross-validation as a user calls them."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelwise.cli import main
from pixelwise.formats import masks
from pixelwise.models.weights import read_tensors
from pixelwise.scenes import scenes

TINY = ["--encoder", "plain", "--set", "model.width=4", "--set", "model.depth=2"]
QUICK = ["--set", "train.threads=1", "--set", "train.loggers=none", "--quiet"]
STILL = ["--set", "train.rate=0.0", "--set", "train.ema=0.0", "--set", "train.steps=1", "--set", "train.decay=0.0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "scenes"
    masks.write(scenes(9, (48, 64), seed=2), path)
    return path


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    steps = ["--set", "train.steps=2"]
    assert main(["train", "--data", str(data), "--out", str(out), "--split", "0.25", *steps, *TINY, *QUICK]) == 0
    return out


def names_of(data: Path) -> list[str]:
    from pixelwise.formats import read

    return list(read(data).labels.names)


def classes_for(data: Path) -> list[str]:
    """Name the values of the masks: the first class anew, the others as they were."""
    return ["--classes", ",".join(["novel", *names_of(data)[1:]])]


def test_a_run_with_other_classes_starts_from_a_run(run: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    arguments = ["train", "--data", str(data), "--weights", str(run), "--out", str(out), "--split", "0.25"]
    assert main([*arguments, *classes_for(data), *STILL, *QUICK]) == 0
    before, after = read_tensors(run / "best.safetensors"), read_tensors(out / "last.safetensors")
    same = [
        name for name, tensor in before.items() if "running" not in name and "num_batches" not in name and "head" not in name
    ]
    assert all(torch.equal(before[name], after[name]) for name in same)
    weight = "head.classify.weight"
    assert torch.equal(before[weight][1:], after[weight][1:])
    assert not torch.equal(before[weight][0], after[weight][0])
    card = json.loads((out / "card.json").read_text())
    assert card["training"]["weights"]["classes"]["new"] == ["novel"]
    assert card["training"]["weights"]["classes"]["dropped"] == names_of(data)[:1]
    assert card["options"]["width"] == 4  # as the run it came from, without a word
    log = (out / "train.log").read_text()
    assert "classes new      novel" in log
    assert "weights: " in log


def test_a_fine_tuned_run_is_resumed_though_its_origin_is_gone(run: Path, data: Path, tmp_path: Path) -> None:
    origin, out = tmp_path / "origin", tmp_path / "tuned"
    shutil.copytree(run, origin)
    arguments = ["train", "--data", str(data), "--weights", str(origin), "--out", str(out), "--split", "0.25"]
    assert main([*arguments, "--set", "train.steps=2", *QUICK]) == 0
    assert Path(tomllib.loads((out / "recipe.toml").read_text())["model"]["weights"]).is_absolute()
    shutil.rmtree(origin)
    assert main(["train", "--resume", "--out", str(out), "--quiet"]) == 0
    assert json.loads((out / "card.json").read_text())["training"]["weights"]["loaded"] > 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "nowhere/run"], "nothing there"),
        (["--weights", "imagnet"], "imagenet"),
        (["--weights", "timm:resnet5O"], "resnet50"),
        (["--weights", "torchvision:resnet50.IMAGENET1K_V9", "--encoder", "resnet50"], "IMAGENET1K_V2"),
        (["--freeze", "encodr"], "encoder"),
        (["--freeze", "-1"], "freeze"),
        (["--folds", "1"], "folds"),
        (["--folds", "3", "--split", "0.2"], "exclude"),
        (["--folds", "40"], "9 images cannot make 40 folds"),
        (["--set", "train.loggers=tensorbord"], "tensorboard"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "run"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_weights_of_another_network_are_refused_with_both_sides(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--data", str(data), "--weights", str(run), "--encoder", "tf_efficientnet_lite0"]
    assert main([*arguments, "--out", str(tmp_path / "run"), "--set", "model.decoder=[]"]) == 1
    error = capsys.readouterr().err
    assert "nothing in it fits" in error
    assert "conv_stem" in error


def test_named_weights_without_a_hub_say_what_to_do(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ["train", "--data", str(data), "--weights", "timm:resnet18.a1_in1k", "--encoder", "resnet18"]
    assert main([*arguments, "--out", str(tmp_path / "run"), *QUICK]) == 2
    error = capsys.readouterr().err
    assert "--weights FILE" in error
    assert "tf_efficientnet_lite0" in error


def test_a_frozen_run_says_so(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["train", "--data", str(data), "--out", str(out), "--freeze", "2", "--set", "train.steps=1", "--split", "0.25"]
    assert main([*arguments, *TINY, *QUICK]) == 0
    assert "frozen: 2 of 3 encoder stages" in (out / "train.log").read_text()


@pytest.fixture(scope="module")
def folds(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("folds") / "run"
    arguments = ["train", "--data", str(data), "--folds", "3", "--out", str(out), "--set", "train.steps=2"]
    assert main([*arguments, *TINY, *QUICK]) == 0
    return out


def test_every_image_is_scored_once_by_the_model_that_has_not_seen_it(folds: Path, data: Path) -> None:
    found = json.loads((folds / "folds.json").read_text())
    members = [set(names) for names in found["members"].values()]
    assert len(members) == 3
    assert sum(map(len, members)) == len(set.union(*members)) == 9
    assert found["out_of_fold"]["count"] == 9
    for number, names in enumerate(members, start=1):
        card = json.loads((folds / f"fold_{number}" / "card.json").read_text())
        assert set(card["training"]["val_names"]) == names
        assert (folds / f"fold_{number}" / "report.html").is_file()
    assert (folds / "report.html").is_file()


def test_out_of_fold_counts_are_the_sums_of_the_folds(folds: Path) -> None:
    found = json.loads((folds / "folds.json").read_text())
    parts = [json.loads((folds / f"fold_{number}" / "scores.json").read_text()) for number in (1, 2, 3)]
    total = sum(np.array(part["confusion"]) for part in parts)
    assert np.array_equal(total, np.array(found["out_of_fold"]["confusion"]))
    mious = [part["miou"] for part in parts]
    assert found["spread"]["miou"]["folds"] == pytest.approx(mious)
    assert found["spread"]["miou"]["mean"] == pytest.approx(np.mean(mious))
    assert found["spread"]["miou"]["deviation"] == pytest.approx(np.std(mious, ddof=1))


def test_folds_are_resumed_where_they_stopped(folds: Path, tmp_path: Path) -> None:
    broken = tmp_path / "run"
    shutil.copytree(folds, broken)
    shutil.rmtree(broken / "fold_3")
    (broken / "folds.json").unlink()
    first = (broken / "fold_1" / "best.safetensors").stat().st_mtime_ns
    assert main(["train", "--resume", "--out", str(broken), "--quiet"]) == 0
    again, whole = (json.loads((path / "folds.json").read_text()) for path in (broken, folds))
    assert again["out_of_fold"]["miou"] == whole["out_of_fold"]["miou"]
    assert (broken / "fold_1" / "best.safetensors").stat().st_mtime_ns == first


def test_folds_are_not_written_over(folds: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(data), "--folds", "3", "--out", str(folds), *TINY]) == 2
    assert "--resume" in capsys.readouterr().err


def test_a_folder_of_folds_is_no_model_and_says_so(folds: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folds), str(data)]) == 2
    assert "fold_1" in capsys.readouterr().err


def test_a_fold_of_data_with_splits_is_scored_on_what_it_has_not_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pixelwise.core.sample import Dataset

    drawn = scenes(8, (32, 32), seed=4)
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    masks.write(Dataset(drawn.samples, drawn.labels, drawn.kind, splits), tmp_path / "data")
    arguments = ["train", "--data", str(tmp_path / "data"), "--folds", "2", "--out", str(tmp_path / "run")]
    assert main([*arguments, "--set", "train.steps=1", *TINY, *QUICK]) == 0
    members = json.loads((tmp_path / "run" / "folds.json").read_text())["members"]
    assert sum(map(len, members.values())) == 6  # the test split is in no fold
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run" / "fold_1"), str(tmp_path / "data"), "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["per_image"]} == set(members["fold_1"])


def test_one_fold_alone_is_a_run(data: Path, folds: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ["--set", "data.folds=3", "--set", "data.fold=2", "--set", "train.steps=2"]
    assert main(["train", "--data", str(data), "--out", str(out), *settings, *TINY, *QUICK]) == 0
    first, second = (read_tensors(path / "last.safetensors") for path in (out, folds / "fold_2"))
    assert all(torch.equal(first[name], second[name]) for name in first)
