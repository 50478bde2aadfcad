"""The format bsds: several human segmentations an image in MAT files, as MATLAB and SciPy write them, whole and damaged."""

import contextlib
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from pixelwise.core.errors import DataError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.sample import Dataset, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.bsds import mat as bsds_mat
from pixelwise.formats.bsds import write

ANN = np.array([[1, 1, 2], [1, 3, 2]], np.uint16)
BOB = np.array([[1, 1, 1], [2, 2, 2]], np.uint8)


def mat(path: Path, *truths: np.ndarray, compressed: bool = True, name: str = "groundTruth") -> Path:
    """Write a file as BSDS500 has it, by SciPy."""
    cells = np.empty((1, len(truths)), object)
    for index, truth in enumerate(truths):
        cells[0, index] = {"Segmentation": truth, "Boundaries": np.zeros(truth.shape, np.uint8)}
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {name: cells}, do_compression=compressed)
    return path


def photos(root: Path) -> Path:
    for split in ("train", "test"):
        mat(root / "groundTruth" / split / f"{split}1.mat", ANN, BOB)
        (root / "images" / split).mkdir(parents=True)
        PIL.Image.new("RGB", (3, 2)).save(root / "images" / split / f"{split}1.jpg")
    return root


def test_every_persons_regions_are_a_truth(tmp_path: Path) -> None:
    data = read(photos(tmp_path / "data"))
    assert (data.kind, data.splits, len(data)) == ("regions", {"train": (1,), "test": (0,)}, 2)
    first, second = data[0].truths
    assert first.masks.dense().astype(int).tolist() == [
        [[1, 1, 0], [1, 0, 0]],
        [[0, 0, 1], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 0]],
    ]
    assert second.masks.areas().tolist() == [3, 3]


def test_the_claim_says_what_is_read(tmp_path: Path) -> None:
    name, claim = recognise(photos(tmp_path / "data"))
    assert (name, claim.dialect) == ("bsds", "BSDS500, several segmentations an image")
    assert "not the boundaries" in claim.why


def test_other_mat_files_are_not_claimed(tmp_path: Path) -> None:
    mat(tmp_path / "a.mat", ANN, name="labels")
    assert not bsds_mat.has_truths(tmp_path / "a.mat")


@pytest.mark.parametrize("compressed", [False, True])
def test_region_numbers_are_those_of_the_file(compressed: bool, tmp_path: Path) -> None:
    gaps = np.array([[5, 5, 0], [9, 9, 0]], np.float64)
    found = bsds_mat.read_truths(mat(tmp_path / "a.mat", ANN, gaps, compressed=compressed), (2, 3))
    assert [one.tolist() for one in found] == [ANN.tolist(), gaps.tolist()]


