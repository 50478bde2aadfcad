"""SA-1B: files as Segment Anything's release describes them, written by hand, and what is wrong in one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import FORMATS, read, recognise

COUNTS = [1, 2, 3]  # column by column: one pixel without, two with, three without, on two rows of three
MASK = [[False, True, False], [True, False, False]]


def annotation(identity: int = 7, counts: object = COUNTS, **more: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "segmentation": {"size": [2, 3], "counts": counts},
        "bbox": [0.0, 0.0, 1.5, 2.0],
        "area": 2,
        "predicted_iou": 0.93,
        "stability_score": 0.97,
        "crop_box": [0.0, 0.0, 3.0, 2.0],
        "point_coords": [[0.5, 1.5]],
        **more,
    }


def scene(root: Path, *annotations: object, height: int = 2) -> Path:
    root.mkdir(exist_ok=True)
    PIL.Image.new("RGB", (3, 2)).save(root / "sa_1.jpg")
    image = {"image_id": 1, "width": 3, "height": height, "file_name": "sa_1.jpg"}
    (root / "sa_1.json").write_text(json.dumps({"image": image, "annotations": annotations}))
    return root


def test_masks_are_objects_without_a_class(tmp_path: Path) -> None:
    path = scene(tmp_path / "sa_000000", annotation(), annotation(8, "132"))  # 1, 3, 2 in the compressed form
    assert recognise(path)[0] == "sa1b"
    truth = read(path)[0].truth
    assert (truth.kind, truth.names) == ("instance", ["object", "object"])
    assert truth.masks.dense().tolist() == [MASK, [[False, True, False], [True, True, False]]]


def test_what_the_file_says_of_a_mask_is_kept(tmp_path: Path) -> None:
    truth = read(scene(tmp_path, annotation()))[0].truth
    assert truth.boxes is not None
    assert truth.areas is not None
    assert (truth.boxes.tolist(), truth.areas.tolist()) == ([[0, 0, 1.5, 2]], [2])
    assert truth.source_ids is not None
    assert truth.source_ids.tolist() == [7]
    assert truth.attributes[0]["predicted_iou"] == 0.93
    assert truth.attributes[0]["point_coords"] == [[0.5, 1.5]]


def test_a_file_alone_means_its_image(tmp_path: Path) -> None:
    path = scene(tmp_path, annotation()) / "sa_1.json"
    assert recognise(path)[0] == "sa1b"
    assert [one.name for one in read(path)] == ["sa_1"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (annotation(9, [1, 2]), "annotation 9: expected run lengths"),
        (annotation(9, "1"), "annotation 9: expected run lengths"),
        (annotation(9, None), "annotation 9: expected the counts"),
        (annotation(9, segmentation=[[1, 2, 3]]), "annotation 9: expected run lengths"),
        (annotation(9, segmentation={"size": [10**9, 10**9], "counts": [10**18]}), "annotation 9: run lengths hold at most"),
        (5, "annotation at place 2"),
    ],
)
def test_a_wrong_annotation_spoils_itself_and_is_named(wrong: object, words: str, tmp_path: Path) -> None:
    [sample] = read(scene(tmp_path, annotation(), wrong))
    with pytest.raises(DataError, match=words):
        _ = sample.truth
    assert len(sample.salvaged()[0][0]) == 1


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch, match=r"sa_1\.json"):
        _ = read(scene(tmp_path, annotation(), height=9))[0].truth


def test_objects_that_lie_on_each_other_are_read_back_with_their_classes(tmp_path: Path) -> None:
    labels = LabelSet.of(["cat", "dog"], things=["cat", "dog"])
    masks = np.array([[[True, True]], [[False, True]]])
    truth = Segmentation.from_masks("instance", masks, [1, 0], labels, crowd=np.array([False, True]))
    data = Dataset([Sample.of("a", Image(np.zeros((1, 2, 3), np.uint8)), truth)], labels, "instance", {"val": [0]})
    FORMATS["sa1b"].write(data, tmp_path / "out")
    back = read(tmp_path / "out", split="val")
    assert back.labels.names == ("cat", "dog")
    assert back[0].truth == truth


@pytest.mark.shared_data
def test_a_real_folder_is_read_and_its_wrong_file_named(shared_data: Path) -> None:
    """The picture of b is 10 high and 5 wide, and so its file says; but its run lengths, all 0, state the size [5, 10].

    Run lengths go down columns, so what is stated as 5 high cannot be laid on 10: the annotation is refused by name. In a, of
    5 x 10, the sizes agree.
    """
    data = read(shared_data / "labeltools" / "small_fixtures" / "segment_anything_dataset")
    truth = data[0].truth
    assert [one.name for one in data] == ["a", "b"]
    assert np.argwhere(truth.masks.mask(0)).tolist() == [[1, 3], [2, 3], [3, 3], [4, 3]]  # its box is [3, 1, 1, 4], its area 4
    with pytest.raises(DataError, match=r"b\.json: annotation 1: its run lengths are of size \[5, 10\]"):
        _ = data[1].truth
    assert [len(one) for one in data[1].salvaged()[0]] == [0]
