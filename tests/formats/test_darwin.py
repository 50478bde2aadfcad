"""V7 Darwin: files of both versions as their documentation describes them, raster layers, and what is wrong in a file."""

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
from pixelwise.formats import darwin, read, recognise

LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def picture(path: Path, width: int = 12, height: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (width, height)).save(path)
    return path


def annotation(name: str, identity: str = "one", **shape: Any) -> dict[str, Any]:
    return {"id": identity, "name": name, "properties": [], "slot_names": ["0"], **shape}


def item(*annotations: Any, name: str = "a.png", path: str = "/", slots: Any = None) -> dict[str, Any]:
    slot = {"type": "image", "slot_name": "0", "width": 12, "height": 10, "source_files": [{"file_name": name}]}
    about = {"name": name, "path": path, "slots": [slot] if slots is None else slots}
    return {"version": "2.0", "schema_ref": "…/2.0/schema.json", "item": about, "annotations": list(annotations)}


def folder_of(root: Path, *documents: dict[str, Any]) -> Path:
    (root / "annotations").mkdir(parents=True)
    picture(root / "images" / "a.png")
    for number, document in enumerate(documents):
        (root / "annotations" / f"{number}.json").write_text(json.dumps(document))
    return root


def path_of(left: int, top: int, right: int, bottom: int) -> list[dict[str, int]]:
    return [{"x": left, "y": top}, {"x": right, "y": top}, {"x": right, "y": bottom}, {"x": left, "y": bottom}]


def layer(*pairs: int, total: int = 120, **values: int) -> dict[str, Any]:
    raster = {"dense_rle": list(pairs), "mask_annotation_ids_mapping": values, "total_pixels": total}
    return annotation("__raster_layer__", "layer", raster_layer=raster)


def test_a_path_inside_another_is_a_hole_and_one_inside_that_an_island(tmp_path: Path) -> None:
    paths = [path_of(1, 1, 9, 9), path_of(3, 3, 7, 7), path_of(4, 4, 6, 6)]
    box = {"x": 1, "y": 1, "w": 8, "h": 8}
    path = folder_of(tmp_path, item(annotation("leaf", polygon={"paths": paths}, bounding_box=box)))
    assert recognise(path)[1].dialect == "V7 Darwin JSON 2.0"
    [sample] = read(path)
    assert sample.truth.names == ["leaf"]
    assert sample.truth.masks.areas().tolist() == [64 - 16 + 4]
    assert sample.truth.stated_boxes().tolist() == [[1, 1, 9, 9]]


def test_a_raster_layer_is_read_row_by_row(tmp_path: Path) -> None:
    # 10 rows of 12: a run of 1 over the end of the first row, then 2 in the third
    raster = layer(0, 10, 1, 4, 0, 10, 2, 3, 0, 93, b=2, a=1)
    [sample] = read(folder_of(tmp_path, item(raster, annotation("sky", "a", mask={}), annotation("sea", "b", mask={}))))
    assert sample.truth.names == ["sky", "sea"]
    assert sample.truth.masks.areas().tolist() == [4, 3]
    assert np.argwhere(sample.truth.masks.mask(0)).tolist() == [[0, 10], [0, 11], [1, 0], [1, 1]]
    assert np.argwhere(sample.truth.masks.mask(1)).tolist() == [[2, 0], [2, 1], [2, 2]]


def test_boxes_and_ellipses_are_filled(tmp_path: Path) -> None:
    ellipse = {"center": {"x": 6, "y": 5}, "radius": {"x": 5, "y": 2}, "angle": np.pi / 2}
    box = annotation("car", "b", bounding_box={"x": 2, "y": 3, "w": 4, "h": 5})
    [sample] = read(folder_of(tmp_path, item(box, annotation("car", "e", ellipse=ellipse))))
    assert sample.truth.masks.areas().tolist()[0] == 20
    assert sample.truth.masks.boxes().tolist()[1] == [4, 0, 8, 10]  # turned upright


