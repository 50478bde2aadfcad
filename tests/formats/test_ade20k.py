"""ADE20K in full, by hand: of 2017 objects in the blue band and lines of text, of 2020 JSON and a picture an object."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.sample import LostLabels
from pixelwise.formats import read, recognise

OBJECTS = np.array([[0, 1, 1], [2, 2, 2]], np.uint8)
PARTS = np.array([[0, 0, 0], [0, 0, 1]], np.uint8)
LINES = '001 # 0 # 0 # sky # sky # ""\n002 # 0 # 1 # car, auto # car # "parked"\n001 # 1 # 0 # wheel # wheel # ""\n'


def blue(path: Path, numbers: np.ndarray) -> None:
    """Save numbers as the blue band, the class as red / 10 * 256 + green."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.stack([numbers * 0 + 10, numbers * 0 + 5, numbers], axis=2)).save(path)


def of_2017(root: Path, lines: str = LINES, objects: np.ndarray = OBJECTS) -> Path:
    folder = root / "images" / "training" / "s" / "street"
    blue(folder / "a_seg.png", objects)
    blue(folder / "a_parts_1.png", PARTS)
    PIL.Image.new("RGB", (3, 2)).save(folder / "a.jpg")
    (folder / "a_atr.txt").write_text(lines)
    return root


def thing(identity: int, name: str, level: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "raw_name": name.partition(",")[0],
        "name_ndx": 100 + identity,
        "attributes": [],
        "occluded": [],
        "parts": {"hasparts": [], "ispartof": 0 if level else [], "part_level": level},
        "instance_mask": f"a/instance_00{identity}_a.png",
        "polygon": {"x": [], "y": []},
        **more,
    }


def of_2020(root: Path, *objects: object, masks: int = 2) -> Path:
    folder = root / "ADE" / "validation" / "street"
    blue(folder / "a_seg.png", OBJECTS)
    (folder / "a").mkdir()
    PIL.Image.new("RGB", (3, 2)).save(folder / "a.jpg")
    for number, mask in enumerate((OBJECTS == 2, PARTS == 1)[:masks]):
        PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "a" / f"instance_00{number}_a.png")
    document = {"annotation": {"filename": "a.jpg", "imsize": [2, 3, 3], "object": objects}}
    (folder / "a.json").write_text(json.dumps(document))
    return root


def test_objects_and_parts_of_2017_are_named_by_the_text(tmp_path: Path) -> None:
    path = of_2017(tmp_path)
    assert recognise(path)[0] == "ade20k"
    truth = read(path, split="train")[0].truth
    assert (truth.kind, truth.names) == ("instance", ["sky", "car, auto", "wheel"])
    assert truth.masks.dense().tolist() == [(OBJECTS == 1).tolist(), (OBJECTS == 2).tolist(), (PARTS == 1).tolist()]
    assert truth.attributes[1] == {"part_level": 0, "occluded": True, "raw_name": "car", "attributes": "parked"}
    assert truth.attributes[2]["part_level"] == 1


def test_numbers_spread_for_the_eye_are_taken_in_their_order(tmp_path: Path) -> None:
    truth = read(of_2017(tmp_path, objects=OBJECTS * 100))[0].truth
    assert truth.masks.areas().tolist() == [2, 3, 1]


def test_classes_alone_leave_parts_aside(tmp_path: Path) -> None:
    truth = read(of_2017(tmp_path)).semantic()[0].truth
    names = np.array(truth.labels.names)
    assert names[truth.class_map()].tolist() == [["background", "sky", "sky"], ["car, auto"] * 3]


