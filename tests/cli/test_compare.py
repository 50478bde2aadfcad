"""The command ``pixelwise compare``."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import write_ids, write_image

CLASSES = "background\nforeground\n"


def thing(index):
    mask = np.zeros((24, 32), np.uint8)
    mask[4 + index % 8 : 14 + index % 8, 5 + index : 17 + index] = 1
    return mask


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for split, rows in (("train", range(3)), ("val", range(3, 11))):
        for row in rows:
            write_image(root / split / "images" / f"{row}.png", np.where(thing(row), 210, 50).astype(np.uint8))
            write_ids(root / split / "masks" / f"{row}.png", thing(row))
    (root / "classes.txt").write_text(CLASSES)
    return root


@pytest.fixture
def shifted(tmp_path):
    """A folder of predictions, each off by two columns."""
    for row in range(3, 11):
        write_ids(tmp_path / "shifted" / f"{row}.png", np.roll(thing(row), 2, axis=1))
    return tmp_path / "shifted"


@pytest.fixture
def compared(capsys):
    def call(*arguments):
        code = run(["compare", *map(str, arguments)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_a_folder_of_predictions_is_compared_with_a_method(data, shifted, compared):
    code, out, err = compared(shifted, "otsu", data, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["a"]["model"], found["b"]["model"], found["count"], found["split"]) == (str(shifted), "otsu", 8, "val")
    assert found["b"]["miou"] == 1
    low, high = found["difference"]["miou_interval"]
    assert 0 < low <= found["difference"]["miou"] <= high
    assert found["verdict"].startswith("B is better by ")
    assert "no --split given: scoring 'val'" in err


def test_the_table_ends_in_the_verdict(data, shifted, compared):
    code, out, _ = compared("otsu", shifted, data, "--metrics", "dice")
    assert code == 0
    assert out.rstrip().splitlines()[-1].startswith("A is better by ")
    assert "dice" in out
    assert "pixel_accuracy" not in out


def test_methods_that_need_training_are_both_scored_on_the_rest(data, compared, tmp_path):
    """Without a training split one half serves as one, for A and B alike."""
    import shutil

    shutil.copytree(data / "val", tmp_path / "flat")
    (tmp_path / "flat" / "classes.txt").write_text(CLASSES)
    code, out, _ = compared("otsu", "kmeans", tmp_path / "flat", "--json")
    found = json.loads(out)
    assert (code, found["count"]) == (0, 4)
    assert found["verdict"] == "A and B are equal in mIoU on 4 images."
    assert any(note.startswith("B: the data has no training split") for note in found["notes"])


def test_an_image_that_one_cannot_score_counts_for_neither_and_gives_exit_code_1(data, shifted, compared):
    (shifted / "5.png").unlink()
    code, out, err = compared(shifted, "otsu", data, "--json")
    found = json.loads(out)
    assert (code, found["count"]) == (1, 7)
    assert found["failures"][0]["name"] == "5"
    assert "A: " in err
    assert "shifted: expected a prediction for 5, found none of that name" in err


def test_out_gets_the_figures_and_a_page(data, shifted, compared, tmp_path):
    code, out, _ = compared(shifted, "otsu", data, "--json", "--out", tmp_path / "out")
    assert code == 0
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == json.loads(out)
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert json.loads(out)["verdict"] in page
    assert page.count("<figure>") == 4 * 5
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"comparison.{end}" for end in ("json", "html", "md", "csv")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["otsuu", "otsu"], "did you mean 'otsu'"),
        (["otsu", "otsu", "--metrics", "miuo"], "did you mean 'miou'"),
        (["otsu", "otsu", "--split", "vla"], "no split is called 'vla'"),
        (["otsu", "otsu", "--metrics", "calibration"], "gives no probabilities"),
        (["otsu", "otsu", "--group", "sequence"], "does not say its 'sequence'"),
        (["otsu", "otsu", "--resamples", "5"], "100"),
    ],
)
def test_wrong_use_is_told_with_exit_code_2(data, compared, arguments, message):
    code, out, err = compared(*arguments[:2], data, *arguments[2:])
    assert (code, out) == (2, "")
    assert message in err


def test_an_out_that_is_a_file_is_told_before_the_work(data, shifted, tmp_path, compared, monkeypatch):
    monkeypatch.setattr("pixelwise.cli.compare._compared", lambda *_: pytest.fail("scored"))
    (tmp_path / "taken").write_text("mine")
    code, out, err = compared(shifted, "otsu", data, "--out", tmp_path / "taken")
    assert (code != 0, out) == (True, "")
    assert "taken: expected a folder, found a file" in err
    assert (tmp_path / "taken").read_text() == "mine"