def test_the_older_version_is_read(tmp_path: Path) -> None:
    image = {"width": 12, "height": 10, "original_filename": "a.png", "filename": "0.png", "path": "/"}
    plain = {"id": "p", "name": "leaf", "polygon": {"path": path_of(0, 0, 4, 4)}}
    holed = {"id": "c", "name": "leaf", "complex_polygon": {"path": [path_of(0, 0, 4, 4), path_of(1, 1, 3, 3)]}}
    path = folder_of(tmp_path, {"dataset": "garden", "image": image, "annotations": [plain, holed]})
    assert recognise(path)[1].dialect == "V7 Darwin JSON 1.0"
    assert read(path)[0].truth.masks.areas().tolist() == [16, 12]


def test_what_is_said_of_an_annotation_is_kept(tmp_path: Path) -> None:
    box = annotation("car", bounding_box={"x": 0, "y": 0, "w": 1, "h": 1}, attributes=["red"], instance_id={"value": 7})
    chosen = [{"name": "sides", "value": "left"}, {"name": "sides", "value": "back"}]  # of which several may be
    box["properties"] = [{"name": "make", "value": "old"}, *chosen]
    box["text"] = {"text": "by the wall"}
    [sample] = read(folder_of(tmp_path, item(box, annotation("night", "t", tag={}))))
    assert sample.truth.attributes == ({"red": True, "make": "old", "sides": ["left", "back"], "text": "by the wall"},)
    assert sample.truth.track_ids is not None
    assert sample.truth.track_ids.tolist() == [7]
    assert sample.meta == {"tags": ("night",)}


def test_what_has_no_area_is_counted(tmp_path: Path) -> None:
    others = [annotation("nose", "k", keypoint={"x": 1, "y": 1}), annotation("man", "s", skeleton={"nodes": []})]
    data = read(folder_of(tmp_path, item(*others, annotation("nose", "l", keypoint={"x": 2, "y": 2}))))
    assert len(data[0].truth) == 0
    assert "2 of the kind keypoint, 1 of the kind skeleton" in data.notes[0]


def test_videos_and_further_slots_are_told_and_left_out(tmp_path: Path) -> None:
    slot = {"type": "image", "slot_name": "0", "width": 12, "height": 10}
    video = item(slots=[{**slot, "type": "video", "frame_count": 30}], name="v.mp4")
    box = {"x": 0, "y": 0, "w": 1, "h": 1}
    other = annotation("car", "o", bounding_box=box) | {"slot_names": ["1"]}
    both = item(annotation("car", bounding_box=box), other, slots=[slot, {**slot, "slot_name": "1"}])
    data = read(folder_of(tmp_path, video, both))
    assert [len(one.truth) for one in data] == [1]
    assert "it is of a video" in data.notes[0]
    assert "has 2 slots" in data.notes[1]


def test_pictures_are_found_in_the_folder_of_their_item(tmp_path: Path) -> None:
    for name in ("train", "val"):
        picture(tmp_path / "images" / name / "a.png")
    path = folder_of(tmp_path, item(path="/val"), item(path="/train"))
    (path / "images" / "a.png").unlink()
    data = read(path)
    assert [one.name for one in data] == ["images_val_a", "images_train_a"]
    assert data.splits == {"val": (0,), "train": (1,)}


def test_a_broken_file_spoils_the_image_of_its_own_name_alone(tmp_path: Path) -> None:
    path = folder_of(tmp_path, item())
    picture(path / "images" / "b.png")
    (path / "annotations" / "b.json").write_text('{"version": "2.0", "item": {')
    first, second = read(path)
    assert len(first.truth) == 0
    with pytest.raises(UnreadableFile, match=r"b\.json"):
        _ = second.truth


