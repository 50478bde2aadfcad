"""The command ``pixelwise predict``."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.core.image import write_image


@pytest.fixture
def image(tmp_path):
    pixels = np.full((12, 16), 40, np.uint8)
    pixels[3:6, 4:8] = 220
    write_image(tmp_path / "a.png", pixels)
    return tmp_path / "a.png"


def test_predicts_and_exits_with_0(image, tmp_path, capsys):
    assert run(["predict", "otsu", str(image), "--out", str(tmp_path / "out")]) == 0
    assert "1 images, 2 segments" in capsys.readouterr().out
    assert (tmp_path / "out" / "a_overlay.jpg").is_file()


def test_json_alone_is_on_stdout(image, tmp_path, capsys):
    assert run(["predict", "otsu", str(image), "--out", str(tmp_path / "out"), "--json", "--no-overlay"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["failures"]) == (1, [])


def test_a_bad_file_gives_exit_code_1_and_its_name(image, tmp_path, capsys):
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert run(["predict", "otsu", str(image), str(tmp_path / "bad.png"), "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr()
    assert "bad.png: expected an image" in shown.err
    assert "1 images" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["otsuu", "a.png", "--out", "x"], "did you mean 'otsu'"),
        (["otsu", "nowhere.png", "--out", "x"], "nowhere.png: expected an image"),
        (["otsu", "nowhere.png"], "--out"),
        (["otsu", "nowhere.png", "--out", "x", "--threshold", "7"], "between 0 and 1"),
        (["kmeans", "nowhere.png", "--out", "x", "--binary"], "one foreground class"),
        (["otsu", "nowhere.png", "--out", "x", "--bach", "2"], "--bach"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["predict", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
