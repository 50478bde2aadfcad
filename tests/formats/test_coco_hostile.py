"""Bad COCO files: a bad annotation spoils its own image and is named; a bad file is refused with the reason."""

import json
import time
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from coco_pets import IMAGES, SQUARE, one, put

from pixelwise.core.errors import DataError, MissingFile, PixelwiseError, SizeMismatch, UnreadableFile
from pixelwise.curate.check import check
from pixelwise.formats import read, recognise
from pixelwise.formats.coco import annotations as coco_annotations
from pixelwise.formats.coco import file as coco_file

TOO_MUCH = 10**400
BAD = {
    "odd": ([[1, 1, 4, 1, 4, 3, 1]], "7 coordinates, an odd number"),
    "two points": ([[1, 1, 4, 1]], "2 points; expected at least 3"),
    "none": ([], "no outline"),
    "null": (None, "no outline"),
    "words": ([["a", "b", "c", "d", "e", "f"]], "expected a polygon as a list of numbers"),
    "nested": ([[[1, 1], [4, 1], [4, 3]]], "expected a polygon as a list of numbers"),
    "a number": (5, "no outline"),
    "far": ([[1e30, 1, 4, 1, 4, 3]], "reaches 1e\\+30 pixels out"),
    "endless": ([[0, 0, 4000, 4000] * 2000], "pixels long"),
    "not finite": ([[float("nan"), 1, 4, 1, 4, 3]], "no number"),
    "beyond": ([[1e400, 1, 4, 1, 4, 3]], "no number"),
    "beyond floats": ([[TOO_MUCH, 1, 4, 1, 4, 3]], "."),
    "wrong total": ({"size": [5, 6], "counts": [6, 2, 3]}, "add up to 5 x 6 = 30.*add up to 11"),
    "negative": ({"size": [5, 6], "counts": [-6, 36]}, "run lengths from 0 up"),
    "huge": ({"size": [5, 6], "counts": [2**62, 2**62]}, "add up to"),
    "fractions": ({"size": [5, 6], "counts": [6.5, 23.5]}, "whole numbers"),
    "other size": ({"size": [50000, 60000], "counts": [3_000_000_000]}, r"size \[50000, 60000\], but the image is \[5, 6\]"),
    "no size": ({"counts": [30]}, "size None"),
    "no counts": ({"size": [5, 6]}, "found None"),
    "cut off": ({"size": [5, 6], "counts": "o"}, "cut off"),
    "strange": ({"size": [5, 6], "counts": "\u00fc"}, "character"),
    "strange sign": ({"size": [5, 6], "counts": "\u0001"}, "character"),
    "long number": ({"size": [5, 6], "counts": "o" * 40 + "0"}, "longer than any image"),
    "empty text": ({"size": [5, 6], "counts": ""}, "add up to 0"),
    "wrong text": ({"size": [5, 6], "counts": "61"}, "add up to"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_outline_is_named_and_the_other_images_go_on(case: str, tmp_path: Path) -> None:
    outline, words = BAD[case]
    path = put(tmp_path / "pets", [one(id=40, segmentation=outline), one(id=41, image_id=12)])
    data = read(path)
    with pytest.raises(DataError, match=rf"labels\.json: annotation 40 of image 11 \(a\.png\): .*{words}"):
        _ = data[0].truth
    assert data[1].truth.names == ["dog"]
    audit = check(path)
    assert [problem.kind for problem in audit.problems if problem.fatal] == ["mask"]
    assert "annotation 40" in next(problem.text for problem in audit.problems if problem.fatal)
    assert [sample.name for sample in audit.good] == ["b"]


def test_an_unknown_category_is_named(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(id=40, category_id=99)]))
    with pytest.raises(DataError, match=r"annotation 40 of image 11 .*category 99 is none of the file's \(7 dog, 3 cat\)"):
        _ = data[0].truth


def test_an_annotation_without_an_id_is_named_by_its_number(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(), {"image_id": 11, "category_id": 7}]))
    with pytest.raises(DataError, match="annotation number 2 of image 11"):
        _ = data[0].truth


@pytest.mark.parametrize(("height", "width", "words"), [(50, 60, "stated as 50 x 60"), (6, 5, "turned by 90 degrees")])
def test_a_size_that_is_not_the_pictures_is_told(height: int, width: int, words: str, tmp_path: Path) -> None:
    images = [{**IMAGES[0], "height": height, "width": width}, IMAGES[1]]
    data = read(put(tmp_path / "pets", [one()], images=images))
    with pytest.raises(SizeMismatch, match=words):
        _ = data[0].truth
    assert [sample.name for sample in check(data).good] == ["b"]


