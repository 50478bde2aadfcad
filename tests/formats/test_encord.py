"""Encord: exports as its documentation describes them, bitmasks both ways, and what is wrong in one."""

import json
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
from pixelwise.formats import encord, read, recognise
from pixelwise.formats.encord import truth
from pixelwise.formats.encord.truth import rle_string, units_of


def picture(path: Path, width: int = 20, height: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (width, height)).save(path)
    return path


def thing(shape: str, name: str = "Whale", **more: Any) -> dict[str, Any]:
    return {
        "objectHash": "o1",
        "featureHash": "f1",
        "name": name,
        "value": name.casefold(),
        "color": "#16406C",
        "shape": shape,
        "confidence": 1,
        **more,
    }


def row(*objects: Any, title: str = "a.png", kind: str = "image", **more: Any) -> dict[str, Any]:
    labels = {"objects": list(objects), "classifications": [{"name": "Time", "classificationHash": "c1"}]}
    unit = {"data_hash": "d1", "data_title": title, "data_type": "image/png", "width": 20, "height": 10, "labels": labels}
    return {
        "label_hash": "l1",
        "data_hash": "d1",
        "data_title": title,
        "data_type": kind,
        "dataset_title": "Whales",
        "data_units": {"d1": unit},
        "object_answers": {},
        "classification_answers": {},
        **more,
    }


def folder_of(root: Path, *rows: dict[str, Any]) -> Path:
    picture(root / "a.png")
    (root / "export.json").write_text(json.dumps(list(rows)))
    return root


def bitmask(text: str, height: int, width: int, top: int = 0, left: int = 0) -> dict[str, Any]:
    return {"rleString": text, "height": height, "width": width, "top": top, "left": left}


def corners(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def test_a_bitmask_is_read_row_by_row_and_put_in_its_place(tmp_path: Path) -> None:
    # counts 1 2 3 over two rows of three: .## ...
    path = folder_of(tmp_path, row(thing("bitmask", bitmask=bitmask("123", 2, 3, top=4, left=5))))
    assert recognise(path)[1].dialect == "Encord JSON"
    data = read(path)
    assert data.labels.colours.tolist() == [[22, 64, 108]]
    [sample] = data
    assert sample.truth.names == ["Whale"]
    assert np.argwhere(sample.truth.masks.mask(0)).tolist() == [[4, 6], [4, 7]]


def test_masks_survive_bitmasks_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [rng.random((10, 20)) > share for share in np.linspace(0, 1, 20)]
    objects = [thing("bitmask", bitmask=bitmask(rle_string(one), 10, 20)) for one in masks]
    truth = read(folder_of(tmp_path, row(*objects)))[0].truth
    assert np.array_equal(truth.masks.dense(), np.array(masks))


def test_polygons_of_parts_with_holes_are_filled(tmp_path: Path) -> None:
    part, hole, other = corners(0.1, 0.1, 0.5, 0.9), corners(0.2, 0.3, 0.3, 0.5), corners(0.8, 0, 1, 0.2)
    plain = {str(k): {"x": x, "y": y} for k, (x, y) in enumerate([(0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)])}
    both = thing("polygon", polygons=[[part, hole], [other]], polygon=plain)
    truth = read(folder_of(tmp_path, row(both, thing("polygon", polygon=plain))))[0].truth
    assert truth.masks.areas().tolist() == [8 * 8 - 2 * 2 + 4 * 2, 10 * 5]


def test_points_of_a_polygon_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    square = [(0, 0), (0.25, 0), (0.5, 0), (0.5, 0.5), (0.25, 0.5), (0, 0.5)] + [(0, 0.5 - k / 20) for k in range(1, 6)]
    points = {str(k): {"x": x, "y": y} for k, (x, y) in enumerate(square)}
    shuffled = {key: points[key] for key in sorted(points)}  # 0 1 10 2 …
    truth = read(folder_of(tmp_path, row(thing("polygon", polygon=shuffled))))[0].truth
    assert truth.masks.areas().tolist() == [50]


def test_boxes_are_filled_and_turned_about_their_centre(tmp_path: Path) -> None:
    box = {"x": 0.2, "y": 0.4, "w": 0.4, "h": 0.2}  # 8 x 2 from (4, 4)
    straight, turned = thing("bounding_box", boundingBox=box), thing("rotatable", rotatableBoundingBox={**box, "theta": 90})
    truth = read(folder_of(tmp_path, row(straight, turned)))[0].truth
    assert truth.masks.boxes().tolist() == [[4, 4, 12, 6], [7, 1, 9, 9]]


def test_answers_are_attributes_or_in_the_samples_meta(tmp_path: Path) -> None:
    said = {"classifications": [{"name": "Sex", "answers": [{"name": "female"}]}, {"name": "Note", "answers": "old"}]}
    time = {"classifications": [{"name": "Time", "answers": [{"name": "dusk"}, {"name": "dawn"}]}]}
    box = thing("bounding_box", boundingBox={"x": 0, "y": 0, "w": 0.5, "h": 0.5})
    [sample] = read(folder_of(tmp_path, row(box, object_answers={"o1": said}, classification_answers={"c1": time})))
    assert sample.truth.attributes == ({"Sex": "female", "Note": "old"},)
    assert sample.meta == {"Time": ["dusk", "dawn"]}


def test_points_and_lines_are_counted_and_rows_of_videos_told(tmp_path: Path) -> None:
    point = thing("point", point={"0": {"x": 0.1, "y": 0.1}})
    data = read(folder_of(tmp_path, row(point, point, thing("polyline", polyline={})), row(title="v.mp4", kind="video")))
    assert [len(one.truth) for one in data] == [0]
    told = " ".join(data.notes)
    assert "1 label rows are of the type video" in told
    assert "2 of the kind point, 1 of the kind polyline" in told


def test_an_export_of_videos_alone_is_said_to_hold_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of the type video"):
        read(folder_of(tmp_path, row(kind="video")))


def test_a_row_is_decoded_once_for_all_images_of_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = row(kind="img_group")
    for number in range(5):
        picture(tmp_path / f"{number}.png")
        one["data_units"][f"u{number}"] = {**one["data_units"]["d1"], "data_title": f"{number}.png"}
    data = read(folder_of(tmp_path, one))
    decoded: list[object] = []
    monkeypatch.setattr(truth, "units_of", lambda fields: (decoded.append(fields), units_of(fields))[1])
    assert [len(sample.truth) for sample in data] == [0] * 6
    assert len(decoded) == 1


def test_an_ontology_gives_classes_their_order_and_colours(tmp_path: Path) -> None:
    path = folder_of(tmp_path, row(thing("bounding_box", boundingBox={"x": 0, "y": 0, "w": 0.5, "h": 0.5})))
    names = [("Boat", "bitmask", "#010203"), ("Whale", "polygon", "#040506"), ("Eye", "point", "#070809")]
    objects = [{"id": "1", "name": n, "shape": s, "color": c, "featureNodeHash": "x"} for n, s, c in names]
    (path / "ontology.json").write_text(json.dumps({"objects": objects, "classifications": []}))
    data = read(path)
    assert data.labels.names == ("Boat", "Whale")
    assert data.labels.colours.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "stated", [{"data_title": "photos/my photo.png"}, {"data_title": "", "data_link": "https://h/photos/my%20photo.png?k=1"}]
)
def test_a_picture_is_found_under_the_names_that_units_give_it(stated: dict[str, str], tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "my photo.png")
    one = row(title="")
    one["data_units"]["d1"] |= stated
    (tmp_path / "export.json").write_text(json.dumps([one]))
    assert [sample.name for sample in read(tmp_path)] == ["my photo"]


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    path = folder_of(tmp_path / "data", row(), row(title="../secret.png"), row(title=str(tmp_path / "secret.png")))
    data = read(path)
    assert [one.name for one in data] == ["a"]
    assert sum("there is no such image" in note for note in data.notes) == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (thing("bitmask", bitmask=bitmask("123", 3, 3)), "add up to 6"),
        (thing("bitmask", bitmask=bitmask("12~", 2, 3)), "character"),
        (thing("bitmask", bitmask=bitmask("1", 100000, 100000)), r"\[100000, 100000\]"),
        (thing("bitmask", bitmask={"rleString": 7, "height": 1, "width": 1}), "rleString"),
        (thing("polygon", polygon={"0": {"x": 0, "y": 0}}), "at least 3"),
        (thing("polygon", polygon={"a": {"x": 0, "y": 0}}), "numbers 0, 1, 2"),
        (thing("polygon", polygons=[[[0, 0, 1]]]), "odd number"),
        (thing("polygon", polygons=[[7]]), "ring"),
        (thing("polygon", polygons=[7]), "rings"),
        (thing("bounding_box", boundingBox={"x": 0, "y": 0, "w": "1", "h": 1}), "'w'"),
        ("thing", "expected an object"),
    ],
)
def test_a_wrong_object_spoils_itself_and_is_named(wrong: Any, words: str, tmp_path: Path) -> None:
    good = thing("bounding_box", boundingBox={"x": 0, "y": 0, "w": 0.5, "h": 0.5})
    [sample] = read(folder_of(tmp_path, row(wrong, good)))
    truths, problems = sample.salvaged()
    assert truths[0].names == ["Whale"]
    assert len(problems) == 1
    with pytest.raises(DataError, match=rf"export\.json: label row a\.png, object.*{words}"):
        _ = sample.truth


