"""Layouts, splits, names and bad files of the format ``masks``."""

import json
import pickle
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import (
    DataError,
    MissingFile,
    OptionError,
    SizeMismatch,
    StorageError,
    UnknownLayout,
    UnreadableFile,
)
from pixelwise.core.image import Image, write_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import FORMATS, masks, read

SQUARE = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 0, 0]], np.uint8)

FLAT = {
    "images/a.png": "masks/a.png",
    "image/a.jpg": "label/a.png",
    "imgs/a.jpg": "labels/a.png",
    "img/a.jpg": "ann/a.png",
    "img/b.jpg": "ann/b.jpg.png",
    "Images/a.jpg": "Masks/a.PNG",
    "images/c.jpg": "annotations/c.png",
    "images/d.tif": "gt/d.png",
    "images/x/e.jpg": "masks/x/e.png",
    "original_images/000.jpg": "label_images_semantic/000.png",
    "data/set/original_images/000.jpg": "data/set/label_images_semantic/000.png",
    "images/f.jpg": "masks/f_mask.png",
    "images/g.png": "labels/g_L.png",
    "images/h.png": "labels/h_P.png",
    "images/image_0001.png": "masks/gt_0001.png",
    "png_images/a.png": "png_masks/a.png",
    "i.jpg": "masks/i.png",
    "j.jpg": "j_mask.png",
    "k.jpg": "k_label.png",
    "l.jpg": "l_gt.png",
    "m.jpg": "m_seg.png",
    "n.jpg": "n_labelIds.png",
    "o_sat.jpg": "o_mask.png",
    "p.jpg": "p.png",
    "deep/q.jpg": "deep/q-mask.png",
    "r.png": "r_mask.png",
    "RGB/s.jpg": "GT/s.png",
    "RGBLeft/t.jpg": "GTLeft/t.png",
    "rgb/u.jpg": "masks/u.png",
}


@pytest.mark.parametrize(("image", "mask"), FLAT.items())
def test_a_layout_is_read(put, image: str, mask: str) -> None:
    folder = put(image, mask)
    data = read(folder)
    assert [(one.source.image, one.source.truths) for one in data] == [(folder / image, (folder / mask,))]
    assert data.notes == ()
    assert data[0].truth.class_map().tolist() == SQUARE.tolist()


@pytest.mark.parametrize(
    ("names", "second"),
    [
        (("train/a.jpg", "trainannot/a.png", "val/b.jpg", "valannot/b.png"), "val"),
        (("train/a.png", "train_labels/a_L.png", "test/b.png", "test_labels/b_L.png"), "test"),
        (("train/images/a.jpg", "train/masks/a.png", "valid/images/b.jpg", "valid/masks/b.png"), "val"),
        (("images/train/a.jpg", "masks/train/a.png", "images/test/b.jpg", "masks/test/b.png"), "test"),
        (("train_images/a.jpg", "train_masks/a.png", "val_images/b.jpg", "val_masks/b.png"), "val"),
        (("training/a.jpg", "training/a_mask.png", "validation/b.jpg", "validation/b_mask.png"), "val"),
    ],
)
def test_splits_come_from_folders(put, names: tuple[str, ...], second: str) -> None:
    data = read(put(*names))
    assert {name: [data[row].name for row in rows] for name, rows in data.splits.items()} == {"train": ["a"], second: ["b"]}


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a.png",
        "images/a.png",
        "./images/a.png",
        "images\\a.png",
        "/home/someone/data/images/a.png",
        "/SegNet/images/a.png /SegNet/masks/a.png",
        "images/a.png,masks/a.png",
    ],
)
def test_splits_come_from_lists(put, line: str) -> None:
    folder = put("images/a.png", "masks/a.png", "images/b.png", "masks/b.png")
    (folder / "train.txt").write_text(line + "\n")
    (folder / "val.txt").write_text("b\n")
    data = read(folder)
    assert data.splits == {"train": (0,), "val": (1,)}
    assert [one.name for one in read(folder, split="valid")] == ["b"]
    assert data.notes == ()


def test_a_list_can_pair_files_whose_names_have_nothing_in_common(put) -> None:
    folder = put("one/x1.png", "two/mask7.png", "one/x2.png", "two/mask8.png")
    (folder / "train.txt").write_text("one/x1.png two/mask8.png\none/x2.png two/mask7.png\n")
    assert [(one.name, one.source.truths[0].name) for one in read(folder)] == [("x1", "mask8.png"), ("x2", "mask7.png")]


