"""The command ``data augment`` as a user meets it: the page, the warnings, the exit codes."""

import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from pixelwise.cli.data import app
from pixelwise.core.errors import DataError, MissingFile, OptionError, StorageError
from pixelwise.core.files import write_text
from pixelwise.scenes import LABELS, scenes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight landscapes as images and masks, in two splits, with class names."""
    data = tmp_path / "data"
    for split, start, stop in (("train", 0, 6), ("val", 6, 8)):
        for kind in ("images", "masks"):
            (data / kind / split).mkdir(parents=True)
        for sample in scenes(8, (48, 64))[start:stop]:
            PIL.Image.fromarray(sample.image.pixels).save(data / "images" / split / f"{sample.name}.png")
            PIL.Image.fromarray(sample.truth.class_map()).save(data / "masks" / split / f"{sample.name}.png")
    write_text(data / "classes.json", json.dumps({str(index): name for index, name in enumerate(LABELS.names)}))
    return data


def run(*arguments: object) -> tuple[int, str, str]:
    """Run the command; give what the outer program takes for its exit code, and both streams."""
    result = CliRunner().invoke(app, ["augment", *map(str, arguments)], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value), result.stdout, result.stderr


def pictures(page: str) -> list[str]:
    return re.findall(r'<img class="masked" src="(data:image/webp;base64,[^"]+)"', page)


def test_the_page_shows_each_image_beside_its_draws_and_needs_nothing_beside_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    code, text, _ = run(folder, "--out", out, "--count", "3", "--images", "2")
    page = out.read_text("utf-8")
    assert (code, text) == (0, f"{out}: 2 images, 3 draws each\n")
    assert page.count('<figure class="original">') == 2
    assert page.count('<figure class="draw">') == 6
    assert len(set(pictures(page))) == 8
    assert "split train" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_the_same_seed_makes_the_same_page_and_another_does_not(folder: Path, tmp_path: Path) -> None:
    pages = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(folder, "--out", tmp_path / name, "--seed", seed, "--images", "1", "--count", "2", "--policy", "strong")
        pages.append(pictures((tmp_path / name).read_text("utf-8")))
    assert pages[0] == pages[1]
    assert pages[0][0] == pages[2][0]  # the original
    assert pages[0][1:] != pages[2][1:]


def test_an_unsuited_choice_is_warned_of_on_the_page_and_on_stderr(folder: Path, tmp_path: Path) -> None:
    code, text, errors = run(folder, "--out", tmp_path / "p.html", "--policy", "strong", "--set", "augment.turn=0")
    assert code == 0
    assert "flip_vertically turns scenes upside down" in errors
    assert "flip_vertically turns scenes upside down" in (tmp_path / "p.html").read_text("utf-8")
    assert "turn lays" not in errors
    assert "upside down" not in text
    _, _, errors = run(folder, "--out", tmp_path / "p.html", "--policy", "light")
    assert "upside down" not in errors


def test_policy_and_set_stand_on_the_page_as_they_were_used(folder: Path, tmp_path: Path) -> None:
    run(folder, "--out", tmp_path / "p.html", "--policy", "light", "--set", "augment.rotate=33", "--set", "augment.noise=0")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "<code>policy</code> light" in page
    assert "<code>rotate</code> 33" in page
    assert "<code>noise</code>" not in page
    assert "<code>scale</code> 0.8 to 1.25" in page


def test_no_augmentation_shows_the_original_again(folder: Path, tmp_path: Path) -> None:
    run(folder, "--out", tmp_path / "p.html", "--policy", "none", "--images", "1", "--count", "2")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert len(set(pictures(page))) == 1
    assert page.count("hardly changed") == 2


def test_a_crop_has_its_size_and_another_split_is_shown(folder: Path, tmp_path: Path) -> None:
    run(folder, "--out", tmp_path / "p.html", "--crop", "24,32", "--split", "val", "--images", "9", "--count", "1")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert page.count('<figure class="draw">') == 2
    assert "split val" in page


def test_a_broken_image_is_named_and_the_rest_is_shown(folder: Path, tmp_path: Path) -> None:
    broken = sorted((folder / "images" / "train").iterdir())[0]
    broken.write_bytes(b"no image")
    code, _, errors = run(folder, "--out", tmp_path / "p.html", "--images", "6")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert code == 1
    assert f"{broken.stem} cannot be shown" in errors
    assert f"{broken.stem} cannot be shown" in page
    assert page.count('<figure class="original">') == 5


def test_labels_that_are_not_settled_are_shown_and_said(tmp_path: Path) -> None:
    for kind, pixels in (("images", np.full((40, 40), 90, np.uint8)), ("masks", np.eye(40, dtype=np.uint8) * 255)):
        (tmp_path / "d" / kind).mkdir(parents=True)
        PIL.Image.fromarray(pixels).save(tmp_path / "d" / kind / "a.png")
    code, _, errors = run(tmp_path / "d", "--out", tmp_path / "p.html", "--count", "1")
    assert code == 0
    assert "what the mask values mean is not settled" in errors
    assert "what the mask values mean is not settled" in (tmp_path / "p.html").read_text("utf-8")


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        PIL.Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "d" / kind / "<b>&amp;'.png")
    run(tmp_path / "d", "--out", tmp_path / "p.html", "--classes", "<script>,b", "--count", "1")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "<script>" not in page
    assert "<b>&" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "stong"], "did you mean 'strong'"),
        (["--set", "augment.rotat=3"], "did you mean 'rotate'"),
        (["--set", "rotate=3"], "expected table.key=value"),
        (["--set", "train.rate=3"], r"only the table \[augment\]"),
        (["--set", "augment.flip=2"], r"\[augment\] flip: expected a probability"),
        (["--set", "augment.flip=yes"], r"\[augment\] flip: expected float"),
        (["--crop", "12"], "--crop 12: expected height,width"),
        (["--crop", "0,5"], "expected height,width"),
        (["--split", "vall"], "no split is called 'vall'"),
    ],
)
def test_wrong_use_is_said_before_anything_is_written(folder: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(folder, "--out", tmp_path / "p.html", *arguments)
    assert not (tmp_path / "p.html").exists()


def test_what_is_not_there_or_cannot_be_written_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        run(tmp_path / "nowhere", "--out", tmp_path / "p.html")
    with pytest.raises(OptionError, match="it is a folder"):
        run(folder, "--out", tmp_path)
    with pytest.raises(StorageError):
        run(folder, "--out", folder / "classes.json" / "p.html")
    for image in (folder / "images").rglob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be shown"):
        run(folder, "--out", tmp_path / "p.html")
