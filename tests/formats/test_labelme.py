"""The format labelme: what hand-written files mean, and what is kept when writing."""

import base64
import json
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, SizeMismatch, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import labelme, read

SQUARE = [[1, 1], [4, 1], [4, 3], [1, 3]]  # columns 1 to 3, rows 1 and 2


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(rows: list[bytes], size: tuple[int, int] | None = None) -> str:
    """Write a grey PNG byte by byte, as the format describes it, and code it as labelme does; ``size`` is a stated one."""
    height, width = size or (len(rows), len(rows[0]))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")).decode()


def shape(label: Any = "cat", points: Any = SQUARE, kind: Any = "polygon", **parts: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **parts}


def put(root: Path, *shapes: Any, name: str = "a", picture: bool = True, **parts: Any) -> Path:
    """Write one image of 5 x 6 and its file, as labelme does."""
    root.mkdir(parents=True, exist_ok=True)
    if picture:
        PIL.Image.new("RGB", (6, 5)).save(root / f"{name}.png")
    document = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None}
    (root / f"{name}.json").write_text(json.dumps({**document, "imageHeight": 5, "imageWidth": 6, **parts}))
    return root


def truth_of(path: Path) -> Segmentation:
    return read(path)[0].truth


def drawn(truth: Segmentation, index: int = 0) -> list[str]:
    return ["".join(".#"[int(one)] for one in row) for row in truth.masks.mask(index)]