@pytest.mark.parametrize("broken", [{"data_units": [1]}, {"data_units": {"d1": 7}}])
def test_a_row_whose_units_are_none_spoils_its_image_alone(broken: dict[str, Any], tmp_path: Path) -> None:
    picture(tmp_path / "b.png")
    first, second = read(folder_of(tmp_path, row(), row(title="b.png", **broken)))
    assert len(first.truth) == 0
    with pytest.raises(DataError, match=r"export\.json: label row b\.png: expected data units"):
        _ = second.truth


def test_an_export_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = folder_of(tmp_path, row())
    (path / "more.json").write_text((path / "export.json").read_text()[:60])
    with pytest.raises(UnreadableFile, match=r"more\.json"):
        read(path)


def test_a_folder_of_something_else_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"label_hash": "a"}]')
    with pytest.raises(UnknownLayout):
        encord.read(tmp_path)


def test_what_is_written_is_as_the_documentation_says(tmp_path: Path) -> None:
    labels = LabelSet.of(["Blue Whale"], things=["Blue Whale"])
    mask = np.array([[1, 1, 0], [0, 0, 1]], bool)
    truth = Segmentation.from_masks("instance", mask[None], [0], labels)
    encord.write(Dataset([Sample.of("a", Image(np.zeros((2, 3, 3), np.uint8)), truth)], labels, "instance"), tmp_path / "out")
    [one] = json.loads((tmp_path / "out" / "labels.json").read_text())
    [unit] = one["data_units"].values()
    [thing] = unit["labels"]["objects"]
    assert (unit["data_title"], unit["height"], unit["width"]) == ("a.png", 2, 3)
    assert thing["bitmask"] == bitmask("023O", 2, 3)  # counts 0 2 3 1, the last as its difference to the 2
    assert (thing["name"], thing["value"]) == ("Blue Whale", "blue_whale")
    [known] = json.loads((tmp_path / "out" / "ontology.json").read_text())["objects"]
    assert known["featureNodeHash"] == thing["featureHash"]
