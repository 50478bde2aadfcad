"""Cityscapes as its description has it: instance ids, label ids and polygons, groups, and ids that are void."""

import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, SizeMismatch, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.polygons import fill
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import cityscapes, read, recognise
from pixelwise.formats.cityscapes.labels import official

CORE = "aachen_000010_000019"
# ego vehicle, road, two cars, a group of persons, static
INSTANCES = np.array([[1, 7, 7, 26000], [1, 7, 26001, 26001], [4, 4, 24, 24]], np.uint16)
LABEL_IDS = np.array([[1, 7, 7, 26], [1, 7, 26, 26], [4, 4, 24, 24]], np.uint8)
VOID = [[True, False, False, False], [True, False, False, False], [True, True, False, False]]


def put(root: Path, files: dict[str, np.ndarray | dict[str, object] | str], split: str = "train") -> Path:
    """Write one image with some of its label files, by hand."""
    image = root / "leftImg8bit" / split / "aachen" / f"{CORE}_leftImg8bit.png"
    image.parent.mkdir(parents=True)
    PIL.Image.new("RGB", (4, 3)).save(image)
    for name, content in files.items():
        release = name.partition("_")[0]
        path = root / release / split / "aachen" / f"{CORE}_{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            PIL.Image.fromarray(content).save(path)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def test_instance_ids_are_things_groups_and_stuff(tmp_path: Path) -> None:
    data = read(put(tmp_path / "city", {"gtFine_instanceIds.png": INSTANCES, "gtFine_labelIds.png": LABEL_IDS}))
    truth = data[0].truth
    assert recognise(tmp_path / "city")[1].dialect == "Cityscapes"
    assert (data.kind, len(data.labels), data.splits) == ("panoptic", 27, {"train": (0,)})
    assert truth.names == ["road", "person", "car", "car"]
    assert truth.is_crowd.tolist() == [False, True, False, False]
    assert truth.masks.areas().tolist() == [3, 2, 1, 2]
    assert (truth.panoptic_ids() == 0).tolist() == VOID


def test_name_and_sequence_are_read_off_the_file_name(tmp_path: Path) -> None:
    sample = read(put(tmp_path / "city", {"gtFine_labelIds.png": LABEL_IDS}))[0]
    assert (sample.name, sample.meta["sequence"], sample.meta["frame"]) == (CORE, "aachen_000010", 19)


def test_splits_are_found_in_archives_unpacked_side_by_side(tmp_path: Path) -> None:
    whole = put(tmp_path / "whole", {"gtFine_labelIds.png": LABEL_IDS})
    for folder in ("leftImg8bit", "gtFine"):
        (tmp_path / "city" / f"{folder}_trainvaltest").mkdir(parents=True)
        (whole / folder).rename(tmp_path / "city" / f"{folder}_trainvaltest" / folder)
    data = read(tmp_path / "city")
    assert (data.splits, data[0].truth.names) == ({"train": (0,)}, ["road", "person", "car"])


def test_what_cvat_exports_has_classes_of_its_own(tmp_path: Path) -> None:
    """Its documented layout, by hand: no cities, and class numbers by the lines of ``label_colors.txt``."""
    for folder, suffix, pixels in (
        ("imgsFine/leftImg8bit", "leftImg8bit", np.zeros((1, 4, 3), np.uint8)),
        ("gtFine", "gtFine_instanceIds", np.array([[0, 1001, 1002, 2]], np.uint16)),
        ("gtFine", "gtFine_labelIds", np.array([[0, 1, 1, 2]], np.uint8)),
        ("gtFine", "gtFine_color", np.zeros((1, 4, 3), np.uint8)),
    ):
        (tmp_path / folder / "train").mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(pixels).save(tmp_path / folder / "train" / f"yard 1_{suffix}.png")
    (tmp_path / "label_colors.txt").write_text("0 0 0 background\n250 50 83 hen\n51 221 255 egg\n")
    name, claim = recognise(tmp_path)
    assert (name, "void" in claim.why) == ("cityscapes", False)
    data = read(tmp_path)
    assert (data.labels.names, data.splits) == (("background", "hen", "egg"), {"train": (0,)})
    truth = data[0].truth
    assert (truth.names, truth.is_crowd.tolist()) == (["background", "egg", "hen", "hen"], [False, True, False, False])
    assert truth.panoptic_ids().tolist() == [[1, 3, 4, 2]]


