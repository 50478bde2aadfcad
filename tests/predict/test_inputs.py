"""Which images files, folders and patterns mean, and how results are named: links that loop, long names, equal stems."""

import os
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.image import write_image
from pixelwise.methods.predictor import Method
from pixelwise.predict.folder import predict
from pixelwise.predict.inputs import find_images, name_results

needs_links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("a.png", "deep/b.png", "deep/deeper/c.png"):
        write_image(tmp_path / "in" / name, np.zeros((3, 4), np.uint8))
    return tmp_path / "in"


def names(inputs: Path | str, folder: Path) -> list[str]:
    found, missing = find_images(inputs, folder / "out")
    assert missing == []
    return [path.relative_to(folder).as_posix() for path in found]


@needs_links
def test_links_that_loop_come_to_an_end(images: Path) -> None:
    (images / "deep" / "up").symlink_to(images)
    (images / "deep" / "deeper" / "up").symlink_to(images / "deep")
    assert names(images, images) == ["a.png", "deep/b.png", "deep/deeper/c.png"]
    assert names(str(images / "**" / "*.png"), images) == ["a.png", "deep/b.png", "deep/deeper/c.png"]


@needs_links
def test_links_to_folders_elsewhere_are_followed_once(images: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere" / "d.png", np.zeros((3, 4), np.uint8))
    for name in ("more", "once more"):
        (images / name).symlink_to(tmp_path / "elsewhere")
    assert names(images, images) == ["a.png", "deep/b.png", "deep/deeper/c.png", "more/d.png"]


@needs_links
def test_a_link_to_itself_is_one_bad_file_among_good_ones(images: Path, tmp_path: Path) -> None:
    (images / "loop.png").symlink_to(images / "loop.png")
    summary = predict(Method("otsu"), images, tmp_path / "out", overlay=False)
    assert summary.count == 3
    (failure,) = summary.failures
    assert failure == (str(images / "loop.png"), "expected an image, found a link to nothing")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png"]),
        ("**/*.png", ["a.png", "deep/b.png", "deep/deeper/c.png"]),
        ("**", ["a.png", "deep/b.png", "deep/deeper/c.png"]),
        ("deep/**/*.png", ["deep/b.png", "deep/deeper/c.png"]),
        ("d*/**/c.png", ["deep/deeper/c.png"]),
        ("**/deeper/*", ["deep/deeper/c.png"]),
        ("**/deep/**/*.png", ["deep/b.png", "deep/deeper/c.png"]),
    ],
)
def test_patterns(images: Path, pattern: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(str(images / pattern), images) == found
    monkeypatch.chdir(images)
    here, _ = find_images(pattern, Path("out"))
    assert [path.as_posix() for path in here] == found


def test_a_name_too_long_for_an_ending_is_cut_and_stays_apart_from_others(tmp_path: Path) -> None:
    stems = ["x" * 251, "x" * 250 + "y", "ü" * 125]
    for stem in stems:
        write_image(tmp_path / "short.png", np.zeros((3, 4), np.uint8))
        os.rename(tmp_path / "short.png", tmp_path / f"{stem}.png")
    summary = predict(Method("otsu"), [tmp_path / f"{stem}.png" for stem in stems], tmp_path / "out")
    assert (summary.count, summary.failures) == (3, ())
    written = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert written == {"x" * 220 + ".png", "x" * 220 + "_2.png", "ü" * 110 + ".png"}


def test_images_of_one_stem_in_different_folders_keep_their_results_apart() -> None:
    paths = [Path("one/a.png"), Path("two/a.png"), Path("two/a_2.png")]
    assert name_results(paths, Path("out")) == ["a", "a_3", "a_2"]
