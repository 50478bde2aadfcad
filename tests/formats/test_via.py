"""The format via: what hand-written files of both versions, of CSV and of Make Sense mean, and what writing keeps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.polygons import rasterise
from pixelwise.core.runs import encode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise, via

SQUARE = {"name": "polygon", "all_points_x": [1, 4, 4, 1], "all_points_y": [1, 1, 3, 3]}  # columns 1 to 3, rows 1 and 2
FILLED = ["......", ".###..", ".###..", "......", "......"]


def region(shape: Any = SQUARE, **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes}


def entry(*regions: Any, name: str = "a.png", **parts: Any) -> dict[str, Any]:
    return {"filename": name, "size": 77, "regions": list(regions), "file_attributes": {}, **parts}


def put(root: Path, document: Any, file: str = "via_region_data.json") -> Path:
    """Write a picture of 5 x 6 and a file as VIA exports it."""
    root.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (6, 5)).save(root / "a.png")
    (root / file).write_text(document if isinstance(document, str) else json.dumps(document))
    return root


def drawn(truth: Segmentation, index: int = 0) -> list[str]:
    return ["".join(".#"[int(one)] for one in row) for row in truth.masks.mask(index)]


def of_one(tmp_path: Path, *regions: Any) -> Path:
    return put(tmp_path / "pets", {"a.png77": entry(*regions)})


def test_an_export_of_version_2_is_read(tmp_path: Path) -> None:
    path = of_one(tmp_path, region(animal="cat"))
    assert recognise(path) == ("via", via.sniff(path))
    assert recognise(path)[1].dialect == "VGG Image Annotator 2 JSON"
    data = read(path)
    assert (data.kind, data.labels.names, data.notes) == ("instance", ("cat",), ())
    assert drawn(data[0].truth) == FILLED


def test_an_export_of_version_1_is_read(tmp_path: Path) -> None:
    old = entry(fileref="", base64_img_data="", regions={"0": region(animal="cat"), "1": region(animal="dog")})
    path = put(tmp_path / "pets", {"a.png77": old})
    assert recognise(path)[1].dialect == "VGG Image Annotator 1 JSON"
    assert read(path)[0].truth.names == ["cat", "dog"]


def test_an_export_of_make_sense_is_told_by_its_keys(tmp_path: Path) -> None:
    closed = {"name": "polygon", "all_points_x": [1, 4, 4, 1, 1], "all_points_y": [1, 1, 3, 3, 1]}
    path = put(tmp_path / "pets", {"a.png": entry(regions={"0": region(closed, label="cat")})}, "labels_pets_2026.json")
    assert recognise(path)[1].dialect == "Make Sense's VGG JSON"
    assert (read(path)[0].truth.names, drawn(read(path)[0].truth)) == (["cat"], FILLED)


def test_a_project_lists_its_classes_in_order(tmp_path: Path) -> None:
    options = {"type": "dropdown", "description": "", "options": {"dog": "a dog", "cat": "a cat"}, "default_options": {}}
    project = {
        "_via_settings": {"ui": {}, "core": {}, "project": {"name": "pets"}},
        "_via_img_metadata": {"a.png77": entry(region(kind="cat", age=""), file_attributes={"caption": "a cat"})},
        "_via_attributes": {"region": {"kind": options, "age": {"type": "text"}}, "file": {}},
    }
    path = put(tmp_path / "pets", project, "via_project_1Jan2026.json")
    data = read(path)
    assert recognise(path)[1].dialect == "VGG Image Annotator 2 project"
    assert (data.labels.names, data[0].truth.names) == (("dog", "cat"), ["cat"])
    assert data[0].meta == {"file_attributes": {"caption": "a cat"}}


def test_a_csv_export_is_read(tmp_path: Path) -> None:
    shape = json.dumps(SQUARE).replace('"', '""')
    rows = [
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes",
        f'a.png,77,"{{}}",2,0,"{shape}","{{""name"":""cat""}}"',
        f'a.png,77,"{{}}",2,1,"{shape}","{{""name"":""dog""}}"',
        'b.png,78,"{}",0,0,"{}","{}"',
    ]
    path = put(tmp_path / "pets", "\n".join(rows), "export.csv")
    PIL.Image.new("RGB", (2, 2)).save(path / "b.png")
    data = read(path)
    assert recognise(path)[1].dialect == "VGG Image Annotator CSV"
    assert [one.truth.names for one in data] == [["cat", "dog"], []]
    assert drawn(data[0].truth, 1) == FILLED


def test_the_same_regions_as_json_and_csv_are_one_sample(tmp_path: Path) -> None:
    path = of_one(tmp_path, region(name="cat"))
    shape, attributes = (json.dumps(one).replace('"', '""') for one in (SQUARE, {"name": "cat"}))
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    (path / "via.csv").write_text(f'{header}\na.png,77,"{{}}",1,0,"{shape}","{attributes}"\n')
    assert [one.name for one in read(path)] == ["a"]


def test_images_that_are_named_twice_are_counted_in_one_note(tmp_path: Path) -> None:
    other = {"a.png77": entry(region(name="dog")), "b.png1": entry(name="b.png", size=1)}
    path = put(
        tmp_path / "pets", {"a.png77": entry(region(name="cat")), "b.png1": entry(region(name="cat"), name="b.png", size=1)}
    )
    PIL.Image.new("RGB", (6, 5)).save(path / "b.png")
    (path / "via_more.json").write_text(json.dumps(other))
    data = read(path)
    assert len(data) == 4
    assert data.notes == (f"{path}: 2 images are named more than once (a.png); each naming is a sample of its own",)


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ({"name": "rect", "x": 1, "y": 1, "width": 3, "height": 2}, FILLED),
        ({"name": "circle", "cx": 2.5, "cy": 2.5, "r": 1.5}, ["......", ".###..", ".###..", ".###..", "......"]),
        ({"name": "ellipse", "cx": 3, "cy": 2.5, "rx": 3, "ry": 0.6}, ["......", "......", "######", "......", "......"]),
        (  # a quarter turn in radians
            {"name": "ellipse", "cx": 2.5, "cy": 2.5, "rx": 2.5, "ry": 0.6, "theta": 1.5707963},
            ["..#...", "..#...", "..#...", "..#...", "..#..."],
        ),
    ],
)
def test_every_shape_with_an_area_is_filled(tmp_path: Path, shape: Any, rows: list[str]) -> None:
    assert drawn(read(of_one(tmp_path, region(shape, name="cat")))[0].truth) == rows


def test_points_and_polylines_are_left_out_and_told(tmp_path: Path) -> None:
    flat = {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}
    path = of_one(tmp_path, region(flat, name="x"), region({"name": "point", "cx": 1, "cy": 1}, name="y"), region(name="cat"))
    data = read(path)
    assert data.notes == (f"{path}: 1 of the kind polyline, 1 of the kind point: they have no mask; left out",)
    assert (data.labels.names, data[0].truth.names) == (("cat",), ["cat"])


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"name": "Tom", "Class": "cat"}, "cat"),
        ({"type": "cat", "colour": "grey"}, "cat"),
        ({"class": "", "animal": "cat"}, "cat"),  # what is filled in nowhere does not count
        ({"class": {"cat": True, "dog": False}}, "cat"),  # a checkbox
        ({"class": 4}, "4"),
        ({}, "object"),
        ({"colour": "grey", "age": "2"}, "object"),
    ],
)
def test_the_class_is_in_the_attribute_that_the_rule_names(tmp_path: Path, attributes: Any, name: str) -> None:
    assert read(of_one(tmp_path, region(**attributes)))[0].truth.names == [name]


def test_a_class_that_cannot_be_told_is_noted(tmp_path: Path) -> None:
    data = read(of_one(tmp_path, region(colour="grey", age="2")))
    assert "none is called class, label, name, type" in data.notes[0]
    assert data[0].truth.attributes == ({"colour": "grey", "age": "2"},)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (region({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, name="cat"), "as many all_points_x"),
        (
            region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, name="cat"),
            "2 points; expected at least 3",
        ),
        (region({"name": "circle", "cx": 1, "cy": None, "r": 2}, name="cat"), "a circle has the numbers cx, cy, r"),
        (region({"name": ["a"]}, name="cat"), "expected a polygon, rect"),
        (region({}, name="cat"), "expected a polygon, rect"),
        (region(name=""), "its 'name', which names the class, is not filled in"),
        (region(name={"cat": True, "dog": True}), "expected one value of 'name'"),
        ("no region", "expected a region with shape_attributes|not filled in"),
    ],
)
def test_a_wrong_region_is_named_and_spoils_itself_alone(tmp_path: Path, wrong: Any, words: str) -> None:
    sample = read(of_one(tmp_path, region(name="cat"), wrong))[0]
    with pytest.raises(DataError, match=rf"via_region_data\.json: a\.png: region 1: .*({words})"):
        _ = sample.truth
    assert [len(one) for one in sample.salvaged()[0]] == [1]


def test_regions_that_are_no_list_spoil_their_image_alone(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", {"a.png77": entry(region(name="cat")), "b.png77": entry(name="b.png", regions=7)})
    PIL.Image.new("RGB", (2, 2)).save(path / "b.png")
    data = read(path)
    assert len(data[0].truth) == 1
    with pytest.raises(DataError, match=r"b\.png: expected regions as a list or a table, found int"):
        _ = data[1].truth


def test_a_file_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = of_one(tmp_path, region(name="cat"))
    file = path / "via_region_data.json"
    file.write_text(file.read_text()[:60])
    with pytest.raises(UnreadableFile, match=r"via_region_data\.json"):
        read(path)


def test_a_name_that_leads_outside_finds_nothing(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (6, 5)).save(tmp_path / "secret.png")
    document = {"a.png77": entry(region(name="cat")), "s": entry(region(name="cat"), name="../secret.png")}
    data = read(put(tmp_path / "pets", document))
    assert [one.name for one in data] == ["a"]
    assert "../secret.png" in data.notes[0]


def test_folders_of_splits_are_splits(tmp_path: Path) -> None:
    for name in ("train", "val"):
        put(tmp_path / "pets" / name, {"a.png77": entry(region(name="cat"))})
    assert read(tmp_path / "pets").splits == {"train": (0,), "val": (1,)}


def data_of(truth: Segmentation) -> Dataset:
    sample = Sample.of("a", Image(np.zeros((*truth.size, 3), np.uint8)), truth)
    return Dataset([sample], truth.labels, truth.kind, {"train": [0]}, "pets")


RING = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 1]], bool)
LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def test_holes_and_parts_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", np.array([RING, ~RING]), [0, 1], LABELS)
    told = via.write(data_of(truth), tmp_path / "out")
    assert (told.dropped, read(tmp_path / "out")[0].truth) == ((), truth)


def test_other_readers_get_a_hole_from_one_polygon(tmp_path: Path) -> None:
    via.write(data_of(Segmentation.from_masks("instance", RING[None, :, :3], [0], LABELS)), tmp_path / "out")
    (image,) = json.loads((tmp_path / "out" / "via_train.json").read_text())["_via_img_metadata"].values()
    (one,) = image["regions"]
    outline = np.array([one["shape_attributes"]["all_points_x"], one["shape_attributes"]["all_points_y"]]).T
    assert rasterise([outline], (3, 3)) == encode(RING[:, :3])
    assert image["size"] == (tmp_path / "out" / "images" / image["filename"]).stat().st_size


def test_a_project_that_the_tool_saved_again_keeps_its_kind(tmp_path: Path) -> None:
    truth = Segmentation.from_class_map(np.array([[0, 1, 255]]), LABELS)
    via.write(data_of(truth), tmp_path / "out")
    file = tmp_path / "out" / "via_train.json"
    document = json.loads(file.read_text())
    document["_via_settings"]["ui"] = {"image": {}}
    (key,) = document["_via_img_metadata"]
    more = region({"name": "rect", "x": 1, "y": 0, "width": 2, "height": 1}, **{"class": "cat"})
    document["_via_img_metadata"][key]["regions"].append(more)
    file.write_text(json.dumps(document))
    assert read(tmp_path / "out")[0].truth.class_map().tolist() == [[0, 0, 0]]


def test_an_attribute_that_via_needs_for_itself_is_told(tmp_path: Path) -> None:
    rows = {"attributes": ({"class": "x", "depth": 3},), "scores": [0.5]}
    told = via.write(data_of(Segmentation.from_masks("instance", RING[None], [0], LABELS, **rows)), tmp_path / "out")
    assert told.dropped == (
        "a: object 1: its attributes class are not kept: VIA needs these names for itself",
        "a: not kept, as the format has no place for them: scores",
        "a: attributes that are read back as text, as VIA has no other: depth",
    )
    assert read(tmp_path / "out")[0].truth.attributes == ({"depth": "3"},)


@pytest.mark.shared_data
def test_regions_of_cells_without_attributes(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "via_cells")
    assert (len(data), {name: len(rows) for name, rows in data.splits.items()}) == (10, {"train": 8, "val": 2})
    assert sum(len(one.truth) for one in data) == 342  # 279 and 63, counted with json
    assert data.labels.names == ("object",)
    last = {one.name: one.truth for one in data}["92.1 cells (092820, P12, 20X, S2)"]
    assert (len(last), last.size, last.masks.areas()[0]) == (17, (768, 1024), 848)  # filled by pycocotools