def test_label_ids_alone_are_semantic(tmp_path: Path) -> None:
    data = read(put(tmp_path / "city", {"gtFine_labelIds.png": LABEL_IDS}))
    assert (data.kind, data[0].truth.names) == ("semantic", ["road", "person", "car"])
    assert (data[0].truth.class_map() == 255).tolist() == VOID


def test_what_is_void_is_told(tmp_path: Path) -> None:
    assert "ids 0 to 6 are read as void" in recognise(put(tmp_path / "city", {"gtFine_labelIds.png": LABEL_IDS}))[1].why


def test_raw_values_are_ids_of_classes(tmp_path: Path) -> None:
    for number, (name, stored) in enumerate({"instanceIds": INSTANCES, "labelIds": LABEL_IDS}.items()):
        sample = read(put(tmp_path / str(number), {f"gtFine_{name}.png": stored}))[0]
        assert sample.raw()[0].tolist() == LABEL_IDS.tolist()


def test_ids_of_8_bits_are_instance_ids_too(tmp_path: Path) -> None:
    sample = read(put(tmp_path / "city", {"gtFine_instanceIds.png": LABEL_IDS}))[0]
    assert (sample.truth.names, sample.raw()[0].tolist()) == (["road", "person", "car"], LABEL_IDS.tolist())


POLYGONS: dict[str, object] = {
    "imgHeight": 3,
    "imgWidth": 4,
    "objects": [{"label": "road", "polygon": [[0, 0], [4, 0], [4, 3], [0, 3]]}],
}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"gtFine_instanceIds.png": INSTANCES, "gtFine_color.png": LABEL_IDS}, ["road", "person", "car", "car"]),
        ({"gtFine_labelIds.png": LABEL_IDS}, ["road", "person", "car"]),
        ({"gtFine_polygons.json": POLYGONS}, ["road"]),
    ],
)
def test_labels_are_read_without_their_images(
    files: dict[str, np.ndarray | dict[str, object] | str], names: list[str], tmp_path: Path
) -> None:
    shutil.rmtree(put(tmp_path / "city", files) / "leftImg8bit")
    assert recognise(tmp_path / "city")[0] == "cityscapes"
    data = read(tmp_path / "city")
    assert (data.splits, data[0].name, data[0].size, data[0].truth.names) == ({"train": (0,)}, CORE, (3, 4), names)
    with pytest.raises(MissingFile, match="leftImg8bit"):
        _ = data[0].image


def test_a_void_class_that_is_asked_for_is_kept(tmp_path: Path) -> None:
    labels = LabelSet.of(["static", "car"])
    truth = cityscapes.read(put(tmp_path / "city", {"gtFine_labelIds.png": LABEL_IDS}), labels)[0].truth
    assert dict(zip(truth.names, truth.masks.areas().tolist(), strict=True)) == {"static": 2, "car": 3}


def test_train_ids_alone_are_the_19_classes(tmp_path: Path) -> None:
    ids = np.array([[255, 0, 0, 13], [255, 0, 13, 13], [255, 255, 11, 11]], np.uint8)
    data = read(put(tmp_path / "city", {"gtFine_labelTrainIds.png": ids}))
    assert (len(data.labels), data[0].truth.names) == (19, ["road", "person", "car"])


def square(label: str, left: int, top: int, right: int, bottom: int, **more: object) -> dict[str, object]:
    return {"label": label, "polygon": [[left, top], [right, top], [right, bottom], [left, bottom]], **more}


def polygons(*objects: dict[str, object], height: int = 3, width: int = 4) -> dict[str, object]:
    return {"imgHeight": height, "imgWidth": width, "objects": list(objects)}


