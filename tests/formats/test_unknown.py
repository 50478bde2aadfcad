"""What is said of a path that no format claims: what it is, and what would help."""

import json
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
}
WORDS = {
    "labels": "COCO with classes of whole images",
    "info": "COCO that lists images alone",
    "multi-label": "classes of whole images as a table",
    "table of boxes": "boxes as a table",
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
    ],
)
def test_real_sets_without_masks_are_told_what_they_are(shared_data: Path, folder: str, words: str) -> None:
    with pytest.raises(UnknownLayout, match=words):
        read(shared_data / "labeltools" / "small_fixtures" / folder)
