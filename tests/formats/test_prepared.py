"""The format ``prepared``: every kind comes back bit for bit, maps are painted by one rule, nothing leads outside."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import DataError, PixelwiseError, SizeMismatch, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.formats import prepared, read, recognise
from pixelwise.formats.prepared.write import Preparing

LABELS = LabelSet.of(["cat", "dog", "sky"], things=["cat", "dog"]).with_values({3: 0, 9: 1, 12: 2})


def mask(*rows: str) -> BoolArray:
    return np.array([[sign == "#" for sign in row] for row in rows])


BIG, SMALL, GROUP = mask("####", "#..#", "####"), mask(".##.", ".##.", "...."), mask("...#", "...#", "...#")


def data_of(truth: Segmentation, kind: Kind = "instance", meta: dict[str, Any] | None = None) -> Dataset:
    rng = np.random.default_rng(0)
    image = Image(rng.integers(0, 256, (*truth.size, 3)).astype(np.uint8))
    samples = [Sample.of("a", image, truth, **(meta or {})), Sample.of("b", image, truth[[0]])]
    return Dataset(samples, truth.labels, kind, {"train": [0], "val": [1]}, "pets")


def objects(**rows: Any) -> Segmentation:
    return Segmentation.from_masks(
        "instance", np.array([SMALL, BIG, GROUP]), [0, 1, 1], LABELS, crowd=np.array([False, False, True]), **rows
    )


def pixels(path: Path) -> list[list[int]]:
    found: list[list[int]] = np.array(PIL.Image.open(path)).astype(int).tolist()
    return found


def test_the_class_map_has_small_over_large_and_crowds_void(tmp_path: Path) -> None:
    prepared.write(data_of(objects()), tmp_path / "out")
    # background 0, cat 1, dog 2; the crowd's pixels are void where no object lies on them
    assert pixels(tmp_path / "out" / "semantic" / "a.png") == [[2, 1, 1, 2], [2, 1, 1, 2], [2, 2, 2, 2]]
    assert pixels(tmp_path / "out" / "panoptic" / "a.png") == [[2, 1, 1, 2], [2, 1, 1, 2], [2, 2, 2, 2]]
    alone = data_of(objects()[[2]])
    prepared.write(alone, tmp_path / "crowd")
    assert pixels(tmp_path / "crowd" / "semantic" / "a.png") == [[0, 0, 0, 255]] * 3


def test_segments_are_told_with_class_crowd_area_box_and_run_lengths(tmp_path: Path) -> None:
    prepared.write(data_of(objects()), tmp_path / "out")
    line = json.loads((tmp_path / "out" / "segments.jsonl").read_text().splitlines()[0])
    assert [(one["id"], one["class"], one["crowd"], one["area"], one["box"]) for one in line["segments"]] == [
        (1, "cat", False, 4, [1, 0, 3, 2]),
        (2, "dog", False, 10, [0, 0, 4, 3]),
        (3, "dog", True, 3, [3, 0, 4, 3]),
    ]
    assert line["segments"][2]["run_lengths"] == {"size": [3, 4], "counts": "93"}  # nine pixels without, three with


def test_all_that_a_source_states_comes_back(tmp_path: Path) -> None:
    rows = {
        "source_ids": [7, 2**40, -1],
        "track_ids": [1, 2, 3],
        "areas": [4.5, 10.0, 3.0],
        "boxes": [[0.5, 0, 3, 2], [0, 0, 4, 3], [3, 0, 4, 3]],
        "scores": np.array([0.25, 0.5, 1.0]),
        "attributes": ({"depth": 3}, {}, {"tags": ["é"]}),
    }
    prepared.write(data_of(objects(**rows), meta={"captions": ("a cat",), "frame": np.int64(4)}), tmp_path / "out")
    back = prepared.read(tmp_path / "out")[0]
    truth = back.truth
    assert truth == objects()
    for name in ("source_ids", "track_ids", "areas", "boxes", "scores"):
        assert np.asarray(getattr(truth, name)).tolist() == np.asarray(rows[name]).tolist()
    assert truth.attributes == rows["attributes"]
    assert back.meta == {"captions": ["a cat"], "frame": 4}


@pytest.mark.parametrize("kind", ["instance", "panoptic", "multilabel", "regions", "semantic"])
def test_every_kind_is_read_back_bit_for_bit(kind: Kind, tmp_path: Path) -> None:
    left, right = mask("##..", "#...", "...."), mask("..#.", "..##", "....")
    labels = LabelSet.of(["region"]) if kind == "regions" else LABELS
    truth = Segmentation.from_masks(kind, np.array([left, right]), [0, 0 if kind == "regions" else 2], labels)
    prepared.write(data_of(truth, kind), tmp_path / "out")
    back = read(tmp_path / "out")
    assert back.kind == kind
    assert [one.truth for one in back] == [truth, truth[[0]]]
    assert back.splits == {"train": (0,), "val": (1,)}
    assert recognise(tmp_path / "out")[0] == "prepared"


def test_panoptic_truth_keeps_void_and_crowds(tmp_path: Path) -> None:
    parts = np.array([mask("#...", "....", "...."), mask(".##.", "....", "...."), mask("....", "####", "....")])
    truth = Segmentation.from_masks("panoptic", parts, [1, 0, 2], LABELS, crowd=np.array([True, False, False]))
    prepared.write(data_of(truth, "panoptic"), tmp_path / "out")
    assert read(tmp_path / "out")[0].truth == truth
    assert pixels(tmp_path / "out" / "semantic" / "a.png") == [[255, 0, 0, 255], [2, 2, 2, 2], [255] * 4]


def test_more_than_255_segments_take_16_bits(tmp_path: Path) -> None:
    ids = np.arange(300).reshape(15, 20)
    truth = Segmentation.from_masks("regions", np.array([ids == one for one in range(300)]), [0] * 300, LabelSet.of(["r"]))
    prepared.write(data_of(truth, "regions"), tmp_path / "out")
    assert pixels(tmp_path / "out" / "panoptic" / "a.png") == (ids + 1).tolist()
    assert read(tmp_path / "out")[0].truth == truth


def test_semantic_reading_takes_the_class_maps_that_are_there(tmp_path: Path) -> None:
    prepared.write(data_of(objects()), tmp_path / "out")
    told = read(tmp_path / "out").semantic()
    assert told.labels.names == ("background", "cat", "dog", "sky")
    assert told[0].truth == objects().semantic()
    (tmp_path / "out" / "segments.jsonl").write_text("gone")
    assert told[0].truth == objects().semantic()


def test_semantic_reading_joins_other_labels_by_name(tmp_path: Path) -> None:
    prepared.write(data_of(objects()), tmp_path / "out")
    other = LabelSet.of(["dog", "background"])
    truth = read(tmp_path / "out").semantic().under(other)[0].truth
    assert truth.class_map().tolist() == [[0, 255, 255, 0], [0, 255, 255, 0], [0, 0, 0, 0]]


def test_photos_are_linked_and_on_request_copied(tmp_path: Path) -> None:
    photo = tmp_path / "src" / "a.JPG"
    photo.parent.mkdir()
    PIL.Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(photo)
    sample = replace(data_of(objects())[0], pixels=ImageFile(photo))
    data = Dataset([sample], LABELS, "instance")
    prepared.write(data, tmp_path / "linked")
    prepared.write(data, tmp_path / "copied", preparing=Preparing(copy=True))
    assert (tmp_path / "linked" / "images" / "a.jpg").samefile(photo)
    assert not (tmp_path / "copied" / "images" / "a.jpg").samefile(photo)
    assert (tmp_path / "copied" / "images" / "a.jpg").read_bytes() == photo.read_bytes()


def test_where_links_cannot_be_made_photos_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    photo = tmp_path / "a.png"
    PIL.Image.fromarray(np.zeros((3, 4), np.uint8)).save(photo)
    monkeypatch.setattr(os, "link", refuse)
    sample = replace(data_of(objects())[0], pixels=ImageFile(photo))
    prepared.write(Dataset([sample], LABELS, "instance"), tmp_path / "out")
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == photo.read_bytes()
    assert not (tmp_path / "out" / "images" / "a.png").samefile(photo)


def test_an_image_without_labels_is_kept(tmp_path: Path) -> None:
    data = data_of(objects())
    bare = Dataset([data[0], replace(data[1], truth_source=None)], LABELS, "instance")
    prepared.write(bare, tmp_path / "out")
    assert read(tmp_path / "out")[1].truths == ()


def test_several_truths_of_an_image_are_refused_with_the_loss_stated(tmp_path: Path) -> None:
    one = data_of(objects())[0]
    assert one.truth_source is not None
    twice = replace(one, truth_source=type(one.truth_source)((objects(), objects())))  # type: ignore[call-arg]
    with pytest.raises(DataError, match=r"2 truths.*would be lost"):
        prepared.write(Dataset([twice], LABELS, "instance"), tmp_path / "out")


def by_hand(root: Path) -> Path:
    """A set as the format's description has it, typed and not written by our writer."""
    for name in ("images", "panoptic", "semantic"):
        (root / name).mkdir(parents=True)
    PIL.Image.fromarray(np.full((2, 3), 90, np.uint8)).save(root / "images" / "x.png")
    PIL.Image.fromarray(np.array([[1, 1, 0], [2, 2, 2]], np.uint8)).save(root / "panoptic" / "x.png", optimize=True)
    PIL.Image.fromarray(np.array([[1, 1, 255], [0, 0, 0]], np.uint8)).save(root / "semantic" / "x.png")
    classes = [{"name": "road", "thing": False, "colour": [1, 2, 3]}, {"name": "car", "thing": True, "colour": [4, 5, 6]}]
    labels = {"classes": classes, "values": {"0": 0, "1": 1}, "encoding": "id", "settled": True}
    marker = {"format": "pixelwise prepared 1", "kind": "panoptic", "name": "hand", "labels": labels, "semantic": labels}
    (root / "prepared.json").write_text(json.dumps(marker))
    segments = [
        {"class_id": 1, "crowd": False, "run_lengths": {"size": [2, 3], "counts": "01102"}},
        {"class_id": 0, "run_lengths": {"size": [2, 3], "counts": "111000"}},
    ]
    line = json.dumps({"name": "x", "size": [2, 3], "segments": segments})
    (root / "segments.jsonl").write_text(line + "\n")
    entry = {"name": "x", "image": "x.png", "segments": 2, "at": [0, len(line)], "meta": {"scene": "s"}}
    (root / "samples.json").write_text(json.dumps([entry]))
    (root / "val.txt").write_text("images/x.png\n")
    return root


