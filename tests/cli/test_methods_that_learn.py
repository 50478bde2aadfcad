"""Methods by the command line: trained, tuned, chosen, limited in time, and told about."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import as_image, read_image, write_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import FORMATS
from pixelwise.methods import METHODS
from pixelwise.methods.effort import advance


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """A folder of eight images of a bright square, with masks."""
    root = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for index in range(8):
        top, left = rng.integers(2, 12, 2)
        mask = np.zeros((24, 32), np.uint8)
        mask[top : top + 9, left : left + 12] = 1
        grey = np.clip(np.where(mask, 90, 40) + rng.normal(0, 5, mask.shape), 0, 255)
        for folder, pixels in (("images", grey.astype(np.uint8)), ("masks", mask)):
            (root / folder).mkdir(exist_ok=True)
            write_image(root / folder / f"{index}.png", pixels)
    return root


def test_a_forest_is_trained_scored_and_used_like_a_network(cells, tmp_path, capsys):
    rf = tmp_path / "rf"
    command = ["train", "--data", str(cells), "--model", "randomforest", "--void", "none", "--out", str(rf)]
    assert run([*command, "--set", "model.trees=4", "--set", "model.scales=[0, 1]"]) == 0
    assert {"method.toml", "method.safetensors", "card.json", "scores.json", "report.html"} <= {p.name for p in rf.iterdir()}
    card = json.loads((rf / "card.json").read_text())
    assert card["options"] == {"trees": 4, "scales": [0.0, 1.0]}
    capsys.readouterr()
    assert run(["evaluate", str(rf), str(cells), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["miou"] > 0.9
    assert found["count"] == card["training"]["val_images"] < 8  # those it was not trained on
    assert run(["predict", str(rf), str(cells / "images" / "0.png"), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "labels.json").read_text())["model"] == "randomforest"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--epochs", "3"], "[train] epochs: 'randomforest' is a method"),
        (["--folds", "3"], "folds are of networks"),
        (["--set", "model.tres=3"], "no option 'tres'; did you mean 'trees'"),
        (["--set", "model.trees=many"], "[model]: trees: expected int, got 'many'"),
    ],
)
def test_what_is_for_networks_alone_is_refused(cells, tmp_path, capsys, more, message):
    assert run(["train", "--data", str(cells), "--model", "randomforest", "--out", str(tmp_path / "x"), *more]) == 2
    assert message in capsys.readouterr().err


def test_strokes_on_an_image_are_enough(cells, tmp_path):
    marks = [{"points": [[2, 22, False], [30, 1, False]]}, {"scribbles": [{"line": [[14, 11], [15, 12]]}]}]
    (tmp_path / "strokes.json").write_text(json.dumps(marks))
    image = str(cells / "images" / "0.png")
    command = ["predict", "randomforest", image, "--prompts", str(tmp_path / "strokes.json"), "--out", str(tmp_path / "out")]
    assert run(command) == 0
    told = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert [one["name"] for one in told["labels"]["classes"]] == ["background", "foreground"]


def test_tuning_writes_a_file_that_takes_the_methods_place(cells, tmp_path, capsys):
    pytest.importorskip("optuna")
    file = tmp_path / "level.toml"
    command = ["tune", "threshold", str(cells), "--void", "none", "--trials", "20", "--out", str(file), "--json"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tuned"] > found["start"]
    assert found["gain_interval"][0] <= found["gain"] <= found["gain_interval"][1]
    assert run(["evaluate", str(file), str(cells), "--void", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["miou"] > 0.9
    assert run(["tune", "randomforest", str(cells), "--out", str(file)]) == 2
    assert "wants a folder" in capsys.readouterr().err


def test_a_choice_is_told_and_written(cells, tmp_path, capsys):
    command = ["choose", str(cells), "--void", "none", "--methods", "otsu,threshold", "--minutes", "1"]
    assert run([*command, "--out", str(tmp_path)]) == 0
    assert "choice: otsu" in capsys.readouterr().out
    assert json.loads((tmp_path / "choose.json").read_text())["chosen"] == "otsu"
    assert run([*command, "--network", "1"]) == 2
    assert "--network: give --out too" in capsys.readouterr().err


def test_masks_of_0_and_255_are_two_classes_where_methods_are_tried(cells, tmp_path, capsys):
    for path in (cells / "masks").iterdir():
        write_image(tmp_path / "masks" / path.name, read_image(path).pixels[:, :, 0] * np.uint8(255))
        write_image(tmp_path / "images" / path.name, read_image(cells / "images" / path.name).pixels[:, :, 0])
    assert run(["choose", str(tmp_path), "--methods", "otsu", "--minutes", "1"]) == 0
    told = capsys.readouterr()
    assert "choice: otsu" in told.out
    assert "both are taken for classes" in told.err


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--methods", " ,"], 2, "--methods: expected names with commas"),
        (["--network", "0", "--out", "new"], 2, "--network: expected minutes above 0, got 0"),
        (["--network", "nan", "--out", "new"], 2, "--network: expected minutes above 0, got nan"),
        (["--out", "file"], 2, "expected a folder, found a file"),
        (["--network", "1", "--out", "run"], 2, "holds another run"),
        (["--network", "1", "--out", "lists"], 2, "holds lists that this command did not make"),
    ],
)
def test_what_choose_cannot_write_is_refused_before_the_work(cells, tmp_path, capsys, monkeypatch, more, code, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(METHODS["otsu"], "segment", None)  # it is not come to
    (tmp_path / "file").write_text("")
    for path in ("run/network/recipe.toml", "lists/lists/train.txt"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("")
    assert run(["choose", str(cells), "--void", "none", *more]) == code
    assert message in capsys.readouterr().err


def test_a_place_that_tune_cannot_write_is_refused_before_the_work(cells, tmp_path, capsys):
    (tmp_path / "notes.toml").write_text('title = "mine"')
    assert run(["tune", "otsu", str(cells), "--void", "none", "--out", str(tmp_path / "notes.toml")]) == 2
    assert "it is no method file" in capsys.readouterr().err
    assert (tmp_path / "notes.toml").read_text() == 'title = "mine"'


def test_an_image_that_takes_too_long_is_listed_and_the_rest_go_on(cells, tmp_path, capsys, monkeypatch):
    whole, clock = METHODS["otsu"].segment, [0.0]

    def slow(image, *, foreground="auto"):
        clock[0] += 100.0 if image.pixels.min() == 200 else 1.0
        advance(0.4)
        return whole(image, foreground=foreground)

    monkeypatch.setattr("pixelwise.methods.effort.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(METHODS["otsu"], "segment", slow)
    write_image(tmp_path / "z.png", np.full((24, 32), 200, np.uint8))
    inputs = [str(tmp_path / "z.png"), str(cells / "images" / "0.png")]
    command = ["predict", "otsu", *inputs, "--out", str(tmp_path / "out"), "--time-limit"]
    assert run([*command, "60"]) == 1
    assert "z.png: the time limit of 60 s is over with 40% done" in capsys.readouterr().err
    assert clock[0] == 101  # an image that ran out of time is not tried again
    assert [one["file"] for one in json.loads((tmp_path / "out" / "segments.json").read_text())] == inputs[1:]
    assert run([*command, "0"]) == 2


def test_notes_of_a_method_are_told_once_and_kept_for_each_image(cells, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pixelwise.methods.learned.randomforest._MOST", 100)
    (tmp_path / "strokes.json").write_text(json.dumps([{"points": [[2, 22, False], [14, 11]]}]))
    images = [str(cells / "images" / f"{index}.png") for index in range(3)]
    out = tmp_path / "out"
    assert run(["predict", "randomforest", *images, "--prompts", str(tmp_path / "strokes.json"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("note: classified on 8 x 11 of 24 x 32 pixels") == 1
    assert "(3 images)" in printed
    assert all("classified on" in one["notes"][0] for one in json.loads((out / "segments.json").read_text()))


def test_methods_are_listed_by_family_and_told_in_full(capsys):
    assert run(["list", "methods"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("threshold:\n  threshold  ")
    assert "learned:\n  randomforest  " in text
    assert len(text.splitlines()) == len(METHODS) + 6
    assert run(["list", "methods", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(METHODS)
    assert rows["kmeans"]["options"]["most"] == 8
    assert (rows["grabcut"]["takes_prompts"], rows["randomforest"]["learns"]) == (True, "must")
    assert all(row["good_for"] and row["bad_for"] and row["cost"] and row["source"] for row in rows.values())


@pytest.mark.parametrize("method", ["watershed", "otsu"])
def test_what_a_method_finds_is_scored_as_objects(method, tmp_path, capsys):
    grey = np.full((24, 40), 40, np.uint8)
    grey[4:12, 4:12] = grey[12:20, 22:34] = 200
    objects = np.zeros((2, 24, 40), bool)
    objects[0, 4:12, 4:12] = objects[1, 12:20, 22:34] = True
    truth = Segmentation.from_masks("instance", objects, [0, 0], LabelSet.of(["cell"], things=["cell"]))
    data = Dataset([Sample.of(f"{row}", as_image(grey), truth) for row in range(2)], truth.labels, "instance")
    FORMATS["coco"].write(data, tmp_path / "cells")
    assert run(["evaluate", method, str(tmp_path / "cells"), "--metrics", "object_f1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["object_f1"] == 1
