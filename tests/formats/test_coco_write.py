"""Writing COCO: other readers take it, nothing is lost, and polygons are refused where they would lose something."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import DataError, StorageError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats import coco, read, recognise

LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"]).with_values({3: 0, 9: 1})


def mask(*rows: str) -> BoolArray:
    return np.array([[sign == "#" for sign in row] for row in rows])


def data_of(truth: Segmentation, name: str = "a", kind: Kind = "instance") -> Dataset:
    sample = Sample.of(name, Image(np.zeros((*truth.size, 3), np.uint8)), truth)
    return Dataset([sample], truth.labels, kind, {"train": [0]}, "pets")


def pets(*masks: BoolArray, **rows: object) -> Dataset:
    return data_of(Segmentation.from_masks("instance", np.array(masks), [1] * len(masks), LABELS, **rows))


def test_pycocotools_reads_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ring, dots = mask("###.", "#.#.", "###."), mask("#..#", "....", "#..#")
    coco.write(pets(ring, dots, crowd=np.array([False, True])), tmp_path / "out")
    theirs = COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    assert [one["name"] for one in theirs.loadCats([3, 9])] == ["cat", "dog"]
    assert [one["file_name"] for one in theirs.imgs.values()] == ["a.png"]
    first, second = theirs.loadAnns(theirs.getAnnIds())
    assert np.array_equal(theirs.annToMask(first), ring)
    assert np.array_equal(theirs.annToMask(second), dots)
    assert (first["category_id"], first["area"], first["bbox"], first["iscrowd"]) == (9, 8, [0, 0, 3, 3], 0)
    assert second["iscrowd"] == 1


def test_what_a_file_stated_is_written_again(tmp_path: Path) -> None:
    rows = {
        "source_ids": [70, 80],
        "areas": [2.5, 4],
        "boxes": [[0, 0, 1.5, 1], [0, 0, 2, 2]],
        "attributes": ({"depth": 3}, {}),
    }
    coco.write(pets(mask("##", "##"), mask("#.", ".."), **rows), tmp_path / "out")
    truth = read(tmp_path / "out")[0].truth
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [70, 80]
    assert truth.stated_areas().tolist() == [2.5, 4]
    assert truth.stated_boxes().tolist() == [[0, 0, 1.5, 1], [0, 0, 2, 2]]
    assert truth.attributes == ({"depth": 3}, {})
    assert dict(read(tmp_path / "out").labels.values) == {3: 0, 9: 1}


def test_ids_that_would_meet_are_numbered_anew(tmp_path: Path) -> None:
    one = Segmentation.from_masks("instance", np.array([mask("#")]), [0], LABELS, source_ids=[5])
    image = Image(np.zeros((1, 1, 3), np.uint8))
    coco.write(Dataset([Sample.of("a", image, one), Sample.of("b", image, one)], LABELS, "instance"), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "annotations" / "instances.json").read_text())
    assert [each["id"] for each in document["annotations"]] == [1, 2]
    assert [each["image_id"] for each in document["annotations"]] == [1, 2]


def test_polygons_are_read_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [mask("#...", "##..", "..##"), mask("####", "####", "####"), mask(".#..", "#...", "...#")]
    masks += [each for each in rng.random((40, 3, 4)) > 0.6 if each.any()]
    coco.write(pets(*masks), tmp_path / "out", polygons=True)
    assert read(tmp_path / "out")[0].truth == pets(*masks)[0].truth
    document = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_text())
    assert document["annotations"][1]["segmentation"] == [[0, 0, 0, 3, 4, 3, 4, 0]]
    assert len(document["annotations"][0]["segmentation"]) == 2


@pytest.mark.parametrize(
    ("rows", "words"), [(("###", "#.#", "###"), "object 1 has a hole"), (("...", "...", "..."), "object 1 is empty")]
)
def test_what_polygons_cannot_hold_is_refused(rows: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"a: {words}.*write run lengths"):
        coco.write(pets(mask(*rows)), tmp_path / "out", polygons=True)
    assert list(tmp_path.iterdir()) == []


def test_crowds_keep_run_lengths_among_polygons(tmp_path: Path) -> None:
    data = pets(mask("###", "#.#", "###"), crowd=np.array([True]))
    coco.write(data, tmp_path / "out", polygons=True)
    assert read(tmp_path / "out")[0].truth == data[0].truth


@pytest.mark.parametrize("kind", ["panoptic", "multilabel", "semantic"])
def test_other_kinds_come_back_as_what_they_were(kind: Kind, tmp_path: Path) -> None:
    truth = Segmentation.from_masks(kind, np.array([mask("#.."), mask("..#")]), [0, 1], LABELS)
    coco.write(data_of(truth, kind=kind), tmp_path / "out")
    back = read(tmp_path / "out")
    assert back.kind == kind
    assert back[0].truth == truth


def test_regions_have_no_classes_to_write(tmp_path: Path) -> None:
    labels = LabelSet.of(["region"])
    truth = Segmentation.from_masks("regions", np.array([mask("#.")]), [0], labels)
    with pytest.raises(DataError, match="regions have no classes"):
        coco.write(data_of(truth, kind="regions"), tmp_path / "out")


def test_what_no_coco_file_has_a_place_for_is_told(tmp_path: Path) -> None:
    scored = pets(mask("#."), scores=np.array([0.5]), track_ids=np.array([4]))
    boxed = Sample.of("b", scored[0].image, boxes=({"name": "cat", "box": (0, 0, 1, 1)},))
    written = coco.write(Dataset([*scored, boxed], LABELS, "instance"), tmp_path / "out")
    assert written.dropped == (
        "a: the scores of its 1 segments, for which the file has no place",
        "a: the track ids of its 1 segments, for which the file has no place",
        "b: its 1 boxes, which are no masks",
    )


def test_ids_and_order_are_kept_over_splits_that_are_written_side_by_side(tmp_path: Path) -> None:
    image = Image(np.zeros((1, 2, 3), np.uint8))
    samples = []
    for number in range(5):
        truth = Segmentation.from_masks("instance", np.array([mask("#."), mask(".#")]), [0, 1], LABELS)
        ids = np.array([90 - 2 * number, 91 - 2 * number])
        samples.append(Sample.of(f"s{number}", image, replace(truth, source_ids=ids), image_id=70 - number))
    coco.write(Dataset(samples, LABELS, "instance", {"train": [0, 2, 4], "val": [1, 3]}), tmp_path / "out")
    for split, rows in (("train", (0, 2, 4)), ("val", (1, 3))):
        document = json.loads((tmp_path / "out" / "annotations" / f"instances_{split}.json").read_text())
        assert [one["id"] for one in document["images"]] == [70 - row for row in rows]
        assert [(one["image_id"], one["id"]) for one in document["annotations"]] == [
            (70 - row, first - 2 * row) for row in rows for first in (90, 91)
        ]


def test_an_image_in_two_splits_stays_one_sample(tmp_path: Path) -> None:
    data = pets(mask("#."))
    both = Dataset(data.samples, LABELS, "instance", {"train": [0], "val": [0]})
    coco.write(both, tmp_path / "out")
    assert read(tmp_path / "out").splits == {"train": (0,), "val": (0,)}


def test_images_without_labels_are_listed_apart_and_come_back_so(tmp_path: Path) -> None:
    empty, image = pets(mask("#."))[0].truth[[]], Image(np.zeros((1, 2, 3), np.uint8))
    samples = [*pets(mask("#.")), Sample.of("bare", image, image_id=70), Sample.of("empty", image, empty)]
    written = coco.write(Dataset(samples, LABELS, "instance", {"train": [0, 2], "late": [1]}), tmp_path / "out")
    back = read(tmp_path / "out")
    assert {one.name: [len(truth) for truth in one.truths] for one in back} == {"a": [1], "bare": [], "empty": [0]}
    assert {name: [back[row].name for row in rows] for name, rows in back.splits.items()} == {
        "train": ["a", "empty"],
        "late": ["bare"],
    }
    assert (written.images, written.dropped) == (3, ())
    document = json.loads((tmp_path / "out" / "annotations" / "image_info_late.json").read_text())
    assert ([one["id"] for one in document["images"]], "annotations" in document) == ([2], False)


@pytest.mark.parametrize("labels", [LABELS, LabelSet(())])
def test_a_set_without_any_labels_comes_back(labels: LabelSet, tmp_path: Path) -> None:
    image = Image(np.zeros((1, 2, 3), np.uint8))
    coco.write(Dataset([Sample.of("bare", image)], labels, "instance"), tmp_path / "out")
    assert recognise(tmp_path / "out")[0] == "coco"
    assert [(one.name, one.truths) for one in read(tmp_path / "out")] == [("bare", ())]


def test_lists_of_images_of_another_make_are_left_alone(tmp_path: Path) -> None:
    """COCO's own ``image_info_test2017.json`` lists images whose labels nobody has."""
    coco.write(pets(mask("#.")), tmp_path / "out")
    place = tmp_path / "out" / "annotations" / "instances_train.json"
    document = json.loads(place.read_text())
    place.with_name("image_info_test.json").write_text(json.dumps({key: document[key] for key in ("images", "categories")}))
    assert [len(one.truth) for one in read(tmp_path / "out")] == [1]


