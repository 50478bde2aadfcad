"""Labels whose pictures are not there: read alone, on grids of the sizes that the files state."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, TooLarge
from pixelwise.core.sample import Dataset
from pixelwise.formats import read
from pixelwise.formats.convert import convert

LABELME = {
    "version": "5.4.1",
    "flags": {},
    "shapes": [{"label": "dog", "points": [[1, 1], [4, 1], [4, 3], [1, 3]], "group_id": None, "shape_type": "polygon"}],
    "imagePath": "a.jpg",
    "imageData": None,
    "imageHeight": 5,
    "imageWidth": 6,
}
STUDIO = {
    "id": 1,
    "data": {"image": "/data/upload/1/a.jpg"},
    "annotations": [
        {
            "result": [
                {
                    "id": "r",
                    "type": "rectanglelabels",
                    "original_width": 20,
                    "original_height": 10,
                    "value": {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["dog"]},
                }
            ]
        }
    ],
}
DARWIN = {
    "version": "2.0",
    "item": {"name": "a.jpg", "path": "/", "slots": [{"slot_name": "0", "type": "image", "width": 6, "height": 5}]},
    "annotations": [{"id": "x", "name": "dog", "bounding_box": {"x": 1, "y": 1, "w": 3, "h": 2}}],
}
CVAT = """<annotations><version>1.1</version>
<image id="0" name="a.jpg" width="6" height="5"><box label="dog" xtl="1" ytl="1" xbr="4" ybr="3" z_order="0"/></image>
</annotations>"""
TRACK = """<annotations><version>1.1</version><meta><task><size>3</size><start_frame>0</start_frame><stop_frame>2</stop_frame>
<original_size><width>6</width><height>5</height>
</original_size></task></meta><track id="0" label="dog"><box frame="0" keyframe="1" outside="0" occluded="0" xtl="1" ytl="1"
xbr="4" ybr="3"/><box frame="2" keyframe="1" outside="1" occluded="0" xtl="1" ytl="1" xbr="4" ybr="3"/></track></annotations>"""
VOC = """<annotation><filename>a.jpg</filename><size><width>6</width><height>5</height><depth>3</depth></size>
<segmented>0</segmented><object><name>dog</name><polygon><x1>1</x1><y1>1</y1><x2>4</x2><y2>1</y2><x3>4</x3><y3>3</y3><x4>1</x4><y4>3</y4></polygon>
<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox></object></annotation>"""
SUPERVISELY = {
    "size": {"height": 5, "width": 6},
    "tags": [],
    "objects": [{"id": 1, "classTitle": "dog", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [3, 2]]}}],
}
HALF = {"x": 0, "y": 0, "w": 0.5, "h": 0.5}
ENCORD = {
    "label_hash": "l",
    "data_title": "a.jpg",
    "data_type": "image",
    "data_units": {
        "u": {
            "data_hash": "u",
            "data_title": "a.jpg",
            "data_type": "image/jpeg",
            "width": 20,
            "height": 10,
            "labels": {
                "objects": [
                    {"name": "dog", "objectHash": "o", "shape": "bounding_box", "boundingBox": HALF},
                ]
            },
        }
    },
}


def coco(**image: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 5, "width": 6, **image}],
        "annotations": [{"id": 3, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]], "iscrowd": 0}],
        "categories": [{"id": 1, "name": "dog"}],
    }


def put(root: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


EVERY: dict[str, tuple[dict[str, Any], tuple[int, int], int]] = {  # files, and the size and the object's area by hand
    "coco": ({"coco.json": coco()}, (5, 6), 6),
    "labelme": ({"a.json": LABELME}, (5, 6), 6),
    "label_studio": ({"export.json": [STUDIO]}, (10, 20), 50),
    "darwin": ({"annotations/a.json": DARWIN}, (5, 6), 6),
    "cvat": ({"annotations.xml": CVAT}, (5, 6), 6),
    "voc": ({"a.xml": VOC}, (5, 6), 6),
    "supervisely": ({"meta.json": {"classes": [{"title": "dog"}]}, "ds/ann/a.jpg.json": SUPERVISELY}, (5, 6), 6),
    "encord": ({"export.json": [ENCORD]}, (10, 20), 50),
}


@pytest.mark.parametrize("tool", EVERY)
def test_labels_without_pictures_are_read_on_the_stated_grid(tool: str, tmp_path: Path) -> None:
    files, size, area = EVERY[tool]
    data = read(put(tmp_path / "data", files))
    assert (len(data), data[0].name, data[0].size) == (1, "a", size)
    assert (data[0].truth.names, data[0].truth.masks.areas().tolist()) == (["dog"], [area])


@pytest.mark.parametrize("tool", EVERY)
def test_stored_values_need_no_picture(tool: str, tmp_path: Path) -> None:
    files, size, area = EVERY[tool]
    (stored,) = read(put(tmp_path / "data", files))[0].raw()
    assert stored.shape == size
    assert sorted(np.unique(stored, return_counts=True)[1].tolist()) == sorted([area, size[0] * size[1] - area])


@pytest.mark.parametrize("tool", EVERY)
def test_a_note_says_that_labels_stand_alone(tool: str, tmp_path: Path) -> None:
    notes = read(put(tmp_path / "data", EVERY[tool][0])).notes
    assert len([one for one in notes if "a.jpg, is not there" in one and "The labels are read alone" in one]) == 1


def test_the_picture_that_is_missed_is_named_when_pixels_are_asked_for(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"coco.json": coco()}))
    with pytest.raises(MissingFile, match=r"a\.jpg: .*coco\.json names this image, but it is not there; put it beside"):
        _ = data[0].image


def test_the_note_says_what_was_found_instead(tmp_path: Path) -> None:
    root = put(tmp_path / "data", {"coco.json": coco()})
    PIL.Image.new("RGB", (6, 5)).save(root / "other.png")
    assert any("found: 1 .png in the folder itself" in note for note in read(root).notes)


def test_where_one_picture_is_there_the_others_are_left_out_as_ever(tmp_path: Path) -> None:
    content = coco()
    content["images"].append({"id": 2, "file_name": "gone.jpg", "height": 5, "width": 6})
    root = put(tmp_path / "data", {"coco.json": content})
    PIL.Image.new("RGB", (6, 5)).save(root / "a.jpg")
    data = read(root)
    assert [one.name for one in data] == ["a"]
    assert any("gone.jpg" in note and "it is left out" in note for note in data.notes)


def test_names_that_may_mean_two_pictures_each_are_refused_and_not_taken_for_absent(tmp_path: Path) -> None:
    root = put(tmp_path / "data", {"coco.json": coco()})
    for folder in ("one", "two"):
        (root / folder).mkdir()
        PIL.Image.new("RGB", (6, 5)).save(root / folder / "a.jpg")
    with pytest.raises(DataError, match="not one of the 1 images"):
        read(root)


def test_a_way_out_of_the_folder_is_a_name_and_no_more(tmp_path: Path) -> None:
    root = put(tmp_path / "data", {"coco.json": coco(file_name="../../secret/a.jpg")})
    (tmp_path / "secret").mkdir()
    PIL.Image.new("RGB", (6, 5)).save(tmp_path / "secret" / "a.jpg")
    sample = read(root)[0]
    assert (sample.name, sample.source.image) == ("a", None)
    with pytest.raises(MissingFile):
        _ = sample.image


def test_a_size_beyond_the_limit_is_refused_before_a_grid_is_made(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"coco.json": coco(height=100_000, width=100_000)}))
    with pytest.raises(TooLarge, match="10,000,000,000 pixels"):
        data[0].salvaged()


@pytest.mark.parametrize("stated", [{"height": 0, "width": 6}, {"height": -5, "width": 6}, {"height": None, "width": None}])
def test_without_a_sensible_size_objects_are_only_counted(stated: dict[str, Any], tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"coco.json": coco(**stated)}))
    assert any("of 1 images with labels no size is stated, so the masks of their 1 objects" in one for one in data.notes)
    with pytest.raises(MissingFile, match="nor is its size stated"):
        data[0].salvaged()


def test_a_side_that_is_no_number_is_no_size(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"ds/ann/a.jpg.json": {**SUPERVISELY, "size": {"height": True, "width": 6}}}))
    with pytest.raises(MissingFile, match="nor is its size stated"):
        _ = data[0].size


def test_an_endless_video_is_read_at_its_key_frames_alone(tmp_path: Path) -> None:
    film = TRACK.replace("<stop_frame>2<", "<stop_frame>999999999999<")
    assert [one.name for one in read(put(tmp_path / "data", {"annotations.xml": film}))] == ["frame_000000"]


def test_an_image_without_a_name_is_read_too(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"coco.json": coco(file_name="")}))
    assert [(one.name, one.truth.masks.areas().tolist()) for one in data] == [("unnamed", [6])]


def test_an_address_becomes_a_name_without_its_query(tmp_path: Path) -> None:
    task = {**STUDIO, "data": {"image": "https://example.org/photos/a.jpg?key=1&until=2"}}
    assert [one.name for one in read(put(tmp_path / "data", {"export.json": [task]}))] == ["a"]


def test_frames_of_a_video_are_those_of_its_task(tmp_path: Path) -> None:
    data = read(put(tmp_path / "data", {"annotations.xml": TRACK}))
    assert [(one.name, one.size) for one in data] == [(f"frame_{frame:06d}", (5, 6)) for frame in range(3)]
    assert [one.truth.masks.areas().tolist() for one in data] == [[6], [6], []]


def test_frames_in_a_film_are_asked_for_as_ever(tmp_path: Path) -> None:
    root = put(tmp_path / "data", {"annotations.xml": TRACK, "film.mp4": ""})
    with pytest.raises(DataError, match=r"its frames are in film\.mp4"):
        read(root)


def test_boxes_of_absent_pictures_are_kept(tmp_path: Path) -> None:
    boxes = VOC[: VOC.index("<polygon>")] + VOC[VOC.index("<bndbox>") :]
    sample = read(put(tmp_path / "data", {"a.xml": boxes}))[0]
    assert (sample.size, sample.truths, [one["name"] for one in sample.meta["boxes"]]) == ((5, 6), (), ["dog"])


def test_a_sample_without_its_picture_goes_to_a_worker(tmp_path: Path) -> None:
    sample = read(put(tmp_path / "data", {"coco.json": coco()}))[0]
    assert pickle.loads(pickle.dumps(sample)).truth == sample.truth


def test_converting_fails_for_each_image_and_says_which(tmp_path: Path) -> None:
    report = convert(read(put(tmp_path / "data", {"coco.json": coco()})), tmp_path / "out", "labelme")
    assert any("a.jpg" in one and "it is not there" in one for one in report.failed)


def alone(source: Path, there: Path, *suffixes: str) -> Dataset:
    """Read a copy of a folder that has the files of some kinds alone."""
    for file in source.rglob("*"):
        if file.suffix in suffixes:
            (there / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, there / file.relative_to(source))
    return read(there)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "suffixes", "images", "objects"),
    [
        ("coco_tiny160", (".json",), 160, 1520),
        ("coco_panoptic/sample2", (".json", ".png"), 2, 50),
        ("labeltools/cvat/xml/for_images/export_project", (".xml",), 6, 6),
        ("labeltools/supervisely_lemons/project", (".json",), 6, 26),
    ],
)
def test_real_masks_without_pictures_are_those_with_them(
    shared_data: Path, tmp_path: Path, folder: str, suffixes: tuple[str, ...], images: int, objects: int
) -> None:
    data, whole = alone(shared_data / folder, tmp_path / "data", *suffixes), read(shared_data / folder)
    assert (len(data), data.labels) == (images, whole.labels)
    assert sum(len(one.truth) for one in data) == objects
    assert [one.truth for one in data] == [one.truth for one in whole]


@pytest.mark.shared_data
def test_via_which_states_no_sizes_is_counted(shared_data: Path, tmp_path: Path) -> None:
    data = alone(shared_data / "labeltools" / "via_cells", tmp_path / "data", ".json")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 8, "val": 2}
    assert any("of 10 images with labels no size is stated, so the masks of their 342 objects" in note for note in data.notes)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "images", "classes", "area"),  # the area of the first object
    [
        ("label_studio/coco_export", 1, ("rectangle_label", "polygon_label"), 992),
        ("label_studio/coco_import_input.json", 2, ("Class_1", "Class_2"), 9980),
        ("v7_darwin/semantic_mask", 1, ("box",), 2253),
        ("v7_darwin/coco/from", 1, ("test_bb", "test_ellipse", "test_poly"), 1),
        ("v7_darwin/coco/to", 1, ("test_bb", "test_poly"), 1),
    ],
)
def test_real_exports_without_pictures_are_read(
    shared_data: Path, folder: str, images: int, classes: tuple[str, ...], area: int
) -> None:
    data = read(shared_data / "labeltools" / folder)
    assert (len(data), data.labels.names) == (images, classes)
    assert data[0].truth.masks.areas().tolist()[0] == area


@pytest.mark.shared_data
def test_the_airplane_of_label_studio_has_the_area_of_its_outline(shared_data: Path) -> None:
    (sample,) = read(shared_data / "labeltools" / "label_studio" / "data_polygons.json")
    assert (sample.size, sample.truth.names) == ((426, 640), ["Airplane"])
    assert abs(int(sample.truth.masks.areas()[0]) - 19251) < 200  # the area between its points is 19250.9


@pytest.mark.shared_data
@pytest.mark.parametrize(("folder", "images", "objects"), [("labelbox_v1", 6, 11), ("ndjson", 13, 19), ("", 19, 30)])
def test_labelbox_which_states_no_sizes_is_counted(shared_data: Path, folder: str, images: int, objects: int) -> None:
    data = read(shared_data / "labeltools" / "labelbox" / folder)
    assert len(data) == images
    assert any(f"no size is stated, so the masks of their {objects} objects" in note for note in data.notes)


@pytest.mark.shared_data
def test_the_web_tools_xml_alone_keeps_its_polygons(shared_data: Path) -> None:
    (sample,) = read(shared_data / "labeltools" / "small_fixtures" / "labelme_dataset" / "Annotations")
    (truth,), problems = sample.salvaged()
    assert (sample.size, truth.names) == ((77, 102), ["window", "o1", "q1", "b1", "hg"])
    assert ["img1_mask_1.png" in problems[0], "img1_mask_5.png" in problems[1], len(problems)] == [True, True, 2]
