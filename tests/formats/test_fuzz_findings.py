"""What fuzzing found, one small case each: links and lists that lead nowhere, files without images, looks outside the root."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import FORMATS, prepared, read, recognise

LABELS = LabelSet.of(["a", "b"])
NO_TEXT = b"\x89PNG\r\n\x1a\n"


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.zeros((2, 3), np.uint8)).save(path)


def masks(root: Path) -> Path:
    picture(root / "images" / "a.png")
    picture(root / "masks" / "a.png")
    return root


def test_a_link_to_itself_is_a_missing_image(tmp_path: Path) -> None:
    masks(tmp_path)
    (tmp_path / "images" / "b.png").symlink_to("b.png")
    picture(tmp_path / "masks" / "b.png")
    data = read(tmp_path)
    with pytest.raises(MissingFile, match=r"b\.png"):
        _ = data[1].image


@pytest.mark.parametrize("name", ["masks", "id_maps", "numpy"])
def test_a_list_that_is_no_text_stops_no_recognition(name: str, tmp_path: Path) -> None:
    (masks(tmp_path) / "train.txt").write_bytes(NO_TEXT)
    assert FORMATS[name].sniff(tmp_path) is None


def test_a_list_that_is_no_text_is_named_where_no_format_fits(tmp_path: Path) -> None:
    (masks(tmp_path) / "train.txt").write_bytes(NO_TEXT)
    with pytest.raises(UnreadableFile, match=r"train\.txt: expected a list of images in UTF-8"):
        recognise(tmp_path)


def test_a_list_that_is_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (masks(tmp_path) / "train.txt").symlink_to("nowhere.txt")
    with pytest.raises(UnreadableFile, match=r"train\.txt"):
        FORMATS["masks"].read(tmp_path)


def test_a_table_of_classes_that_is_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (masks(tmp_path) / "classes.csv").symlink_to("nowhere.csv")
    with pytest.raises(MissingFile, match=r"classes\.csv"):
        FORMATS["masks"].read(tmp_path)


def test_a_word_of_ours_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    word = {"format": "pixelwise id_maps 1", "kind": "instance", "classes": [], "values": {}, "encoding": "id", "settled": True}
    (tmp_path / "outside.json").write_text(json.dumps(word))
    (masks(tmp_path / "data") / "classes.json").symlink_to("../outside.json")
    assert FORMATS["id_maps"].sniff(tmp_path / "data") is None


def test_videos_with_a_list_that_is_no_text_are_claimed_and_the_list_named(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages" / "480p" / "bear" / "00000.png")
    picture(tmp_path / "Annotations" / "480p" / "bear" / "00000.png")
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "train.txt").write_bytes(NO_TEXT)
    assert recognise(tmp_path)[0] == "davis"
    with pytest.raises(UnreadableFile, match=r"train\.txt"):
        read(tmp_path)


def test_a_folder_of_results_is_not_joined_with_files_outside(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "a.png")
    images = {"images": [{"id": 1, "file_name": "a.png", "height": 2, "width": 3}], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "images.json").write_text(json.dumps({**images, "annotations": []}))
    found = [{"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": [[0, 0, 2, 0, 2, 2]]}]
    (tmp_path / "data" / "results.json").write_text(json.dumps(found))
    with pytest.raises(DataError, match="no COCO file near lists them"):
        FORMATS["coco_results"].read(tmp_path / "data")


def test_a_file_without_images_beside_one_whose_images_are_gone_stops_nothing(tmp_path: Path) -> None:
    gone = {"id": 1, "file_name": "gone.png", "height": 2, "width": 3}
    for name, images in (("instances_train", []), ("instances_val", [gone])):
        file = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(file))
    picture(tmp_path / "other.png")
    assert [one.name for one in FORMATS["coco"].read(tmp_path)] == ["gone"]


@pytest.mark.parametrize("name", ["prepared.json", "samples.json", "train.txt", "semantic/one.png"])
def test_a_file_of_a_prepared_set_that_is_a_link_is_not_followed(name: str, tmp_path: Path) -> None:
    one = Sample.of("one", Image(np.zeros((2, 3, 3), np.uint8)), Segmentation.from_class_map(np.zeros((2, 3), int), LABELS))
    prepared.write(Dataset([one], LABELS, "semantic", {"train": [0]}), tmp_path / "set")
    (tmp_path / "set" / name).rename(tmp_path / "outside")
    (tmp_path / "set" / name).symlink_to(tmp_path / "outside")
    assert name != "prepared.json" or prepared.sniff(tmp_path / "set") is None
    with pytest.raises(DataError):
        prepared.read(tmp_path / "set")


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    one = Sample.of("one", Image(np.zeros((2, 3, 3), np.uint8)), Segmentation.from_class_map(np.zeros((2, 3), int), LABELS))
    prepared.write(Dataset([one], LABELS, "semantic"), tmp_path / "set")
    samples = tmp_path / "set" / "samples.json"
    samples.write_text(samples.read_text().replace('"one"', f'"{"x" * 300}"'))
    with pytest.raises(DataError, match="expected plain file names"):
        prepared.read(tmp_path / "set")
