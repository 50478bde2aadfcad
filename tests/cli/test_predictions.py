"""Predictions as a person gives them to ``pixelwise evaluate``: found out by what they hold, or told what is wrong."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import write_ids, write_image

NUMBERS = {"train": (1, 2), "val": (3, 4)}
BOX = [[4.0, 4.0, 12.0, 4.0, 12.0, 12.0, 4.0, 12.0]]


def truth(root):
    """Write two COCO files, of two images each, with a box of 8 x 8 in each image."""
    for split, numbers in NUMBERS.items():
        images = [{"id": number, "file_name": f"{number}.png", "height": 20, "width": 30} for number in numbers]
        annotations = [
            {"id": n, "image_id": n, "category_id": 7, "segmentation": BOX, "bbox": [4, 4, 8, 8], "area": 64, "iscrowd": 0}
            for n in numbers
        ]
        for number in numbers:
            write_image(root / split / f"{number}.png", np.full((20, 30, 3), number, np.uint8))
        file = root / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "cell"}]}))
    return root


def results(path, *numbers, **changes):
    entries = [{"image_id": number, "category_id": 7, "score": 0.9, "segmentation": BOX, **changes} for number in numbers]
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture
def coco(tmp_path):
    return truth(tmp_path / "coco")


@pytest.fixture
def evaluated(capsys):
    def call(*arguments):
        code = run(["evaluate", *map(str, arguments), "--resamples", "0", "--json"])
        shown = capsys.readouterr()
        return code, json.loads(shown.out) if shown.out else None, shown.err

    return call


def test_results_lie_anywhere_and_take_the_file_of_the_split(coco, tmp_path, evaluated):
    code, found, _ = evaluated(results(tmp_path / "mine.json", 3, 4), coco)
    assert (code, found["ap"], found["count"], found["split"]) == (0, 1, 2, "val")


def test_results_of_one_of_several_files_name_the_split_to_give(coco, tmp_path, evaluated):
    code, _, err = evaluated(results(tmp_path / "mine.json", 3, 4), coco, "--split", "all")
    assert code == 2
    assert "0 of instances_train.json, 2 of instances_val.json; give --split val" in err


def test_results_of_other_images_are_an_error(coco, tmp_path, evaluated):
    code, _, err = evaluated(results(tmp_path / "mine.json", 3, 4), coco, "--split", "train")
    assert code == 1
    assert "none of the 2 images its results name is in instances_train.json" in err


def test_images_without_results_and_odd_results_are_counted(coco, tmp_path, evaluated):
    code, found, _ = evaluated(results(tmp_path / "mine.json", 3, 99, score=1.5), coco)
    assert (code, found["count"]) == (0, 2)
    notes = " ".join(found["notes"])
    assert "1 of the 2 images of instances_val.json have no result: nothing was found on them" in notes
    assert "2 scores are outside 0 to 1" in notes or "1 scores are outside 0 to 1" in notes
    assert "1 results are of images that" in notes


def test_no_result_at_all_misses_everything(coco, tmp_path, evaluated):
    code, found, _ = evaluated(results(tmp_path / "mine.json"), coco)
    assert (code, found["ap"]) == (0, 0)
    assert any("2 of the 2 images" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ('[{"image_id": 3, "cat', "expected JSON, but", 1),
        ("", "mine.json", 1),
        ('{"a": 1}', "expected COCO results", 1),
        ('[{"image_id": 3, "category_id": 7, "score": 1, "bbox": [1, 1, 2, 2]}]', "boxes without masks", 1),
    ],
)
def test_a_broken_file_is_told_by_name(coco, tmp_path, evaluated, text, message, code):
    (tmp_path / "mine.json").write_text(text)
    found, _, err = evaluated(tmp_path / "mine.json", coco)
    assert found == code
    assert message in err
    assert "mine.json" in err


def test_what_is_neither_model_nor_predictions_says_what_could_be(coco, tmp_path, evaluated):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "3.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for name, found in (
        ("notes.txt", "a file of another kind (.txt)"),
        ("photos", "files of .jpg"),
        ("empty", "an empty folder"),
        ("nowhere/at.json", "nothing there"),
    ):
        code, _, err = evaluated(tmp_path / name, coco)
        assert code == 2
        assert "or predictions: " in err
        assert f"found {found}" in err


def test_a_run_that_has_saved_nothing_is_still_a_run(coco, tmp_path, evaluated):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text("")
    code, _, err = evaluated(tmp_path / "run", coco)
    assert code == 2
    assert "has training saved anything yet" in err


def test_id_pictures_in_folders_are_objects_of_the_only_class(coco, tmp_path, evaluated):
    ids = np.zeros((20, 30), np.uint8)
    ids[4:12, 4:12] = 5
    for number in NUMBERS["val"]:
        write_ids(tmp_path / "theirs" / "val" / f"{number}_ids.png", ids)
    code, found, _ = evaluated(tmp_path / "theirs", coco)
    assert (code, found["ap"]) == (0, 1)
    assert "'_ids' at the end of the predictions' names was taken off" in found["notes"]


def test_levels_score_a_method_at_the_best_of_its_settings(coco, evaluated):
    code, found, _ = evaluated("kmeans", coco, "--levels", "clusters=1,2,3")
    assert code == 0
    assert found["model"] == "kmeans at clusters=1,2,3"
    assert found["covering_ois"] >= found["covering_ods"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kmeans", "--levels", "clusters=2"], "expected an option and two or more of its values"),
        (["kmeans", "--levels", "cluster=2,4"], "did you mean 'clusters'"),
        (["kmeans", "--levels", "clusters=2,many"], "expected whole numbers, got 'many'"),
        (["kmeans", "--levels", "clusters=2,4", "--metrics", "miou"], "overlap scores a method at one setting"),
    ],
)
def test_levels_that_do_not_fit_are_told(coco, evaluated, arguments, message):
    code, _, err = evaluated(arguments[0], coco, *arguments[1:])
    assert code == 2
    assert message in err