def test_a_list_entry_without_file_is_noted(put) -> None:
    folder = put("images/a.png", "masks/a.png")
    (folder / "train.txt").write_text("a\nb\n")
    assert read(folder).notes == ("train.txt: 1 of 2 entries name no pair here, the first: 'b'",)


def test_a_list_entry_never_leads_outside(put, tmp_path: Path) -> None:
    folder = put("images/a.png", "masks/a.png")
    put("a.png", root="outside")
    (folder / "train.txt").write_text("images/a.png\n../outside/a.png\n")
    data = read(folder)
    assert data.splits == {"train": (0,)}
    assert "'../outside/a.png'" in data.notes[0]


def test_a_link_that_leads_outside_is_refused(put, tmp_path: Path) -> None:
    folder = put("images/a.png", "masks/a.png", "images/b.png")
    secret = put("secret_mask.png", root="outside") / "secret_mask.png"
    (folder / "masks" / "b.png").symlink_to(secret)
    data = read(folder)
    assert [one.name for one in data] == ["a"]
    assert data.notes[0] == "masks/b.png: a link that leads outside the data set; refused, copy the files into it"


def test_files_without_partner_are_noted_and_the_rest_is_used(put) -> None:
    data = read(put("images/a.png", "masks/a.png", "images/lonely.png", "masks/single.png"))
    assert [one.name for one in data] == ["a"]
    assert data.notes == (
        "images/lonely.png: image without mask; it is left out",
        "masks/single.png: mask without image; it is left out",
    )


def test_two_images_of_one_stem_are_noted(put) -> None:
    data = read(put("images/a.jpg", "masks/a.png", "images/a.png"))
    assert len(data) == 1
    assert "images/a.png: has the stem of images/a.jpg" in data.notes[0]


def test_two_cameras_and_their_depths_are_told_apart(put) -> None:
    folder = put("RGBLeft/1.png", "GTLeft/1.png", "DepthLeft/1.png", "RGBRight/1.png", "GTRight/1.png")
    data = read(folder)
    pairs = [(one.source.image, one.source.truths) for one in data]
    assert pairs == [(folder / f"RGB{side}/1.png", (folder / f"GT{side}/1.png",)) for side in ("Left", "Right")]
    assert data.notes == ("DepthLeft/: 1 picture without mask; left out",)


def test_pictures_in_rgb_are_no_images_beside_a_folder_of_them(put) -> None:
    folder = put("images/a.png", "masks/a.png", "rgb/a.png")
    assert [one.source.image for one in read(folder)] == [folder / "images/a.png"]


def test_photos_with_yolos_text_are_no_masks(put) -> None:
    folder = put("one/images/a.jpg", "two/annotations/Images/a.jpg", mask=np.zeros((4, 4), np.uint8))
    assert masks.sniff(folder) is not None
    (folder / "one" / "a.txt").write_text("0 0.5 0.5 1 1\n")
    assert masks.sniff(folder) is None


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "pixels"),  # of the colours in each mask
    [
        ("al", [[2, 3], [1, 2, 2]]),
        ("rand", [[1, 2, 2], [1, 1, 1, 2]]),
        ("rand_custom_labelmap", [[2, 3], [1, 2, 2]]),
        ("rand_meta_file", [[2, 3], [1, 2, 2]]),
        ("sf", [[2, 3], [1, 2, 2]]),
    ],
)
def test_synthias_folders_are_read(shared_data: Path, name: str, pixels: list[list[int]]) -> None:
    data = read(shared_data / "labeltools" / "small_fixtures" / "synthia_dataset" / name)
    assert [sorted(one.truth.masks.areas().tolist()) for one in data] == pixels


def test_samples_of_one_stem_in_two_splits_get_names_of_their_own(put) -> None:
    data = read(put("train/images/a.png", "train/masks/a.png", "val/images/a.png", "val/masks/a.png"))
    assert [one.name for one in data] == ["train_images_a", "val_images_a"]


def test_samples_come_in_natural_order(put) -> None:
    names = [f"{kind}/{number}.png" for number in (10, 9, 1) for kind in ("images", "masks")]
    assert [one.name for one in read(put(*names))] == ["1", "9", "10"]


