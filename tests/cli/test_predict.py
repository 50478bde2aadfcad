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
        (["otsu", "a.png", "--out", "x", "--tile", "big"], "--tile big: expected height,width"),
        (["otsu", "a.png", "--out", "x", "--tile", "16,16", "--overlap", "16"], "overlap from 0 to below"),
        (["otsu", "a.png", "--out", "x", "--overlap", "4"], "give their size too"),
        (["otsu", "a.png", "--out", "x", "--flips"], "'otsu' gives semantic segments without probabilities"),
        (["kmeans", "a.png", "--out", "x", "--tile", "16"], "nothing tells which of two tiles are one"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["predict", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_an_interruption_says_how_to_go_on_and_the_same_command_does(image, tmp_path, monkeypatch, capsys):
    from pixelwise.predict import pictures

    for name in "bcd":
        (tmp_path / f"{name}.png").write_bytes(image.read_bytes())
    write = pictures.write_ids

    def interrupted(path, *arguments):
        if path.name == "c.png":
            raise KeyboardInterrupt
        write(path, *arguments)

    monkeypatch.setattr(pictures, "write_ids", interrupted)
    command = ["predict", "otsu", *(str(tmp_path / f"{name}.png") for name in "abcd"), "--out", str(tmp_path / "out")]
    assert run(command) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert [entry["mask"] for entry in json.loads((tmp_path / "out" / "segments.json").read_text())] == ["a.png", "b.png"]
    monkeypatch.setattr(pictures, "write_ids", write)
    assert run(command) == 0
    assert "4 images (2 of them done before)" in capsys.readouterr().out
    assert run([*command, "--again"]) == 0
    assert "done before" not in capsys.readouterr().out


def test_tiles_are_cut(tmp_path, capsys):
    pixels = np.full((40, 60), 40, np.uint8)
    pixels[3:36, 4:56] = 220
    write_image(tmp_path / "a.png", pixels)
    command = ["predict", "threshold", str(tmp_path / "a.png"), "--no-overlay", "--out"]
    assert run([*command, str(tmp_path / "whole")]) == 0
    assert run([*command, str(tmp_path / "cut"), "--tile", "16,24", "--overlap", "4"]) == 0
    assert (tmp_path / "cut" / "a.png").read_bytes() == (tmp_path / "whole" / "a.png").read_bytes()
    assert run([*command, str(tmp_path / "cut"), "--tile", "24,16"]) == 0
    assert "done before" not in capsys.readouterr().out
