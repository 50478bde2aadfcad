"""Where people keep COCO files, which pictures they mean, and which splits they stand for."""

import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from pixelwise.formats import json_file, read, recognise

CATEGORIES = [{"id": 1, "name": "cat"}]


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", (6, 5), shade).save(path)


def labels(path: Path, *names: str, first: int = 1, category: dict[str, Any] | None = None) -> None:
    """Write a file that outlines one cat in every image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": first + k, "file_name": name, "height": 5, "width": 6} for k, name in enumerate(names)]
    annotations = [
        {
            "id": one["id"],
            "image_id": one["id"],
            "category_id": (category or CATEGORIES[0])["id"],
            "segmentation": [[0, 0, 2, 0, 2, 2]],
        }
        for one in images
    ]
    document = {"images": images, "annotations": annotations, "categories": [category] if category else CATEGORIES}
    path.write_text(json.dumps(document))


def found(path: Path) -> dict[str, list[str]]:
    """Give the pictures of each split, relative to the data set."""
    data = read(path)
    root = path if path.is_dir() else path.parent
    splits = data.splits or {"": range(len(data))}

    def name(row: int) -> str:
        image = data[row].source.image
        assert image is not None
        return image.resolve().relative_to(root.resolve()).as_posix()

    return {split: [name(row) for row in rows] for split, rows in splits.items()}


def test_cocos_own_layout(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / f"{split}2017" / "1.jpg")
        labels(tmp_path / "annotations" / f"instances_{split}2017.json", "1.jpg")
    assert found(tmp_path) == {"train": ["train2017/1.jpg"], "val": ["val2017/1.jpg"]}
    assert [sample.name for sample in read(tmp_path)] == ["train2017_1", "val2017_1"]


def test_images_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / "images" / split / "1.jpg")
        labels(tmp_path / "annotations" / f"instances_{split}.json", "1.jpg")
    assert found(tmp_path) == {"train": ["images/train/1.jpg"], "val": ["images/val/1.jpg"]}


def test_roboflows_layout(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        picture(tmp_path / split / "1.jpg")
        labels(tmp_path / split / "_annotations.coco.json", "1.jpg")
    assert found(tmp_path) == {"train": ["train/1.jpg"], "val": ["valid/1.jpg"], "test": ["test/1.jpg"]}
    assert recognise(tmp_path)[1].dialect.startswith("Roboflow")


def test_one_file_beside_its_images(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    labels(tmp_path / "result.json", "1.jpg")
    assert found(tmp_path) == {"": ["1.jpg"]}
    assert found(tmp_path / "result.json") == {"": ["1.jpg"]}


def test_one_file_above_its_images_and_folders_that_say_the_split(tmp_path: Path) -> None:
    for name in ("train/1.jpg", "val/1.jpg"):
        picture(tmp_path / "images" / name)
    labels(tmp_path / "coco.json", "images/train/1.jpg", "val/1.jpg")
    assert found(tmp_path) == {"train": ["images/train/1.jpg"], "val": ["images/val/1.jpg"]}


def test_the_folder_of_the_annotations_and_one_file_of_it_find_their_images_above(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / split / f"{split}.jpg")
        labels(tmp_path / "annotations" / f"instances_{split}.json", f"{split}.jpg")
    assert len(read(tmp_path / "annotations")) == 2
    assert [sample.name for sample in read(tmp_path / "annotations" / "instances_val.json")] == ["val"]


def test_cvats_default_is_no_split(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "1.jpg")
    labels(tmp_path / "annotations" / "instances_default.json", "1.jpg")
    assert found(tmp_path) == {"": ["images/1.jpg"]}


def test_files_without_a_word_for_a_split_are_splits_by_their_own_names(tmp_path: Path) -> None:
    for name in ("minival", "rest"):
        picture(tmp_path / "images" / f"{name}.jpg")
        labels(tmp_path / f"instances_{name}.json", f"{name}.jpg")
    assert found(tmp_path) == {"minival": ["images/minival.jpg"], "rest": ["images/rest.jpg"]}


@pytest.mark.parametrize(
    "name", ["C:\\data\\shots\\1.jpg", "/home/anna/shots/1.jpg", "../../shots/1.jpg", "./1.jpg", "file:///d/1.jpg", "1.JPG"]
)
def test_paths_of_another_machine_find_the_picture_of_that_name(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "images" / "1.jpg")
    labels(tmp_path / "labels.json", name)
    assert found(tmp_path) == {"": ["images/1.jpg"]}


def test_a_folder_that_exists_is_not_given_up_for_another(tmp_path: Path) -> None:
    picture(tmp_path / "cats" / "2.jpg")
    picture(tmp_path / "dogs" / "1.jpg")
    labels(tmp_path / "labels.json", "cats/1.jpg", "cats/2.jpg")
    assert found(tmp_path) == {"": ["cats/2.jpg"]}
    assert any(note.startswith("cats/1.jpg: ") for note in read(tmp_path).notes)


def test_two_pictures_that_may_both_be_meant_are_told(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        picture(tmp_path / folder / "1.jpg")
    picture(tmp_path / "2.jpg")
    labels(tmp_path / "labels.json", "1.jpg", "2.jpg")
    assert found(tmp_path) == {"": ["2.jpg"]}
    assert any("x/1.jpg and y/1.jpg may both be meant" in note for note in read(tmp_path).notes)


def test_pictures_that_no_file_names_are_told(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        picture(tmp_path / "images" / name)
    labels(tmp_path / "labels.json", "1.jpg")
    assert any("2 images (2.jpg, 3.jpg) are in no annotation file" in note for note in read(tmp_path).notes)
    assert read(tmp_path / "labels.json").notes == ()


def test_key_points_and_captions_beside_instances_are_left_alone(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    for name in ("instances_train", "person_keypoints_train", "stuff_train"):
        labels(tmp_path / "annotations" / f"{name}.json", "1.jpg")
    (tmp_path / "annotations" / "captions_train.json").write_text('{"images": [], "annotations": []}')
    assert found(tmp_path) == {"train": ["1.jpg"]}


def test_an_image_that_two_files_hold_alike_is_one_sample_in_two_splits(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / "images" / name)
    labels(tmp_path / "instances_train.json", "1.jpg")
    labels(tmp_path / "instances_trainval.json", "1.jpg", "2.jpg")
    data = read(tmp_path)
    assert len(data) == 2
    assert data.splits == {"train": (0,)}


def test_files_that_number_one_class_differently_are_joined_by_name(tmp_path: Path) -> None:
    for split, category in (("train", {"id": 1, "name": "cat"}), ("val", {"id": 4, "name": "cat"})):
        picture(tmp_path / split / f"{split}.jpg")
        labels(tmp_path / split / "_annotations.coco.json", f"{split}.jpg", category=category)
    data = read(tmp_path)
    assert data.labels.names == ("cat",)
    assert [sample.truth.names for sample in data] == [["cat"], ["cat"]]


def test_one_id_for_two_names_is_told(tmp_path: Path) -> None:
    for split, category in (("train", {"id": 1, "name": "cat"}), ("val", {"id": 1, "name": "dog"})):
        picture(tmp_path / split / f"{split}.jpg")
        labels(tmp_path / split / "_annotations.coco.json", f"{split}.jpg", category=category)
    data = read(tmp_path)
    assert [sample.truth.names for sample in data] == [["cat"], ["dog"]]
    assert any("category 1 is 'dog' here and 'cat' in" in note for note in data.notes)


def test_each_file_is_looked_into_once_however_many_formats_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "1.jpg")
    labels(tmp_path / "result.json", "1.jpg")
    looked: list[Path] = []
    plain = json_file._keys_of

    def counted(path: Path) -> frozenset[str] | None:
        looked.append(path)
        return plain(path)

    monkeypatch.setattr(json_file, "_keys_of", counted)
    assert recognise(tmp_path)[0] == "coco"
    assert len(looked) == len(set(looked))
