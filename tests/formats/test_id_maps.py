"""The format id_maps: pictures in which every object has a number, by hand as Cellpose and others leave them."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from pixelwise.core.errors import DataError, PixelwiseError, SizeMismatch, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.id_maps import sniff, write
from pixelwise.formats.numbered import numbered

IDS = np.array([[0, 7, 7, 300], [0, 7, 0, 300]], np.uint16)  # the object 7 has three pixels, 300 has two


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        PIL.Image.fromarray(pixels).save(path)


def photo(path: Path) -> None:
    save(path, np.zeros((2, 4), np.uint8))


def cells(root: Path, ids: np.ndarray = IDS, name: str = "a_cp_masks.png") -> Path:
    photo(root / "a.tif")
    save(root / name, ids)
    return root


@pytest.mark.parametrize("name", ["a_cp_masks.png", "a_cp_masks.tif", "a_instance_ids.png"])
def test_maps_beside_their_images_are_claimed_and_read(name: str, tmp_path: Path) -> None:
    data = read(cells(tmp_path / "cells", name=name))
    assert recognise(tmp_path / "cells")[1].dialect == "maps of object numbers: maps beside their images"
    assert (len(data), data.labels.names, data.kind) == (1, ("object",), "instance")
    assert data[0].truth.masks.areas().tolist() == [3, 2]
    assert data[0].truth.source_ids is not None
    assert data[0].truth.source_ids.tolist() == [7, 300]


@pytest.mark.parametrize("type_", [np.uint8, np.int32, np.uint32, np.float32])
def test_tiffs_of_any_depth_are_read(type_: type[np.generic], tmp_path: Path) -> None:
    ids = np.where(IDS == 300, 200, IDS).astype(type_) * type_(1 if type_ is np.uint8 else 1000)
    data = read(cells(tmp_path, ids, "a_cp_masks.tif"))
    assert data[0].truth.masks.areas().tolist() == [3, 2]


def folders(root: Path, table: str | None = None) -> Path:
    photo(root / "train" / "images" / "a.jpg")
    save(root / "train" / "id_maps" / "a.png", IDS)
    if table is not None:
        (root / "train" / "id_maps" / "a.csv").write_text(table)
    return root


def test_folders_beside_each_other_are_read_with_their_split(tmp_path: Path) -> None:
    data = read(folders(tmp_path))
    assert recognise(tmp_path)[0] == "id_maps"
    assert (data.splits, data[0].name) == ({"train": (0,)}, "a")


@pytest.mark.parametrize("table", ["id,class\n7,cell\n300,wall\n", "\ufeffid;class\r\n300;wall\r\n7;cell\r\n"])
def test_a_table_beside_the_map_names_the_classes(table: str, tmp_path: Path) -> None:
    data = read(folders(tmp_path, table))
    assert data.labels.names == ("cell", "wall")
    assert data[0].truth.names == ["cell", "wall"]


BAD_TABLES = {
    "id,class\n7,cell\n": "object 300: .*a.csv has no row for it",
    "id,class\n7,cell\n7,wall\n": "line 3: the number 7 stands there twice",
    "id,class\n0,cell\n": "line 2: the number 0 is none of an object",
    "id,class\nseven,cell\n": "line 2: expected a number and a class",
    "id,class\n7,\n": "line 2: the number 7 has no class",
    "a,b\n7,cell\n": "no column called id or label among a, b",
    "id,class\n" + "9" * 5000 + ",cell\n": "line 2: expected a number and a class",
}


@pytest.mark.parametrize("table", BAD_TABLES)
def test_a_bad_table_is_named_when_its_image_is_read(table: str, tmp_path: Path) -> None:
    sample = read(folders(tmp_path, table))[0]
    with pytest.raises(DataError, match=BAD_TABLES[table]):
        _ = sample.truth


def test_class_maps_are_not_claimed(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    save(tmp_path / "masks" / "a.png", IDS)
    assert sniff(tmp_path) is None
    assert recognise(tmp_path)[0] == "masks"


@pytest.mark.parametrize("folder", ["masks", "instances"])
def test_maps_of_any_name_are_read_where_the_format_is_chosen(folder: str, tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    save(tmp_path / folder / "a.png", IDS)
    assert len(read(tmp_path, format="id_maps")[0].truth) == 2


def test_a_map_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch, match=r"a_cp_masks\.png"):
        _ = read(cells(tmp_path, IDS.T), format="id_maps")[0].truth


def test_negative_numbers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a_cp_masks\.tif: expected ids from 0 up, found -300"):
        _ = read(cells(tmp_path, -IDS.astype(np.int16), "a_cp_masks.tif"))[0].truth


def test_more_numbers_than_any_image_has_objects_are_refused() -> None:
    noise = np.arange(2**20 + 2**11).reshape(2**11, -1)
    with pytest.raises(DataError, match="is it a photograph"):
        numbered(noise)


def test_a_broken_map_spoils_its_image_alone(tmp_path: Path) -> None:
    root = cells(tmp_path)
    photo(root / "b.tif")
    (root / "b_cp_masks.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    data = read(root)
    assert len(data[0].truth) == 2
    with pytest.raises(UnreadableFile, match=r"b_cp_masks\.png"):
        _ = data[1].truth


def test_a_folder_of_something_else_is_refused_with_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match="instance_ids"):
        read(tmp_path, format="id_maps")


def one(ids: np.ndarray, count: int) -> Dataset:
    labels = LabelSet.of(["cell"], things=["cell"])
    truth = Segmentation("instance", DisjointMasks(ids, count), np.zeros(count, int), labels)
    return Dataset([Sample.of("a", Image(np.zeros((*ids.shape, 3), np.uint8)), truth)], labels, "instance")


def test_16_bits_are_written_where_they_suffice(tmp_path: Path) -> None:
    write(one(np.array([[1, 2, 0]]), 2), tmp_path / "out")
    with PIL.Image.open(tmp_path / "out" / "instance_ids" / "a.png") as picture:
        assert (picture.mode, np.array(picture).tolist()) == ("I;16", [[1, 2, 0]])
    assert (tmp_path / "out" / "instance_ids" / "a.csv").read_text() == "id,class,crowd\n1,cell,0\n2,cell,0\n"


def test_32_bits_are_written_where_there_are_more_objects(tmp_path: Path) -> None:
    count = 65_536
    data = one(np.arange(1, count + 1).reshape(256, 256), count)
    write(data, tmp_path / "out")
    assert tifffile.imread(tmp_path / "out" / "instance_ids" / "a.tif").dtype == np.uint32
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_objects_of_no_pixel_come_back(tmp_path: Path) -> None:
    data = one(np.array([[1, 3, 0]]), 3)
    write(data, tmp_path / "out")
    assert read(tmp_path / "out")[0].truth == data[0].truth


def test_what_a_covered_object_loses_is_told_and_it_is_left_out(tmp_path: Path) -> None:
    labels = LabelSet.of(["cell"])
    masks = np.array([[[True, True, True]], [[True, False, False]], [[False, True, True]]])
    truth = Segmentation.from_masks("instance", masks, [0, 0, 0], labels)
    data = Dataset([Sample.of("a", Image(np.zeros((1, 3, 3), np.uint8)), truth)], labels, "instance")
    told = write(data, tmp_path / "out")
    assert told.dropped == ("a: objects overlap, and the file holds one a pixel, the smaller: object 1 loses 3 of 3 pixels",)
    assert told.segments == 2
    assert read(tmp_path / "out")[0].truth.masks.areas().tolist() == [1, 2]


def test_a_broken_classes_json_of_ours_is_an_error_of_ours(tmp_path: Path) -> None:
    write(one(np.array([[1]]), 1), tmp_path / "out")
    (tmp_path / "out" / "classes.json").write_text('{"format": "pixelwise id_maps 1", "kind": "odd"}')
    with pytest.raises(PixelwiseError, match=r"classes\.json: expected a kind"):
        read(tmp_path / "out")
