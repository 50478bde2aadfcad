"""The format object_masks: a picture an object, as the Data Science Bowl gave them, and what is wrong with single pictures."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, UnknownLayout
from pixelwise.core.image import Image
from pixelwise.core.labels import Label, LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.object_masks import class_folders, sniff, write

LEFT = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
RIGHT = np.array([[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)  # shares one pixel with LEFT


def save(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(mask.astype(np.uint8) * 255 if mask.dtype == bool else mask).save(path)


def bowl(root: Path) -> Path:
    """Two images as the Data Science Bowl of 2018 laid them out: RGBA pictures, masks of 0 and 255 with long names."""
    for name, masks in (("0a1", {"3fd.png": LEFT, "9bc.png": RIGHT}), ("7c2", {"e01.png": RIGHT})):
        save(root / name / "images" / f"{name}.png", np.zeros((3, 4, 4), np.uint8))
        for file, mask in masks.items():
            save(root / name / "masks" / file, mask)
    return root


def test_a_folder_a_image_is_read_with_masks_that_overlap(tmp_path: Path) -> None:
    data = read(bowl(tmp_path / "nuclei"))
    assert (data.kind, data.labels.names, [one.name for one in data]) == ("instance", ("object",), ["0a1", "7c2"])
    assert data[0].truth.masks.dense().tolist() == [LEFT.tolist(), RIGHT.tolist()]
    assert data[0].image.bands == ("red", "green", "blue")
    assert data.notes == ()


def test_the_claim_names_the_layout_and_masks_make_none(tmp_path: Path) -> None:
    name, claim = recognise(bowl(tmp_path / "nuclei"))
    assert (name, claim.dialect) == ("object_masks", "one mask picture an object in <id>/masks/")


def test_sub_folders_are_classes_and_the_order_is_that_of_the_files(tmp_path: Path) -> None:
    root = tmp_path / "data"
    save(root / "train" / "images" / "a.jpg", np.zeros((3, 4), np.uint8))
    save(root / "train" / "masks" / "a" / "wall" / "2.png", LEFT)
    save(root / "train" / "masks" / "a" / "cell" / "10.png", RIGHT)
    data = read(root, split="train")
    assert recognise(root)[0] == "object_masks"
    assert data[0].truth.names == ["wall", "cell"]
    assert data.labels.names == ("cell", "wall")


BAD = {
    "empty": (np.zeros((3, 4), bool), "no pixel of it is set"),
    "of another size": (np.ones((4, 3), bool), r"4 x 3 \(height x width\), its image 3 x 4"),
    "smoothed": (np.array([[0, 90, 255, 0]] * 3, np.uint8), "found 3; save the mask without smoothing"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_picture_is_named_and_spoils_itself_alone(kind: str, tmp_path: Path) -> None:
    root = bowl(tmp_path / "nuclei")
    mask, words = BAD[kind]
    save(root / "0a1" / "masks" / "bad.png", mask)
    sample = read(root)[0]
    with pytest.raises(DataError, match=f"masks: bad.png: .*{words}"):
        _ = sample.truth
    truths, problems = sample.salvaged()
    assert (len(truths[0]), len(problems)) == (2, 1)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_broken_picture_is_named(content: bytes, tmp_path: Path) -> None:
    root = bowl(tmp_path / "nuclei")
    (root / "0a1" / "masks" / "bad.png").write_bytes(content)
    assert [one.partition("masks: ")[2][:8] for one in read(root)[0].salvaged()[1]] == ["bad.png:"]


def test_an_image_without_masks_is_told(tmp_path: Path) -> None:
    root = bowl(tmp_path / "nuclei")
    save(root / "9ff" / "images" / "9ff.png", np.zeros((3, 4), np.uint8))
    data = read(root)
    assert len(data) == 2
    assert "9ff/images/9ff.png) without a folder of masks" in data.notes[0]


def test_an_empty_folder_of_masks_means_no_objects(tmp_path: Path) -> None:
    root = bowl(tmp_path / "nuclei")
    save(root / "9ff" / "images" / "9ff.png", np.zeros((3, 4), np.uint8))
    (root / "9ff" / "masks").mkdir()
    assert len(read(root)[2].truth) == 0


def test_a_linked_folder_of_masks_does_not_mean_no_objects(tmp_path: Path) -> None:
    root = bowl(tmp_path / "nuclei")
    save(root / "9ff" / "images" / "9ff.png", np.zeros((3, 4), np.uint8))
    (tmp_path / "elsewhere").mkdir()
    (root / "9ff" / "masks").symlink_to(tmp_path / "elsewhere")
    data = read(root)
    assert len(data) == 2
    assert any("leads outside the data set" in note for note in data.notes)


def test_masks_called_as_their_images_are_left_to_the_format_masks(tmp_path: Path) -> None:
    save(tmp_path / "a" / "images" / "1.png", np.zeros((3, 4), np.uint8))
    save(tmp_path / "a" / "masks" / "1.png", LEFT)
    save(tmp_path / "a" / "masks" / "2.png", RIGHT)
    assert sniff(tmp_path) is None
    assert recognise(tmp_path)[0] == "masks"


def test_photographs_in_folders_are_no_masks(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", np.zeros((3, 4), np.uint8))
    for name in ("x", "y"):
        save(tmp_path / "masks" / "a" / f"{name}.png", np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert sniff(tmp_path) is None


def test_a_folder_of_something_else_is_refused_with_the_layouts(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    with pytest.raises(UnknownLayout, match="<id>/masks/"):
        read(tmp_path, format="object_masks")


def test_classes_crowds_and_empty_objects_come_back(tmp_path: Path) -> None:
    labels = LabelSet((Label("a/b", True), Label("Cell", True), Label("cell", True)))
    masks = np.stack([LEFT, RIGHT, np.zeros((3, 4), bool), LEFT])
    truth = Segmentation.from_masks("instance", masks, [0, 2, 1, 1], labels, crowd=np.array([False, True, False, False]))
    image = Image(np.zeros((3, 4, 3), np.uint8))
    write(Dataset([Sample.of("one", image, truth)], labels, "instance"), tmp_path / "out")
    back = read(tmp_path / "out")
    assert back[0].truth == truth
    assert back.labels.names == labels.names


def test_what_a_changed_note_says_of_images_without_labels_is_passed_over(tmp_path: Path) -> None:
    write(read(bowl(tmp_path / "nuclei")), tmp_path / "out")
    note = tmp_path / "out" / "classes.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"unlabelled": 5}))
    assert [len(one.truth) for one in read(tmp_path / "out")] == [2, 1]


def test_one_class_is_written_as_the_data_science_bowl_has_it(tmp_path: Path) -> None:
    write(read(bowl(tmp_path / "nuclei")), tmp_path / "out")
    names = sorted(one.name for one in (tmp_path / "out" / "masks" / "0a1").iterdir())
    assert names == ["0001.png", "0002.png"]
    with PIL.Image.open(tmp_path / "out" / "masks" / "0a1" / "0001.png") as picture:
        assert np.unique(np.array(picture)).tolist() == [0, 255]


def test_what_has_no_place_is_told(tmp_path: Path) -> None:
    labels = LabelSet.of(["x"], things=["x"])
    truth = Segmentation.from_masks("instance", np.stack([LEFT]), [0], labels, track_ids=np.array([7]), attributes=({"a": 1},))
    told = write(Dataset([Sample.of("s", Image(np.zeros((3, 4, 3), np.uint8)), truth)], labels, "instance"), tmp_path / "out")
    assert told.dropped == ("s: not kept, as the format has no place for them: track ids, attributes",)


def test_folders_of_classes_differ_also_where_case_does_not_count() -> None:
    assert class_folders(["a", "A", "..", "class_0", " x", "con/../x"]) == ["a"] + [f"class_{index}" for index in range(1, 6)]


@pytest.mark.shared_data
def test_the_nuclei_are_read(shared_data: Path) -> None:
    data = read(shared_data / "nuclei")
    assert len(data) == 80
    assert sum(len(one.source.truths) for one in data) == 3587
    first = next(one for one in data if one.name.startswith("00071198d059"))
    assert len(first.truth) == 27
    row = next(row for row, path in enumerate(first.source.truths) if path.name.startswith("07a9bf1d7594"))
    assert first.truth.masks.areas()[row] == 259
    crossing = next(one for one in data if one.name.startswith("547ef286")).truth.masks
    assert len(crossing) == 258
    assert (crossing.dense().sum(axis=0) > 1).sum() == 2
