"""``pixelwise data info`` as a user meets it: table, JSON, page and exit codes."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.cli import main
from pixelwise.cli.info import page_of
from pixelwise.curate.stats import describe
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


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A COCO file written by hand: an outline of 4 x 3 pixels, and a crowd of 6 pixels, on one of two images."""
    root = tmp_path / "coco"
    (root / "images").mkdir(parents=True)
    for name in ("a", "b"):
        PIL.Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(root / "images" / f"{name}.png")
    document = {
        "images": [{"id": k, "file_name": f"{name}.png", "height": 8, "width": 10} for k, name in enumerate("ab")],
        "annotations": [
            {"id": 5, "image_id": 0, "category_id": 7, "iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 4, 1, 4]]},
            {"id": 6, "image_id": 0, "category_id": 7, "iscrowd": 1, "segmentation": {"size": [8, 10], "counts": [74, 6]}},
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    (root / "labels.json").write_text(json.dumps(document))
    return root


def test_the_table_shows_pixels_objects_sizes_and_colours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(folder), "--classes", "land,lake,[b]tree"]) == 0
    text = capsys.readouterr().out
    for part in ("images: 2", "93.75 %", "[b]tree", "connected areas", "8 x 8 (2)"):
        assert part in text


def test_the_json_has_all_figures_and_nothing_else_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["classes"]["class 1"]["objects"] == 2
    assert data["objects"]["areas"][-1] == {"from": 32, "below": 64, "objects": 2}
    assert len(data["places"]["classes"]["class 2"]["grid"]) == 32
    assert data["colours"]["classes"]["class 1"] == [81, 81, 81]


def test_objects_and_crowds_of_coco_are_told(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(coco), "--json"]) == 0
    cat = json.loads(capsys.readouterr().out)["classes"]["cat"]
    assert (cat["objects"], cat["crowds"], cat["pixels"], cat["mean_area"]) == (1, 1, 12, 12.0)


def test_a_class_of_no_image_is_told_with_zeros(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "info", str(coco), "--json"])
    assert json.loads(capsys.readouterr().out)["classes"]["dog"]["images"] == 0


def test_a_broken_mask_is_listed_at_the_end_and_the_exit_code_is_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "masks" / "b.png").write_bytes((folder / "masks" / "b.png").read_bytes()[:40])
    assert main(["data", "info", str(folder)]) == 1
    said = capsys.readouterr()
    assert "not counted: " in said.err
    assert "b.png" in said.err
    assert "class 1" in said.out


def test_the_page_holds_pictures_and_figures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "heat map of class 1" in page
    assert page.count("masks over") == 2
    assert "the page is" in capsys.readouterr().out


def test_a_page_of_another_kind_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(folder), "--out", str(tmp_path / "page.pdf")]) == 2
    assert "expected a page to write" in capsys.readouterr().err


def test_an_unsettled_map_is_told_and_is_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        PIL.Image.fromarray(np.where(SQUARE > 0, 255, 0).astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    assert main(["data", "info", str(folder)]) == 0
    assert "is not settled" in capsys.readouterr().out


@pytest.mark.shared_data
def test_several_truths_an_image_are_told(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pixelwise.formats import FORMATS

    if "bsds" not in FORMATS:
        pytest.skip("no format reads several truths yet")
    assert main(["data", "info", str(shared_data / "bsds500_val"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["images"], data["truths"] > 400, data["kind"]) == (100, True, "regions")


@pytest.mark.parametrize(("images", "shown"), [(3, 3), (7, 4), (23, 16)])
def test_the_rows_of_the_contact_sheet_are_full(images: int, shown: int) -> None:
    samples = page_of(describe(scenes(images, (32, 32)))).samples
    assert len({sample.name for _, sample in samples}) == len(samples) == shown