def test_a_set_made_by_hand_is_read(tmp_path: Path) -> None:
    data = read(by_hand(tmp_path / "hand"), split="val")
    truth = data[0].truth
    assert (data.kind, data.name, len(data), data.notes) == ("panoptic", "hand", 1, ())
    assert (truth.names, truth.masks.areas().tolist()) == (["car", "road"], [2, 3])
    assert truth.class_map().tolist() == [[1, 1, 255], [0, 0, 0]]
    assert data[0].meta == {"scene": "s"}


def test_labels_whose_image_is_gone_are_lost_and_an_image_without_labels_is_not(tmp_path: Path) -> None:
    data = data_of(objects())
    bare = replace(data[1], name="c", truth_source=None)
    prepared.write(Dataset([*data, bare], LABELS, "instance"), tmp_path / "out")
    for name in ("b.png", "c.png"):
        (tmp_path / "out" / "images" / name).unlink()
    back = read(tmp_path / "out")
    assert [note.partition(":")[0] for note in back.lost] == ["b.png"]
    assert len(back.notes) == 2


def test_what_is_stated_of_semantic_truth_and_not_kept_is_told(tmp_path: Path) -> None:
    truth = Segmentation.from_masks("semantic", np.array([SMALL]), [0], LABELS, source_ids=[7], attributes=({"by": "anna"},))
    told = prepared.write(Dataset([data_of(truth, "semantic")[0]], LABELS, "semantic"), tmp_path / "out").dropped
    assert told == ("a: not kept, as the format has no place for them: the source's own ids, attributes",)


