"""What is said of a path that no format claims: what it is, and what would help."""

import json
import re
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from pixelwise.core.errors import UnknownLayout
from pixelwise.formats import read


def put(root: Path, file: str, content: Any) -> Path:
    root.mkdir(exist_ok=True)
    PIL.Image.new("RGB", (6, 5)).save(root / "a.jpg")
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text(content if isinstance(content, str) else json.dumps(content))
    return root


IMAGES = [{"id": 1, "file_name": "a.jpg"}]
CATEGORIES = [{"id": 1, "name": "dog"}]
KNOWN = {
    "labels": ("l.json", {"images": IMAGES, "annotations": [{"image_id": 1, "category_id": 1}], "categories": CATEGORIES}),
    "info": ("l.json", {"images": IMAGES, "categories": CATEGORIES}),
    "multi-label": ("_classes.csv", "filename, dog, cat\na.jpg, 1, 0\n"),
    "table of boxes": ("_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,6,5,dog,1,1,2,2\n"),
    "kitti": ("label_2/a.txt", "Car 0.00 0 -1.57 1 1 4 3 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"),
    "tracklets": ("tracklet_labels.xml", "<?xml version='1.0'?>\n<!DOCTYPE boost_serialization>\n<boost_serialization/>"),
}
WORDS = {
    "labels": "COCO with classes of whole images",
    "info": "COCO that lists images alone",
    "multi-label": "classes of whole images as a table",
    "table of boxes": "boxes as a table",
    "kitti": "KITTI's detection or 3D benchmark, boxes as text",
    "tracklets": "KITTI's raw data, whose tracklets are boxes in 3D",
}


@pytest.mark.parametrize("case", KNOWN)
def test_a_folder_without_masks_is_told_what_it_is(case: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match=rf"It is {WORDS[case]}.*: no masks can be read from it; export polygons or masks"):
        read(put(tmp_path / "data", *KNOWN[case]))


@pytest.mark.parametrize("case", ["labels", "info"])
def test_a_file_without_masks_is_told_what_it_is(case: str, tmp_path: Path) -> None:
    file, content = KNOWN[case]
    with pytest.raises(UnknownLayout, match=rf"{file}: this is {WORDS[case]}"):
        read(put(tmp_path / "data", file, content) / file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "neither an object nor a list of them"),
        ('{"a": [', "expected JSON, but"),
        ("", "empty file"),
        ('{"b": 1, "a": 2}', "found an object with the keys a, b"),
        ('[{"b": 1}]', "found a list of objects with the keys b"),
    ],
)
def test_a_json_of_no_known_make_is_told_what_is_in_it(content: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match=rf"list\.json: .*{words}"):
        read(put(tmp_path / "data", "list.json", content) / "list.json")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("coco_dataset/coco_labels", "classes of whole images"),
        ("coco_dataset/coco_image_info", "lists images alone"),
        ("roboflow_dataset/multiclass", "as Roboflow's multi-label export has them"),
        ("kitti_dataset/kitti_detection", "KITTI's detection or 3D benchmark"),
        ("kitti_dataset/kitti_3d", "KITTI's detection or 3D benchmark"),
        ("kitti_dataset/kitti_raw", "tracklets are boxes in 3D"),
    ],
)
def test_real_sets_without_masks_are_told_what_they_are(shared_data: Path, folder: str, words: str) -> None:
    with pytest.raises(UnknownLayout, match=words):
        read(shared_data / "labeltools" / "small_fixtures" / folder)


def test_exports_side_by_side_are_named_with_the_parts_to_give(tmp_path: Path) -> None:
    coco = {"images": IMAGES, "categories": CATEGORIES}
    coco["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 3, 1, 3, 3]]}]
    labelme = {"shapes": [], "imagePath": "a.jpg", "imageHeight": 5, "imageWidth": 6}
    root = put(put(tmp_path / "data", "coco.json", coco), "lm/a.json", labelme)
    with pytest.raises(
        UnknownLayout, match=r"coco \(.*\); labelme \(.*\); give a part .*: coco\.json \(coco\), lm \(labelme\)$"
    ):
        read(root)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "parts"),
    [
        ("label_studio", "coco_export (label_studio), coco_import_input.json (coco), data_polygons.json (label_studio)"),
        ("v7_darwin", "coco/from (darwin), coco/to (coco), semantic_mask (darwin)"),
        ("v7_darwin/coco", "from (darwin), to (coco)"),
    ],
)
def test_real_exports_of_two_tools_are_told_apart(shared_data: Path, folder: str, parts: str) -> None:
    with pytest.raises(UnknownLayout, match=f"give a part of it that is of one: {re.escape(parts)}$"):
        read(shared_data / "labeltools" / folder)
