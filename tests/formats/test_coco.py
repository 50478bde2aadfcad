"""The format coco: what a hand-written file means, and that its masks are pycocotools' own."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from coco_pets import SQUARE, one, put
from pycocotools import mask as reference

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.curate.check import check
from pixelwise.formats import read, recognise
from pixelwise.formats.coco.file import CocoFile, read_coco


def test_a_hand_written_file_is_read(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(bbox=[1, 1, 3, 2], area=5.5)]))
    assert (data.kind, [sample.name for sample in data], data.splits) == ("instance", ["a", "b"], {})
    truth = data[0].truth
    assert truth.kind == "instance"
    assert truth.names == ["dog"]
    assert truth.masks.mask(0).astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert len(data[1].truth) == 0
    assert data[1].truth.size == (5, 6)


def test_classes_are_in_the_order_of_ids_and_gaps_are_kept(tmp_path: Path) -> None:
    labels = read(put(tmp_path / "pets", [one()])).labels
    assert labels.names == ("cat", "dog")
    assert dict(labels.values) == {3: 0, 7: 1}
    assert labels.things == (0, 1)
    assert labels.settled


def test_what_the_file_states_is_kept_beside_the_masks(tmp_path: Path) -> None:
    first = one(id=41, bbox=[0.5, 1, 3, 2], area=5.5, attributes={"occluded": True}, iscrowd=1)
    truth = read(put(tmp_path / "pets", [first, one(id=42)]))[0].truth
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [41, 42]
    assert truth.stated_areas().tolist() == [5.5, 6]  # where the file states none, the mask's
    assert truth.stated_boxes().tolist() == [[0.5, 1, 3.5, 3], [1, 1, 4, 3]]
    assert truth.attributes == ({"occluded": True}, {})
    assert truth.is_crowd.tolist() == [True, False]


def test_numbers_in_text_are_read_as_label_studios_import_files_have_them(tmp_path: Path) -> None:
    annotations = [
        one(id="4", image_id="11", category_id="7", iscrowd="false"),
        one(id="5", image_id="11", category_id="3", iscrowd="true"),
        one(id="6", image_id="11", category_id="3", iscrowd="0"),
    ]
    categories = [{"id": "7", "name": "dog"}, {"id": "3", "name": "cat"}]
    truth = read(put(tmp_path / "pets", annotations, categories=categories))[0].truth
    assert truth.names == ["dog", "cat", "cat"]
    assert np.asarray(truth.source_ids).tolist() == [4, 5, 6]
    assert np.asarray(truth.crowd).tolist() == [False, True, False]


def test_images_whose_ids_are_text_keep_them(tmp_path: Path) -> None:
    images = [{"id": "0011", "file_name": "a.png"}, {"id": "12", "file_name": "b.png"}]
    annotations = [one(image_id="0011"), one(id=2, image_id=12)]
    data = read(put(tmp_path / "pets", annotations, images=images))
    assert [(sample.meta["image_id"], len(sample.truth)) for sample in data] == [("0011", 1), ("12", 1)]


def test_a_file_that_states_nothing_leaves_it_to_the_masks(tmp_path: Path) -> None:
    bare = {"image_id": 11, "category_id": 7, "segmentation": [SQUARE]}
    truth = read(put(tmp_path / "pets", [bare]))[0].truth
    assert (truth.boxes, truth.areas, truth.source_ids, truth.attributes, truth.crowd) == (None, None, None, (), None)


def test_the_three_kinds_of_outline_give_one_mask(tmp_path: Path) -> None:
    mask = np.zeros((5, 6), np.uint8)
    mask[1:3, 1:4] = 1
    text = reference.encode(np.asfortranarray(mask))["counts"].decode()
    outlines = [[SQUARE], {"size": [5, 6], "counts": [6, 2, 3, 2, 3, 2, 12]}, {"size": [5, 6], "counts": text}, SQUARE]
    truth = read(put(tmp_path / "pets", [one(id=k + 1, segmentation=each) for k, each in enumerate(outlines)]))[0].truth
    assert [truth.masks.mask(index).tolist() for index in range(4)] == [mask.astype(bool).tolist()] * 4
    assert len(set(truth.masks.run_lengths())) == 1


def test_empty_runs_of_another_writer_make_no_difference(tmp_path: Path) -> None:
    counts = [0, 0, 6, 1, 0, 1, 3, 2, 3, 2, 12, 0]
    truth = read(put(tmp_path / "pets", [one(segmentation={"size": [5, 6], "counts": counts}), one(id=2)]))[0].truth
    assert truth.masks.run_lengths()[0] == truth.masks.run_lengths()[1]


def test_parts_are_joined_and_drawn_as_pycocotools_draws_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    outlines = [
        [(rng.random(2 * rng.integers(3, 9)) * 8 - 1).round(2).tolist() for _ in range(rng.integers(1, 4))] for _ in range(50)
    ]
    truth = read(put(tmp_path / "pets", [one(id=k + 1, segmentation=each) for k, each in enumerate(outlines)]))[0].truth
    for index, each in enumerate(outlines):
        expected = reference.decode(reference.merge(reference.frPyObjects(each, 5, 6)))
        assert truth.masks.mask(index).tolist() == expected.astype(bool).tolist()


def test_objects_may_overlap(tmp_path: Path) -> None:
    truth = read(put(tmp_path / "pets", [one(), one(id=2, category_id=3)]))[0].truth
    assert truth.masks.areas().tolist() == [6, 6]
    assert truth.names == ["dog", "cat"]


def test_things_stuff_and_colours_are_taken_from_a_file_that_states_them(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "sky", "isthing": 0, "color": [1, 2, 3]}, {"id": 2, "name": "dog", "isthing": 1}]
    labels = read(put(tmp_path / "pets", [one(category_id=2)], categories=categories)).labels
    assert labels.things == (1,)
    assert labels.labels[0].colour == (1, 2, 3)


def test_roboflows_placeholder_is_no_class(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "pets-aX3f", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets-aX3f"},
        {"id": 2, "name": "dog", "supercategory": "pets-aX3f"},
    ]
    data = read(put(tmp_path / "pets", [one(category_id=2)], categories=categories))
    assert data.labels.names == ("cat", "dog")
    assert data[0].truth.names == ["dog"]


def test_a_category_0_that_is_used_is_a_class(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "pets", "supercategory": "none"}, {"id": 1, "name": "cat", "supercategory": "pets"}]
    assert read(put(tmp_path / "pets", [one(category_id=0)], categories=categories)).labels.names == ("pets", "cat")


def test_two_categories_of_one_name_are_told_apart(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": "dog"}, {"id": 7, "name": "dog"}]
    data = read(put(tmp_path / "pets", [one()], categories=categories))
    assert data.labels.names == ("dog 3", "dog 7")
    assert data[0].truth.names == ["dog 7"]
    assert any("dog 3, dog 7" in note for note in data.notes)


def test_a_class_called_as_a_twin_would_be_stays_a_class_of_its_own(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": "dog"}, {"id": 7, "name": "dog"}, {"id": 9, "name": "dog 3"}]
    data = read(put(tmp_path / "pets", [one(category_id=3), one(id=2, category_id=9)], categories=categories))
    assert len(data.labels) == 3
    assert len(set(data[0].truth.names)) == 2


def test_roboflows_placeholder_that_another_split_uses_is_a_class(tmp_path: Path) -> None:
    categories = [{"id": 0, "name": "pets", "supercategory": "none"}, {"id": 1, "name": "cat", "supercategory": "pets"}]
    for split, category in (("train", 1), ("valid", 0)):
        path = put(tmp_path / "pets" / split, [one(category_id=category)], categories=categories)
        (path / "labels.json").rename(path / "_annotations.coco.json")
    data = read(tmp_path / "pets")
    assert data.labels.names == ("pets", "cat")
    assert [one.truth.names for one in data.split("val")] == [["pets"], []]


def test_lvis_names_its_images_by_their_address(tmp_path: Path) -> None:
    """As LVIS 1.0 has them: no file_name; the year's folder tells two pictures of one name apart."""
    address = "http://images.cocodataset.org/train2017/a.png"
    images = [{"id": 11, "coco_url": address, "height": 5, "width": 6, "not_exhaustive_category_ids": []}]
    path = put(tmp_path / "lvis", [one()], images=images)
    for folder in ("train2017", "val2017"):
        (path / folder).mkdir()
        (path / folder / "a.png").write_bytes((path / "a.png").read_bytes())
    (path / "a.png").unlink()
    data = read(path)
    assert [sample.source.image for sample in data] == [path / "train2017" / "a.png"]
    assert data[0].truth.names == ["dog"]


