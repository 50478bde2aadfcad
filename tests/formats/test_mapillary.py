"""Mapillary Vistas by hand: a config of classes, PNGs of class * 256 + number, class numbers, and polygons."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.sample import LostLabels
from pixelwise.formats import read, recognise

CONFIG = {
    "version": "2.0",
    "labels": [
        {"name": "animal--bird", "readable": "Bird", "instances": True, "evaluate": True, "color": [165, 42, 42]},
        {"name": "nature--sky", "readable": "Sky", "instances": False, "evaluate": True, "color": [70, 130, 180]},
        {"name": "void--unlabeled", "readable": "Unlabeled", "instances": False, "evaluate": False, "color": [0, 0, 0]},
    ],
}
INSTANCES = np.array([[0, 1, 256], [256, 256, 512]], np.uint16)


def vistas(root: Path, values: np.ndarray = INSTANCES, place: str = "v2.0/instances", config: str = "config_v2.0.json") -> Path:
    (root / "training" / "images").mkdir(parents=True, exist_ok=True)
    (root / "training" / place).mkdir(parents=True)
    PIL.Image.new("RGB", (3, 2)).save(root / "training" / "images" / "a.jpg")
    PIL.Image.fromarray(values).save(root / "training" / place / "a.png")
    (root / config).write_text(json.dumps(CONFIG))
    return root


def polygons(root: Path, *objects: dict[str, Any]) -> Path:
    vistas(root)
    (root / "training" / "v2.0" / "instances").rename(root / "gone")
    (root / "gone" / "a.png").unlink()
    (root / "training" / "v2.0" / "polygons").mkdir()
    document = {"width": 3, "height": 2, "objects": objects}
    (root / "training" / "v2.0" / "polygons" / "a.json").write_text(json.dumps(document))
    return root


def test_every_value_is_an_object_and_void_is_none(tmp_path: Path) -> None:
    path = vistas(tmp_path)
    assert recognise(path)[0] == "mapillary"
    data = read(path, split="train")
    truth = data[0].truth
    assert (truth.kind, truth.names) == ("panoptic", ["animal--bird", "animal--bird", "nature--sky"])
    assert truth.panoptic_ids().tolist() == [[1, 2, 3], [3, 3, 0]]
    assert data.labels.things == (0,)


def test_class_numbers_alone_are_semantic(tmp_path: Path) -> None:
    truth = read(vistas(tmp_path, np.array([[0, 1, 2], [1, 1, 1]], np.uint8), "v2.0/labels"))[0].truth
    assert (truth.kind, truth.class_map().tolist()) == ("semantic", [[0, 1, 255], [1, 1, 1]])


def test_the_newest_version_is_read_and_the_other_told(tmp_path: Path) -> None:
    vistas(tmp_path, np.zeros((2, 3), np.uint16), "v1.2/instances", "config_v1.2.json")
    data = read(vistas(tmp_path))
    assert data[0].truth.masks.areas().tolist() == [1, 1, 3]
    assert any("v1.2" in note for note in data.notes)


def test_the_layout_without_versions_is_told_by_its_config(tmp_path: Path) -> None:
    path = vistas(tmp_path, np.array([[0, 1, 1], [1, 1, 1]], np.uint8), "labels", "config.json")
    assert recognise(path)[0] == "mapillary"
    (path / "config.json").unlink()
    assert recognise(path)[0] == "masks"


def test_without_a_config_classes_are_called_by_their_numbers(tmp_path: Path) -> None:
    path = vistas(tmp_path)
    (path / "config_v2.0.json").unlink()
    data = read(path)
    assert data[0].truth.names == ["class 0", "class 0", "class 1", "class 2"]
    assert any("config" in note for note in data.notes)


def test_labels_without_an_image_are_told(tmp_path: Path) -> None:
    vistas(tmp_path)
    PIL.Image.fromarray(INSTANCES).save(tmp_path / "training" / "v2.0" / "instances" / "gone.png")
    assert any(isinstance(note, LostLabels) and "gone.png" in note for note in read(tmp_path).notes)


def test_polygons_are_painted_in_their_order(tmp_path: Path) -> None:
    sky = {"id": 4, "label": "nature--sky", "polygon": [[0, 0], [3, 0], [3, 2], [0, 2]]}
    bird = {"id": 9, "label": "animal--bird", "polygon": [[1, 0], [2, 0], [2, 1], [1, 1]]}
    truth = read(polygons(tmp_path, sky, bird))[0].truth
    assert truth.panoptic_ids().tolist() == [[1, 2, 1], [1, 1, 1]]
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [4, 9]


ALL = [[0, 0], [3, 0], [3, 2], [0, 2]]
SKY = {"id": 4, "label": "nature--sky", "polygon": ALL}


def column(identity: int, label: str, left: int) -> dict[str, Any]:
    return {"id": identity, "label": label, "polygon": [[left, 0], [left + 1, 0], [left + 1, 2], [left, 2]]}


@pytest.mark.parametrize("config", [True, False])
def test_void_polygons_are_void_and_cover_what_lies_below(config: bool, tmp_path: Path) -> None:
    path = polygons(tmp_path, SKY, column(5, "void--unlabeled", 1), column(6, "animal--bird", 2))
    if not config:
        (path / "config_v2.0.json").unlink()
    [sample] = read(path)
    assert (sample.truth.names, sample.truth.panoptic_ids().tolist()) == (
        ["nature--sky", "animal--bird"],
        [[1, 0, 2], [1, 0, 2]],
    )
    assert sample.raw()[0].shape == (2, 3)


def test_polygons_of_one_stuff_are_one_segment_and_things_are_apart(tmp_path: Path) -> None:
    sky, birds = [column(1, "nature--sky", 0), column(4, "nature--sky", 2)], [column(2, "animal--bird", 1)]
    truth = read(polygons(tmp_path, sky[0], column(3, "animal--bird", 2), *birds, sky[1]))[0].truth
    assert (truth.names, truth.masks.areas().tolist()) == (["nature--sky", "animal--bird", "animal--bird"], [4, 0, 2])
    assert truth.panoptic_ids().tolist() == [[1, 3, 1], [1, 3, 1]]


def test_a_wrong_polygon_spoils_itself_and_is_named(tmp_path: Path) -> None:
    good = {"id": 4, "label": "nature--sky", "polygon": [[0, 0], [3, 0], [3, 2], [0, 2]]}
    [sample] = read(polygons(tmp_path, good, {"id": 5, "label": "animal--bird", "polygon": [[1, "x"]]}))
    with pytest.raises(DataError, match=r"a\.json: object.*expected points"):
        _ = sample.truth
    assert sample.salvaged()[0][0].names == ["nature--sky"]


def test_a_broken_config_is_not_taken_for_one(tmp_path: Path) -> None:
    path = vistas(tmp_path)
    (path / "config_v2.0.json").write_text('{"labels": [{"readable": 1}], "version": "2.0"}')
    with pytest.raises(DataError, match=r"config_v2\.0\.json: expected labels"):
        read(path)


@pytest.mark.shared_data
def test_a_real_folder_is_read(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "mapillary_vistas_dataset")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 1, "val": 2}
    assert data.labels.names == ("animal--bird", "construction--barrier--separator", "object--vehicle--bicycle")
    assert {one.name: one.truth.masks.areas().tolist() for one in data} == {"0": [15, 10], "1": [5, 10, 10], "2": [5] * 5}