def test_splits_of_any_name_come_back(tmp_path: Path) -> None:
    image, truth = pets(mask("#."))[0].image, pets(mask("#."))[0].truth
    samples = [Sample.of(f"s{row}", image, truth) for row in range(4)]
    splits = {"train": [0], "Train 2": [1], "minival": [2]}
    coco.write(Dataset(samples, LABELS, "instance", splits), tmp_path / "out")
    back = read(tmp_path / "out")
    assert {name: [back[row].name for row in rows] for name, rows in back.splits.items()} == {
        "train": ["s0"],
        "Train 2": ["s1"],
        "minival": ["s2"],
    }


@pytest.mark.parametrize(("own", "told"), [([5, 5], True), ([0, 1], True), ([7, -1], True), ([-1, -1], False), ([8, 3], False)])
def test_ids_that_cannot_be_kept_are_told(own: list[int], told: bool, tmp_path: Path) -> None:
    written = coco.write(pets(mask("#."), mask(".#"), source_ids=own), tmp_path / "out")
    why = "pets: the source's own ids of its annotations, which are counted anew: not all were from 1 up and different"
    assert written.dropped == ((why,) if told else ())


def test_images_of_negative_ids_are_numbered_anew(tmp_path: Path) -> None:
    truth, image = pets(mask("#."))[0].truth, Image(np.zeros((1, 2, 3), np.uint8))
    samples = [Sample.of(name, image, truth, image_id=-1) for name in "ab"]
    coco.write(Dataset(samples, LABELS, "instance"), tmp_path / "out")
    assert [one.meta["image_id"] for one in read(tmp_path / "out")] == [1, 2]


def test_a_set_written_before_is_replaced_and_another_is_not(tmp_path: Path) -> None:
    coco.write(pets(mask("#.")), tmp_path / "out")
    coco.write(data_of(pets(mask(".#"))[0].truth, "b"), tmp_path / "out")
    assert [sample.name for sample in read(tmp_path / "out")] == ["b"]
    assert sorted(one.name for one in (tmp_path / "out" / "images").iterdir()) == ["b.png"]
    document = tmp_path / "out" / "annotations" / "instances_train.json"
    document.write_text(document.read_text().replace("pixelwise coco 1", "mine"))
    with pytest.raises(StorageError, match="not a data set that Pixelwise wrote"):
        coco.write(pets(mask("#.")), tmp_path / "out")
    assert [sample.name for sample in read(tmp_path / "out")] == ["b"]
