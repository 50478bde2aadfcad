"""Roboflow's export of masks: ``a_mask.png`` beside ``a.jpg``, and a table of classes in each split."""

from pathlib import Path

import numpy as np
import PIL.Image

from pixelwise.formats import read, recognise

NAME = "street_jpg.rf.0a1b2c3d"  # as Roboflow names what it exports


def put(root: Path, table: str = "Pixel Value, Class\n0, background\n1, cat\n2, dog\n") -> Path:
    """Write a set as its documentation lays it out; one split lacks the last class."""
    for split, mask in (("train", [[0, 1, 1], [0, 2, 2]]), ("valid", [[0, 0, 0], [1, 0, 1]])):
        (root / split).mkdir(parents=True)
        PIL.Image.new("RGB", (3, 2)).save(root / split / f"{NAME}{split}.jpg")
        PIL.Image.fromarray(np.array(mask, np.uint8)).save(root / split / f"{NAME}{split}_mask.png")
        (root / split / "_classes.csv").write_text(table)
    (root / "README.roboflow.txt").write_text("pets - v1\n==============================\n\nThis dataset was exported\n")
    return root


def test_its_masks_are_read_with_the_names_of_their_table(tmp_path: Path) -> None:
    path = put(tmp_path / "pets")
    name, claim = recognise(path)
    assert (name, claim.dialect.partition(":")[0]) == ("masks", "Roboflow's masks")
    data = read(path)
    assert data.labels.names == ("background", "cat", "dog")
    assert data.labels.settled
    assert {split: [data[row].name for row in rows] for split, rows in data.splits.items()} == {
        "train": [f"{NAME}train"],
        "val": [f"{NAME}valid"],
    }
    assert data[0].truth.class_map().tolist() == [[0, 1, 1], [0, 2, 2]]


def test_a_table_of_images_is_not_taken_for_one_of_classes(tmp_path: Path) -> None:
    path = put(tmp_path / "pets", "filename, cat, dog\nstreet.jpg, 1, 0\n")
    assert not {"cat", "filename, cat, dog"} & set(read(path).labels.names)