def test_a_size_that_is_not_stated_is_the_pictures(tmp_path: Path) -> None:
    images = [{"id": 11, "file_name": "a.png"}, {**IMAGES[1], "height": None, "width": None}]
    assert read(put(tmp_path / "pets", [one()], images=images))[0].truth.masks.areas().tolist() == [6]


def test_nan_among_the_attributes_costs_no_other_attribute(tmp_path: Path) -> None:
    attributes = {"depth": float("nan"), "coat": "red"}
    assert read(put(tmp_path / "pets", [one(attributes=attributes)]))[0].truth.attributes == ({"depth": "", "coat": "red"},)


def test_numbers_beyond_all_numbers_are_not_stated(tmp_path: Path) -> None:
    sides = (["inf", 1, 2, 2], [1, 1, "Infinity", 2], [1e308, 1, 1e308, 2], ["-inf", 1, "inf", 2])
    annotations = [one(id=row, bbox=box, area="inf") for row, box in enumerate(sides, start=1)]
    truth = read(put(tmp_path / "pets", annotations))[0].truth
    assert (truth.boxes, truth.areas) == (None, None)


def test_a_file_of_many_classes_and_of_none_that_is_used_is_read_in_no_time(tmp_path: Path) -> None:
    """Each class looked up among all, or each unknown id in a copy of all, would take minutes."""
    categories = [{"id": number, "name": f"class {number}"} for number in range(60_000)]
    annotations = [one(id=number, image_id=12 - number % 2, category_id=-5) for number in range(60_000)]
    path, begun = put(tmp_path / "pets", annotations, categories=categories), time.process_time()
    data = read(path)
    assert len(data.labels) == 60_000
    assert len(data[0].salvaged()[1]) == 30_000
    assert time.process_time() - begun < 20


def test_objects_added_to_a_file_of_ours_that_its_kind_cannot_have_are_named(tmp_path: Path) -> None:
    """A semantic truth has one segment a class; another tool knows nothing of that."""
    info = {"pixelwise": {"format": "pixelwise coco 1", "kind": "semantic"}}
    data = read(put(tmp_path / "pets", [one(), one(id=2)], info=info))
    with pytest.raises(DataError, match=r"labels\.json: image 11 \(a\.png\): its annotations are no semantic truth: .*two"):
        _ = data[0].truth


def test_nan_beside_the_outlines_spoils_nothing(tmp_path: Path) -> None:
    nan = float("nan")
    first = one(area=nan, bbox=[nan, 1, 3, 2], note='a "NaN" in words', attributes={"depth": nan})
    data = read(
        put(tmp_path / "pets", [first, one(id=2, area=-4, bbox=[1, 1, -3, 2]), one(id=3, bbox=[1, 1], area=float("-inf"))])
    )
    truth = data[0].truth
    assert (truth.areas, truth.boxes) == (None, None)
    assert truth.masks.areas().tolist() == [6, 6, 6]


@pytest.mark.parametrize("what", ["images", "categories"])
def test_two_of_one_id_are_refused(what: str, tmp_path: Path) -> None:
    twins = [{"id": 5, "name": "cat", "file_name": "a.png"}, {"id": 5, "name": "dog", "file_name": "b.png"}]
    with pytest.raises(DataError, match=f"two or more {what} have the id 5"):
        read(put(tmp_path / "pets", [one()], **{what: twins}))


def test_annotations_of_one_id_are_kept_and_told(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(id=9), one(id=9, image_id=12)]))
    assert [len(sample.truth) for sample in data] == [1, 1]
    assert any("annotation id 9 is given more than once" in note for note in data.notes)


def test_annotations_of_no_image_are_told(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(id=9, image_id=99), one()]))
    assert [len(sample.truth) for sample in data] == [1, 0]
    assert any("annotation 9 (image 99): the file lists no such image" in note for note in data.notes)


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "C:\\secret.png", "..\\..\\secret.png", "gone.png", "", ".."]
)
def test_a_picture_outside_or_not_there_is_never_opened_and_told(name: str, tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()], images=[{**IMAGES[0], "file_name": name}, IMAGES[1]])
    (tmp_path / "secret.png").write_bytes((path / "a.png").read_bytes())
    data = read(path)
    assert [sample.name for sample in data] == ["b"]
    assert any("labels.json names it, but there is no such image" in note for note in data.notes)
    assert not check(path).clean


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()])
    (path / "a.png").rename(tmp_path / "secret.png")
    (path / "a.png").symlink_to(tmp_path / "secret.png")
    data = read(path)
    assert [sample.name for sample in data] == ["b"]
    assert any("leads outside" in note for note in data.notes)


