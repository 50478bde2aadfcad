"""Conversions: what comes through, what is told, what is refused, and that a killed one goes on."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, OptionError, UnknownName, UnsettledLabels
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats import read
from pixelwise.formats.convert import convert, stamp_of
from pixelwise.formats.convert.classes import relabelled
from pixelwise.formats.convert.kind import RULES, as_kind
from pixelwise.formats.writing import Writing

LABELS = LabelSet.of(["background", "cat", "dog"], things=["cat", "dog"])


def photo(height: int = 4, width: int = 6) -> Image:
    return Image(np.full((height, width, 3), 90, np.uint8))


def coco_by_hand(root: Path, broken: bool = False) -> Path:
    """Two photos, three annotations: a cat of 2 x 2 and a dog of 3 x 1 that overlap, a cat of 6 x 4 on the second photo."""
    (root / "images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (6, 4), (9, 80, 90)).save(root / "images" / name)
    outlines = [[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 4, 1, 4, 2, 1, 2], [0, 0, 6, 0, 6, 4, 0, 4]]
    if broken:
        outlines[1] = [1, 1, 4, 1]  # two points
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "height": 4, "width": 6},
            {"id": 2, "file_name": "b.png", "height": 4, "width": 6},
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": 5 + row, "image_id": image, "category_id": category, "segmentation": [outlines[row]], "iscrowd": 0}
            for row, (image, category) in enumerate([(1, 17), (1, 18), (2, 17)])
        ],
    }
    (root / "instances.json").write_text(json.dumps(document))
    return root


def test_instances_become_a_class_map_by_the_rule_that_is_told(tmp_path: Path) -> None:
    done = convert(read(coco_by_hand(tmp_path / "in")), tmp_path / "out", "masks", kind="semantic")
    assert done.rule == RULES["instance", "semantic"]
    assert read(tmp_path / "out")[0].truth.class_map().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 2, 2, 2, 0, 0],  # the dog's 3 pixels are fewer than the cat's 4
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_what_was_read_written_and_proved_is_counted(tmp_path: Path) -> None:
    done = convert(read(coco_by_hand(tmp_path / "in")), tmp_path / "out", "coco")
    assert (done.images, done.segments, done.written.images, done.written.segments) == (2, 3, 2, 3)
    assert (done.proof.images, done.proof.segments, done.proof.worst, done.proof.mean) == (2, 3, 1.0, 1.0)
    assert done.proof.exact
    assert done.clean


def test_captions_that_a_format_cannot_hold_are_told(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", np.ones((1, 4, 6), bool), [1], LABELS)
    data = Dataset([Sample.of("a", photo(), truth, captions=("a cat",))], LABELS, "instance")
    done = convert(data, tmp_path / "out", "yolo")
    assert done.dropped == ("said of the images themselves, and not read back: captions (1 image)",)
    assert (done.proof.exact, done.clean) == (True, True)


@pytest.mark.parametrize(
    ("to", "what"),
    [
        ("sa1b", "are stored, but in no label file, and so not read back"),
        ("coco_results", "are read back as if they were labelled and nothing were on them"),
    ],
)
def test_what_becomes_of_images_without_labels_is_told(to: str, what: str, tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", np.ones((1, 4, 6), bool), [1], LABELS)
    data = Dataset([Sample.of("a", photo(), truth), Sample.of("b", photo())], LABELS, "instance")
    done = convert(data, tmp_path / "out", to)
    assert f"{to}: 1 image without labels {what}" in done.dropped
    assert done.clean


def test_images_without_labels_that_come_back_so_are_no_loss(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("instance", np.ones((1, 4, 6), bool), [1], LABELS)
    data = Dataset(
        [Sample.of("a", photo(), truth), Sample.of("b", photo())], LABELS, "instance", {"minival": [1], "train": [0]}
    )
    done = convert(data, tmp_path / "out", "coco")
    assert (done.dropped, done.proof.exact, done.proof.kept["splits"]) == ((), True, True)


@pytest.mark.parametrize("to", ["createml", "kitti", "mots", "ade20k", "mapillary"])
def test_a_format_that_nobody_writes_is_wrong_use(to: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be written"):
        convert(read(coco_by_hand(tmp_path / "in")), tmp_path / "out", to)
    assert not (tmp_path / "out").exists()


def test_a_kind_the_format_cannot_hold_is_refused_and_the_ways_out_are_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--as semantic"):
        convert(read(coco_by_hand(tmp_path / "in")), tmp_path / "out", "masks")
    assert not (tmp_path / "out").exists()


def test_a_bad_annotation_is_left_out_and_listed(tmp_path: Path) -> None:
    done = convert(read(coco_by_hand(tmp_path / "in", broken=True)), tmp_path / "out", "coco")
    assert not done.clean
    assert len(done.written.failed) == 1
    assert "annotation 6" in done.written.failed[0]
    assert (done.written.images, done.proof.segments, done.proof.worst) == (2, 2, 1.0)


def test_strict_stops_at_a_bad_annotation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="annotation 6"):
        convert(read(coco_by_hand(tmp_path / "in", broken=True)), tmp_path / "out", "coco", writing=Writing(strict=True))
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_an_unknown_format_has_its_near_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'coco'"):
        convert(read(coco_by_hand(tmp_path / "in")), tmp_path / "out", "cocoo")


@pytest.mark.parametrize("place", ["in", "in/out", "."])
def test_a_place_in_or_around_the_data_is_refused(tmp_path: Path, place: str) -> None:
    data = read(coco_by_hand(tmp_path / "in"))
    with pytest.raises(OptionError, match="outside the data"):
        convert(data, tmp_path / place, "coco")


def test_masks_of_unknown_meaning_are_refused_with_the_option_that_settles_them(tmp_path: Path) -> None:
    for kind, value in (("images", 7), ("masks", 255)):
        (tmp_path / "in" / kind).mkdir(parents=True)
        pixels = np.zeros((4, 6), np.uint8)
        pixels[1:3, 1:3] = value
        PIL.Image.fromarray(pixels).save(tmp_path / "in" / kind / "a.png")
    with pytest.raises(UnsettledLabels, match="--void none"):
        convert(read(tmp_path / "in"), tmp_path / "out", "masks")


def test_a_class_map_becomes_one_object_a_class_and_lost_void_is_told(tmp_path: Path) -> None:
    classes = np.array([[0, 1, 255], [1, 0, 2]])
    data = Dataset([Sample.of("a", photo(2, 3), Segmentation.from_class_map(classes, LABELS))], LABELS, "semantic")
    done = convert(data, tmp_path / "out", "coco", kind="instance")
    truth = read(tmp_path / "out")[0].truth
    assert truth.names == ["cat", "dog"]
    assert truth.masks.mask(0).tolist() == [[False, True, False], [True, False, False]]
    assert done.written.dropped == ("a: 1 void pixels become background, as instance truth has no void",)


def test_objects_are_painted_over_a_segment_of_background() -> None:
    masks = np.zeros((3, 2, 3), bool)
    masks[0] = masks[2] = True
    masks[0, 1, 2] = masks[2, 1, 2] = False
    masks[1, 0, 0] = True
    truth = Segmentation.from_masks("instance", masks, [1, 2, 1], LABELS)
    data = as_kind(Dataset([Sample.of("a", photo(2, 3), truth)], LABELS, "instance"), "panoptic")
    assert data[0].truth.names == ["dog", "cat", "background"]  # the first cat is wholly covered by the second
    assert data[0].truth.panoptic_ids().tolist() == [[1, 2, 2], [2, 2, 3]]


def test_stuff_is_left_out_of_instances_and_told(tmp_path: Path) -> None:
    truth = Segmentation("panoptic", DisjointMasks(np.array([[1, 2], [3, 3]]), 3), np.array([0, 1, 2]), LABELS)
    data = Dataset([Sample.of("a", photo(2, 2), truth)], LABELS, "panoptic")
    done = convert(data, tmp_path / "out", "coco", kind="instance")
    assert done.written.dropped == ("a: 1 segment of stuff left out, as instance truth holds things alone",)
    assert read(tmp_path / "out")[0].truth.names == ["cat", "dog"]


@pytest.mark.parametrize("kind", ["semantic", "panoptic"])
def test_a_truth_of_another_kind_can_be_sent_to_another_process(tmp_path: Path, kind: Kind) -> None:
    data = as_kind(read(coco_by_hand(tmp_path / "in")), kind)
    assert [one.truth for one in pickle.loads(pickle.dumps(data.samples))] == [one.truth for one in data]


def test_a_kind_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(OptionError, match="cannot be read as semantic"):
        as_kind(Dataset([], LabelSet(()), "regions"), "semantic")


def test_stuff_of_one_new_class_becomes_one_segment_and_things_stay_apart() -> None:
    before = LabelSet.of(["car", "grass", "bush"], things=["car"])
    after = LabelSet.of(["green", "vehicle"], things=["vehicle"])
    ids = np.array([[1, 2, 3, 4, 0]])
    one = Segmentation("panoptic", DisjointMasks(ids, 4), np.array([0, 1, 0, 2]), before)
    new = relabelled(one, np.array([1, 0, 0]), after)
    assert new.names == ["vehicle", "green", "vehicle"]
    assert new.panoptic_ids().tolist() == [[1, 2, 3, 2, 0]]


def test_classes_without_a_new_one_become_void() -> None:
    before, after = LabelSet.of(["a", "b", "c"]), LabelSet.of(["c", "a"])
    one = Segmentation.from_class_map(np.array([[0, 1, 2]]), before)
    assert relabelled(one, np.array([1, -1, 0]), after).class_map().tolist() == [[1, 255, 0]]


def test_layers_of_one_new_class_are_joined() -> None:
    before, after = LabelSet.of(["a", "b"]), LabelSet.of(["c"])
    masks = np.array([[[True, True, False]], [[False, True, True]]])
    one = Segmentation.from_masks("multilabel", masks, [0, 1], before)
    assert relabelled(one, np.array([0, 0]), after).masks.dense().tolist() == [[[True, True, True]]]


def test_the_stamp_changes_with_a_file_and_with_the_options(tmp_path: Path) -> None:
    data = read(coco_by_hand(tmp_path / "in"))
    before = stamp_of(data, "coco")
    assert before == stamp_of(read(tmp_path / "in"), "coco") != stamp_of(data, "masks")
    os.utime(tmp_path / "in" / "images" / "a.png", ns=(1, 1))
    assert stamp_of(data, "coco") != before


def test_the_stamp_changes_with_what_is_known_of_an_image(tmp_path: Path) -> None:
    data = read(coco_by_hand(tmp_path / "in"))
    told = Dataset([replace(one, meta={**one.meta, "captions": ("a cat",)}) for one in data], data.labels, data.kind)
    assert stamp_of(told, "coco") != stamp_of(Dataset(data.samples, data.labels, data.kind), "coco")


def test_data_in_memory_has_no_stamp() -> None:
    assert stamp_of(Dataset([Sample.of("a", photo())], LABELS, "instance"), "coco") == ""


KILLED = """
import os, signal, sys
from pathlib import Path
from pixelwise.formats import read
from pixelwise.formats.convert import convert
from pixelwise.formats.writing import Writing

def die(what, done, of):
    if what == "writing" and done == 1:
        os.kill(os.getpid(), signal.SIGKILL)

convert(read(sys.argv[1]), Path(sys.argv[2]), "coco", writing=Writing(strict=False, progress=die))
"""


def test_a_killed_conversion_goes_on_where_it_stopped_and_ends_the_same(tmp_path: Path) -> None:
    source = coco_by_hand(tmp_path / "in")
    killed = subprocess.run([sys.executable, "-c", KILLED, source, tmp_path / "out"], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    written = []
    going_on = Writing(strict=False, progress=lambda what, done, of: written.append(done) if what == "writing" else None)
    convert(read(source), tmp_path / "out", "coco", writing=going_on)
    convert(read(source), tmp_path / "whole", "coco")
    assert written == [2]
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "out", "whole"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.shared_data
def test_real_instances_come_through_bit_for_bit(shared_data: Path, tmp_path: Path) -> None:
    done = convert(read(shared_data / "coco_tiny160", split="val"), tmp_path / "out", "coco")
    assert (done.images, done.segments, len(done.classes)) == (80, 815, 80)  # as the file's own lists count
    assert done.proof.exact