def test_a_hand_written_polygon_is_read(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", shape()))
    assert (data.kind, data.labels.names, data.labels.things, data.notes) == ("instance", ("cat",), (0,), ())
    assert drawn(data[0].truth) == ["......", ".###..", ".###..", "......", "......"]


def test_a_rectangle_may_be_drawn_from_any_corner(tmp_path: Path) -> None:
    truth = truth_of(put(tmp_path / "pets", shape(points=[[4, 3], [1, 1]], kind="rectangle")))
    assert drawn(truth) == ["......", ".###..", ".###..", "......", "......"]


def test_a_circle_is_a_centre_and_a_point_on_its_rim(tmp_path: Path) -> None:
    truth = truth_of(put(tmp_path / "pets", shape(points=[[2.5, 2.5], [2.5, 4]], kind="circle")))
    assert drawn(truth) == ["......", ".###..", ".###..", ".###..", "......"]


def test_the_box_of_a_mask_holds_its_last_pixel(tmp_path: Path) -> None:
    mask = png([b"\0\1", b"\1\1"])
    truth = truth_of(put(tmp_path / "pets", shape(points=[[3, 2], [4, 3]], kind="mask", mask=mask)))
    assert drawn(truth) == ["......", "......", "....#.", "...##.", "......"]


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    parts = [shape(points=[[x, 0], [x + 1, 1]], kind="rectangle", group_id=7) for x in (0, 4)]
    truth = truth_of(put(tmp_path / "pets", parts[0], shape("dog", group_id=7), parts[1]))
    assert truth.names == ["cat", "dog"]
    assert drawn(truth)[0] == "#...#."


def test_what_any_shape_of_a_group_says_is_said_of_the_object(tmp_path: Path) -> None:
    said = [{"flags": {"old": True}}, {"flags": {"old": False, "crowd": True}, "description": "two"}]
    parts = [shape(points=[[x, 0], [x + 1, 1]], kind="rectangle", group_id=7, **more) for x, more in enumerate(said)]
    truth = truth_of(put(tmp_path / "pets", *parts))
    assert (truth.attributes, truth.is_crowd.tolist()) == (({"old": True, "description": "two"},), [True])


def test_what_x_anylabeling_adds_is_read(tmp_path: Path) -> None:
    four = shape(kind="quadrilateral", difficult=True, score=0.75, kie_linking=[], attributes={"side": "left"})
    data = read(put(tmp_path / "pets", four, shape("dog", kind="cuboid"), shape(difficult=False, score=None)))
    assert drawn(data[0].truth) == ["......", ".###..", ".###..", "......", "......"]
    assert data[0].truth.attributes == ({"difficult": True, "score": 0.75, "side": "left"}, {})
    assert "1 of the kind cuboid" in data.notes[0]


def test_lines_and_points_are_left_out_and_told(tmp_path: Path) -> None:
    flat = [shape(points=[[0, 0], [1, 1]], kind=kind) for kind in ("line", "linestrip", "line")]
    data = read(put(tmp_path / "pets", *flat, shape("dog")))
    assert data.notes == (f"{tmp_path / 'pets'}: 2 of the kind line, 1 of the kind linestrip: they have no mask; left out",)
    assert (data.labels.names, data[0].truth.names) == (("dog",), ["dog"])


def test_classes_come_in_the_order_of_labels_txt(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", shape("dog"), shape("bird"))
    (path / "labels.txt").write_text("__ignore__\n_background_\nowl\ndog\ncat\n")
    assert read(path).labels.names == ("owl", "dog", "cat", "bird")


def test_an_ignored_area_is_a_crowd_and_void_in_class_maps(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", shape("__ignore__"), shape(points=[[0, 0], [1, 1]], kind="rectangle")))
    truth = data[0].truth
    assert truth.is_crowd.tolist() == [True, False]
    assert truth.semantic().class_map()[1].tolist() == [0, 255, 255, 255, 0, 0]
    assert "1 shapes are called __ignore__" in data.notes[0]


def test_flags_are_attributes(tmp_path: Path) -> None:
    truth = truth_of(put(tmp_path / "pets", shape(flags={"cut off": True, "crowd": False}, description="left one")))
    assert truth.attributes == ({"cut off": True, "description": "left one"},)


def test_the_photo_in_the_file_is_taken_where_no_picture_is(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", shape(), picture=False, imageData=png([bytes([9] * 6)] * 5))
    data = read(path)
    assert (data[0].source.image, data[0].size) == (None, (5, 6))
    assert data[0].image.pixels[0, 0].tolist() == [9]
    assert data[0].raw()[0].shape == (5, 6)
    assert "the photos inside the JSON files are taken" in data.notes[0]


def test_the_picture_is_taken_before_the_photo_in_the_file(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", shape(), imageData=png([bytes([9] * 6)] * 5)))
    assert data[0].image.pixels.max() == 0


def test_a_photo_that_claims_a_billion_pixels_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", shape(), picture=False, imageData=png([b"\0"], size=(100_000, 100_000)))
    with pytest.raises(DataError, match=r"a\.json: imageData: .* at most"):
        _ = read(path)[0].size


def test_the_size_that_the_file_states_must_be_the_pictures(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", shape(), imageHeight=6, imageWidth=5)
    with pytest.raises(SizeMismatch, match="turned by 90 degrees"):
        truth_of(path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (shape(points=[[1, 1], [2, 2]]), "2 points; expected at least 3"),
        (shape(points=[[1, 1], ["x", 2], [3, 3]]), "pairs of finite numbers"),
        (shape(points=[[1, 1], [float("nan"), 2], [3, 3]]), "pairs of finite numbers"),
        (shape(points=[[0, 0], [1e9, 0], [0, 1e9]]), "reaches 1e\\+09 pixels out"),
        (shape(label=7), "expected a label, found 7"),
        (shape(kind="cube"), "expected a shape type of circle"),
        (shape(points=[[1, 1]], kind="circle"), "a circle has two points, found 1"),
        (shape(points=[[0, 0], [1, 1]], kind="mask"), "a PNG in base64, found None"),
        (shape(points=[[0, 0], [1, 1]], kind="mask", mask="*"), "no base64"),
        (shape(points=[[0, 0], [1, 1]], kind="mask", mask="AAAA"), "the PNG of its mask is damaged"),
        (shape(points=[[0, 0], [2, 1]], kind="mask", mask=png([b"\1\1"] * 2)), "is 2 x 2 .*, but its box is 2 x 3"),
        (shape(points=[[0, 0], [99999, 99999]], kind="mask", mask=png([b"\1"])), "on an image of 5 x 6"),
        ("no shape", "object"),
    ],
)
def test_a_wrong_shape_is_named_and_spoils_itself_alone(tmp_path: Path, wrong: Any, words: str) -> None:
    sample = read(put(tmp_path / "pets", shape(), wrong))[0]
    with pytest.raises(DataError, match=rf"a\.json: shape 2: .*{words}"):
        _ = sample.truth
    assert [len(one) for one in sample.salvaged()[0]] == [1]


def test_a_broken_file_spoils_its_own_image_alone(tmp_path: Path) -> None:
    path = put(put(tmp_path / "pets", shape()), shape(), name="b")
    (path / "b.json").write_text('{"version": "5.4.1", "shapes": [')
    data = read(path)
    assert [one.name for one in data] == ["a", "b"]
    assert len(data[0].truth) == 1
    with pytest.raises(UnreadableFile, match=r"b\.json"):
        _ = data[1].truth


def test_a_path_that_leads_outside_finds_a_picture_inside_or_nothing(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (6, 5)).save(tmp_path / "secret.png")
    path = put(
        put(tmp_path / "pets", shape(), imagePath="..\\..\\elsewhere\\a.png"), shape(), name="b", imagePath="../secret.png"
    )
    (path / "b.png").unlink()
    data = read(path)
    assert [one.source.image for one in data] == [path / "a.png"]
    assert "there is no such image" in data.notes[0]


def test_folders_of_splits_are_splits(tmp_path: Path) -> None:
    put(put(tmp_path / "pets" / "train", shape()).parent / "valid", shape())
    data = read(tmp_path / "pets")
    assert {name: [data[row].name for row in rows] for name, rows in data.splits.items()} == {
        "train": ["train_a"],
        "val": ["valid_a"],
    }


def test_samples_pickle(tmp_path: Path) -> None:
    sample = read(put(tmp_path / "pets", shape()))[0]
    assert pickle.loads(pickle.dumps(sample)).truth == sample.truth


def test_json_of_another_make_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [], "name": "x"}))
    assert labelme.sniff(tmp_path / "a.json") is None
    with pytest.raises(UnknownLayout):
        labelme.read(tmp_path / "a.json")


def pets(masks: list[list[list[int]]], kind: Any = "instance", **rows: Any) -> Dataset:
    labels = LabelSet.of(["cat", "dog"], things=["cat"])
    stack = np.array(masks, bool)
    truth = Segmentation.from_masks(kind, stack, list(range(len(stack))), labels, **rows)
    return Dataset([Sample.of("a", Image(np.zeros((*truth.size, 3), np.uint8)), truth)], labels, kind, name="pets")


def test_what_is_known_of_an_object_is_written_where_the_tool_keeps_it(tmp_path: Path) -> None:
    rows = {"source_ids": [70, 80], "track_ids": [1, 2], "attributes": ({"depth": 3}, {}), "crowd": [False, True]}
    told = labelme.write(pets([[[1, 0]], [[0, 0]]], **rows), tmp_path / "out")
    truth = truth_of(tmp_path / "out")
    assert told.dropped == ()
    assert truth.source_ids is not None
    assert truth.track_ids is not None
    assert (truth.source_ids.tolist(), truth.track_ids.tolist()) == ([70, 80], [1, 2])
    assert (truth.attributes, truth.is_crowd.tolist(), truth.masks.areas().tolist()) == (
        ({"depth": 3}, {}),
        [False, True],
        [1, 0],
    )


def test_void_is_written_as_the_tools_converters_read_it(tmp_path: Path) -> None:
    labelme.write(pets([[[1, 0, 0]], [[0, 1, 0]]], "semantic"), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "images" / "a.json").read_text())
    assert [one["label"] for one in document["shapes"]] == ["__ignore__", "cat", "dog"]
    assert document["shapes"][0]["points"] == [[2, 0], [2, 0]]
    assert (tmp_path / "out" / "labels.txt").read_text().split() == ["__ignore__", "_background_", "cat", "dog"]


def test_what_a_person_adds_to_a_class_map_covers_what_was_there(tmp_path: Path) -> None:
    labelme.write(pets([[[1, 1, 0]], [[0, 0, 1]]], "semantic"), tmp_path / "out")
    file = tmp_path / "out" / "images" / "a.json"
    document = json.loads(file.read_text())
    document["shapes"].append(shape("dog", [[1, 0], [2, 1]], "rectangle"))
    file.write_text(json.dumps(document))
    assert truth_of(tmp_path / "out").class_map().tolist() == [[0, 1, 1]]


@pytest.mark.shared_data
def test_labelmes_own_example_of_every_shape(shared_data: Path) -> None:
    truth = truth_of(shared_data / "labeltools" / "labelme_primitives")
    assert truth.names == ["rectangle", "circle", "rectangle", "polygon", "octagon"]
    assert truth.masks.areas()[[0, 4]].tolist() == [10_000, 7_275]  # 100 x 100; pixels of the PNG, counted with Pillow


@pytest.mark.shared_data
def test_labelmes_own_example_of_a_class_map(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "labelme_semantic")
    assert {one.name: len(one.truth) for one in data} == {"2011_000003": 5, "2011_000006": 10, "2011_000025": 3}
    names = [name for one in data for name in one.truth.names]
    assert {name: names.count(name) for name in set(names)} == {
        "person": 7,
        "sofa": 4,
        "__ignore__": 2,
        "bus": 2,
        "bottle": 1,
        "chair": 1,
        "car": 1,
    }
    assert data[2].truth.masks.areas()[2] == 7_087  # the car, filled by pycocotools
    assert (len(data.labels), data.labels.names[0], data.labels.names[-1]) == (21, "aeroplane", "__ignore__")
