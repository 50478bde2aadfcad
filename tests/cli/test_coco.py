"""A COCO set goes the whole road of semantic segmentation: checked, described, trained on, scored, predicted."""

import json
import shutil
from pathlib import Path

import pytest

from pixelwise.cli import main
from pixelwise.core.sample import Dataset
from pixelwise.formats import coco, read
from pixelwise.scenes import scenes

TINY = ["--model", "unet", "--encoder", "plain", "--set", "model.width=4", "--set", "model.depth=2", "--set", "train.threads=1"]
RULE = "objects are painted as classes: 'background' where there is none"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coco") / "things"
    drawn = scenes(8, (48, 64), "instance", seed=2)
    coco.write(Dataset(drawn.samples, drawn.labels, "instance", {"train": range(6), "val": [6, 7]}, "things"), path)
    return path


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--data", str(data), "--set", "train.steps=3", "--out", str(out), *TINY]) == 0
    return out


def test_training_says_how_objects_become_classes_in_log_card_and_report(run: Path, data: Path) -> None:
    assert f"labels: {RULE}" in (run / "train.log").read_text()
    card = json.loads((run / "card.json").read_text())
    assert card["kind"] == "semantic"
    assert [each["name"] for each in card["labels"]["classes"]] == ["background", *read(data).labels.names]
    assert card["training"]["labels"].startswith(RULE)
    assert "objects are painted as classes" in (run / "report.html").read_text()


def test_the_kind_may_be_said_and_another_is_refused_before_any_work(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--data", str(data), "--set", "train.steps=1", "--quiet", *TINY]
    assert main([*arguments, "--kind", "semantic", "--out", str(tmp_path / "run")]) == 0
    assert main([*arguments, "--kind", "instance", "--out", str(tmp_path / "other")]) == 2
    assert "unet gives semantic or multilabel segmentations, not instance" in capsys.readouterr().err


def test_a_run_is_scored_with_background_as_a_class_and_says_so(
    run: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), str(data), "--json", "--resamples", "0"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert next(iter(scores["per_class"])) == "background"
    assert any(RULE in note for note in scores["notes"])
    assert scores["miou"] == json.loads((run / "scores.json").read_text())["miou"]


def test_a_method_is_matched_to_background_and_things(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "otsu", str(data), "--json", "--resamples", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["pixel_accuracy"] > 0.5


def test_predictions_of_a_folder_are_scored_against_it(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), str(data / "images"), "--out", str(tmp_path / "masks")]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "masks"), str(data), "--json", "--resamples", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["miou"] == json.loads((run / "scores.json").read_text())["miou"]


def test_a_run_goes_on_from_where_it_stopped(data: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run"), "--quiet"]
    assert main(["train", "--data", str(data), "--set", "train.steps=2", *out, *TINY]) == 0
    assert main(["train", "--resume", *out]) == 0


def test_info_and_check_show_background_and_classes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "info", str(data), "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["kind"] == "instance"
    assert list(figures["classes"]) == ["background", *read(data).labels.names]
    assert sum(row["pixels"] for row in figures["classes"].values()) == 8 * 48 * 64
    main(["data", "check", str(data), "--json"])
    assert json.loads(capsys.readouterr().out)["settled"] is True


def test_the_page_of_a_check_has_background_too(data: Path, tmp_path: Path) -> None:
    assert main(["data", "check", str(data), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert all(name in page for name in ("background", *read(data).labels.names))


def test_a_bad_annotation_leaves_its_image_out_and_training_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spoilt"
    shutil.copytree(data, path)
    file = path / "annotations" / "instances_train.json"
    document = json.loads(file.read_text())
    document["annotations"][0]["segmentation"]["counts"] = "0"
    file.write_text(json.dumps(document))
    assert main(["train", "--data", str(path), "--set", "train.steps=1", "--out", str(tmp_path / "run"), *TINY]) == 1
    said = capsys.readouterr().err
    assert f"left out: {file}: annotation {document['annotations'][0]['id']} of image" in said
    assert "training on 5 images, validating on 2" in said
