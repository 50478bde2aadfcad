"""The commands ``data check`` and ``data info`` as a user meets them: output, streams and exit codes."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from pixelwise.cli.data import app
from pixelwise.core.errors import MissingFile, OptionError, UnknownLayout

SQUARE = np.pad(np.array([[1, 1], [1, 2]], np.uint8), 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pairs."""
    for kind, pixels in (("images", SQUARE + 80), ("masks", SQUARE)):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for name in ("a", "b"):
            PIL.Image.fromarray(pixels).save(tmp_path / "data" / kind / f"{name}.png")
    return tmp_path / "data"


def run(*arguments: object) -> tuple[int, str]:
    """Run a command; give what the outer program takes for its exit code, and standard output."""
    result = CliRunner().invoke(app, [str(one) for one in arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), result.stdout


def test_good_data_prints_its_values_and_exits_0(folder: Path) -> None:
    code, text = run("check", folder)
    assert code == 0
    assert "class 2" in text
    assert "all good" in text


def test_unsettled_data_exits_1_and_names_the_flag(folder: Path) -> None:
    for name in ("a", "b"):
        PIL.Image.fromarray(np.where(SQUARE > 0, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    code, text = run("check", folder)
    assert code == 1
    assert "settle it with --void none" in text
    assert run("check", folder, "--void", "none")[0] == 0


def test_a_bad_file_exits_1_and_is_named_once(folder: Path) -> None:
    (folder / "images" / "b.png").write_bytes(b"")
    code, text = run("check", folder)
    assert code == 1
    assert text.count("b.png") == 1
    assert "1 images left out" in text


def test_json_is_alone_on_standard_output(folder: Path) -> None:
    code, text = run("check", folder, "--json", "--classes", "land,lake,tree")
    data = json.loads(text)
    assert code == 0
    assert [row["class"] for row in data["values"]] == ["land", "lake", "tree"]
    assert [row["pixels"] for row in data["values"]] == [120, 6, 2]


def test_names_with_brackets_are_printed_as_they_are(folder: Path) -> None:
    assert "[bold]lake" in run("check", folder, "--classes", "land,[bold]lake,tree")[1]


def test_info_counts_the_pixels_of_each_class(folder: Path) -> None:
    code, text = run("info", folder, "--void", "2", "--json")
    assert code == 0
    assert {name: figures["pixels"] for name, figures in json.loads(text)["classes"].items()} == {
        "class 0": 120,
        "class 1": 6,
        "void": 2,
    }


def test_info_prints_a_table(folder: Path) -> None:
    assert "93.75 %" in run("info", folder)[1]


def test_wrong_use_is_an_error_of_ours(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        run("check", tmp_path / "nowhere")
    with pytest.raises(UnknownLayout):
        run("check", folder / "images")
    with pytest.raises(OptionError, match="does not occur"):
        run("check", folder, "--void", "9")
