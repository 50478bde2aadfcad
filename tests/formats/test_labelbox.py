"""Labelbox: files of all kinds as its documentation describes them, masks inside and behind addresses, and what is wrong."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import labelbox, read, recognise


def picture(path: Path, width: int = 12, height: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (width, height)).save(path)
    return path


def corners(left: int, top: int, right: int, bottom: int) -> list[dict[str, int]]:
    return [{"x": left, "y": top}, {"x": right, "y": top}, {"x": right, "y": bottom}, {"x": left, "y": bottom}]


def thing(title: str = "car", **more: Any) -> dict[str, Any]:
    return {"featureId": "f1", "schemaId": "s1", "color": "#ff8000", "title": title, "value": title.casefold(), **more}


BOX = {"top": 2, "left": 1, "height": 3, "width": 4}


def row(*objects: Any, **more: Any) -> dict[str, Any]:
    label = {"objects": list(objects), "classifications": []}
    stated = {"ID": "l1", "DataRow ID": "d1", "Labeled Data": "https://host/files/a.png?Expires=1", "Label": label}
    return {**stated, "External ID": "a.png", **more}


def line(**more: Any) -> dict[str, Any]:
    return {"uuid": "u1", "dataRow": {"globalKey": "a.png"}, "name": "car", "classifications": [], **more}


def folder_of(root: Path, *items: Any, name: str = "export.json") -> Path:
    picture(root / "a.png")
    text = json.dumps(list(items)) if name.endswith(".json") else "".join(json.dumps(one) + "\n" for one in items)
    (root / name).write_text(text)
    return root


def png(mask: np.ndarray, mode: str = "L") -> str:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).convert(mode).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_first_export_is_read(tmp_path: Path) -> None:
    wet = {"title": "wet", "value": "wet", "answer": {"title": "yes", "value": "yes"}}
    path = folder_of(tmp_path, row(thing(polygon=corners(0, 0, 5, 4)), thing("Bus", bbox=BOX, classifications=[[wet]])))
    assert recognise(path)[1].dialect == "Labelbox JSON export (v1)"
    data = read(path)
    assert data.labels.names == ("car", "Bus")
    assert data.labels.colours.tolist() == [[255, 128, 0], [255, 128, 0]]
    truth = data[0].truth
    assert truth.masks.areas().tolist() == [20, 12]
    assert truth.masks.boxes().tolist() == [[0, 0, 5, 4], [1, 2, 5, 5]]
    assert truth.attributes == ({}, {"wet": "yes"})


def test_the_oldest_export_lists_objects_under_their_classes(tmp_path: Path) -> None:
    old = row() | {"Label": {"Car": [{"geometry": corners(0, 0, 2, 2)}], "Tree": [{"geometry": corners(2, 2, 5, 5)}]}}
    truth = read(folder_of(tmp_path, old))[0].truth
    assert (truth.names, truth.masks.areas().tolist()) == (["Car", "Tree"], [4, 9])


def test_the_export_of_today_is_read_and_two_labels_are_two_truths(tmp_path: Path) -> None:
    polygon = {"feature_id": "f1", "name": "car", "annotation_kind": "ImagePolygon", "polygon": corners(0, 0, 5, 4)}
    box = {"feature_id": "f2", "name": "bus", "annotation_kind": "ImageBoundingBox", "bounding_box": BOX}
    night = {"name": "time", "radio_answer": {"name": "night", "classifications": []}}
    labels = [{"annotations": {"objects": [one], "classifications": [night]}} for one in (polygon, box)]
    stated = {
        "data_row": {"id": "d1", "external_id": "a.png", "row_data": "https://host/a.png"},
        "media_attributes": {"height": 10, "width": 12, "mime_type": "image/png"},
        "projects": {"p1": {"name": "cars", "labels": labels}},
    }
    path = folder_of(tmp_path, stated, name="export.ndjson")
    assert recognise(path)[1].dialect == "Labelbox NDJSON export"
    [sample] = read(path)
    assert [one.names for one in sample.truths] == [["car"], ["bus"]]
    assert sample.meta == {"time": "night"}


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_a_mask_that_is_imported_is_read_bit_for_bit(mode: str, tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((10, 12)) > 0.5
    first, second = line(mask={"png": png(mask, mode)}), line(polygon=corners(0, 0, 2, 2), name="bus")
    path = folder_of(tmp_path, first, second, name="import.ndjson")
    assert recognise(path)[1].dialect == "Labelbox for import"
    truth = read(path)[0].truth
    assert truth.names == ["car", "bus"]
    assert np.array_equal(truth.masks.mask(0), mask)


@pytest.mark.parametrize(
    ("item", "identity"),
    [
        (row(thing(instanceURI="https://api.labelbox.com/masks/f1"), thing(bbox=BOX)), "f1"),
        (line(mask={"instanceURI": "https://host/mask.png", "colorRGB": [255, 255, 255]}), "u1"),
    ],
)
def test_a_mask_behind_an_address_is_told_as_one_that_is_not_there(item: Any, identity: str, tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, item))
    with pytest.raises(DataError, match=f"object {identity}: its mask lies behind an address"):
        _ = sample.truth


def test_points_and_lines_are_counted(tmp_path: Path) -> None:
    spot = {"x": 1, "y": 1}
    data = read(folder_of(tmp_path, row(thing(point=spot), thing(point=spot), thing(line=[spot, spot]), thing(bbox=BOX))))
    assert len(data[0].truth) == 1
    assert "2 of the kind point, 1 of the kind line" in data.notes[0]


@pytest.mark.parametrize(
    "stated",
    [
        {"External ID": "photos/my photo.png"},
        {"External ID": None, "Labeled Data": "https://host/photos%2Fmy%20photo.png?Expires=1"},
        {"External ID": "C:\\data\\my photo.png"},
        {"External ID": None, "Labeled Data": "https://host/x", "DataRow ID": "my photo"},
    ],
)
def test_a_picture_is_found_under_the_names_that_rows_give_it(stated: dict[str, Any], tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "my photo.png")
    (tmp_path / "export.json").write_text(json.dumps([row() | stated]))
    assert [one.name for one in read(tmp_path)] == ["my photo"]


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    (tmp_path / "data").mkdir()
    away = row() | {"External ID": "../secret.png", "DataRow ID": "d2", "Labeled Data": str(tmp_path / "secret.png")}
    assert [one.name for one in read(folder_of(tmp_path / "data", row(), away))] == ["a"]


def test_labels_of_other_media_are_told_and_left_out(tmp_path: Path) -> None:
    video = row() | {"Label": [{"frameNumber": 1, "objects": []}], "DataRow ID": "d2"}
    text = row(thing(data={"location": {"start": 1, "end": 2}})) | {"DataRow ID": "d3"}
    data = read(folder_of(tmp_path, row(thing(bbox=BOX)), video, text))
    assert len(data) == 1
    assert "1 labels are of videos" in data.notes[0]
    assert "1 labels are of texts" in data.notes[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (thing(polygon=corners(0, 0, 5, 4)[:2]), "at least 3"),
        (thing(polygon="x"), "points with x and y"),
        (thing(polygon=[{"x": 1}] * 3), "'y'"),
        (thing(bbox={"top": 1, "left": 1}), "'width'"),
        (thing(mask={"png": "***"}), "base64"),
        (thing(mask={"png": png(np.ones((9, 12), bool))}), r"\[9, 12\]"),
        (thing(mask={"png": png(np.ones((999, 999), bool))}), r"\[999, 999\]"),
        ("car", "expected an object"),
    ],
)
def test_a_wrong_object_spoils_itself_and_is_named(wrong: Any, words: str, tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, row(wrong, thing(bbox=BOX))))
    truths, problems = sample.salvaged()
    assert [one.names for one in truths] == [["car"]]
    assert len(problems) == 1
    with pytest.raises(DataError, match=rf"export\.json: object.*{words}"):
        _ = sample.truth


@pytest.mark.parametrize(
    "broken",
    [
        row() | {"Label": {"objects": {"a": 1}}},
        {"data_row": {"external_id": "a.png"}, "projects": {"p": 7}},
        {"data_row": {"external_id": "a.png"}, "projects": {"p": {"labels": [{"annotations": []}]}}},
    ],
)
def test_objects_that_are_no_list_spoil_their_image(broken: dict[str, Any], tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, broken))
    with pytest.raises(DataError, match=r"export\.json: the item at byte 1"):
        _ = sample.truth


def test_a_file_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = folder_of(tmp_path, line(bbox=BOX), name="good.ndjson")
    (path / "bad.ndjson").write_text(json.dumps(line(bbox=BOX)) + "\n" + '{"dataRow": {"gl')
    with pytest.raises(UnreadableFile, match=r"bad\.ndjson: line 2"):
        read(path)


def test_a_folder_of_something_else_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"Label": 1}]')
    with pytest.raises(UnknownLayout):
        labelbox.read(tmp_path)


def test_what_is_written_is_as_the_import_wants_it(tmp_path: Path) -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    mask = np.eye(3, dtype=bool)
    truth = Segmentation.from_masks("instance", mask[None], [0], labels)
    image = Image(np.zeros((3, 3, 3), np.uint8))
    samples = [Sample.of("a", image, truth), Sample.of("none", image, truth[[]])]
    labelbox.write(Dataset(samples, labels, "instance"), tmp_path / "out")
    [text] = (tmp_path / "out" / "labels.ndjson").read_text().splitlines()
    one = json.loads(text)
    assert (one["name"], one["dataRow"], set(one)) == (
        "cat",
        {"globalKey": "a.png"},
        {"uuid", "dataRow", "name", "mask", "classifications"},
    )
    stored = PIL.Image.open(io.BytesIO(base64.b64decode(one["mask"]["png"])))
    assert np.array_equal(np.array(stored.convert("L")), np.where(mask, 255, 0))
    assert [(each.name, len(each.truth)) for each in read(tmp_path / "out")] == [("a", 1), ("none", 0)]


def test_a_set_without_a_single_object_is_read_back(tmp_path: Path) -> None:
    labels = LabelSet.of(["cat"], things=["cat"])
    none = Segmentation.from_masks("instance", np.zeros((0, 3, 3), bool), [], labels)
    data = Dataset([Sample.of("a", Image(np.zeros((3, 3, 3), np.uint8)), none)], labels, "instance", {"val": [0]})
    labelbox.write(data, tmp_path / "out")
    assert (read(tmp_path / "out")[0].truth, read(tmp_path / "out").splits) == (none, {"val": (0,)})


@pytest.mark.shared_data
def test_real_polygons_are_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "labeltools" / "labelbox" / "labelbox_v1" / "unkown_media_type_export.json", tmp_path)
    for name in ("im1", "im2", "im3", "im4"):
        picture(tmp_path / f"{name}.png", 300, 300)
    data = read(tmp_path)
    assert {one.name: [truth.names for truth in one.truths] for one in data} == {
        "im1": [["obj"]],
        "im2": [],
        "im3": [[]],  # answers alone; im2 has no label at all
        "im4": [["obj"]],
    }


@pytest.mark.shared_data
def test_a_real_export_of_boxes_polygons_and_a_mask_behind_an_address_is_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "labeltools" / "labelbox" / "labelbox_v1" / "image_export.json", tmp_path)
    picture(tmp_path / "2560px-Kitano_Street_Kobe01s5s4110.jpg", 2560, 1707)
    data = read(tmp_path)
    truths, problems = data[0].salvaged()
    assert truths[0].names.count("bounding_box") == 4
    assert truths[0].names.count("polygon") == 2
    assert truths[0].masks.areas().tolist()[0] == 186 * 594
    assert truths[0].attributes[2] == {"has_handbag": "False"}
    assert len(problems) == 1
    assert "1 of the kind point, 2 of the kind line" in " ".join(data.notes)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "medium"),
    [
        ("labelbox_v1/pdf_export.json", "1 of documents"),
        ("labelbox_v1/text_export.json", "1 of texts"),
        ("labelbox_v1/video_export.json", "1 of videos"),
        ("labelbox_v1/tiled_image_export.json", "2 of tiled maps"),
        ("ndjson/pdf_import.json", "7 of documents"),
        ("ndjson/text_entity_import.json", "1 of texts"),
        ("ndjson/metric_import.json", "1 of metrics"),
    ],
)
def test_real_files_of_other_media_are_said_to_hold_no_labels_of_images(shared_data: Path, name: str, medium: str) -> None:
    path = shared_data / "labeltools" / "labelbox" / name
    assert recognise(path)[0] == "labelbox"
    with pytest.raises(DataError, match=f"holds no labels of images: {medium}"):
        read(path)


@pytest.mark.shared_data
def test_a_real_import_is_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "labeltools" / "labelbox" / "ndjson" / "image_import_name_only.json", tmp_path)
    picture(tmp_path / "ckrazctum0z8a0ybc0b0o0g0v.jpg", 2560, 1707)
    [sample] = read(tmp_path)
    truths, problems = sample.salvaged()
    assert truths[0].names == ["ckrazcueb16og0z6609jj7y3y", "ckrazcuec16oi0z66dzrd8pfl"]
    assert truths[0].masks.areas().tolist()[0] == 139 * 350
    assert "its mask lies behind an address" in problems[0]