def test_an_object_wholly_behind_others_is_kept_and_empty(tmp_path: Path) -> None:
    truth = read(of_2017(tmp_path, LINES + '003 # 0 # 1 # tree # tree # ""\n'))[0].truth
    assert dict(zip(truth.names, truth.masks.areas().tolist(), strict=True))["tree"] == 0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (LINES + "x # 0\n", "line 4: expected number # level"),
        (LINES + '004 # 2 # 0 # bolt # bolt # ""\n', r"part of level 2 004: there is no a_parts_2\.png"),
        ('001 # 0 # 0 # sky # sky # ""\n', "shows the number"),
    ],
)
def test_a_wrong_line_spoils_itself_and_is_named(lines: str, words: str, tmp_path: Path) -> None:
    [sample] = read(of_2017(tmp_path, lines))
    with pytest.raises(DataError, match=words):
        _ = sample.truth
    assert "sky" in sample.salvaged()[0][0].names


def test_objects_without_an_image_are_told(tmp_path: Path) -> None:
    blue(of_2017(tmp_path) / "images" / "training" / "gone_seg.png", OBJECTS)
    assert any(isinstance(note, LostLabels) and "gone_seg.png" in note for note in read(tmp_path).notes)


def test_objects_of_2020_have_pictures_of_their_own(tmp_path: Path) -> None:
    path = of_2020(tmp_path, thing(0, "car, auto", depth_ordering_rank=2), thing(1, "wheel", level=1))
    assert recognise(path)[0] == "ade20k"
    truth = read(path, split="val")[0].truth
    assert (truth.names, truth.masks.areas().tolist()) == (["car, auto", "wheel"], [3, 1])
    assert truth.attributes[0]["depth_ordering_rank"] == 2
    assert truth.attributes[1]["part_of"] == 0


def test_names_in_latin_1_are_read(tmp_path: Path) -> None:
    older = of_2017(tmp_path / "older", "")
    text = next(older.rglob("*_atr.txt"))
    text.write_bytes(LINES.replace("sky", "caf\xe9").encode("latin-1"))
    assert read(older)[0].truth.names == ["caf\xe9", "car, auto", "wheel"]
    newer = of_2020(tmp_path / "newer", thing(0, "caf\xe9"), masks=1)
    file = next(newer.rglob("*.json"))
    file.write_bytes(json.dumps(json.loads(file.read_text()), ensure_ascii=False).encode("latin-1"))
    assert recognise(newer)[0] == "ade20k"
    assert read(newer)[0].truth.names == ["caf\xe9"]


def test_without_its_picture_an_outline_is_taken(tmp_path: Path) -> None:
    square = {"x": [1, 2, 2, 1], "y": [0, 0, 1, 1]}
    truth = read(of_2020(tmp_path, thing(0, "lamp", polygon=square), masks=0))[0].truth
    assert truth.masks.dense().tolist() == [[[False, True, False], [False, False, False]]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (thing(4, "lamp"), r"object 4: its picture a/instance_004_a\.png is not there"),
        (thing(4, "lamp", instance_mask="../../../a.jpg"), r"object 4: its picture .* is not there"),
        (thing(4, ""), "object 4: expected a name"),
        (7, "object at place 2"),
    ],
)
def test_a_wrong_object_spoils_itself_and_is_named(wrong: object, words: str, tmp_path: Path) -> None:
    [sample] = read(of_2020(tmp_path, thing(0, "car, auto"), wrong))
    with pytest.raises(DataError, match=words):
        _ = sample.truth
    assert sample.salvaged()[0][0].names == ["car, auto"]


@pytest.mark.shared_data
def test_real_folders_of_both_releases_are_read(shared_data: Path) -> None:
    root = shared_data / "labeltools" / "small_fixtures"
    older, newer = read(root / "ade20k2017_dataset" / "dataset"), read(root / "ade20k2020_dataset" / "dataset")
    assert {one.name: one.truth.masks.areas().tolist() for one in older} == {"1": [3, 6, 3], "2": [6, 3, 6, 3]}
    assert {one.name: one.truth.masks.areas().tolist() for one in newer} == {"1": [15, 5, 10], "2": [15, 5, 10, 5]}
    assert [name.partition(",")[0] for name in newer.labels.names] == ["car", "door", "person", "rim"]
