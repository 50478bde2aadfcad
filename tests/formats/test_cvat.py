"""The format cvat: what hand-written XML for images means, and what writing keeps."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, SizeMismatch, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import cvat, read, recognise
from pixelwise.formats.cvat import shapes

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>4</id><name>pets</name><mode>annotation</mode><labels>
<label><name>dog</name><color>#fa3253</color><type>any</type><attributes></attributes></label>
<label><name>cat</name><color>#33ddff</color><type>polygon</type><attributes></attributes></label>
<label><name>nose</name><type>points</type><attributes></attributes></label>
</labels></task></meta>
"""
SQUARE = '<polygon label="cat" source="manual" occluded="0" points="1.0,1.0;4.0,1.0;4.0,3.0;1.0,3.0" z_order="0"/>'
FILLED = ["......", ".###..", ".###..", "......", "......"]


def image(*shapes: str, name: str = "a.png", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="6" height="5" {more}>{"".join(shapes)}</image>\n'


def put(root: Path, *images: str, pictures: tuple[str, ...] = ("a.png",)) -> Path:
    """Write pictures of 5 x 6 and a file as CVAT exports it."""
    for name in pictures:
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("RGB", (6, 5)).save(root / "images" / name)
    (root / "annotations.xml").write_text(HEAD + "".join(images) + "</annotations>\n")
    return root


def truth_of(tmp_path: Path, *shapes: str) -> Segmentation:
    return read(put(tmp_path / "pets", image(*shapes)))[0].truth


def drawn(truth: Segmentation, index: int = 0) -> list[str]:
    return ["".join(".#"[int(one)] for one in row) for row in truth.masks.mask(index)]


def test_a_hand_written_file_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", image(SQUARE))
    assert recognise(path)[1].dialect == "CVAT XML 1.1 for images"
    data = read(path)
    assert (data.kind, data.labels.names, data.notes) == ("instance", ("dog", "cat"), ())
    assert data.labels.colours.tolist() == [[0xFA, 0x32, 0x53], [0x33, 0xDD, 0xFF]]
    assert (data[0].truth.names, drawn(data[0].truth)) == (["cat"], FILLED)


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ('<box label="cat" xtl="1" ytl="1" xbr="4" ybr="3"/>', FILLED),
        (  # 1 wide, 3 high, lying on its side
            '<box label="cat" xtl="2" ytl="1" xbr="3" ybr="4" rotation="90"/>',
            ["......", "......", ".###..", "......", "......"],
        ),
        ('<ellipse label="cat" cx="2.5" cy="2.5" rx="1.5" ry="1.5"/>', ["......", ".###..", ".###..", ".###..", "......"]),
        (
            '<ellipse label="cat" cx="2.5" cy="2.5" rx="2.5" ry="0.6" rotation="90"/>',
            ["..#...", "..#...", "..#...", "..#...", "..#..."],
        ),
        (  # row by row, zeros first: .## / #.# / ###
            '<mask label="cat" rle="1, 3, 1, 4" left="2" top="1" width="3" height="3"/>',
            ["......", "...##.", "..#.#.", "..###.", "......"],
        ),
        ('<mask label="cat" rle="0, 4" left="4" top="3" width="2" height="2"/>', ["......"] * 3 + ["....##"] * 2),
    ],
)
def test_every_shape_with_an_area_is_filled(tmp_path: Path, shape: str, rows: list[str]) -> None:
    assert drawn(truth_of(tmp_path, shape)) == rows


def test_the_documentations_example_of_a_mask_is_an_ellipse(tmp_path: Path) -> None:
    rle = "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3"
    path = put(tmp_path / "pets", image(f'<mask label="car" rle="{rle}" left="2" top="1" width="13" height="15"/>'))
    PIL.Image.new("RGB", (20, 20)).save(path / "images" / "a.png")
    text = (path / "annotations.xml").read_text().replace('width="6" height="5"', 'width="20" height="20"')
    (path / "annotations.xml").write_text(text)
    truth = read(path)[0].truth
    assert truth.masks.areas().tolist() == [149]  # every second number, added up by hand
    assert truth.masks.boxes().tolist() == [[2, 1, 15, 16]]


def test_points_lines_cuboids_and_skeletons_are_left_out_and_told(tmp_path: Path) -> None:
    flat = [f'<{tag} label="nose" points="1,1;2,2"/>' for tag in ("points", "polyline", "points", "cuboid", "skeleton")]
    path = put(tmp_path / "pets", image(*flat, SQUARE, '<tag label="good" source="manual"></tag>'))
    data = read(path)
    kinds = "2 of the kind points, 1 of the kind polyline, 1 of the kind cuboid, 1 of the kind skeleton"
    assert data.notes == (f"{path / 'annotations.xml'}: {kinds}: they have no mask; left out",)
    assert data[0].meta == {"image_id": 0, "tags": ["good"]}


