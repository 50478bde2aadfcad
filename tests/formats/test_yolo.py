"""YOLO text by hand: outlines, parts and holes by bridges, boxes, names and splits; and what writing them proves."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from pixelwise.core.errors import DataError, PixelwiseError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.polygons import fill
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise, yolo
from pixelwise.formats.yolo.outline import one_outline

NAMES = "names: [cat, dog]\nnc: 2\ntrain: ../train/images\nval: ../valid/images\n"
SQUARE = "1 0.1 0.2 0.4 0.2 0.4 0.8 0.1 0.8\n"  # columns 1 to 3, rows 1 to 3, of an image of 5 x 10


def put(root: Path, files: dict[str, str], images: tuple[str, ...] = ("train/images/a.jpg", "valid/images/b.jpg")) -> Path:
    for name in images:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (10, 5)).save(root / name)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    return root


def one(tmp_path: Path, rows: str) -> Sample:
    return read(put(tmp_path / "set", {"data.yaml": NAMES, "train/labels/a.txt": rows, "valid/labels/b.txt": SQUARE}))[0]


def test_an_outline_is_filled(tmp_path: Path) -> None:
    truth = one(tmp_path, SQUARE).truth
    assert (truth.kind, truth.names, truth.masks.boxes().tolist()) == ("instance", ["dog"], [[1, 1, 4, 4]])
    assert truth.masks.areas().tolist() == [9]


def test_a_dialect_is_named_and_splits_are_looked_up_inside(tmp_path: Path) -> None:
    data = read(put(tmp_path / "set", {"data.yaml": NAMES, "train/labels/a.txt": SQUARE, "valid/labels/b.txt": ""}))
    assert recognise(tmp_path / "set")[1].dialect == "YOLO text: segmentation"
    assert (data.labels.names, data.splits) == (("cat", "dog"), {"train": (0,), "val": (1,)})
    assert [len(sample.truth) for sample in data] == [1, 0]
    assert read(tmp_path / "set" / "data.yaml").splits == data.splits


# a square of columns 0 to 3 with a bridge from (4, 1) to a square of columns 6 to 7, there and back
BRIDGED = [(0, 0), (4, 0), (4, 1), (6, 1), (6, 0), (8, 0), (8, 2), (6, 2), (6, 1), (4, 1), (4, 2), (0, 2)]
# a square of columns 0 to 5 and rows 0 to 4, with a bridge from its corner to the hole of columns 2 and 3, rows 2
HOLED = [(0, 0), (6, 0), (6, 5), (0, 5), (0, 0), (2, 2), (2, 3), (4, 3), (4, 2), (2, 2)]


@pytest.mark.parametrize(("points", "parts"), [(BRIDGED, ["11110011", "11110011"]), (HOLED, ["111111"] * 2 + ["110011"])])
def test_a_bridge_walked_there_and_back_encloses_nothing(
    points: list[tuple[int, int]], parts: list[str], tmp_path: Path
) -> None:
    row = "0 " + " ".join(f"{x / 10} {y / 5}" for x, y in points)
    mask = one(tmp_path, row).truth.masks.mask(0)
    assert ["".join(map(str, line[: len(part)].astype(int))) for line, part in zip(mask, parts, strict=False)] == parts
    assert mask.sum() == (12 if points is BRIDGED else 28)


def test_pycocotools_fills_bridges_so_too() -> None:
    coded = coco.merge(coco.frPyObjects([[float(side) for point in HOLED for side in point]], 5, 10))
    assert int(coco.area(coded)) == 28


def test_a_box_among_outlines_spoils_its_image_and_is_named(tmp_path: Path) -> None:
    sample = one(tmp_path, SQUARE + "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(DataError, match=r"a\.txt: line 2: a box, which is no mask"):
        _ = sample.truth
    truths, problems = sample.salvaged()
    assert (truths[0].names, len(problems)) == (["dog"], 1)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0 0.1 0.2 0.4 0.2 0.4 0.8 0.1", "line 1: it has 7 numbers after the class"),
        ("0 0.1 0.2 0.4", "it has 3 numbers"),
        ("7 0.1 0.2 0.4 0.2 0.4 0.8", r"the class 7 is none of the set's \(0 cat, 1 dog\)"),
        ("0.5 0.1 0.2 0.4 0.2 0.4 0.8", "begins with 0.5; expected a class number"),
        ("-1 0.1 0.2 0.4 0.2 0.4 0.8", "begins with -1"),
        ("0 10 20 40 20 40 80", "a coordinate is 10; expected fractions"),
        ("0 nan 0.2 0.4 0.2 0.4 0.8", "NaN or Infinity"),
        ("0 1e999 0.2 0.4 0.2 0.4 0.8", "NaN or Infinity"),
        ("0 x 0.2 0.4 0.2 0.4 0.8", "could not convert string to float: 'x'"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(row: str, words: str, tmp_path: Path) -> None:
    sample = one(tmp_path, f"{row}\n{SQUARE}")
    with pytest.raises(DataError, match=words):
        _ = sample.truth
    assert sample.salvaged()[0][0].names == ["dog"]


def test_a_file_that_is_no_text_spoils_its_image_alone(tmp_path: Path) -> None:
    root = put(tmp_path / "set", {"data.yaml": NAMES, "train/labels/a.txt": SQUARE, "valid/labels/b.txt": SQUARE})
    (root / "train/labels/a.txt").write_bytes(b"\xff\xfe\x00\x01")
    data = read(root)
    with pytest.raises(UnreadableFile, match=r"a\.txt: expected YOLO labels as text"):
        _ = data[0].truth
    assert data[1].truth.names == ["dog"]


def test_an_image_without_a_label_file_has_no_objects_and_is_counted(tmp_path: Path) -> None:
    images = ("train/images/a.jpg", "train/images/c.jpg", "plots/loss.png")
    data = read(put(tmp_path / "set", {"data.yaml": NAMES, "train/labels/a.txt": SQUARE}, images))
    assert [len(sample.truth) for sample in data] == [1, 0]
    assert any("1 images have no label file" in note for note in data.notes)
    assert any("plots/loss.png" in note for note in data.notes)


def test_boxes_alone_are_read_and_said_to_hold_no_masks(tmp_path: Path) -> None:
    rows = {"classes.txt": "cat\ndog\n", "a.txt": "1 0.5 0.5 0.2 0.4\n0 0.25 0.5 0.1 0.2 0.93\n"}
    data = read(put(tmp_path / "labelimg", rows, ("a.jpg",)))
    assert recognise(tmp_path / "labelimg")[1].dialect == "YOLO text: boxes alone"
    assert (data[0].truths, data.labels.names) == ((), ("cat", "dog"))
    assert data[0].meta["boxes"][0] == {"name": "dog", "box": (4, 1.5, 6, 3.5)}
    assert data[0].meta["boxes"][1]["confidence"] == 0.93
    assert "2 boxes and no masks" in data.notes[0]


def test_poses_are_boxes(tmp_path: Path) -> None:
    row = "0 0.5 0.5 0.2 0.4 0.5 0.5 2 0.6 0.6 2\n"
    data = read(put(tmp_path / "set", {"data.yaml": NAMES + "kpt_shape: [2, 3]\n", "train/labels/a.txt": row}))
    assert data[0].meta["boxes"][0]["box"] == (4, 1.5, 6, 3.5)


def test_outlines_that_all_have_four_points_are_told_of(tmp_path: Path) -> None:
    assert any("oriented boxes" in note for note in read(put(tmp_path / "a", {"a.txt": SQUARE}, ("a.jpg",))).notes)
    five = "0 0.1 0.2 0.4 0.2 0.4 0.8 0.3 0.9 0.1 0.8\n"
    assert not any("oriented boxes" in note for note in read(put(tmp_path / "b", {"a.txt": five}, ("a.jpg",))).notes)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"data.yaml": "train: train\nnames:\n  0: cat\n  7: 'no'\n"}, ("cat", "no")),
        ({"dataset.yml": "path: /content/x\nnames:\n- yes\n- no\n"}, ("yes", "no")),
        ({"obj.data": "classes = 2\nnames = data/obj.names\n", "obj.names": "cat\r\ndog\r\n"}, ("cat", "dog")),
        ({"train/labels/classes.txt": "\ufeffcat\ndog\n"}, ("cat", "dog")),
        ({}, ("class 0", "class 7")),
    ],
)
def test_names_are_found_where_tools_put_them(files: dict[str, str], names: tuple[str, ...], tmp_path: Path) -> None:
    rows = SQUARE.replace("1", "0", 1) + SQUARE.replace("1", "7", 1)
    data = read(put(tmp_path / "set", {**files, "train/labels/a.txt": rows}))
    assert data.labels.names == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [cat, cat]\ntrain: x\n", "the classes 0 and 1 are both called 'cat'"),
        ("names: {a: cat}\ntrain: x\n", "has no number from 0 up"),
        ("names: []\ntrain: x\n", "of at least one name"),
        ("names: [cat\ntrain: x\n", "expected YAML, but"),
        ("names: &n [cat]\nother: *n\n", "it has an alias"),
        ("names: " + "[" * 100_000, "expected YAML, but"),
        ("names: !!python/object/apply:os.system [ls]\ntrain: x\n", "of at least one name|ls"),
        ("nc: 2\n", "expected a mapping with 'names'"),
    ],
)
def test_a_bad_data_yaml_is_named(text: str, words: str, tmp_path: Path) -> None:
    root = put(tmp_path / "set", {"data.yaml": text, "train/labels/a.txt": SQUARE})
    if "python/object" in text:  # only its text is taken
        assert read(root).labels.names == ("ls",)
        return
    with pytest.raises(UnreadableFile, match=rf"data\.yaml: .*({words})"):
        read(root)


def test_lists_of_another_machine_are_looked_up_inside(tmp_path: Path) -> None:
    files = {
        "data.yaml": "names: [cat, dog]\ntrain: /home/me/train.txt\nval: ../../etc\n",
        "train.txt": "/home/me/valid/images/b.jpg\n../../../etc/passwd.jpg\n",
        "train/labels/a.txt": SQUARE,
        "valid/labels/b.txt": SQUARE,
    }
    data = read(put(tmp_path / "set", files))
    assert {name: [data[row].name for row in rows] for name, rows in data.splits.items()} == {"train": ["b", "a"]}
    assert any("'../../etc' is no folder or list" in note for note in data.notes)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=200)
def test_one_outline_gives_any_mask_back(mask: np.ndarray) -> None:
    outline = one_outline(mask)
    filled = fill([outline], mask.shape) if len(outline) else np.zeros_like(mask)
    assert filled.tolist() == mask.tolist()


LABELS = LabelSet.of(["cat", "no"], things=["cat"])


def holed(size: tuple[int, int], kind: str = "instance") -> Dataset:
    """One object with a hole and a second part at the far corner."""
    mask = np.zeros((1, *size), bool)
    mask[0, :3, :3] = True
    mask[0, 1, 1] = False
    mask[0, -1, -1] = True
    truth = Segmentation.from_masks(kind, mask, [1], LABELS)  # type: ignore[arg-type]
    return Dataset([Sample.of("a", Image(np.zeros((*size, 3), np.uint8)), truth)], LABELS, truth.kind, {"fold one": [0]})


@pytest.mark.parametrize("size", [(5, 7), (3, 20_011)])
def test_holes_and_parts_are_written_in_one_row_and_read_back(size: tuple[int, int], tmp_path: Path) -> None:
    told = yolo.write(holed(size), tmp_path / "out")
    rows = (tmp_path / "out" / "labels" / "fold one" / "a.txt").read_text().splitlines()
    assert (told.dropped, len(rows), rows[0].split()[0]) == ((), 1, "1")
    assert read(tmp_path / "out")[0].truth == holed(size)[0].truth


def test_names_kind_and_splits_come_back_and_other_tools_find_theirs(tmp_path: Path) -> None:
    yolo.write(holed((5, 7), "multilabel"), tmp_path / "out")
    data = read(tmp_path / "out")
    assert (data.kind, data.labels, data.splits) == ("multilabel", LABELS, {"fold one": (0,)})
    assert (tmp_path / "out" / "data.yaml").read_text().splitlines()[:6] == [
        "train: images",
        "val: images",
        "nc: 2",
        "names:",
        "  0: cat",
        "  1: 'no'",
    ]


def test_an_image_in_two_splits_is_listed_in_both(tmp_path: Path) -> None:
    data = holed((5, 7))
    data = Dataset(data.samples, LABELS, "instance", {"train": [0], "val": [0]})
    yolo.write(data, tmp_path / "out")
    assert (tmp_path / "out" / "train.txt").read_text() == "./images/a.png\n"
    assert read(tmp_path / "out").splits == {"train": (0,), "val": (0,)}


def test_a_crowd_is_kept_from_other_tools_and_told(tmp_path: Path) -> None:
    masks = np.ones((2, 2, 2), bool)
    truth = Segmentation.from_masks("instance", masks, [0, 0], LABELS, crowd=np.array([True, False]))
    data = Dataset([Sample.of("a", Image(np.zeros((2, 2, 3), np.uint8)), truth)], LABELS, "instance")
    told = yolo.write(data, tmp_path / "out")
    assert told.dropped[0].startswith("a: object 1 (cat) is a crowd")
    assert len((tmp_path / "out" / "labels" / "a.txt").read_text().splitlines()) == 1
    assert read(tmp_path / "out")[0].truth == truth


def test_an_empty_mask_is_told(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", np.zeros((1, 2, 2), bool), [0], LABELS)
    data = Dataset([Sample.of("a", Image(np.zeros((2, 2, 3), np.uint8)), truth)], LABELS, "instance")
    assert "has no pixel" in yolo.write(data, tmp_path / "out").dropped[0]


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_are_rows_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    put(root, {"data.yaml": NAMES, "a.txt": ""}, ("a.jpg",))
    (root / "a.txt").write_bytes(data)
    try:
        _ = [sample.truths for sample in read(root)]
    except PixelwiseError:
        return


def test_foreign_text_beside_images_is_not_claimed(tmp_path: Path) -> None:
    for number, text in enumerate(("Car 0.0 0 1.5 599 156 629 189\n", "a street in spring\n", "", json.dumps({"a": 1}))):
        assert yolo.sniff(put(tmp_path / str(number), {"a.txt": text}, ("a.jpg",))) is None


FIXTURES = Path("labeltools") / "small_fixtures"


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "boxes", "classes"),
    [
        (FIXTURES / "yolo_dataset" / "annotations", [2], 10),
        (FIXTURES / "yolo_dataset" / "labels", [2, 2], 10),
        (FIXTURES / "yolo_dataset" / "strict", [2], 10),
        (FIXTURES / "roboflow_dataset" / "yolo", [1, 1, 2], 2),
        (FIXTURES / "roboflow_dataset" / "yolo_obb", [1, 1, 2], 2),
    ],
)
def test_boxes_of_real_sets_are_counted(shared_data: Path, folder: Path, boxes: list[int], classes: int) -> None:
    data = read(shared_data / folder)
    assert ([len(sample.meta["boxes"]) for sample in data], len(data.labels)) == (boxes, classes)


@pytest.mark.shared_data
def test_a_box_of_a_real_set_lies_where_its_row_says(shared_data: Path) -> None:
    data = read(shared_data / FIXTURES / "roboflow_dataset" / "yolo")
    assert np.round(data[0].meta["boxes"][0]["box"], 6).tolist() == [2, 1, 5, 2]  # 0.35 0.3 0.3 0.2 of 10 x 5
    assert data.splits == {"train": (0, 1), "val": (2,)}
