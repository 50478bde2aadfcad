"""The format numpy: arrays beside images, by NumPy's own writer, and headers that lie."""

import contextlib
import pickle
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, SizeMismatch, UnknownLayout, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.numpy_masks import file as numpy_masks_file
from pixelwise.formats.numpy_masks import write

STACK = np.array([[[1, 1, 0], [0, 0, 0]], [[0, 1, 1], [0, 1, 0]]], bool)  # 2 masks of 2 x 3 that share a pixel


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (3, 2)).save(path)


def put(root: Path, array: np.ndarray, name: str = "a.npy") -> Path:
    photo(root / "a.jpg")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    np.save(root / name, array)
    return root


@pytest.mark.parametrize("stack", [STACK, STACK.astype(np.uint8) * 255, np.asfortranarray(STACK), STACK.astype(np.float32)])
def test_a_stack_of_masks_is_read(stack: np.ndarray, tmp_path: Path) -> None:
    data = read(put(tmp_path, stack))
    assert (recognise(tmp_path)[0], data.kind, data.labels.names) == ("numpy", "instance", ("object",))
    assert data[0].truth.masks.dense().tolist() == STACK.tolist()


def test_masks_along_the_last_axis_are_read_where_that_alone_fits(tmp_path: Path) -> None:
    data = read(put(tmp_path, np.moveaxis(STACK, 0, -1)))
    assert data[0].truth.masks.dense().tolist() == STACK.tolist()


@pytest.mark.parametrize("name", ["a_ids.npy", "instances/a.npy", "a_instance.npy"])
def test_maps_whose_names_say_so_hold_objects(name: str, tmp_path: Path) -> None:
    data = read(put(tmp_path, np.array([[0, 9, 9], [4, 0, 0]], np.int64), name), format="numpy")
    assert data.kind == "instance"
    assert data[0].truth.masks.areas().tolist() == [1, 2]


def test_other_maps_hold_classes_with_the_names_of_a_class_file(tmp_path: Path) -> None:
    root = put(tmp_path, np.array([[0, 1, 1], [2, 255, 0]], np.uint8))
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    data = read(root)
    assert (data.kind, data.labels.names, data.notes[0].partition(": ")[2][:13]) == (
        "semantic",
        ("sky", "road", "car"),
        "the value 255",
    )
    assert data[0].truth.class_map().tolist() == [[0, 1, 1], [2, 255, 0]]


def test_masks_without_a_class_are_objects_also_where_a_file_names_classes(tmp_path: Path) -> None:
    root = put(tmp_path, STACK)
    (root / "classes.txt").write_text("cell\n")
    data = read(root)
    assert (data.labels.names, data[0].truth.names) == (("cell", "object"), ["object", "object"])


def test_a_class_map_among_arrays_of_objects_is_not_taken_for_their_numbers(tmp_path: Path) -> None:
    put(tmp_path, np.array([[0, 1, 1], [2, 2, 0]], np.uint8))
    photo(tmp_path / "b.jpg")
    np.save(tmp_path / "b_ids.npy", np.array([[0, 9, 9], [4, 0, 0]]))
    classes, objects = read(tmp_path)
    assert objects.truth.names == ["object", "object"]
    with pytest.raises(DataError, match=r"a\.npy: a map of classes among arrays of objects"):
        _ = classes.truth


def test_minus_one_is_void(tmp_path: Path) -> None:
    data = read(put(tmp_path, np.array([[-1, 5, 5], [5, 5, 5]])))
    assert data.labels.names == ("class 5",)
    assert data[0].truth.class_map().tolist() == [[255, 0, 0], [0, 0, 0]]