def test_polygons_alone_are_painted_the_later_over_the_earlier(tmp_path: Path) -> None:
    drawn = polygons(
        square("road", 0, 0, 4, 3),
        square("car", 0, 0, 2, 2),
        square("license plate", 0, 0, 1, 1),
        square("car", 1, 0, 3, 1),
        square("persongroup", 3, 2, 4, 3),
        square("out of roi", 0, 2, 1, 3),
        square("sky", 0, 0, 4, 3, deleted=1),
    )
    truth = read(put(tmp_path / "city", {"gtFine_polygons.json": drawn}))[0].truth
    assert (truth.names, truth.is_crowd.tolist()) == (["road", "person", "car", "car"], [False, True, False, False])
    assert truth.masks.areas().tolist() == [5, 1, 3, 2]


def test_coarse_labels_count_where_there_are_no_fine_ones(tmp_path: Path) -> None:
    path = put(tmp_path / "city", {"gtCoarse_labelIds.png": LABEL_IDS}, split="train_extra")
    assert read(path).splits == {"train_extra": (0,)}
    both = put(tmp_path / "both", {"gtCoarse_labelIds.png": LABEL_IDS * 0, "gtFine_labelIds.png": LABEL_IDS})
    assert read(both)[0].truth.names == ["road", "person", "car"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"gtFine_labelIds.png": np.full((3, 4), 77, np.uint8)}, r"labelIds\.png: value 77"),
        ({"gtFine_instanceIds.png": np.full((3, 4), 41002, np.uint16)}, "the id 41002 is of the class 41, which is none"),
        ({"gtFine_labelIds.png": np.zeros((3, 4, 3), np.uint8) + np.arange(3, dtype=np.uint8)}, "found colours"),
        (
            {"gtFine_polygons.json": polygons(square("road", 0, 0, 4, 3), square("unicorn", 0, 0, 1, 1))},
            "object 2: the class 'uni",
        ),
        ({"gtFine_polygons.json": polygons({"label": "car", "polygon": [[0, 0], [1, 1]]})}, "object 1: a polygon has 2 points"),
        ({"gtFine_polygons.json": polygons({"label": "car"})}, "object 1: expected points as pairs"),
        ({"gtFine_polygons.json": polygons({"polygon": [[0, 0], [1, 1]]})}, "object 1: expected a mapping with 'label'"),
        ({"gtFine_polygons.json": {"imgHeight": 3, "imgWidth": 4}}, "expected 'objects'"),
    ],
)
def test_what_is_wrong_is_named(files: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        _ = read(put(tmp_path / "city", files))[0].truth


def test_a_bad_polygon_leaves_the_others(tmp_path: Path) -> None:
    drawn = polygons(square("road", 0, 0, 4, 3), square("unicorn", 0, 0, 1, 1))
    truths, problems = read(put(tmp_path / "city", {"gtFine_polygons.json": drawn}))[0].salvaged()
    assert (truths[0].names, len(problems)) == (["road"], 1)


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"polygons\.json: expected JSON"):
        _ = read(put(tmp_path / "city", {"gtFine_polygons.json": '{"imgHeight": 3, "obj'}))[0].truth


def test_another_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch, match=r"4 x 3 .* is 3 x 4 \(turned by 90 degrees\)"):
        _ = read(put(tmp_path / "ids", {"gtFine_labelIds.png": LABEL_IDS.T.copy()}))[0].truth
    with pytest.raises(SizeMismatch, match="stated as 1024 x 2048"):
        _ = read(put(tmp_path / "polygons", {"gtFine_polygons.json": polygons(height=1024, width=2048)}))[0].truth


def scene(labels: LabelSet, ids: list[list[int]], names: list[str], crowd: list[bool], kind: str = "panoptic") -> Dataset:
    grid = np.array(ids, np.uint8)
    classes = np.array([labels.index(name) for name in names])
    truth = Segmentation(kind, DisjointMasks(grid, len(names)), classes, labels, crowd=np.array(crowd))  # type: ignore[arg-type]
    image = Image(np.zeros((*grid.shape, 3), np.uint8))
    return Dataset([Sample.of(CORE, image, truth)], labels, truth.kind, {"val": [0]}, "scene")