def test_files_that_draw_one_picture_differently_are_not_taken_for_one(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(bbox=[1, 1, 3, 2], area=6)])
    (path / "labels.json").rename(path / "first.json")
    put(path, [one(segmentation=[[0, 0, 2, 0, 2, 2, 0, 2]], bbox=[0, 0, 2, 2], area=4)])
    assert sorted(sample.truth.masks.areas().tolist() for sample in read(path)) == [[], [4], [6]]


def test_labels_of_a_model_are_joined_by_name(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(), one(id=2, category_id=3)])
    truth = read(path, labels=LabelSet.of(["background", "dog"]))[0].truth
    assert truth.names == ["dog"]
    assert truth.class_ids.tolist() == [1]


def test_void_and_classes_do_not_apply_to_labels_with_names(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()])
    with pytest.raises(OptionError, match="name their classes themselves"):
        read(path, void=3)
    with pytest.raises(OptionError, match="name their classes themselves"):
        check(path, void=3)


def test_a_set_that_was_sent_to_a_worker_reads_the_same_and_holds_its_file_once(tmp_path: Path) -> None:
    data = read(put(tmp_path / "pets", [one(id=k + 1) for k in range(100)]))
    sent: Dataset = pickle.loads(pickle.dumps(data))
    assert sent[0].truth == data[0].truth
    files: set[int] = {id(sample.truth_source.file) for sample in sent}  # type: ignore[union-attr]
    assert len(files) == 1