def test_many_missing_pictures_are_counted_not_listed(tmp_path: Path) -> None:
    images = [*IMAGES, *({"id": 100 + k, "file_name": f"gone{k}.png"} for k in range(50))]
    notes = read(put(tmp_path / "pets", [one()], images=images)).notes
    assert len([note for note in notes if "no such image" in note]) == 20
    assert any("30 more of the images it names are not there" in note for note in notes)


@pytest.mark.parametrize(("key", "value"), [("category_id", "7a"), ("category_id", "9" * 30), ("iscrowd", "maybe")])
def test_text_that_is_no_number_is_named(key: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=rf"in annotations\[1\]\.{key}: expected a number, found '{value}'"):
        read(put(tmp_path / "pets", [one(), one(id=2, **{key: value})]))


def test_an_image_whose_id_is_a_fraction_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"in images\[0\]\.id: expected a whole number or a text, found 1\.5"):
        read(put(tmp_path / "pets", [one()], images=[{**IMAGES[0], "id": 1.5}]))


def test_sizes_in_text_are_sizes(tmp_path: Path) -> None:
    images = [{**IMAGES[0], "height": "5", "width": "7"}, {**IMAGES[1], "height": "five", "width": ""}]
    data = read(put(tmp_path / "pets", [one(image_id=12)], images=images))
    assert data[1].truth.masks.areas().tolist() == [6]
    with pytest.raises(SizeMismatch, match="stated as 5 x 7"):
        _ = data[0].truth


def test_a_category_whose_id_is_a_word_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="as the id of category 'dog', found 'first'"):
        read(put(tmp_path / "pets", [], categories=[{"id": "first", "name": "dog"}]))


def test_a_file_that_lists_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lists no images"):
        read(put(tmp_path / "none", [], images=[]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b'{"images": [', "expected JSON"),
        (b"Dear reader", "expected JSON"),
        (b"[" * 100_000, "expected"),
        (b'{"x": ' + b"[" * 200_000, "expected"),
        (b"\xff\xfe{\x00}\x00", "expected JSON"),
        (b"[1]", "expected COCO"),
        (b'{"images": [], "annotations": []}', "categories"),
        (b'{"images": [{"id": 1}], "annotations": [], "categories": []}', r"in images\[0\]: .*file_name .*found neither"),
        (
            b'{"images": [], "annotations": [{"image_id": 1, "category_id": "x"}], "categories": []}',
            r"annotations\[0\].category_id",
        ),
        (
            b'{"images": [], "annotations": [{"image_id": 1, "category_id": NaN}], "categories": []}',
            r"annotations\[0\].category_id",
        ),
    ],
)
def test_a_broken_file_is_refused_with_the_reason(content: bytes, words: str, tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()])
    (path / "labels.json").rename(path / "instances_train.json")
    (path / "instances_train.json").write_bytes(content)
    assert recognise(path)[0] == "coco"  # by its name, so that the reason is told
    with pytest.raises(UnreadableFile, match=rf"instances_train\.json: .*{words}"):
        read(path)


def test_a_mark_before_utf8_is_no_hindrance(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(), one(id=2, area=float("nan"))])
    (path / "labels.json").write_bytes(b"\xef\xbb\xbf" + (path / "labels.json").read_bytes())
    assert read(path)[0].truth.masks.areas().tolist() == [6, 6]


def test_words_in_all_scripts_do_not_shift_the_outlines(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(note="ü犬\U0001f436"), one(id=2, segmentation=[SQUARE])])
    text = json.loads((path / "labels.json").read_text())
    (path / "labels.json").write_text(json.dumps(text, ensure_ascii=False), "utf-8")
    assert read(path)[0].truth.masks.areas().tolist() == [6, 6]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read(tmp_path / "gone.json")
    path = put(tmp_path / "pets", [one()])
    data = read(path)
    (path / "labels.json").unlink()
    with pytest.raises(MissingFile, match=r"labels\.json"):
        _ = data[0].truth


@pytest.mark.parametrize("ids", [[2**70], ["x"], [None], [-3]])
def test_odd_ids_are_no_source_ids(ids: list[Any], tmp_path: Path) -> None:
    assert read(put(tmp_path / "pets", [one(id=ids[0])]))[0].truth.source_ids is None


def test_a_category_id_beyond_all_mask_values_is_still_a_class(tmp_path: Path) -> None:
    categories = [{"id": 2**70, "name": "dog"}]
    data = read(put(tmp_path / "pets", [one(category_id=2**70)], categories=categories))
    assert data[0].truth.names == ["dog"]


