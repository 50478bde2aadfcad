"""Create ML's boxes: read, and said to hold no masks."""

import json
from pathlib import Path

import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.formats import createml, read, recognise

ENTRIES = [
    {"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 5, "y": 2.5, "width": 4, "height": 1}}]},
    {"image": "../../etc/passwd", "annotations": []},
    {"image": "b.jpg", "annotations": [{"label": "dog", "coordinates": {"x": "left"}}]},
]


def put(root: Path, text: str) -> Path:
    root.mkdir()
    for name in ("a.jpg", "b.jpg"):
        PIL.Image.new("RGB", (10, 5)).save(root / name)
    (root / "_annotations.createml.json").write_text(text)
    return root


def test_boxes_stand_by_their_centres(tmp_path: Path) -> None:
    data = read(put(tmp_path / "set", json.dumps(ENTRIES)))
    assert recognise(tmp_path / "set")[0] == "createml"
    assert data[0].meta["boxes"] == ({"name": "cat", "box": (3, 2, 7, 3)},)
    assert (data[0].truths, data.labels.names) == ((), ("cat",))
    assert "1 boxes and no masks" in data.notes[0]


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    notes = read(put(tmp_path / "set", json.dumps(ENTRIES))).notes
    assert any("entry 2: its image '../../etc/passwd' is not there" in note for note in notes)
    assert any("annotation 1 of b.jpg: expected x, y, width and height" in note for note in notes)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"_annotations\.createml\.json: expected JSON"):
        createml.read(put(tmp_path / "set", json.dumps(ENTRIES)[:60]) / "_annotations.createml.json")


def test_masks_are_not_made_boxes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written from masks: write coco, voc or yolo"):
        createml.write(read(put(tmp_path / "set", json.dumps(ENTRIES))), tmp_path / "out")


@pytest.mark.shared_data
def test_boxes_of_roboflow_are_counted(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "roboflow_dataset" / "createml")
    assert ([len(one.meta["boxes"]) for one in data], data.splits) == ([1, 1, 2], {"train": (0, 1), "val": (2,)})
