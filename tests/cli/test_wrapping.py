"""The options of tiles and flips, and the value of ``--tile``."""

import json

import numpy as np
import pytest

from pixelwise.cli.app import run
from pixelwise.cli.wrapping import parse_join, parse_memory, parse_tile
from pixelwise.core.errors import OptionError
from pixelwise.core.image import write_ids, write_image


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("512,768", (512, 768)), ("512x768", (512, 768)), (" 64 ", (64, 64)), ("auto", "auto"), ("None", None)],
)
def test_tiles_are_read(text, wanted):
    assert parse_tile(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "5,", "-5,7", "1,2,3", "big", "5.5,4", "0,7"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(OptionError, match="expected height,width"):
        parse_tile(text)


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(3):
        pixels = rng.integers(0, 256, (40, 60)).astype(np.uint8)
        write_image(tmp_path / "data" / "images" / f"{index}.png", pixels)
        write_ids(tmp_path / "data" / "masks" / f"{index}.png", (pixels > 140).astype(np.uint8))
    return tmp_path / "data"


def test_evaluate_takes_the_same_options(data, capsys):
    command = ["evaluate", "threshold", str(data), "--classes", "background,foreground", "--void", "none", "--json"]
    found = []
    for options in ([], ["--tile", "16,24", "--overlap", "3"], ["--tile", "none"]):
        assert run([*command, *options]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["miou"] == found[1]["miou"] == found[2]["miou"]
    how = [one.get("predicted_with") for one in found]
    assert how == [None, {"tile": "16,24", "overlap": 3}, {"tile": "none"}]
    assert run([*command, "--flips"]) == 2
    assert "gives semantic segments without probabilities" in capsys.readouterr().err


def test_compare_lays_the_same_around_both(data, capsys):
    command = ["compare", "otsu", "threshold", str(data), "--classes", "background,foreground", "--void", "none", "--json"]
    assert run([*command, "--tile", "16,24"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted_with"] == {"tile": "16,24"}


def test_evaluate_and_predict_refine_what_is_found(data, tmp_path, capsys):
    command = ["evaluate", "threshold", str(data), "--classes", "background,foreground", "--void", "none", "--json"]
    assert run([*command, "--refine", "smallest(area=4),smooth"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["predicted_with"] == {"refine": "smallest(area=4),smooth"}
    assert told["miou"] != 1
    images, out = str(data / "images"), tmp_path / "out"
    assert run(["predict", "otsu", images, "--out", str(out), "--refine", "split"]) == 0
    assert json.loads((out / "labels.json").read_text())["kind"] == "instance"


def test_refiners_that_do_not_exist_or_fit_are_told_before_the_work(data, capsys):
    command = ["evaluate", "kmeans", str(data), "--void", "none"]
    assert run([*command, "--refine", "crv"]) == 2
    assert "no refiner is called 'crv'; did you mean 'crf'" in capsys.readouterr().err
    assert run(["predict", "kmeans", str(data / "images"), "--out", str(data / "out"), "--refine", "crf"]) == 2
    assert "'crf' does not refine regions segmentations" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "wanted"), [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("500mb", 5 * 10**8), ("4096", 4096), (None, None)]
)
def test_amounts_of_memory_are_read(text, wanted):
    assert parse_memory(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "0.0GB", "-1GB", "much", "2 XB"])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(OptionError, match="expected an amount above 0, as in 2GB"):
        parse_memory(text)


def test_a_join_that_is_not_known_is_refused_with_those_that_are():
    assert parse_join(" Hann ") == "hann"
    with pytest.raises(OptionError, match="--join mean: expected auto, cut, hann, gaussian"):
        parse_join("mean")


def test_joins_and_memory_limits_that_do_not_fit_the_model_are_told_in_a_sentence(data, capsys):
    command = ["evaluate", "threshold", str(data), "--classes", "background,foreground", "--void", "none", "--json"]
    for options, words in [
        (["--memory", "2GB"], "give --tile with --memory"),
        (["--memory", "2GB", "--tile", "none"], "leave --tile none out"),
        (["--join", "hann", "--tile", "16"], "no probabilities that could be blended"),
    ]:
        assert run([*command, *options]) == 2
        assert words in capsys.readouterr().err
    assert run([*command, "--tile", "16", "--join", "cut", "--memory", "2GB"]) == 0
    assert json.loads(capsys.readouterr().out)["predicted_with"] == {"tile": "16", "join": "cut", "memory": "2GB"}
