"""The command ``pixelwise evaluate``."""

import csv
import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import write_ids, write_image


def thing(row, column):
    mask = np.zeros((24, 32), bool)
    mask[row : row + 8, column : column + 10] = True
    return mask


def write_split(root, split, count, first=0):
    """Write pictures of a bright box with their masks: ``<split>/images`` and ``<split>/masks``."""
    for index in range(count):
        mask = thing(4 + index, 5 + 2 * index)
        write_image(root / split / "images" / f"{first + index}.png", np.where(mask, 210, 50).astype(np.uint8))
        write_ids(root / split / "masks" / f"{first + index}.png", mask.astype(np.uint8))


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    write_split(root, "train", 3)
    write_split(root, "val", 2, first=10)
    (root / "classes.txt").write_text("background\nforeground\n")
    return root


@pytest.fixture
def evaluated(capsys):
    def call(*arguments):
        code = run(["evaluate", *map(str, arguments)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_json_alone_is_on_stdout_and_val_is_chosen(data, evaluated):
    code, out, err = evaluated("otsu", data, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["miou"], found["count"], found["split"]) == (1.0, 2, "val")
    assert "no --split given: scoring 'val'" in err
    assert found["per_class"]["foreground"]["iou"] == 1.0


def test_a_named_split_is_scored(data, evaluated):
    assert json.loads(evaluated("otsu", data, "--split", "train", "--json")[1])["count"] == 3


def test_regions_are_matched_on_the_training_split_and_the_report_says_so(data, evaluated):
    code, out, _ = evaluated("kmeans", data, "--json")
    found = json.loads(out)
    assert (code, found["miou"]) == (0, 1.0)
    assert found["model"] == "kmeans, matched by majority on 3 training images"
    assert any("matched to classes by majority on 3 training images" in note for note in found["notes"])


def test_a_trainable_method_is_trained_on_the_training_split(data, evaluated):
    found = json.loads(evaluated("randomforest", data, "--json")[1])
    assert found["miou"] > 0.8
    assert "the method was trained on 3 training images" in found["notes"]


def test_a_folder_of_predictions_scores_as_its_model_did(data, tmp_path, evaluated, capsys):
    for options in ([], ["--binary"]):
        out = tmp_path / f"predicted{len(options)}"
        assert run(["predict", "otsu", str(data / "val" / "images"), "--out", str(out), *options]) == 0
        capsys.readouterr()
        code, text, _ = evaluated(out, data, "--json")
        assert code == 0
        assert json.loads(text)["miou"] == 1.0


def test_predictions_of_any_tool_are_read_in_the_coding_of_the_truth(data, tmp_path, evaluated):
    for index in range(2):
        write_ids(tmp_path / "others" / f"{10 + index}.png", thing(4 + index, 5 + 2 * index).astype(np.uint8))
    assert json.loads(evaluated(tmp_path / "others", data, "--json")[1])["miou"] == 1.0


def test_a_missing_prediction_gives_exit_code_1(data, tmp_path, evaluated):
    write_ids(tmp_path / "others" / "10.png", thing(4, 5).astype(np.uint8))
    code, out, err = evaluated(tmp_path / "others", data, "--json")
    assert (code, json.loads(out)["count"]) == (1, 1)
    assert "others: expected a prediction for 11, found none of that name" in err


def test_a_broken_image_is_listed_and_gives_exit_code_1(data, evaluated):
    whole = (data / "val" / "images" / "10.png").read_bytes()
    (data / "val" / "images" / "10.png").write_bytes(whole[: len(whole) // 2])
    code, out, _ = evaluated("otsu", data)
    assert code == 1
    assert "failed: 10: " in out


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_an_image_or_mask_without_its_partner_is_told_and_gives_exit_code_1(data, evaluated, folder):
    (data / "val" / folder / "10.png").unlink()
    code, out, _ = evaluated("otsu", data)
    assert code == 1
    assert out.startswith("1 images")
    assert "10.png" in out


def test_out_gets_scores_and_a_page_with_the_same_numbers(data, tmp_path, evaluated):
    _, out, _ = evaluated("kmeans", data, "--json", "--out", tmp_path / "report")
    assert json.loads((tmp_path / "report" / "scores.json").read_text()) == json.loads(out)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "matched by majority on 3 training images" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    with (tmp_path / "report" / "scores.csv").open(newline="") as file:
        assert {row["score"]: float(row["value"] or "nan") for row in csv.DictReader(file)}["miou"] == json.loads(out)["miou"]
    assert {"scores.md", "per_class.csv", "per_image.csv"} < {path.name for path in (tmp_path / "report").iterdir()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["otsuu"], "did you mean 'otsu'"),
        (["otsu", "--metrics", "miuo"], "did you mean 'miou'"),
        (["otsu", "--split", "vla"], "no split is called 'vla'"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(data, evaluated, arguments, message):
    code, out, err = evaluated(arguments[0], data, *arguments[1:])
    assert (code, out) == (2, "")
    assert message in err


def test_unsettled_values_are_refused_with_the_flag_that_settles_them(data, tmp_path, evaluated):
    (data / "classes.txt").unlink()
    for path in data.glob("*/masks/*.png"):
        write_ids(path, np.where(thing(5, 5), 255, 0).astype(np.uint8))
    code, _, err = evaluated("otsu", data)
    assert code == 2
    assert "--void" in err
    assert evaluated("otsu", data, "--void", "none")[0] == 0


def test_every_score_has_its_interval_and_the_group_is_named(data, evaluated):
    write_split(data, "val", 6, first=10)
    found = json.loads(evaluated("otsu", data, "--json", "--resamples", "200")[1])
    assert found["miou_interval"] == [1, 1]
    assert found["per_class"]["foreground"]["iou_interval"] == [1, 1]
    assert "200 data sets of as many images" in found["rules"]["interval"]
    found = json.loads(evaluated("otsu", data, "--json", "--group", "name")[1])
    assert found["miou_interval"] is None  # all are of one film: 10, 11, 12 …
    assert any("at least two groups" in note for note in found["notes"])


def test_no_intervals_may_be_wanted(data, evaluated):
    assert "miou_interval" not in json.loads(evaluated("otsu", data, "--json", "--resamples", "0")[1])
    code, _, err = evaluated("otsu", data, "--resamples", "7")
    assert code == 2
    assert "at least 100 resamples, got 7" in err


def test_a_page_has_recall_by_size_and_classes_at_their_best_and_worst(data, tmp_path, evaluated):
    found = json.loads(evaluated("otsu", data, "--json", "--out", tmp_path / "report")[1])
    assert found["recall_small"] == 1
    assert found["by_size"][3]["segments"] == 2  # 8 x 10 pixels and 24 x 32 less that
    assert found["best_worst"]["foreground"]["worst"]["iou"] == 1
    assert "Best and worst by class" in (tmp_path / "report" / "report.html").read_text()


def test_probabilities_are_refused_where_there_are_none(data, evaluated):
    code, out, err = evaluated("otsu", data, "--metrics", "overlap,ece")
    assert (code, out) == (2, "")
    assert "'otsu' gives no probabilities, which calibration needs" in err


def test_an_out_that_is_a_file_is_told_before_the_work(data, tmp_path, evaluated, monkeypatch):
    monkeypatch.setattr("pixelwise.cli.evaluate.score", lambda *_: pytest.fail("scored"))
    (tmp_path / "taken").write_text("mine")
    code, out, err = evaluated("otsu", data, "--out", tmp_path / "taken")
    assert (code != 0, out) == (True, "")
    assert "taken: expected a folder, found a file" in err
    assert (tmp_path / "taken").read_text() == "mine"