def test_the_better_named_of_two_mask_folders_is_used(put) -> None:
    data = read(put("images/a.png", "masks/a.png", "gt/a.png"))
    assert data[0].source.truths[0].parent.name == "masks"
    assert data.notes == ("gt/: masks in masks/ are used; this folder is left out",)


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("classes.txt", "sky\ncar\nroad\n", ("sky", "car", "road")),
        ("classes.txt", "# mine\n0 sky\n1: car\n2=big road\n", ("sky", "car", "big road")),
        ("classes.json", '["sky", "car", "road"]', ("sky", "car", "road")),
        ("classes.json", '{"0": "sky", "1": "car", "2": "road"}', ("sky", "car", "road")),
        ("classes.json", '{"sky": 0, "car": 1, "road": 2}', ("sky", "car", "road")),
        (
            "classes.json",
            '[{"id": 2, "name": "road"}, {"id": 0, "name": "sky"}, {"id": 1, "name": "car"}]',
            ("road", "sky", "car"),
        ),
        ("classes.csv", "name,value\nsky,0\ncar,1\nroad,2\n", ("sky", "car", "road")),
        ("class_dict_seg.csv", "name, r, g, b\nsky, 1, 2, 3\ncar, 4, 5, 6\nroad, 7, 8, 9\n", ("sky", "car", "road")),
        ("class_dict.csv", "name,r,g,b\nsky,1,2,3\ncar,4,5,6\nVoid,0,0,0\n", ("sky", "car")),
        ("labels.txt", "sky\ncar\nroad", ("sky", "car", "road")),
        ("label_colors.txt", "1 2 3 sky\n4 5 6\tcar\n7 8 9 road\n", ("sky", "car", "road")),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nsky:1,2,3::\ncar:4,5,6::\nroad:7,8,9::\n", ("sky", "car", "road")),
        ("dataset_meta.json", '{"label_map": {"0": "sky", "1": "car", "2": "road"}}', ("sky", "car", "road")),
    ],
)
def test_class_names_come_from_a_file(put, file: str, text: str, names: tuple[str, ...]) -> None:
    folder = put("images/a.png", "masks/a.png")
    (folder / file).write_text(text)
    labels = read(folder).labels
    assert (labels.names, labels.settled) == (names, True)


def test_a_colour_table_maps_rgb_masks(put) -> None:
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 64, 128]], np.uint8)
    folder = put("images/a.png", "masks/a.png", mask=colours[SQUARE])
    (folder / "class_dict.csv").write_text("name, r, g, b\nland, 0, 0, 0\nroof, 255, 0, 0\npool, 0, 64, 128\n")
    data = read(folder)
    assert (data.labels.names, data.labels.encoding, data.labels.settled) == (("land", "roof", "pool"), "rgb", True)
    assert data[0].truth.class_map().tolist() == SQUARE.tolist()


def test_an_all_grey_mask_of_a_colour_coded_set_keeps_its_colour(put) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[1:3, 1:3] = 255, 0, 0
    folder = put("images/a.png", "masks/a.png", mask=red)
    put("images/b.png", "masks/b.png", mask=np.full((4, 4, 3), 255, np.uint8))
    (folder / "class_dict.csv").write_text("name,r,g,b\nland,0,0,0\nroof,255,0,0\nsnow,255,255,255\n")
    data = read(folder)
    assert data.labels.settled
    assert np.unique(data[1].truth.class_map()).tolist() == [2]


def test_a_palette_mask_gives_its_indices(put) -> None:
    folder = put("images/a.png", "masks/a.png")
    write_ids(folder / "masks" / "a.png", SQUARE, np.array([[9, 9, 9], [200, 0, 0], [0, 200, 0]]))
    assert read(folder)[0].truth.class_map().tolist() == SQUARE.tolist()


def test_a_palette_in_another_order_than_the_table_goes_by_colour(put) -> None:
    folder = put("images/a.png", "masks/a.png")
    write_ids(folder / "masks" / "a.png", SQUARE, np.array([[0, 0, 9], [200, 0, 0], [0, 200, 0]]))
    (folder / "class_dict.csv").write_text("name,r,g,b\nroof,200,0,0\npool,0,200,0\nland,0,0,9\n")
    data = read(folder)
    assert data.labels.settled
    assert data[0].truth.names == ["roof", "pool", "land"]
    assert data[0].truth.class_map()[0, 0] == 2


def test_labels_given_are_used_as_they_are(put) -> None:
    labels = LabelSet.of(["ground", "tree"]).with_values({0: 0, 1: 1, 2: -1})
    data = read(put("images/a.png", "masks/a.png"), labels=labels)
    assert data.labels is labels
    assert data[0].truth.class_map().tolist() == np.where(SQUARE == 2, 255, SQUARE).tolist()