RING = [[2, 2, 2, 0], [2, 1, 2, 3], [2, 2, 2, 4]]  # a car in a hole of the road, persons, a group


def test_cityscapes_own_classes_get_its_ids(tmp_path: Path) -> None:
    names = ["car", "road", "person", "person"]
    data = scene(official(), RING, names, [False, False, False, True])
    cityscapes.write(data, tmp_path / "out")
    fine = tmp_path / "out" / "gtFine" / "val" / "aachen"
    stored = np.array(PIL.Image.open(fine / f"{CORE}_gtFine_instanceIds.png"))
    assert stored.tolist() == [[7, 7, 7, 0], [7, 26000, 7, 24000], [7, 7, 7, 24]]
    assert np.array(PIL.Image.open(fine / f"{CORE}_gtFine_labelIds.png")).tolist()[1] == [7, 26, 7, 24]
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_polygons_that_are_written_give_the_masks_back(tmp_path: Path) -> None:
    data = scene(official(), RING, ["car", "road", "person", "person"], [False, False, False, True])
    cityscapes.write(data, tmp_path / "out")
    text = (tmp_path / "out" / "gtFine" / "val" / "aachen" / f"{CORE}_gtFine_polygons.json").read_text()
    objects = json.loads(text)["objects"]
    assert [one["label"] for one in objects] == ["car", "road", "person", "persongroup"]
    assert fill([np.array(objects[1]["polygon"])], (3, 4)).tolist() == (np.array(RING) == 2).tolist()


def test_other_classes_get_ids_that_are_stated(tmp_path: Path) -> None:
    labels = LabelSet.of(["land", "tree"], things=["tree"])
    data = scene(labels, RING, ["tree", "land", "tree", "tree"], [False, False, False, True])
    cityscapes.write(data, tmp_path / "out")
    back = read(tmp_path / "out")
    assert (back[0].truth, back.labels.names, back.labels.things) == (data[0].truth, ("land", "tree"), (1,))


def test_two_crowds_of_a_class_are_not_lost_in_silence(tmp_path: Path) -> None:
    data = scene(official(), [[1, 2]], ["car", "car"], [True, True])
    with pytest.raises(DataError, match="two crowds of one class share one id, so it would be lost"):
        cityscapes.write(data, tmp_path / "out")


def test_stuff_past_the_thousandth_class_is_not_taken_for_objects(tmp_path: Path) -> None:
    labels = LabelSet.of([f"c{index}" for index in range(994)])
    with pytest.raises(DataError, match=r"object 1 \(c993\): its class has the id 1000.* would be lost"):
        cityscapes.write(scene(labels, [[1]], ["c993"], [False]), tmp_path / "out")
    cityscapes.write(data := scene(labels, [[1]], ["c992"], [False]), tmp_path / "out")
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_an_image_of_two_splits_is_told(tmp_path: Path) -> None:
    data = scene(official(), [[1]], ["car"], [False])
    data = Dataset(data.samples, data.labels, data.kind, {"train": [0], "val": [0]})
    told = cityscapes.write(data, tmp_path / "out")
    assert told.dropped == (f"{CORE}: it is in train, val, and a folder can be in one split alone: kept in train",)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "names", "areas", "crowds"),
    [
        ("dataset", [["truck"], ["wall", "train"], ["person"], []], [[3], [1, 2], [1], []], 3),
        ("train_dataset", [["truck", "truck"], ["wall", "train"], ["person"], []], [[1, 2], [1, 2], [1], []], 0),
    ],
)
def test_sets_of_datumaro_are_read(
    shared_data: Path, folder: str, names: list[list[str]], areas: list[list[int]], crowds: int
) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "cityscapes_dataset" / folder)
    assert data.splits == {"test": (0, 1), "train": (2,), "val": (3,)}
    assert [one.truth.names for one in data] == names
    assert [one.truth.masks.areas().tolist() for one in data] == areas
    assert sum(int(one.truth.is_crowd.sum()) for one in data) == crowds
