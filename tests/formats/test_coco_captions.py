"""COCO's captions are kept with their samples, beside other files and alone, and are written again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import coco, read, recognise


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("L", (6, 5)).save(path)


def captions(path: Path, images: dict[int, str], lines: list[tuple[int, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "images": [{"id": id_, "file_name": name} for id_, name in images.items()],
        "annotations": [{"id": k, "image_id": image, "caption": text} for k, (image, text) in enumerate(lines)],
    }
    path.write_text(json.dumps(document))


def instances(path: Path, name: str, image: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "images": [{"id": image, "file_name": name}],
        "annotations": [{"id": 1, "image_id": image, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2]]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    path.write_text(json.dumps(document))


def test_captions_beside_instances_are_kept_in_order(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / split / "1.jpg")
        instances(tmp_path / "annotations" / f"instances_{split}.json", "1.jpg")
        captions(tmp_path / "annotations" / f"captions_{split}.json", {1: "1.jpg"}, [(1, f"a {split}"), (1, "a cat")])
    data = read(tmp_path)
    assert {one.name: one.meta["captions"] for one in data} == {"train_1": ("a train", "a cat"), "val_1": ("a val", "a cat")}
    alone = read(tmp_path / "annotations" / "instances_val.json")
    assert [one.meta["captions"] for one in alone] == [("a val", "a cat")]


def test_captions_are_joined_by_the_picture_not_by_the_id_of_another_file(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg"):
        picture(tmp_path / name)
    instances(tmp_path / "annotations" / "instances_train.json", "1.jpg", image=77)
    captions(tmp_path / "annotations" / "captions_train.json", {77: "2.jpg", 5: "1.jpg"}, [(77, "a dog"), (5, "a cat")])
    assert [one.meta["captions"] for one in read(tmp_path)] == [("a cat",)]


def test_captions_alone_are_images_without_labels(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "1.jpg")
    captions(tmp_path / "annotations" / "captions_train.json", {1: "1.jpg"}, [(1, "a cat")])
    assert recognise(tmp_path)[1].dialect == "COCO's captions: annotations/captions_train.json"
    data = read(tmp_path)
    assert [(one.truths, one.meta["captions"]) for one in data] == [((), ("a cat",))]
    assert data.splits == {"train": (0,)}
    assert any("captions alone" in note for note in data.notes)


def test_captions_of_no_image_and_of_images_that_are_not_there_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    captions(tmp_path / "captions_train.json", {1: "1.jpg", 2: "../../etc/2.jpg"}, [(1, "a cat"), (2, "lost"), (9, "lost")])
    notes = read(tmp_path).notes
    assert any("1 captions are of images that the file does not list" in note for note in notes)
    assert any("1 images with captions, the first ../../etc/2.jpg, are not there" in note for note in notes)


def test_a_broken_caption_is_named_with_its_file(tmp_path: Path) -> None:
    picture(tmp_path / "1.jpg")
    (tmp_path / "captions.json").write_text('{"images": [], "annotations": [{"image_id": 1, "caption": 5}]}')
    with pytest.raises(UnreadableFile, match=r"captions\.json: .*annotations\[0\]\.caption"):
        read(tmp_path)


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    captions(tmp_path / "captions.json", {1: "1.jpg"}, [(1, "a cat")])
    with pytest.raises(DataError, match="not one of the images it names"):
        read(tmp_path)


def test_captions_are_written_and_read_back(tmp_path: Path) -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    truth = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], labels)
    image = Image(np.zeros((1, 2, 3), np.uint8))
    samples = [
        Sample.of("a", image, truth, captions=("one cat", "a cat")),
        Sample.of("b", image, truth),
        Sample.of("c", image, captions=("no labels",)),
    ]
    coco.write(Dataset(samples, labels, "instance", {"train": [0, 2], "val": [1]}), tmp_path / "out")
    back = read(tmp_path / "out")
    assert {one.name: one.meta.get("captions") for one in back} == {
        "a": ("one cat", "a cat"),
        "b": None,
        "c": ("no labels",),
    }
    assert [one.truth_source is None for one in back] == [False, False, True]
    document = json.loads((tmp_path / "out" / "annotations" / "captions_train.json").read_text())
    assert [one["caption"] for one in document["annotations"]] == ["one cat", "a cat", "no labels"]
    assert [one["file_name"] for one in document["images"]] == ["a.png", "c.png"]


@pytest.mark.shared_data
def test_real_captions(shared_data: Path) -> None:
    fixtures = shared_data / "labeltools" / "small_fixtures" / "coco_dataset"
    for folder in ("coco_captions", "coco"):
        assert {one.name: one.meta["captions"] for one in read(fixtures / folder)} == {"a": ("hello",), "b": ("world", "text")}