def test_a_value_outside_given_labels_is_named(put) -> None:
    data = read(put("images/a.png", "masks/a.png"), labels=LabelSet.of(["ground", "tree"]))
    with pytest.raises(DataError, match=r"a\.png: value 2 \(1 pixels\) is outside the label set"):
        _ = data[0].truth


def test_a_mask_of_another_size_names_both_files_and_sizes(put) -> None:
    folder = put("images/a.png", "masks/a.png")
    PIL.Image.fromarray(SQUARE[:3]).save(folder / "masks" / "a.png")
    with pytest.raises(SizeMismatch, match=r"masks/a\.png: the mask is 3 x 4 .*images/a\.png is 4 x 4"):
        _ = read(folder)[0].truth


def test_a_truth_source_pickles(put) -> None:
    sample = read(put("images/a.png", "masks/a.png"))[0]
    assert pickle.loads(pickle.dumps(sample)).truth == sample.truth


def test_a_missing_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="found nothing there"):
        read(tmp_path / "nowhere")


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="the folder is empty"):
        read(tmp_path)


def test_an_unknown_layout_says_what_was_tried_and_found(put) -> None:
    with pytest.raises(UnknownLayout, match=r"Found: 2 \.png in photos_a/.*Tried: images/ \+ masks/.*trainannot"):
        read(put("photos_a/x.png", "photos_a/y.png"))


def test_names_that_do_not_match_are_said(put) -> None:
    with pytest.raises(UnknownLayout, match=r"images/: 1 picture without mask"):
        read(put("images/a.png", "masks/b.png"))


def test_an_unknown_split_names_those_there_are(put) -> None:
    with pytest.raises(OptionError, match="did you mean 'train'"):
        read(put("train/a.jpg", "trainannot/a.png"), split="trian")


def test_a_label_set_that_is_none_is_named_with_its_file(put) -> None:
    root = put("images/a.png", "masks/a.png")
    (root / "classes.json").write_text('{"classes": 5, "values": {}, "encoding": "id"}')
    with pytest.raises(UnreadableFile, match=r"classes\.json: expected a label set"):
        read(root)


def test_a_class_file_that_cannot_be_read_is_an_error(put) -> None:
    folder = put("images/a.png", "masks/a.png")
    (folder / "classes.json").write_text("{broken")
    with pytest.raises(UnreadableFile, match=r"classes\.json: expected JSON"):
        read(folder)


def scene(names: tuple[str, ...] = ("sky", "car")) -> Dataset:
    labels = LabelSet.of(names, things=names[-1:])
    samples = [
        Sample.of(name, Image(np.full((3, 4, 3), 7, np.uint8)), Segmentation.from_class_map(np.array(classes), labels))
        for name, classes in {"a": [[0, 1, 1, 255]] * 3, "b": [[1, 0, 0, 0], [0, 0, 0, 0], [255, 255, 0, 1]]}.items()
    ]
    return Dataset([one.under(labels) for one in samples], labels, "semantic", {"train": [0], "val": [1]})


def test_written_splits_names_and_things_are_read_back(tmp_path: Path) -> None:
    masks.write(scene(), tmp_path / "out")
    data = read(tmp_path / "out")
    assert data.splits == {"train": (0,), "val": (1,)}
    assert data.labels.names == ("sky", "car")
    assert data.labels.things == (1,)
    assert data.labels.settled


def test_images_in_files_are_copied_byte_for_byte(put, tmp_path: Path) -> None:
    folder = put("images/a.jpg", "masks/a.png")
    masks.write(read(folder), tmp_path / "out")
    assert (tmp_path / "out" / "images" / "a.jpg").read_bytes() == (folder / "images" / "a.jpg").read_bytes()


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(12, dtype=np.uint16).reshape(3, 4, 1) * 5000,
        np.arange(36, dtype=np.uint16).reshape(3, 4, 3) * 1800,
        np.arange(60, dtype=np.uint8).reshape(3, 4, 5),
        np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4, 1),
    ],
)
def test_images_in_memory_keep_their_depth_and_bands(tmp_path: Path, pixels: np.ndarray) -> None:
    bands = {1: ("grey",), 3: ("red", "green", "blue")}.get(pixels.shape[2], tuple("abcde"))
    labels = LabelSet.of(["sky", "car"])
    sample = Sample.of("a", Image(pixels, bands), Segmentation.from_class_map(np.zeros((3, 4), int), labels))
    masks.write(Dataset([sample], labels, "semantic"), tmp_path / "out")
    back = read(tmp_path / "out")[0].image.pixels
    assert back.dtype == pixels.dtype
    assert (back == pixels).all()


