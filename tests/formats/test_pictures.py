"""Pictures found by what label files call them: other machines' paths, cases, Unicode forms, and nothing outside the folder."""

import unicodedata
from pathlib import Path, PurePosixPath

import PIL.Image
import pytest

from pixelwise.formats.folder import Listing, list_folder
from pixelwise.formats.pictures import Pictures, name_parts, unnamed


def listing(*names: str) -> Listing:
    return Listing(Path("data"), tuple(PurePosixPath(name) for name in names), (), (), ())


def found(name: str, *names: str, file: str = "labels.json") -> list[str]:
    return [str(one) for one in Pictures(listing(*names)).find(name, PurePosixPath(file))]


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "images/a.jpg", "./images/a.jpg", "/home/me/images/a.jpg", r"C:\data\images\a.jpg", "file:///x/images/a.jpg"],
)
def test_a_path_of_another_machine_means_the_picture_of_its_longest_tail(name: str) -> None:
    assert found(name, "images/a.jpg", "images/b.jpg") == ["images/a.jpg"]


@pytest.mark.parametrize("name", ["../a.jpg", "../../etc/passwd", "/etc/passwd", "", ".", "..", "/", "\\", "C:\\"])
def test_what_leads_outside_finds_a_picture_inside_or_nothing(name: str) -> None:
    assert found(name, "a.jpg") == (["a.jpg"] if name.endswith("a.jpg") else [])


def test_a_link_out_of_the_folder_is_no_picture(tmp_path: Path) -> None:
    PIL.Image.new("L", (2, 2)).save(tmp_path / "secret.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").symlink_to(tmp_path / "secret.png")
    listed = list_folder(tmp_path / "data")
    assert Pictures(listed).find("a.png", PurePosixPath("labels.json")) == []
    assert "leads outside" in listed.refused[0]


def test_case_does_not_count_unless_two_differ_in_it_alone() -> None:
    assert found("A.JPG", "a.jpg") == ["a.jpg"]
    assert found("A.JPG", "a.jpg", "A.JPG") == ["A.JPG"]


def test_unicode_forms_are_the_same_name() -> None:
    composed, divided = (unicodedata.normalize(form, "größe.png") for form in ("NFC", "NFD"))
    assert composed != divided
    assert found(divided, composed) == [composed]


def test_a_folder_in_the_name_decides() -> None:
    assert found("val/a.jpg", "train/a.jpg", "val/a.jpg") == ["val/a.jpg"]


def test_a_folder_that_is_there_is_not_given_up() -> None:
    assert found("val/a.jpg", "train/a.jpg", "val/b.jpg") == []


def test_a_folder_that_is_nowhere_is_given_up() -> None:
    assert found("elsewhere/a.jpg", "train/a.jpg") == ["train/a.jpg"]


def test_the_picture_beside_its_label_file_comes_first() -> None:
    assert found("a.jpg", "one/a.jpg", "two/a.jpg", file="two/labels.json") == ["two/a.jpg"]


def test_two_that_fit_alike_are_both_given() -> None:
    assert found("a.jpg", "one/a.jpg", "two/a.jpg") == ["one/a.jpg", "two/a.jpg"]


def test_the_lowest_rank_wins() -> None:
    pictures = Pictures(listing("one/a.jpg", "two/a.jpg"))
    chosen = pictures.find("a.jpg", PurePosixPath("x.json"), lambda one: one.parts[0] != "two")
    assert [str(one) for one in chosen] == ["two/a.jpg"]


def test_a_stem_finds_its_picture_whatever_the_suffix() -> None:
    pictures = Pictures(listing("images/a.b.png", "images/a.png"))
    assert [str(one) for one in pictures.of_stem("a.b", PurePosixPath("x.txt"))] == ["images/a.b.png"]


def test_drives_and_dots_are_no_parts_of_a_name() -> None:
    assert name_parts(r"D:\x\..\a.png") == ("x", "a.png")


def test_pictures_that_no_file_names_are_told_a_folder_a_sentence() -> None:
    told = list(unnamed(listing("in/a.jpg", "in/b.jpg", "in/c.jpg", "out/d.jpg"), [PurePosixPath("in/a.jpg")]))
    assert told == ["data/in: 2 images (b.jpg, c.jpg) are in no annotation file; left out"]
