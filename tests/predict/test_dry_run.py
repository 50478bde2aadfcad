"""Plans of predictions: what they say, and that they write nothing."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.errors import OptionError
from pixelwise.core.image import write_image
from pixelwise.methods.predictor import Method
from pixelwise.predict import dry_run
from pixelwise.predict.dry_run import plan_folder
from pixelwise.predict.folder import predict
from pixelwise.predict.refined import Refined
from pixelwise.predict.tiled import Tiled


@pytest.fixture
def images(tmp_path):
    for name, size in (("a", (20, 30)), ("b", (20, 30)), ("c", (50, 40))):
        pixels = np.full(size, 40, np.uint8)
        pixels[5:10, 6:16] = 200
        write_image(tmp_path / "in" / f"{name}.png", pixels)
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    return tmp_path / "in"


def test_a_plan_counts_sizes_and_names_what_would_fail_and_writes_nothing(images, tmp_path):
    plan = plan_folder(Method("otsu"), images, tmp_path / "out")
    assert (plan.images, plan.done, plan.sizes) == (4, 0, (((20, 30), 2), ((50, 40), 1)))
    assert plan.megapixels == pytest.approx(0.0032)
    assert [file for file, _ in plan.unreadable] == [str(images / "bad.png")]
    assert plan.trial is not None
    assert plan.trial.size == (20, 30)
    assert plan.trial.seconds > 0
    assert plan.trial.memory >= 0
    assert not (tmp_path / "out").exists()
    assert "2 of 30 x 20, 1 of 40 x 50" in str(plan)


def test_tiles_are_told_also_from_within_a_refiner(images, tmp_path):
    tiled = Refined(Tiled(Method("threshold"), (16, 16), 4), "holes")
    plan = plan_folder(tiled, images, tmp_path / "out")
    assert len(plan.tiles) == 2
    assert plan.tiles[0].startswith("30 x 20: 6 tiles of 16 x 16 with an overlap of 4")


def test_what_is_done_is_left_out_of_the_plan(images, tmp_path):
    predict(Method("otsu"), images, tmp_path / "out")
    plan = plan_folder(Method("otsu"), images, tmp_path / "out")
    assert (plan.images, plan.done, plan.sizes, plan.trial) == (4, 3, (), None)
    assert plan_folder(Method("otsu"), images, tmp_path / "out", again=True).done == 0
    assert plan_folder(Method("otsu"), images, tmp_path / "out", overlay=False).done == 0


def test_of_a_large_image_a_part_is_timed(images, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "TRIAL", 100)
    plan = plan_folder(Method("otsu"), images / "c.png", tmp_path / "out")
    assert plan.trial is not None
    assert plan.trial.size == (11, 9)


def test_a_wrong_request_is_told_before_the_work(images, tmp_path):
    with pytest.raises(OptionError, match="takes no threshold"):
        plan_folder(Method("otsu"), images, tmp_path / "out", threshold=0.4)


def test_the_command_prints_a_plan_in_words_or_as_json(images, tmp_path, capsys):
    command = ["predict", "otsu", str(images), "--out", str(tmp_path / "out"), "--dry-run"]
    assert run(command) == 1
    assert "nothing is written" in capsys.readouterr().out
    assert run([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["sizes"][0]) == (4, {"height": 20, "width": 30, "images": 2})
    assert not (tmp_path / "out").exists()