def test_a_higher_z_order_lies_on_top(tmp_path: Path) -> None:
    boxes = [f'<box label="{name}" xtl="0" ytl="0" xbr="2" ybr="2" z_order="{z}"/>' for name, z in (("dog", 3), ("cat", -1))]
    assert truth_of(tmp_path, *boxes).names == ["cat", "dog"]


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    boxes = [f'<box label="cat" xtl="{x}" ytl="0" xbr="{x + 1}" ybr="1" group_id="{g}"/>' for x, g in ((0, 2), (2, 0), (4, 2))]
    truth = truth_of(tmp_path, *boxes)
    assert [drawn(truth, index)[0] for index in range(len(truth))] == ["#...#.", "..#..."]


def test_what_any_shape_of_a_group_says_is_said_of_the_object(tmp_path: Path) -> None:
    said = (
        '<attribute name="age">2</attribute>',
        '<attribute name="age">3</attribute><attribute name="is_crowd">1</attribute>',
    )
    boxes = [
        f'<box label="cat" xtl="{x}" ytl="0" xbr="{x + 1}" ybr="1" group_id="2" occluded="{x}">{more}</box>'
        for x, more in enumerate(said)
    ]
    truth = truth_of(tmp_path, *boxes)
    assert (truth.attributes, truth.is_crowd.tolist()) == (({"age": "2", "occluded": True},), [True])


def test_attributes_occlusion_and_crowds_are_kept(tmp_path: Path) -> None:
    said = '<attribute name="age">2</attribute><attribute name="is_crowd">true</attribute>'
    truth = truth_of(tmp_path, f'<box label="cat" occluded="1" xtl="0" ytl="0" xbr="2" ybr="2">{said}</box>')
    assert truth.attributes == ({"age": "2", "occluded": True},)
    assert truth.is_crowd.tolist() == [True]


def test_subsets_are_splits_and_choose_the_picture(tmp_path: Path) -> None:
    images = [image(SQUARE if name == "Train" else "", more=f'subset="{name}"') for name in ("Train", "Validation")]
    data = read(put(tmp_path / "pets", *images, pictures=("Train/a.png", "Validation/a.png")))
    assert data.splits == {"train": (0,), "val": (1,)}
    assert [one.source.image for one in data] == [
        tmp_path / "pets" / "images" / name / "a.png" for name in ("Train", "Validation")
    ]
    assert [len(one.truth) for one in data] == [1, 0]


def test_frames_of_an_image_export_have_no_suffix(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", image(SQUARE, name="frame_000007"), pictures=("frame_000007.png",)))
    assert len(data[0].truth) == 1


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ('<polygon label="cat" points="1,1;2,2"/>', "polygon 2: a polygon has 2 points"),
        ('<polygon label="cat" points="1,1;2;3,3"/>', "polygon 2: expected points as x,y;x,y"),
        ('<polygon label="cat" points="1,1;nan,2;3,3"/>', "NaN or Infinity"),
        ('<box label="cat" xtl="1" ytl="1" xbr="4"/>', "box 2: it has no ybr"),
        ('<box label="cat" xtl="1" ytl="x" xbr="4" ybr="3"/>', "its ytl is 'x', which is no number"),
        ('<box label="" xtl="1" ytl="1" xbr="4" ybr="3"/>', "it has no label"),
        ('<mask label="cat" rle="1, 2" left="0" top="0" width="2" height="2"/>', "add up to 2 x 2 = 4, got 2 from 1 up"),
        ('<mask label="cat" rle="8, -4" left="0" top="0" width="2" height="2"/>', "run lengths from 0 up"),
        ('<mask label="cat" rle="" left="0" top="0" width="2" height="2"/>', "numbers with commas"),
        ('<mask label="cat" rle="4" left="0.5" top="0" width="2" height="2"/>', "no whole number"),
        ('<mask label="cat" rle="1" left="0" top="0" width="99999" height="99999"/>', "on an image of 5 x 6"),
    ],
)
def test_a_wrong_shape_is_named_and_spoils_itself_alone(tmp_path: Path, shape: str, words: str) -> None:
    sample = read(put(tmp_path / "pets", image(SQUARE, shape)))[0]
    with pytest.raises(DataError, match=rf"annotations\.xml: a\.png: .*{words}"):
        _ = sample.truth
    assert [len(one) for one in sample.salvaged()[0]] == [1]


def test_points_beyond_the_limit_are_told_and_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_LONGEST", 20)
    sample = read(put(tmp_path / "pets", image(SQUARE)))[0]
    assert "its points are 31 characters; at most 20 are read" in sample.salvaged()[1][0]