GOOD = annotation("car", "good", bounding_box={"x": 0, "y": 0, "w": 1, "h": 1})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([annotation("car", polygon={"paths": [[{"x": 1, "y": 1}, {"x": 2, "y": 2}]]})], "at least 3"),
        ([annotation("car", polygon={"paths": []})], "found none"),
        ([annotation("car", polygon={"paths": [[1, 2, 3]]})], "points with x and y"),
        ([annotation("car", polygon={"paths": [[{"x": 1, "y": "1"}] * 3]})], "number as 'y'"),
        ([annotation("car", ellipse={"center": {"x": 1, "y": 1}})], "'center' and 'radius'"),
        ([annotation("car", bounding_box={"x": 1, "y": 1, "w": 1e400, "h": 1})], "'w'"),
        ([annotation("car", mask={})], "no raster layer"),
        ([layer(0, 100, one=1), annotation("car", mask={})], "add up to 100; expected 10 x 12 = 120"),
        ([layer(0, 2**62, 1, 2**62, 0, 2**62, one=1), annotation("car", mask={})], "add up to"),
        ([layer(0, 121, 1, -1, one=1), annotation("car", mask={})], "count from 0 up"),
        ([layer(0, 120, 1, one=1), annotation("car", mask={})], "pairs"),
        ([layer(0, 120, gone=1)], "it is not in the file"),
        ([["car"]], "expected an object"),
    ],
)
def test_a_wrong_annotation_spoils_itself_and_is_named(wrong: list[Any], words: str, tmp_path: Path) -> None:
    [sample] = read(folder_of(tmp_path, item(*wrong, GOOD)))
    truths, problems = sample.salvaged()
    assert truths[0].names == ["car"]
    assert len(problems) == 1
    with pytest.raises(DataError, match=rf"0\.json: annotation.*{words}"):
        _ = sample.truth


def test_a_folder_of_something_else_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"annotations": []}')
    with pytest.raises(UnknownLayout):
        darwin.read(tmp_path)


def data_of(*masks: np.ndarray) -> Dataset:
    truth = Segmentation.from_masks("instance", np.array(masks), [0] * len(masks), LABELS)
    return Dataset([Sample.of("a", Image(np.zeros((*truth.size, 3), np.uint8)), truth)], LABELS, "instance")


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "annotations" / "a.json").read_text())


def test_masks_apart_are_written_as_a_raster_layer(tmp_path: Path) -> None:
    one, other = np.zeros((2, 2, 3), bool)
    one[0, 1:] = one[1, 0] = True
    other[1, 2] = True
    darwin.write(data_of(one, other), tmp_path / "out")
    first, *rest = document(tmp_path / "out")["annotations"]
    assert first["raster_layer"]["dense_rle"] == [0, 1, 1, 3, 0, 1, 2, 1]
    assert first["raster_layer"]["total_pixels"] == 6
    assert list(first["raster_layer"]["mask_annotation_ids_mapping"]) == [each["id"] for each in rest]
    assert [each["mask"] for each in rest] == [{}, {}]


def test_masks_on_each_other_are_written_as_polygons_and_none_is_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [rng.random((9, 11)) > share for share in np.linspace(0.1, 0.9, 40)]
    written = darwin.write(data_of(*masks), tmp_path / "out")
    assert written.dropped == ()
    assert all("polygon" in each for each in document(tmp_path / "out")["annotations"])
    assert read(tmp_path / "out")[0].truth == data_of(*masks)[0].truth


def test_an_empty_mask_among_polygons_is_told_as_lost(tmp_path: Path) -> None:
    full = np.ones((2, 3), bool)
    written = darwin.write(data_of(full, ~full, full), tmp_path / "out")
    assert written.segments == 2
    assert written.dropped[0].startswith("a: object 2 (cat) has no pixel")


@pytest.mark.shared_data
def test_a_real_raster_layer_is_read(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "labeltools" / "v7_darwin" / "semantic_mask" / "from", tmp_path / "annotations")
    picture(tmp_path / "images" / "221b-2.jpeg", 626, 1024)
    [sample] = read(tmp_path)
    assert sample.truth.names == ["box"]
    assert sample.truth.masks.areas().tolist() == [2253]  # counted with NumPy alone
    assert sample.truth.masks.boxes().tolist() == [[341, 307, 391, 354]]


@pytest.mark.shared_data
def test_a_real_file_without_an_image_name_finds_the_picture_of_its_own(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "labeltools" / "v7_darwin" / "coco" / "from" / "base_annotation.json", tmp_path)
    picture(tmp_path / "base_annotation.jpg", 1080, 1920)
    [sample] = read(tmp_path)
    assert sample.truth.names == ["test_bb", "test_ellipse", "test_poly"]
    assert sample.truth.masks.areas().tolist()[0] == 1
