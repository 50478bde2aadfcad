"""Supervisely: projects as its documentation describes them, filled as its SDK fills them, and what is wrong in one."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise, supervisely

META = {
    "classes": [
        {"title": "lemon", "shape": "bitmap", "color": "#51C6AA", "id": 1},
        {"title": "field", "shape": "polygon", "color": "#FF0000", "id": 2},
    ],
    "tags": [],
    "projectType": "images",
}


def packed(mask: np.ndarray) -> str:
    """Pack a bitmap as the documentation says: base64 of zlib of a PNG, transparent where nothing is."""
    buffer = io.BytesIO()
    alpha = np.where(mask, 255, 0).astype(np.uint8)
    PIL.Image.fromarray(np.dstack([alpha, alpha, alpha, alpha])).save(buffer, format="PNG")
    return base64.b64encode(zlib.compress(buffer.getvalue())).decode()


def figure(kind: str, title: str = "field", **more: Any) -> dict[str, Any]:
    return {"id": 5, "classTitle": title, "geometryType": kind, "tags": [], "description": "", **more}


def points(exterior: list[list[float]], *interior: list[list[float]]) -> dict[str, Any]:
    return {"points": {"exterior": exterior, "interior": list(interior)}}


def project(root: Path, *figures: Any, dataset: str = "ds1", name: str = "a.png", **more: Any) -> Path:
    (root / dataset / "img").mkdir(parents=True, exist_ok=True)
    (root / dataset / "ann").mkdir(exist_ok=True)
    PIL.Image.new("RGB", (12, 10)).save(root / dataset / "img" / name)
    labels = {"description": "", "tags": [], "size": {"height": 10, "width": 12}, "objects": list(figures), **more}
    (root / dataset / "ann" / f"{name}.json").write_text(json.dumps(labels))
    (root / "meta.json").write_text(json.dumps(META))
    return root


def test_a_bitmap_is_put_at_its_origin_bit_for_bit(tmp_path: Path) -> None:
    mask = np.array([[1, 1, 1], [1, 0, 1]], bool)
    path = project(tmp_path, figure("bitmap", "lemon", bitmap={"data": packed(mask), "origin": [4, 2]}))
    assert recognise(path)[1].dialect == "a Supervisely project"
    data = read(path)
    assert data.labels.names == ("lemon", "field")
    assert data.labels.colours.tolist() == [[81, 198, 170], [255, 0, 0]]
    [sample] = data
    assert sample.truth.names == ["lemon"]
    assert sample.truth.source_ids is not None
    assert sample.truth.source_ids.tolist() == [5]
    whole = np.zeros((10, 12), bool)
    whole[2:4, 4:7] = mask
    assert np.array_equal(sample.truth.masks.mask(0), whole)


def test_a_rectangle_holds_the_pixels_of_both_its_corners(tmp_path: Path) -> None:
    path = project(tmp_path, figure("rectangle", **points([[2, 3], [4, 3]])), figure("rectangle", **points([[9, 9], [7, 5]])))
    truth = read(path)[0].truth
    assert truth.masks.boxes().tolist() == [[2, 3, 5, 4], [7, 5, 10, 10]]
    assert truth.masks.areas().tolist() == [3, 15]


def test_a_polygon_is_filled_as_opencv_fills_it_and_its_holes_are_cleared(tmp_path: Path) -> None:
    outline, hole = [[1, 1], [9, 1], [9, 8], [1, 8]], [[4, 3], [7, 3], [7, 6], [4, 6]]
    truth = read(project(tmp_path, figure("polygon", **points(outline, hole))))[0].truth
    assert truth.masks.areas().tolist() == [9 * 8 - 4 * 4]  # both with their borders
    expected = np.zeros((10, 12), np.uint8)
    cv2.fillPoly(expected, [np.array(outline, np.int32)], 1)
    cv2.fillPoly(expected, [np.array(hole, np.int32)], 0)
    assert np.array_equal(truth.masks.mask(0), expected.astype(bool))


def test_tags_are_attributes_and_those_of_the_image_are_in_its_meta(tmp_path: Path) -> None:
    tagged = figure("rectangle", **points([[0, 0], [1, 1]])) | {"tags": [{"name": "ripe", "value": "yes"}, {"name": "cut"}]}
    [sample] = read(project(tmp_path, tagged, tags=[{"name": "night", "value": None}], description="a table"))
    assert sample.truth.attributes == ({"ripe": "yes", "cut": None},)
    assert sample.meta == {"tags": [{"name": "night", "value": None}], "captions": ("a table",)}


def test_lines_and_points_are_counted(tmp_path: Path) -> None:
    line, point = figure("line", **points([[0, 0], [5, 5]])), figure("point", **points([[1, 1]]))
    data = read(project(tmp_path, line, line, point, figure("rectangle", **points([[0, 0], [1, 1]]))))
    assert len(data[0].truth) == 1
    assert "2 of the kind line, 1 of the kind point" in data.notes[0]


def test_datasets_called_after_splits_are_splits(tmp_path: Path) -> None:
    for name in ("train", "val", "more"):
        project(tmp_path, dataset=name, name=f"{name}.png")
    data = read(tmp_path)
    assert [one.name for one in data] == ["more", "train", "val"]
    assert data.splits == {"train": (1,), "val": (2,)}


def test_pictures_of_one_name_in_two_datasets_keep_their_own_labels(tmp_path: Path) -> None:
    project(tmp_path, figure("rectangle", **points([[0, 0], [1, 1]])), dataset="one")
    project(tmp_path, dataset="two")
    assert {one.name: len(one.truth) for one in read(tmp_path)} == {"one_img_a": 1, "two_img_a": 0}


def test_a_broken_label_file_spoils_its_image_alone(tmp_path: Path) -> None:
    project(tmp_path, name="a.png")
    project(tmp_path, name="b.png")
    (tmp_path / "ds1" / "ann" / "b.png.json").write_text('{"objects": [')
    first, second = read(tmp_path)
    assert len(first.truth) == 0
    with pytest.raises(UnreadableFile, match=r"b\.png\.json"):
        _ = second.truth


BOMB = base64.b64encode(zlib.compress(b"\0" * 50_000_000)).decode()
LARGE = packed(np.ones((11, 12), bool))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (figure("polygon", **points([[0, 0], [5, 5]])), "at least 3"),
        (figure("polygon", **points([[0, 0], [5, 5], [5e9, 0]])), "reaches"),
        (figure("polygon", points=None), "points"),
        (figure("rectangle", **points([[0, 0]])), "2 corners"),
        (figure("bitmap", bitmap={"data": "****", "origin": [0, 0]}), "base64"),
        (figure("bitmap", bitmap={"data": "AAAA", "origin": [0, 0]}), "damaged"),
        (figure("bitmap", bitmap={"data": BOMB, "origin": [0, 0]}), "more than"),
        (figure("bitmap", bitmap={"data": LARGE, "origin": [0, 0]}), r"\[11, 12\]"),
        (figure("bitmap", bitmap={"data": packed(np.ones((1, 1), bool)), "origin": [0]}), "origin"),
        (figure("rectangle", "melon", **points([[0, 0], [1, 1]])) | {"classTitle": 7}, "none of the data set's"),
        ("figure", "expected an object"),
    ],
)
def test_a_wrong_figure_spoils_itself_and_is_named(wrong: Any, words: str, tmp_path: Path) -> None:
    [sample] = read(project(tmp_path, wrong, figure("rectangle", **points([[0, 0], [1, 1]]))))
    truths, problems = sample.salvaged()
    assert [len(one) for one in truths] == [1]
    with pytest.raises(DataError, match=rf"a\.png\.json: figure.*{words}"):
        _ = sample.truth
    assert len(problems) == 1


def test_a_tag_that_is_given_twice_keeps_both_values(tmp_path: Path) -> None:
    tags = [{"name": "fruit", "value": "ripe"}, {"name": "cut"}, {"name": "fruit", "value": "green"}]
    [sample] = read(project(tmp_path, figure("rectangle", **points([[0, 0], [1, 1]])) | {"tags": tags}))
    assert sample.truth.attributes == ({"fruit": ["ripe", "green"], "cut": None},)


def test_a_project_of_videos_is_refused(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({**META, "projectType": "videos"}))
    with pytest.raises(DataError, match="holds videos"):
        read(tmp_path)


def test_a_dataset_without_its_project_is_read_too(tmp_path: Path) -> None:
    project(tmp_path, figure("rectangle", **points([[0, 0], [1, 1]])))
    assert read(tmp_path / "ds1").labels.names == ("field",)


def test_a_folder_of_something_else_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.json").write_text("{}")
    with pytest.raises(UnknownLayout):
        supervisely.read(tmp_path)


def test_opencv_reads_the_bitmaps_that_are_written(tmp_path: Path) -> None:
    labels = LabelSet.of(["lemon"], things=["lemon"])
    mask = np.zeros((6, 7), bool)
    mask[2:5, 1:4] = [[1, 1, 1], [1, 0, 1], [0, 1, 1]]
    truth = Segmentation.from_masks("instance", mask[None], [0], labels)
    sample = Sample.of("a", Image(np.zeros((6, 7, 3), np.uint8)), truth)
    supervisely.write(Dataset([sample], labels, "instance"), tmp_path / "out")
    [one] = json.loads((tmp_path / "out" / "ds1" / "ann" / "a.png.json").read_text())["objects"]
    stored = np.frombuffer(zlib.decompress(base64.b64decode(one["bitmap"]["data"])), np.uint8)
    assert one["bitmap"]["origin"] == [1, 2]
    assert np.array_equal(cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)[:, :, 3] > 0, mask[2:5, 1:4])  # as the SDK reads them


@pytest.mark.shared_data
def test_the_lemons_are_read(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "supervisely_lemons" / "project")
    assert data.labels.names == ("kiwi", "lemon")
    assert {one.name: len(one.truth) for one in data} == {
        "IMG_0748": 3,
        "IMG_1836": 3,
        "IMG_2084": 7,
        "IMG_3861": 4,
        "IMG_4451": 5,
        "IMG_8144": 4,
    }
    names = [name for one in data for name in one.truth.names]
    assert (names.count("kiwi"), names.count("lemon")) == (20, 6)
    truth = data[1].truth
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [2087110, 2087109, 2087108]
    assert truth.masks.areas().tolist() == [30166, 15788, 15932]  # opaque pixels, counted with Pillow alone


@pytest.mark.shared_data
def test_the_lemons_survive_writing(shared_data: Path, tmp_path: Path) -> None:
    source = read(shared_data / "labeltools" / "supervisely_lemons")
    supervisely.write(source, tmp_path / "out")
    assert [one.truth for one in read(tmp_path / "out")] == [one.truth for one in source]