def test_an_npz_may_give_each_mask_its_class(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    np.savez_compressed(tmp_path / "a.npz", masks=STACK, class_ids=np.array([3, 8]))
    data = read(tmp_path)
    assert data.labels.names == ("class 3", "class 8")
    assert data[0].truth.names == ["class 3", "class 8"]


def header(shape: tuple[object, ...], descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


BAD = {
    "nothing": (b"", "starts with b''"),
    "a letter": (b"Dear reader", "starts with b'Dear rea'"),
    "cut off": (header((2, 3))[:30], "cut off in its header"),
    "without numbers": (header((2, 3)), "48 bytes were announced, 0 are there"),
    "a pickle": (pickle.dumps([1]), "it is none, or was pickled"),
    "of objects": (header((2, 3), "|O"), r"Python objects \(a pickle\)"),
    "of text": (header((2, 3), "<U9"), "no numbers"),
    "of a trillion": (header((10**6, 10**6)), "does not fit its image"),
    "of a trillion masks": (header((10**12, 2, 3)), "at most 100,000 of an image"),
    "negative": (header((-2, 3)), "its shape is"),
    "code": (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", "malformed"),
    "deep": (b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8192, "."),
    "a long header": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "header of 2,147,483,647 bytes"),
    "an empty archive": (b"PK\x05\x06" + bytes(18), "found none"),
    "a broken archive": (b"PK\x03\x04" + bytes(30) + b"PK\x05\x06" + bytes(6) + b"\x01\0\x01\0" + b"\x7f" * 8 + b"\0\0", "."),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_spoils_its_image_alone(kind: str, tmp_path: Path) -> None:
    content, words = BAD[kind]
    root = put(tmp_path, STACK)
    photo(root / "b.jpg")
    (root / "b.npy").write_bytes(content)
    data = read(root)
    assert len(data[0].truth) == 2
    with pytest.raises(DataError, match=rf"(?s)b\.npy: .*{words}"):
        _ = data[1].truth


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    np.savez(tmp_path / "a.npz", masks=np.array([{"outlines": 1}], object))
    with pytest.raises(UnreadableFile, match="which may run code and are never read"):
        _ = read(tmp_path, format="numpy")[0].truth


def test_a_claim_of_zeros_without_end_is_refused_by_its_shape(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("masks.npy", "w") as file:
        file.write(header((5000, 5000), "|u1") + bytes(25_000_000))
    with pytest.raises(SizeMismatch, match=r"shape \(5000, 5000\) does not fit its image, 2 x 3"):
        _ = read(tmp_path, format="numpy")[0].truth


def test_arrays_larger_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_masks_file, "MOST_BYTES", 11)
    with pytest.raises(UnreadableFile, match="12 bytes; at most 11 are read"):
        _ = read(put(tmp_path, STACK))[0].truth


def test_rows_that_do_not_match_the_masks_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    np.savez(tmp_path / "a.npz", masks=STACK, class_ids=np.array([3]))
    with pytest.raises(DataError, match=r"class_ids has the shape \(1,\), and there are 2 masks"):
        _ = read(tmp_path)[0].truth


@given(st.data())
def test_damaged_bytes_lead_to_no_other_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = put(tmp_path_factory.mktemp("fuzz"), STACK)
    whole = bytearray((root / "a.npy").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (root / "a.npy").write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    with contextlib.suppress(DataError):
        _ = read(root, format="numpy")[0].truth


def test_a_folder_of_something_else_is_refused_with_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayout, match=r"arrays/a\.npz"):
        read(tmp_path, format="numpy")


@pytest.mark.parametrize(
    ("rows", "words"),
    [({"class_ids": np.array(3)}, "found a single number"), ({"source_ids": np.array([np.nan, 1])}, r"a\.npz")],
)
def test_rows_that_are_no_numbers_of_masks_are_named(rows: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    np.savez(tmp_path / "a.npz", masks=STACK, **rows)
    with pytest.raises(DataError, match=words):
        _ = read(tmp_path)[0].truth


def test_numpy_reads_what_is_written_and_rows_come_back(tmp_path: Path) -> None:
    labels = LabelSet.of(["x", "y"], things=["x", "y"])
    boxes, areas = np.array([[0, 0, 2.5, 1], [1, 0, 3, 2]]), np.array([2.5, 3])
    truth = Segmentation.from_masks(
        "instance", STACK, [1, 0], labels, boxes=boxes, areas=areas, source_ids=np.array([70, 9]), track_ids=np.array([1, 2])
    )
    write(Dataset([Sample.of("a", Image(np.zeros((2, 3, 3), np.uint8)), truth)], labels, "instance"), tmp_path / "out")
    with np.load(tmp_path / "out" / "arrays" / "a.npz", allow_pickle=False) as stored:
        assert stored["masks"].tolist() == STACK.tolist()
        assert stored["class_ids"].tolist() == [1, 0]
    back = read(tmp_path / "out")[0].truth
    assert back == truth
    assert [np.asarray(one).tolist() for one in (back.boxes, back.areas, back.source_ids, back.track_ids)] == [
        boxes.tolist(),
        areas.tolist(),
        [70, 9],
        [1, 2],
    ]