def test_writing_over_our_own_folder_replaces_it_whole(tmp_path: Path) -> None:
    masks.write(scene(), tmp_path / "out")
    masks.write(scene().split("val"), tmp_path / "out")
    assert [one.name for one in read(tmp_path / "out")] == ["b"]
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_something_else_is_refused(put, tmp_path: Path) -> None:
    folder = put("images/a.png", "masks/a.png")
    with pytest.raises(StorageError, match="not empty"):
        masks.write(scene(), folder)
    assert [one.name for one in read(folder)] == ["a"]


def test_our_folder_with_foreign_files_is_refused(tmp_path: Path) -> None:
    masks.write(scene(), tmp_path / "out")
    (tmp_path / "out" / "thesis.docx").write_text("years of work")
    with pytest.raises(StorageError, match=r"thesis\.docx"):
        masks.write(scene(), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.docx").exists()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    data = scene()
    broken = Dataset([*data, Sample.of("../up", data[0].image, data[0].truth)], data.labels, "semantic")
    with pytest.raises(DataError, match="can be a file's"):
        masks.write(broken, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_instances_are_refused_rather_than_flattened(tmp_path: Path) -> None:
    data = scene()
    with pytest.raises(DataError, match="objects would be lost"):
        masks.write(Dataset(list(data), data.labels, "instance"), tmp_path / "out")


def test_what_a_class_map_loses_of_semantic_truth_is_told(tmp_path: Path) -> None:
    labels = LabelSet.of(["a", "b", "c"])
    stack = np.array([[[False, True]], [[True, False]], [[False, False]]])
    one = Segmentation.from_masks("semantic", stack, [1, 0, 2], labels, source_ids=[7, 8, 9], areas=[1, 1, 5.5])
    data = Dataset([Sample.of("x", Image(np.zeros((1, 2, 3), np.uint8)), one)], labels, "semantic")
    assert masks.write(data, tmp_path / "out").dropped == (
        "x: not kept, as the format has no place for them: areas that differ from the masks', the source's own ids",
        "x: the order of its classes, empty ones and crowd marks, which a class map cannot say",
    )


def test_masks_whose_image_is_gone_count_as_lost_labels(put) -> None:
    data = read(put("images/a.png", "masks/a.png", "masks/b.png"))
    assert data.lost == ("masks/b.png: mask without image; it is left out",)


def test_more_than_255_classes_survive(tmp_path: Path) -> None:
    labels = LabelSet.of([f"c{index}" for index in range(300)])
    classes = np.array([[0, 255, 256, 299], [65535, 1, 2, 3]])
    sample = Sample.of("a", Image(np.zeros((2, 4, 3), np.uint8)), Segmentation.from_class_map(classes, labels))
    masks.write(Dataset([sample], labels, "semantic"), tmp_path / "out")
    assert read(tmp_path / "out")[0].truth.class_map().tolist() == classes.tolist()


def test_the_written_class_file_is_plain_json(tmp_path: Path) -> None:
    masks.write(scene(), tmp_path / "out")
    data = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert data["format"] == "pixelwise masks 1"
    assert data["values"] == {"0": 0, "1": 1, "255": -1}


def test_the_table_has_the_format() -> None:
    assert "masks" in FORMATS


@pytest.mark.shared_data
def test_camvid_is_read_with_its_splits(shared_data: Path) -> None:
    data = read(shared_data / "camvid", void="11")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 367, "val": 101}
    assert data.notes == ()
    assert data.labels.names == tuple(f"class {index}" for index in range(11))
    assert data.labels.void_values == (11,)
    assert data.labels.settled


@pytest.mark.shared_data
def test_a_fixture_of_another_library_is_read_by_its_own_table(shared_data: Path) -> None:
    folder = shared_data / "labeltools" / "small_fixtures" / "common_semantic_segmentation_dataset" / "non_standard_dataset"
    data = read(folder)
    assert [one.name for one in data] == ["image_0001", "image_0002"]
    assert data.labels.settled
    assert "Animal" in {name for one in data for name in one.truth.names} | set(data.labels.names)