def test_the_size_that_the_file_states_must_be_the_pictures(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", image(SQUARE))
    PIL.Image.new("RGB", (5, 6)).save(path / "images" / "a.png")
    with pytest.raises(SizeMismatch, match="turned by 90 degrees"):
        _ = read(path)[0].truth


def test_a_file_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", image(SQUARE))
    text = (path / "annotations.xml").read_text()
    for length in (30, len(text) - 20):
        (path / "annotations.xml").write_text(text[:length])
        with pytest.raises(UnreadableFile, match=r"annotations\.xml"):
            read(path)


def test_a_file_that_changes_after_reading_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", image(SQUARE))
    sample = read(path)[0]
    put(path, image(SQUARE, SQUARE))
    with pytest.raises(UnreadableFile, match="has changed since it was read"):
        _ = sample.truth


def test_a_name_that_leads_outside_finds_nothing(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (6, 5)).save(tmp_path / "secret.png")
    data = read(put(tmp_path / "pets", image(SQUARE), image(SQUARE, name="../../secret.png")))
    assert [one.name for one in data] == ["a"]
    assert "../../secret.png" in data.notes[0]


def test_xml_of_another_make_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotations><note/></annotations>")
    assert cvat.sniff(tmp_path / "a.xml") is None


def data_of(truth: Segmentation, splits: Any = None) -> Dataset:
    sample = Sample.of("a", Image(np.zeros((*truth.size, 3), np.uint8)), truth)
    return Dataset([sample], truth.labels, truth.kind, splits or {"train": [0]}, "pets")


LABELS = LabelSet.of(["cat & dog", 'a "bird"'], things=["cat & dog"])
MASKS = np.array([[[0, 1, 1], [0, 1, 0]], [[0, 0, 0], [0, 0, 0]]], bool)


def test_a_mask_is_written_as_cvat_writes_it(tmp_path: Path) -> None:
    cvat.write(data_of(Segmentation.from_masks("instance", MASKS, [0, 1], LABELS)), tmp_path / "out")
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    masks = [one.attrib for one in root.iter("mask")]
    assert {key: masks[0][key] for key in ("label", "rle", "left", "top", "width", "height")} == {
        "label": "cat & dog",
        "rle": "0, 3, 1",
        "left": "1",
        "top": "0",
        "width": "2",
        "height": "2",
    }
    assert [one.get("subset") for one in root.iter("image")] == ["train"]
    assert [one.text for one in root.iterfind("meta/project/labels/label/name")] == ["cat & dog", 'a "bird"']


def test_attributes_and_crowds_are_read_back(tmp_path: Path) -> None:
    rows = {"attributes": ({"age": "2", "occluded": True}, {"coat": "a b"}), "crowd": [True, False]}
    truth = Segmentation.from_masks("instance", MASKS, [0, 1], LABELS, **rows)
    told = cvat.write(data_of(truth), tmp_path / "out")
    back = read(tmp_path / "out")[0].truth
    assert (told.dropped, back) == ((), truth)
    assert back.attributes == rows["attributes"]


def test_attributes_that_come_back_as_other_text_are_told(tmp_path: Path) -> None:
    said = {"depth": 3, "note": " two\r\nlines", "occluded": False, "plain": "3"}
    truth = Segmentation.from_masks("instance", MASKS[:1], [0], LABELS, attributes=(said,))
    told = cvat.write(data_of(truth), tmp_path / "out")
    assert told.dropped == ("a: attributes that are read back as bare text, as CVAT has no other: depth, note, occluded",)
    back = {"depth": "3", "note": "two\nlines", "occluded": "false", "plain": "3"}
    assert read(tmp_path / "out")[0].truth.attributes == (back,)


def test_a_second_split_of_an_image_is_told(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", MASKS, [0, 1], LABELS)
    told = cvat.write(data_of(truth, {"one": [0], "two": [0]}), tmp_path / "out")
    assert told.dropped == ("a: it is in one, two; CVAT knows one subset an image, so it stays in one alone",)
    assert read(tmp_path / "out").splits == {"one": (0,)}


def test_a_name_that_no_xml_can_hold_is_refused(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", MASKS, [0, 1], LabelSet.of(["a\x00b", "c"]))
    with pytest.raises(DataError, match="holds a character that XML cannot"):
        cvat.write(data_of(truth), tmp_path / "out")


@pytest.mark.shared_data
def test_a_real_project_of_three_subsets(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "cvat" / "xml" / "for_images" / "export_project")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 2, "val": 2, "test": 2}
    assert data.labels.names == ("label1", "label2")
    assert [one.truth.masks.areas().tolist() for one in data] == [[8], [1]] * 3  # the boxes are 4 wide and 2 high
    assert data[0].truth.attributes == ({"a1": "true", "a2": "v3", "a3": "0003", "a4": "2.4", "occluded": True},)
    assert "3 of the kind polyline, 3 of the kind points" in data.notes[0]


@pytest.mark.shared_data
def test_a_real_task_with_a_polygon_without_a_label(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "cvat" / "xml" / "for_images" / "export_task")
    assert ([one.name for one in data], len(data[0].truth)) == (["img0", "img1"], 1)
    assert data[1].salvaged()[1][0].endswith("train.xml: img1.jpg: polygon 1: it has no label; give it one")