def edited(root: Path, file: str, change: Callable[[Any], None]) -> None:
    content = json.loads((root / file).read_text())
    change(content)
    (root / file).write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "a\\b.png", "..", ""])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    edited(root, "samples.json", lambda rows: rows[0].update(image=name))
    with pytest.raises(DataError, match="expected plain file names"):
        read(root)


def test_an_image_that_is_a_link_is_left_out(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    (root / "images" / "x.png").rename(tmp_path / "outside.png")
    (root / "images" / "x.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(DataError, match="not one of its images is there"):
        read(root)


def test_an_id_map_that_is_a_link_is_refused(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    (root / "panoptic" / "x.png").rename(tmp_path / "outside.png")
    (root / "panoptic" / "x.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(UnreadableFile, match="found a link"):
        _ = read(root)[0].truth


def test_ids_beyond_the_segments_are_named(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    PIL.Image.fromarray(np.array([[1, 1, 0], [2, 2, 9]], np.uint8)).save(root / "panoptic" / "x.png")
    with pytest.raises(DataError, match=r"panoptic/x\.png: ids must lie in 0\.\.2"):
        _ = read(root)[0].truth


def test_a_map_of_another_size_is_named(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    PIL.Image.fromarray(np.zeros((3, 3), np.uint8)).save(root / "panoptic" / "x.png")
    with pytest.raises(SizeMismatch, match=r"panoptic/x\.png: it is of 3 x 3"):
        _ = read(root)[0].truth


def test_a_class_that_is_none_spoils_its_segment_alone(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    text = (root / "segments.jsonl").read_text()
    (root / "segments.jsonl").write_text(text.replace('"class_id": 1', '"class_id": 7'))
    (truth,), problems = read(root)[0].salvaged()
    assert (truth.names, truth.masks.areas().tolist()) == (["road"], [3])
    assert len(problems) == 1
    assert "x: segment 1: expected a class from 0 to 1, found 7" in problems[0]


def test_run_lengths_that_do_not_fit_spoil_their_object_alone(tmp_path: Path) -> None:
    prepared.write(data_of(objects()), tmp_path / "out")
    file = tmp_path / "out" / "segments.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    first = lines[0].replace(b'"counts":"93"', b'"counts":"99"')
    file.write_bytes(first + lines[1])
    (truth,), problems = read(tmp_path / "out")[0].salvaged()
    assert truth == objects()[[0, 1]]
    assert "a: segment 3: expected run lengths" in problems[0]
    with pytest.raises(DataError, match="a: segment 3"):
        _ = read(tmp_path / "out")[0].truth


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"name": "y", "size": [2, 3], "segments": []}'])
def test_a_broken_line_spoils_its_image_alone(text: bytes, tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    (root / "segments.jsonl").write_bytes(text)
    data = read(root)
    with pytest.raises(UnreadableFile, match=r"segments\.jsonl"):
        _ = data[0].truth


@pytest.mark.parametrize("file", ["prepared.json", "samples.json"])
@pytest.mark.parametrize("text", [b"", b"[", b"[[]]", b"{}", b'{"format": "pixelwise prepared 1"}', b"[{}]"])
def test_a_broken_list_is_refused_as_a_whole(file: str, text: bytes, tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    (root / file).write_bytes(text)
    with pytest.raises(PixelwiseError, match=file.replace(".", r"\.")):
        prepared.read(root)


def test_a_text_that_names_no_image_is_noted_and_no_split(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    (root / "readme.txt").write_text("Dear reader")
    data = read(root)
    assert data.splits == {"val": (0,)}
    assert any("readme.txt: 1 lines name no image of the set" in note for note in data.notes)


@pytest.mark.parametrize("key", ["labels", "semantic"])
def test_a_label_set_that_is_none_is_named_with_its_file(key: str, tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    edited(root, "prepared.json", lambda marker: marker[key].update(classes=5))
    with pytest.raises(UnreadableFile, match=r"prepared\.json: expected a label set"):
        read(root)


def test_a_later_version_is_refused_and_said_so(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    edited(root, "prepared.json", lambda marker: marker.update(format="pixelwise prepared 2"))
    with pytest.raises(UnknownLayout, match="expected 'pixelwise prepared 1', found 'pixelwise prepared 2'"):
        read(root)


def test_a_folder_of_another_make_is_not_replaced(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "hand")
    edited(root, "prepared.json", lambda marker: marker.update(format="mine"))
    with pytest.raises(PixelwiseError, match="not a data set that Pixelwise wrote"):
        prepared.write(data_of(objects()), root)
    assert prepared.sniff(root) is None
