"""KITTI's semantic and instance benchmark, by hand as its development kit describes it: class * 256 + number in 16 bits."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, SizeMismatch
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, LostLabels, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import FORMATS, read, recognise

ROAD, CAR, OUT_OF_ROI = 7, 26, 3
INSTANCES = np.array([[ROAD * 256, CAR * 256 + 1, CAR * 256 + 2], [ROAD * 256, CAR * 256, OUT_OF_ROI * 256]], np.uint16)


def street(root: Path, values: np.ndarray = INSTANCES, form: str = "instance") -> Path:
    for folder in (f"training/{form}", "training/image_2", "testing/image_2"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(values).save(root / "training" / form / "000000_10.png")
    PIL.Image.new("RGB", (3, 2)).save(root / "training" / "image_2" / "000000_10.png")
    PIL.Image.new("RGB", (3, 2)).save(root / "testing" / "image_2" / "000000_10.png")
    return root


def test_objects_are_numbered_within_their_class(tmp_path: Path) -> None:
    truth = read(street(tmp_path), split="train")[0].truth
    assert (truth.kind, truth.names) == ("panoptic", ["road", "car", "car", "car"])
    assert truth.panoptic_ids().tolist() == [[1, 3, 4], [1, 2, 0]]


def test_a_thing_without_a_number_is_a_group(tmp_path: Path) -> None:
    assert read(street(tmp_path), split="train")[0].truth.is_crowd.tolist() == [False, True, False, False]


def test_class_numbers_alone_are_semantic(tmp_path: Path) -> None:
    path = street(tmp_path, np.array([[7, 7, 26], [0, 6, 255]], np.uint8), "semantic")
    assert recognise(path)[0] == "kitti"
    truth = read(path, split="train")[0].truth
    names = np.array([*truth.labels.names, *["void"] * 256])
    assert names[truth.class_map()].tolist() == [["road", "road", "car"], ["void", "void", "void"]]


def test_images_for_testing_have_no_truth(tmp_path: Path) -> None:
    data = read(street(tmp_path))
    assert {name: [data[row].truth_source is None for row in rows] for name, rows in data.splits.items()} == {
        "train": [False],
        "test": [True],
    }


def test_a_file_of_colours_names_other_classes(tmp_path: Path) -> None:
    street(tmp_path, np.array([[0, 257, 258], [0, 0, 0]], np.uint16))
    (tmp_path / "label_colors.txt").write_text("128 64 128 gravel\n0 0 142 hand cart\n")
    data = read(tmp_path, split="train")
    assert data.labels.names == ("gravel", "hand cart")
    assert data.labels.colours.tolist() == [[128, 64, 128], [0, 0, 142]]
    assert data[0].truth.names == ["gravel", "hand cart", "hand cart"]


@pytest.mark.parametrize(("form", "value"), [("instance", 257), ("semantic", 1)])
def test_what_cvat_exports_is_read_without_its_images(form: str, value: int, tmp_path: Path) -> None:
    (tmp_path / "default" / form).mkdir(parents=True)
    PIL.Image.fromarray(np.array([[0, value, value]], np.uint16)).save(tmp_path / "default" / form / "a.png")
    (tmp_path / "label_colors.txt").write_text("0 0 0 background\n250 50 83 hen\n")
    assert recognise(tmp_path)[0] == "kitti"
    data = read(tmp_path)
    assert (data[0].size, data[0].truth.names, data.labels.things) == ((1, 3), ["background", "hen"], (1,))
    with pytest.raises(MissingFile, match=r"default/image_2/a\.png"):
        _ = data[0].image


def test_maps_beside_other_pictures_are_left_to_other_formats(tmp_path: Path) -> None:
    for folder in ("images", "semantic"):
        (tmp_path / folder).mkdir()
        PIL.Image.new("L", (3, 2)).save(tmp_path / folder / "a.png")
    (tmp_path / "label_colors.txt").write_text("0 0 0 background\n250 50 83 hen\n")
    assert FORMATS["kitti"].sniff(tmp_path) is None


def test_a_map_without_an_image_is_told(tmp_path: Path) -> None:
    street(tmp_path)
    PIL.Image.fromarray(INSTANCES).save(tmp_path / "training" / "instance" / "gone.png")
    assert any(isinstance(note, LostLabels) and "gone.png" in note for note in read(tmp_path).notes)


def test_a_class_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"000000_10\.png: the class 99 is none"):
        _ = read(street(tmp_path, np.full((2, 3), 99 * 256, np.uint16)), split="train")[0].truth


def test_a_map_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch, match="3 x 2"):
        _ = read(street(tmp_path, INSTANCES.T.copy()), split="train")[0].truth


def test_it_is_read_alone(tmp_path: Path) -> None:
    labels = LabelSet.of(["road"])
    truth = Segmentation.from_class_map(np.zeros((1, 1), int), labels)
    data = Dataset([Sample.of("a", Image(np.zeros((1, 1, 3), np.uint8)), truth)], labels, "semantic")
    with pytest.raises(DataError, match="cannot be written"):
        FORMATS["kitti"].write(data, tmp_path / "out")


@pytest.mark.shared_data
def test_a_real_folder_is_read(shared_data: Path) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "kitti_dataset" / "kitti_segmentation")
    assert {one.name: (one.truth.names, one.truth.masks.areas().tolist()) for one in data} == {
        "000030_10": (["truck", "truck"], [1, 2]),  # 6913 and 6914 are 27 * 256 + 1 and + 2; 768 is 3 * 256, out of roi
        "000030_11": (["wall", "train"], [1, 2]),
    }
