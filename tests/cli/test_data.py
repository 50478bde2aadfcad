"""The commands ``data check`` and ``data info`` as a user meets them: output, streams and exit codes."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from running import run

from pixelwise.core.errors import MissingFile, OptionError, StorageError, UnknownLayout
from pixelwise.formats import masks
from pixelwise.scenes import scenes

SQUARE = np.pad(np.array([[1, 1], [1, 2]], np.uint8), 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good pairs."""
    for kind, pixels in (("images", SQUARE + 80), ("masks", SQUARE)):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for name in ("a", "b"):
            PIL.Image.fromarray(pixels).save(tmp_path / "data" / kind / f"{name}.png")
    return tmp_path / "data"


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
    assert "1 image left out" in text


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


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Ten drawn scenes, the last a copy of the first in another split."""
    data = scenes(10, (96, 128), seed=3)
    masks.write(data, tmp_path / "drawn")
    first, last = sorted((tmp_path / "drawn" / "images").iterdir())[:: len(data) - 1]
    last.write_bytes(first.read_bytes())
    names = [path.name for path in sorted((tmp_path / "drawn" / "images").iterdir())]
    for split, members in (("train", names[:-1]), ("val", names[-1:])):
        (tmp_path / "drawn" / f"{split}.txt").write_text("".join(f"images/{name}\n" for name in members))
    return tmp_path / "drawn"


def test_a_leak_is_said_loudly(drawn: Path) -> None:
    code, text = run("check", drawn)
    assert code == 1
    assert "error: leak: 1" in text
    assert "LEAK" in text


def test_json_states_severity_kind_and_partner(drawn: Path) -> None:
    data = json.loads(run("check", drawn, "--json")[1])
    leak = next(one for one in data["problems"] if one["kind"] == "leak")
    assert leak["severity"] == "error"
    assert len(leak["others"]) == 1
    assert data["counts"]["error"] == 1


def test_out_writes_a_page_that_needs_nothing_beside_it(drawn: Path, tmp_path: Path) -> None:
    code, text = run("check", drawn, "--out", tmp_path / "audit.html")
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert code == 1
    assert str(tmp_path / "audit.html") in text.replace("\n", "")
    assert "LEAK" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/webp") >= 4


def test_fix_writes_a_clean_copy_and_exits_0_when_all_is_mended(drawn: Path, tmp_path: Path) -> None:
    for path in (drawn / "masks").iterdir():  # the copy's mask is another scene's, which nothing could mend
        if path.stem.endswith("9"):
            path.write_bytes(sorted((drawn / "masks").iterdir())[0].read_bytes())
    code, text = run("check", drawn, "--fix", "--out", tmp_path / "clean")
    assert "9 images, 1 left out" in text
    assert code == 0
    assert run("check", tmp_path / "clean")[0] == 0


def test_a_wrong_out_is_refused_before_the_audit(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.cli.data._audit", lambda *_, **__: pytest.fail("audited"))
    with pytest.raises(OptionError, match="say where with --out"):
        run("check", drawn, "--fix")
    with pytest.raises(OptionError, match=r"audit\.html"):
        run("check", drawn, "--out", tmp_path / "page")
    with pytest.raises(OptionError, match="never touched"):
        run("check", drawn, "--fix", "--out", drawn / "clean")
    with pytest.raises(StorageError, match="not empty"):
        run("check", tmp_path / "elsewhere", "--fix", "--out", drawn)