def test_outlines_stay_on_the_disk_until_an_image_asks(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one(segmentation=[[float(k) for k in range(2000)]])])
    file: CocoFile = read_coco(path / "labels.json")
    assert len(pickle.dumps(file)) < 4000 < (path / "labels.json").stat().st_size


def test_a_file_that_changes_under_the_reader_is_told(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", [one()])
    data = read(path)
    (path / "labels.json").write_text((path / "labels.json").read_text() + " ")
    with pytest.raises(DataError, match=r"labels\.json: the file has changed since it was read"):
        _ = data[0].truth


def test_make_senses_export_is_named_and_its_ids_from_0_are_kept(tmp_path: Path) -> None:
    """As its exporter writes them: no more keys than needed, annotations counted from 0, no category where none was chosen."""
    images = [{"id": 1, "width": 6, "height": 5, "file_name": "a.png"}]
    annotation = {"iscrowd": 0, "image_id": 1, "segmentation": [SQUARE], "bbox": [1, 1, 3, 2], "area": 6}
    named = {"id": 0, "category_id": 1, **annotation}
    parts = {"info": {"description": "my-project-name"}, "images": images, "categories": [{"id": 1, "name": "dog"}]}
    path = put(tmp_path / "pets", [named], **parts)
    assert recognise(path / "labels.json")[1].dialect == "Make Sense's COCO: labels.json"
    truth = read(path)[0].truth
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [0]
    truths, problems = read(put(path, [named, {"id": 1, **annotation}], **parts))[0].salvaged()
    assert [one.names for one in truths] == [["dog"]]
    assert "annotation 1 of image 1 (a.png): category None is none of the file's" in problems[0]


def test_an_outline_partly_outside_is_cut_off_and_one_wholly_outside_is_told(tmp_path: Path) -> None:
    partly = one(id=40, segmentation=[[4, 3, 9, 3, 9, 9, 4, 9]], bbox=[4, 3, 5, 6])
    wholly = one(id=41, segmentation=[[8, 1, 9, 1, 9, 2, 8, 2]], bbox=[8, 1, 1, 1])
    data = read(put(tmp_path / "pets", [partly, wholly]))
    (truth,), problems = data[0].salvaged()
    assert truth.masks.areas().tolist() == [4]
    assert ["annotation 41 of image 11" in problem for problem in problems] == [True]
    assert [note for note in data.notes if "annotation 41: its box lies wholly outside its image" in note]
    assert not any("40" in note for note in data.notes)


@pytest.mark.parametrize("box", [{}, {"bbox": [1, 1, 3, 2]}])
@pytest.mark.parametrize("outline", [[[-3, 1, -1, 1, -1, 2]], [[1, 5, 4, 5, 4, 9]], [[-3, 1, -1, 1, 0, 2], [6, 1, 9, 1, 9, 2]]])
def test_an_outline_wholly_outside_is_named_whatever_its_box_says(
    outline: list[list[int]], box: dict[str, list[int]], tmp_path: Path
) -> None:
    data = read(put(tmp_path / "pets", [one(id=41, segmentation=outline, **box), one(id=42)]))
    with pytest.raises(DataError, match=r"annotation 41 of image 11 .*: its outline lies wholly outside the image of \[5, 6\]"):
        _ = data[0].truth
    assert [len(truth) for truth in data[0].salvaged()[0]] == [1]


@pytest.mark.parametrize("outline", [[1, 1, 1.2, 1, 1.1, 1.2], [6, 1, 6, 4, 6, 2]])
def test_an_outline_too_thin_for_a_pixel_is_kept_as_pycocotools_keeps_it(outline: list[float], tmp_path: Path) -> None:
    truth = read(put(tmp_path / "pets", [one(segmentation=[outline])]))[0].truth
    assert truth.masks.areas().tolist() == [int(reference.area(reference.frPyObjects([outline], 5, 6))[0])] == [0]


def test_a_polygon_that_crosses_itself_is_filled_as_pycocotools_fills_it(tmp_path: Path) -> None:
    bow = [0, 0, 6, 5, 6, 0, 0, 5]
    truth = read(put(tmp_path / "pets", [one(segmentation=[bow])]))[0].truth
    assert truth.masks.mask(0).tolist() == reference.decode(reference.frPyObjects([bow], 5, 6))[:, :, 0].astype(bool).tolist()


def test_the_audit_counts_objects_as_they_are_painted(tmp_path: Path) -> None:
    audit = check(put(tmp_path / "pets", [one(), one(id=2, category_id=3, iscrowd=1, segmentation=[[0, 0, 6, 0, 6, 1, 0, 1]])]))
    assert {row.name: row.pixels for row in audit.rows} == {"background": 48, "dog": 6, None: 6}
    assert audit.settled


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("coco_tiny160", "annotations/instances_train2017.json"),
        ("coco_tiny160", "annotations/instances_val2017.json"),
        ("coco_panoptic/val20", "instances.json"),
        ("coco_panoptic/val20", "rle.json"),
        ("coco_panoptic/sample2", "panoptic_coco_detection_format.json"),
    ],
)
def test_real_files_are_read_as_pycocotools_reads_them(
    shared_data: Path, folder: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO

    theirs = COCO(str(shared_data / folder / file))
    data = read(shared_data / folder / file)
    assert len(data) == len(theirs.imgs)
    for sample in data:
        truth, expected = sample.truth, theirs.imgToAnns[sample.meta["image_id"]]
        assert truth.names == [theirs.cats[each["category_id"]]["name"] for each in expected]
        assert truth.is_crowd.tolist() == [bool(each.get("iscrowd", 0)) for each in expected]
        if expected:
            assert truth.source_ids is not None
            assert truth.source_ids.tolist() == [each["id"] for each in expected]
            assert truth.stated_areas().tolist() == [each["area"] for each in expected]
        for index, each in enumerate(expected):
            assert np.array_equal(truth.masks.mask(index), theirs.annToMask(each))
