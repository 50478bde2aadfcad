"""The format coco_panoptic: hand-made PNGs and JSON, real ones, bad ones, and what is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, SizeMismatch, UnreadableFile
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.curate.check import check
from pixelwise.formats import coco_panoptic, read, recognise

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person", "isthing": 1, "color": [220, 20, 60]},
    {"id": 200, "name": "rug-merged", "supercategory": "floor", "isthing": 0, "color": [250, 141, 255]},
]
RUG = (40, 1, 0)  # the number 40 + 256
BIG = (3, 2, 1)  # 3 + 512 + 65536
VOID = (0, 0, 0)
COLOURS = [[RUG, RUG, VOID, BIG], [RUG, BIG, BIG, BIG]]
SEGMENTS = [
    {"id": 296, "category_id": 200, "area": 3, "bbox": [0, 0, 2, 2], "iscrowd": 0},
    {"id": 66051, "category_id": 1, "area": 4.5, "bbox": [1, 0, 3, 2], "iscrowd": 1},
]


def put(root: Path, segments: list[Any] = SEGMENTS, colours: Any = COLOURS, **parts: Any) -> Path:
    """Write one image as COCO lays it out."""
    for folder in ("val2017", "annotations/panoptic_val2017"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (4, 2)).save(root / "val2017" / "000000000007.jpg")
    PIL.Image.fromarray(np.array(colours, np.uint8)).save(root / "annotations" / "panoptic_val2017" / "000000000007.png")
    document = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "height": 2, "width": 4}],
        "annotations": [{"image_id": 7, "file_name": "000000000007.png", "segments_info": segments}],
        "categories": CATEGORIES,
        **parts,
    }
    (root / "annotations" / "panoptic_val2017.json").write_text(json.dumps(document))
    return root


def test_a_hand_made_set_is_read(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    assert recognise(path)[0] == "coco_panoptic"
    data = read(path)
    assert (data.kind, data.splits, data.labels.names, data.labels.things) == (
        "panoptic",
        {"val": (0,)},
        ("person", "rug-merged"),
        (0,),
    )
    truth = data[0].truth
    assert truth.names == ["rug-merged", "person"]
    assert truth.panoptic_ids().tolist() == [[1, 1, 0, 2], [1, 2, 2, 2]]
    assert truth.is_crowd.tolist() == [False, True]
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [296, 66051]
    assert truth.stated_areas().tolist() == [3, 4.5]
    assert truth.stated_boxes().tolist() == [[0, 0, 2, 2], [1, 0, 4, 2]]
    assert data[0].meta["image_id"] == 7


def test_void_is_void_and_crowds_are_kept_out_of_class_maps(tmp_path: Path) -> None:
    truth = read(put(tmp_path / "coco"))[0].truth
    assert truth.class_map().tolist() == [[1, 1, 255, 255], [1, 255, 255, 255]]


def test_the_folder_of_the_annotations_and_the_file_alone_mean_the_same(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    for place in ("annotations", "annotations/panoptic_val2017.json"):
        assert recognise(path / place)[0] == "coco_panoptic"
        assert read(path / place)[0].truth == read(path)[0].truth


def instances(path: Path) -> None:
    document = {
        "images": [{"id": 7, "file_name": "000000000007.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2]]}],
        "categories": CATEGORIES[:1],
    }
    path.write_text(json.dumps(document))


def test_beside_instances_the_folder_is_panoptic_and_the_file_of_instances_is_itself(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    instances(path / "annotations" / "instances_val2017.json")
    assert recognise(path)[0] == "coco_panoptic"
    assert recognise(path / "annotations" / "instances_val2017.json")[0] == "coco"


def test_without_its_pngs_a_panoptic_file_stands_back_for_instances(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    instances(path / "annotations" / "instances_val2017.json")
    (path / "annotations" / "panoptic_val2017" / "000000000007.png").unlink()
    assert recognise(path)[0] == "coco"


def test_a_photo_of_the_same_name_is_not_taken_for_the_png(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "000000000007.png"}]
    path = put(tmp_path / "coco", images=images)
    (path / "val2017" / "000000000007.jpg").unlink()
    PIL.Image.new("RGB", (4, 2), (9, 9, 9)).save(path / "val2017" / "000000000007.png")
    sample = read(path)[0]
    assert sample.image.pixels.max() == 9
    assert sample.truth.masks.areas().tolist() == [3, 4]


def test_a_grey_png_holds_the_numbers_themselves(tmp_path: Path) -> None:
    segments = [{"id": 5, "category_id": 1}, {"id": 9, "category_id": 200}]
    path = put(tmp_path / "coco", segments, [[5, 5, 0, 9], [5, 9, 9, 9]])
    assert read(path)[0].truth.panoptic_ids().tolist() == [[1, 1, 0, 2], [1, 2, 2, 2]]


def test_a_grey_png_of_a_tool_that_saved_colours_as_grey_is_read_as_colours(tmp_path: Path) -> None:
    segments = [{"id": 5 * 65793, "category_id": 1}]
    assert read(put(tmp_path / "coco", segments, [[5, 5, 0, 0], [5, 5, 0, 0]]))[0].truth.masks.areas().tolist() == [4]


BAD = {
    "not in the JSON": (SEGMENTS[:1], r"000000000007\.png: 4 pixels have the number 66051"),
    "not in the PNG": ([*SEGMENTS, {"id": 8, "category_id": 1}], r"segment 8 of image 7 .*: no pixel of .*000000000007\.png"),
    "unknown category": ([SEGMENTS[0], {**SEGMENTS[1], "category_id": 3}], "segment 66051 of image 7 .*category 3 is none"),
    "twice": ([*SEGMENTS, SEGMENTS[0]], "segment 296 of image 7 .*described twice"),
    "void": ([*SEGMENTS, {"id": 0, "category_id": 1}], "segment 0 of image 7 .*0 stands for void"),
    "too large": ([*SEGMENTS, {"id": 2**24, "category_id": 1}], "segment 16777216 .*expected a number from 1 to 16777215"),
    "beyond": ([*SEGMENTS, {"id": 2**80, "category_id": 1}], "segment 1208925819614629174706176 .*expected a number"),
    "no number": ([*SEGMENTS, {"category_id": 1}], "segment number 3 of image 7 .*`?id"),
    "a word": ([*SEGMENTS, "sky"], "segment number 3 of image 7 .*expected `object`"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_segment_is_named_and_the_others_can_be_had(case: str, tmp_path: Path) -> None:
    segments, words = BAD[case]
    sample = read(put(tmp_path / "coco", segments))[0]
    with pytest.raises(DataError, match=words):
        _ = sample.truth
    truths, problems = sample.salvaged()
    assert "rug-merged" in truths[0].names
    assert len(problems) >= 1


def test_a_missing_png_is_named_with_its_image(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    (path / "annotations" / "panoptic_val2017" / "000000000007.png").unlink()
    data = read(path / "annotations" / "panoptic_val2017.json")
    with pytest.raises(MissingFile, match=r"image 7: expected 000000000007\.png.*found no such PNG"):
        _ = data[0].truth


def test_a_png_outside_is_never_opened(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    inside = path / "annotations" / "panoptic_val2017" / "000000000007.png"
    inside.rename(tmp_path / "secret.png")
    annotation = {"image_id": 7, "file_name": "../../../secret.png", "segments_info": SEGMENTS}
    put(tmp_path / "coco", annotations=[annotation])
    inside.unlink()
    with pytest.raises(MissingFile):
        _ = read(path / "annotations" / "panoptic_val2017.json")[0].truth


def test_a_png_of_another_size_is_told_before_it_is_decoded(tmp_path: Path) -> None:
    path = put(tmp_path / "coco", colours=[[RUG, BIG]])
    with pytest.raises(SizeMismatch, match=r"is 1 x 2 .*is 2 x 4"):
        _ = read(path)[0].truth


def test_a_broken_png_spoils_its_image_and_a_broken_json_the_set(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    png = path / "annotations" / "panoptic_val2017" / "000000000007.png"
    png.write_bytes(png.read_bytes()[:50])
    with pytest.raises(UnreadableFile, match=r"000000000007\.png"):
        _ = read(path)[0].truth
    put(tmp_path / "coco")
    file = path / "annotations" / "panoptic_val2017.json"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UnreadableFile, match=r"panoptic_val2017\.json"):
        read(path)


def test_a_json_that_changes_under_the_reader_is_told(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    data = read(path)
    file = path / "annotations" / "panoptic_val2017.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(UnreadableFile, match="has changed since it was read"):
        _ = data[0].truth


def test_images_described_twice_and_not_at_all_are_told(tmp_path: Path) -> None:
    annotation = {"image_id": 7, "file_name": "000000000007.png", "segments_info": SEGMENTS}
    data = read(put(tmp_path / "coco", annotations=[annotation, annotation, {**annotation, "image_id": 99}]))
    assert len(data[0].truth) == 2
    assert any("1 images are described more than once" in note for note in data.notes)
    assert any("000000000007.png (image 99): the file lists no such image" in note for note in data.notes)
    bare = read(put(tmp_path / "bare", annotations=[]) / "annotations" / "panoptic_val2017.json", format="coco")
    assert len(bare) == 1


def test_the_audit_counts_classes_and_void(tmp_path: Path) -> None:
    audit = check(put(tmp_path / "coco"))
    assert {row.name: row.pixels for row in audit.rows} == {"rug-merged": 3, None: 5}


def test_what_is_written_is_the_same_png_and_the_same_json_again(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    written = coco_panoptic.write(read(path), tmp_path / "out")
    assert (written.images, written.segments, written.dropped) == (1, 2, ())
    png = tmp_path / "out" / "annotations" / "panoptic_val" / "000000000007.png"
    assert np.asarray(PIL.Image.open(png)).tolist() == [[list(one) for one in row] for row in COLOURS]
    document = json.loads((tmp_path / "out" / "annotations" / "panoptic_val.json").read_text())
    assert document["annotations"] == [{"image_id": 7, "file_name": "000000000007.png", "segments_info": SEGMENTS}]
    assert [(one["id"], one["name"], one["isthing"], one["color"]) for one in document["categories"]] == [
        (1, "person", 1, [220, 20, 60]),
        (200, "rug-merged", 0, [250, 141, 255]),
    ]
    assert read(tmp_path / "out")[0].truth == read(path)[0].truth


def test_a_segment_without_pixels_is_said_to_be_lost(tmp_path: Path) -> None:
    data = read(put(tmp_path / "coco"))
    ids = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], np.uint8)
    hollow = replace(data[0].truth, masks=DisjointMasks(ids, 2))
    sample = Sample.of("a", data[0].image, hollow)
    written = coco_panoptic.write(Dataset([sample], data.labels, "panoptic"), tmp_path / "out")
    assert written.dropped == ("a: segment 2 (person) has no pixel, so a PNG cannot hold it",)
    assert read(tmp_path / "out")[0].truth.names == ["rug-merged"]


def test_images_without_labels_and_splits_of_any_name_come_back(tmp_path: Path) -> None:
    data = read(put(tmp_path / "coco"))
    samples = [Sample.of(name, data[0].image, data[0].truth) for name in "ab"] + [Sample.of("bare", data[0].image)]
    splits = {"train": [0], "minival": [1, 2], "test": [2]}
    coco_panoptic.write(Dataset(samples, data.labels, "panoptic", splits), tmp_path / "out")
    assert recognise(tmp_path / "out")[0] == "coco_panoptic"
    back = read(tmp_path / "out")
    assert {one.name: len(one.truths) for one in back} == {"a": 1, "b": 1, "bare": 0}
    assert {name: {back[row].name for row in rows} for name, rows in back.splits.items()} == {
        "train": {"a"},
        "minival": {"b", "bare"},
        "test": {"bare"},
    }


def test_ids_that_no_png_holds_are_said_to_be_lost(tmp_path: Path) -> None:
    data = read(put(tmp_path / "coco"))
    truth = replace(data[0].truth, source_ids=np.array([2**24, 5]))
    written = coco_panoptic.write(Dataset([Sample.of("a", data[0].image, truth)], data.labels, "panoptic"), tmp_path / "out")
    assert written.dropped == ("a: the source's own ids, as the numbers in a PNG are from 1 to 16,777,215 and all different",)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "file", "pngs", "images", "segments", "crowds"),
    [("val20", "panoptic.json", "masks", 20, 369, 9), ("sample2", "panoptic_examples.json", "panoptic_examples", 2, 50, 3)],
)
def test_real_pngs_have_the_ids_and_areas_of_their_json(
    shared_data: Path, folder: str, file: str, pngs: str, images: int, segments: int, crowds: int
) -> None:
    root = shared_data / "coco_panoptic" / folder
    data = read(root)
    stated = {one["image_id"]: one for one in json.loads((root / file).read_text())["annotations"]}
    truths = {sample.meta["image_id"]: sample.truth for sample in data}
    assert (len(data), sum(map(len, truths.values()))) == (images, segments)
    assert sum(int(truth.is_crowd.sum()) for truth in truths.values()) == crowds
    assert len(data.labels) == 133
    assert len(data.labels.things) == 80
    for image, truth in truths.items():
        own = stated[image]["segments_info"]
        assert truth.source_ids is not None
        assert truth.source_ids.tolist() == [one["id"] for one in own]
        assert truth.masks.areas().tolist() == truth.stated_areas().tolist() == [one["area"] for one in own]
        colours = np.asarray(PIL.Image.open(root / pngs / stated[image]["file_name"])).astype(int)
        numbers = np.append(0, truth.source_ids)[truth.panoptic_ids()]
        assert np.array_equal(numbers, colours @ np.array([1, 256, 65536]))


@pytest.mark.shared_data
def test_one_real_segment(shared_data: Path) -> None:
    data = read(shared_data / "coco_panoptic" / "val20")
    truth = next(sample.truth for sample in data if sample.meta["image_id"] == 129054)
    assert truth.names[0] == "zebra"
    assert (truth.stated_boxes()[0].tolist(), int(truth.masks.areas()[0])) == ([254, 194, 297, 239], 1007)


@pytest.mark.shared_data
def test_real_pngs_are_written_again_bit_for_bit(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "coco_panoptic" / "sample2"
    coco_panoptic.write(read(root), tmp_path / "out")
    for name in ("000000142238.png", "000000439180.png"):
        own = np.asarray(PIL.Image.open(root / "panoptic_examples" / name))
        again = np.asarray(PIL.Image.open(tmp_path / "out" / "annotations" / "panoptic" / name))
        assert np.array_equal(own, again)
    stated = {one["image_id"]: one for one in json.loads((root / "panoptic_examples.json").read_text())["annotations"]}
    written = json.loads((tmp_path / "out" / "annotations" / "panoptic.json").read_text())["annotations"]
    assert {one["image_id"]: one for one in written} == stated


def test_captions_beside_are_kept_and_written_again(tmp_path: Path) -> None:
    path = put(tmp_path / "coco")
    document = {"images": [{"id": 7, "file_name": "000000000007.jpg"}], "annotations": [{"image_id": 7, "caption": "a rug"}]}
    (path / "annotations" / "captions_val2017.json").write_text(json.dumps(document))
    coco_panoptic.write(read(path), tmp_path / "out")
    for place in (path, path / "annotations" / "panoptic_val2017.json", tmp_path / "out"):
        assert read(place)[0].meta["captions"] == ("a rug",)