def by_hand(order: str) -> bytes:
    """A MAT file of one truth of 1 x 2 regions, 1 and 2, element by element as the format's description has them."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)

    def array(kind: int, size: tuple[int, int], name: bytes, rest: bytes) -> bytes:
        flags = element(6, struct.pack(f"{order}II", kind, 0))
        return element(14, flags + element(5, struct.pack(f"{order}2i", *size)) + element(1, name) + rest)

    short = struct.pack(f"{order}I", 2 << 16 | 2) + b"\x01\x02\0\0"  # two bytes, kept in the tag itself
    numbers = array(9, (1, 2), b"", short)
    fields = element(5, struct.pack(f"{order}i", 13)) + element(1, b"Segmentation\0")
    cell = array(2, (1, 1), b"", fields + numbers)
    mark = struct.pack(f"{order}HH", 0x0100, 0x4D49)
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + array(1, (1, 1), b"groundTruth", cell)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_file_written_by_hand_is_read_in_both_byte_orders(order: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(by_hand(order))
    assert bsds_mat.has_truths(tmp_path / "a.mat")
    assert [one.tolist() for one in bsds_mat.read_truths(tmp_path / "a.mat", (1, 2))] == [[[1, 2]]]


BAD = {
    "nothing": (b"", "an empty file"),
    "a letter": (b"Dear reader, " * 20, "expected a MAT file of level 5"),
    "of version 7.3": (b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n", r"version 7\.3 \(HDF5\).*'-v7'"),
    "cut off": (by_hand("<")[:-20], "cut off or damaged"),
    "of another kind": (by_hand("<").replace(b"Segmentation", b"Segmentatiom"), "a field 'Segmentation', found Segmentatiom"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_with_the_reason(kind: str, tmp_path: Path) -> None:
    content, words = BAD[kind]
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(UnreadableFile, match=f"a.mat: .*{words}"):
        bsds_mat.read_truths(tmp_path / "a.mat", None)


def test_a_truth_of_another_size_spoils_its_image_alone(tmp_path: Path) -> None:
    root = photos(tmp_path / "data")
    mat(root / "groundTruth" / "test" / "test1.mat", ANN.T)
    data = read(root)
    with pytest.raises(DataError, match=r"test1\.mat: segmentation 1: it is 3 x 2"):
        _ = data[0].truths
    assert len(data[1].truths) == 2


def test_what_unpacks_to_too_much_is_refused_before_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bsds_mat, "_MOST_BYTES", 2**20)
    bomb = zlib.compress(bytes(2**22))
    data = by_hand("<")[:128] + struct.pack("<II", 15, len(bomb)) + bomb
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(UnreadableFile, match="unpacks to more than 1,048,576 bytes"):
        bsds_mat.read_truths(tmp_path / "a.mat", None)


@given(st.data())
def test_damaged_bytes_lead_to_no_other_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(by_hand("<"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(124, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "a.mat"
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    with contextlib.suppress(DataError):
        bsds_mat.read_truths(path, (1, 2))


def regions(ids: np.ndarray) -> Segmentation:
    count = int(ids.max())
    return Segmentation("regions", DisjointMasks(ids, count), np.zeros(count, int), LabelSet.of(["region"]))


def drawn(name: str, *truths: np.ndarray) -> Sample:
    image = Image(np.zeros((2, 3, 3), np.uint8))
    return Sample(name, Sample.of(name, image).pixels, TruthArray(tuple(map(regions, truths))), LabelSet.of(["region"]))


def test_what_is_written_matlab_reads(tmp_path: Path) -> None:
    write(Dataset([drawn("a", ANN, BOB)], LabelSet.of(["region"]), "regions", {"val": [0]}), tmp_path / "out")
    cells = loadmat(tmp_path / "out" / "groundTruth" / "val" / "a.mat")["groundTruth"]
    assert cells.shape == (1, 2)
    assert cells[0, 0]["Segmentation"][0, 0].tolist() == ANN.tolist()
    assert cells[0, 1]["Boundaries"][0, 0].tolist() == [[1, 1, 1], [0, 0, 0]]


def test_a_region_without_pixels_is_refused(tmp_path: Path) -> None:
    gap = Segmentation("regions", DisjointMasks(BOB, 3), np.zeros(3, int), LabelSet.of(["region"]))
    sample = Sample("a", drawn("a").pixels, TruthArray((gap,)), LabelSet.of(["region"]))
    with pytest.raises(DataError, match="a: truth 1: 1 regions have no pixel"):
        write(Dataset([sample], LabelSet.of(["region"]), "regions"), tmp_path / "out")


@pytest.mark.shared_data
def test_the_photographs_of_berkeley_are_read(shared_data: Path) -> None:
    data = read(shared_data / "bsds500_val")
    assert len(data) == 100
    counts = Counter(len(sample.raw()) for sample in data)
    assert counts == {5: 69, 6: 18, 7: 11, 8: 2}
    truths = next(sample for sample in data if sample.name == "101085").truths
    assert [len(one) for one in truths] == [26, 61, 41, 21, 42]
    assert truths[0].masks.areas()[0] == 159
