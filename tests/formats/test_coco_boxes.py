"""COCO files of boxes without masks: read as images without labels, and said to be so."""

import json
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.curate.check import check
from pixelwise.formats import read, recognise

CATEGORIES = [{"id": 7, "name": "dog"}]


def box(**parts: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": 11, "category_id": 7, "bbox": [1, 1, 3, 2], "area": 6, "iscrowd": 0, **parts}


def put(root: Path, annotations: list[dict[str, Any]]) -> Path:
    root.mkdir(parents=True)
    images = []
    for number, name in enumerate(("a.png", "b.png"), start=11):
        PIL.Image.new("RGB", (6, 5)).save(root / name)
        images.append({"id": number, "file_name": name, "height": 5, "width": 6})
    (root / "labels.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return root


@pytest.mark.parametrize("outline", [{}, {"segmentation": []}, {"segmentation": [[]]}, {"segmentation": None}])
def test_a_file_of_boxes_is_read_and_said_to_hold_no_masks(outline: dict[str, Any], tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [box(id=1, **outline), box(id=2, **outline)])
    assert recognise(path)[0] == "coco"
    data = read(path)
    assert data.labels.names == ("dog",)
    assert [len(sample.truths) for sample in data] == [0, 0]
    assert data[0].meta["boxes"] == ({"name": "dog", "box": (1, 1, 4, 3)},) * 2
    assert any("labels.json: 2 boxes and no masks: they say where objects are" in note for note in data.notes)


def test_an_image_of_boxes_is_not_taught_as_background(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [box()]))
    with pytest.raises(DataError, match="a: expected one truth, found 0; it is an image without labels"):
        _ = data[0].truth


def test_a_box_among_outlines_spoils_its_image_and_is_named(tmp_path: Path) -> None:
    outlined = box(id=41, image_id=12, segmentation=[[1, 1, 4, 1, 4, 3, 1, 3]])
    data = read(put(tmp_path / "pets", [box(id=40), outlined]))
    truths, problems = data[0].salvaged()
    assert [len(one) for one in truths] == [0]
    assert ["annotation 40 of image 11 (a.png): it has no outline" in one for one in problems] == [True]
    assert data[1].truth.masks.areas().tolist() == [6]


def test_the_audit_of_boxes_ends_well(tmp_path: Path) -> None:
    audit = check(put(tmp_path / "pets", [box()]))
    assert any("boxes and no masks" in problem.text for problem in (*audit.problems, *audit.notes))


@pytest.mark.shared_data
def test_a_real_export_of_boxes(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "roboflow_dataset" / "coco")
    assert (len(data), data.labels.names) == (3, ("label_0", "label_1"))
    assert sum("json: 2 boxes and no masks" in note for note in data.notes) == 2


@pytest.mark.shared_data
def test_a_real_set_with_boxes_in_one_file_and_outlines_in_another(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "coco_dataset" / "coco_instances")
    assert {sample.name: [truth.masks.areas().tolist() for truth in sample.truths] for sample in data} == {
        "a": [],
        "b": [[2, 20]],
    }