def test_texts_as_image_ids_are_ids(tmp_path: Path) -> None:
    images = [{**IMAGES[0], "id": "first"}, IMAGES[1]]
    assert read(put(tmp_path / "pets", [one(image_id="first")], images=images))[0].truth.names == ["dog"]


def test_every_cut_of_a_file_is_told_or_read(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(bbox=[1, 1, 3, 2], area=6), one(id=2, segmentation={"size": [5, 6], "counts": [6, 24]})])
    text = (path / "labels.json").read_bytes()
    for end in range(0, len(text), 7):
        (path / "labels.json").write_bytes(text[:end])
        with pytest.raises(PixelwiseError):
            read(path / "labels.json")


def test_whole_numbers_written_as_fractions_are_read(tmp_path: Path) -> None:
    """So write tools that hold a file as a table of floats."""
    images = [{**image, "height": 5.0, "width": 6.0} for image in IMAGES]
    data = read(put(tmp_path, [one(iscrowd=1.0)], images=images))
    assert data[0].truth.is_crowd.tolist() == [True]
    floats = {"images": [{**image, "id": float(image["id"])} for image in IMAGES], "categories": [{"id": 7.0, "name": "dog"}]}
    data = read(put(tmp_path / "ids", [one(id=1.0, image_id=11.0, category_id=7.0)], **floats))
    assert (data[0].meta["image_id"], data[0].truth.names) == (11, ["dog"])
    assert isinstance(data[0].meta["image_id"], int)
    other = put(tmp_path / "other", [one()], images=[{**IMAGES[0], "height": 7.0}])
    with pytest.raises(SizeMismatch):
        _ = read(other)[0].truth


def test_a_remark_that_looks_like_an_outline_moves_none(tmp_path: Path) -> None:
    remark = {"segmentation": [[0, 0, 6, 0, 6, 5, 0, 5]], "note": 'so is "segmentation": this'}
    data = read(put(tmp_path / "pets", [one(attributes=remark), one(id=2, image_id=12)]))
    assert [sample.truth.masks.areas().tolist() for sample in data] == [[6], [6]]
    assert data[0].truth.attributes == (remark,)


def test_a_photo_that_is_stored_lying_fits_labels_made_upright_alone(tmp_path: Path) -> None:
    """EXIF orientation 6: stored as 5 x 6, shown as 6 x 5 (height x width)."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    upright = {**IMAGES[0], "file_name": "a.jpg", "height": 6, "width": 5}
    path = put(tmp_path / "pets", [one(segmentation=[[0, 0, 2, 0, 2, 6, 0, 6]])], images=[upright])
    PIL.Image.new("RGB", (6, 5)).save(path / "a.jpg", exif=exif)
    (path / "a.png").unlink()
    assert read(path)[0].truth.masks.areas().tolist() == [12]
    put(path, [one()], images=[{**upright, "height": 5, "width": 6}])
    (path / "a.png").unlink()
    with pytest.raises(SizeMismatch, match="turned by 90 degrees: does the image carry an EXIF orientation"):
        _ = read(path)[0].truth


@pytest.mark.parametrize("name", ["U\u0308BER.PNG", "\u00fcber.png", "u\u0308ber.png"])
def test_names_that_differ_in_case_or_unicode_form_are_one(name: str, tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()], images=[{**IMAGES[0], "file_name": name}])
    (path / "a.png").rename(path / "\u00fcber.png")
    assert read(path)[0].truth.names == ["dog"]


def test_annotations_are_found_part_by_part_wherever_objects_only_seem_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny part ends anywhere: between objects of a nested list, in a text, behind the list of annotations."""
    odd = {"attributes": {"note": "a }, { b", "list": [{"a": 1}, {"a": 2}, {"a": 3}], '"segmentation": [': 1}}
    annotations = [
        {"id": row, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4, 0, row % 5]], "area": row, **odd}
        for row in range(40)
    ]
    head = {"images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 4}]}
    tail = {"categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}]}
    for number, order in enumerate(((head, {"annotations": annotations}, tail), (head, tail, {"annotations": annotations}))):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({key: value for part in order for key, value in part.items()}, indent=number))
        whole = coco_file.read_coco(path)
        for size in (16, 100, 1000):
            monkeypatch.setattr(coco_annotations, "_PART", size)
            found = coco_file.read_coco(path)
            assert found.rows.ids.tolist() == list(range(40))
            assert found.rows.outlines.tolist() == whole.rows.outlines.tolist()
            texts = [json.loads(text) for text in found.pieces(found.rows.outlines)]
            assert texts == [one["segmentation"] for one in annotations]
            assert [json.loads(text) for text in found.pieces(found.rows.attributes)] == [
                one["attributes"] for one in annotations
            ]
