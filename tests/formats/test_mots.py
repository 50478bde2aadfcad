"""MOTS by hand, as its description has it: PNGs of class * 1000 + number, and lines of run lengths."""

import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, MissingFile, SizeMismatch
from pixelwise.core.sample import LostLabels
from pixelwise.formats import FORMATS, read, recognise
from pixelwise.formats.mots.find import Lines

IDS = np.array([[0, 1001, 1001], [2005, 0, 10000]], np.uint16)


def picture(path: Path, size: tuple[int, int] = (3, 2)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size).save(path)


def maps(root: Path, *frames: np.ndarray) -> Path:
    for number, ids in enumerate(frames):
        picture(root / "train" / "images" / "0002" / f"{number:06}.jpg")
        file = root / "train" / "instances" / "0002" / f"{number:06}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(ids).save(file)
    return root


def lines(root: Path, text: str) -> Path:
    for number in (1, 2):
        picture(root / "train" / "MOTS20-02" / "img1" / f"{number:06}.jpg")
    file = root / "train" / "MOTS20-02" / "gt" / "gt.txt"
    file.parent.mkdir()
    file.write_text(text)
    return root


def test_ids_are_classes_and_tracks(tmp_path: Path) -> None:
    path = maps(tmp_path, IDS, np.where(IDS == 1001, IDS, 0).astype(np.uint16))
    assert recognise(path)[0] == "mots"
    first, second = (one.truth for one in read(path, split="train"))
    kept = first[~first.is_crowd]
    assert (kept.names, kept.masks.dense().sum(axis=(1, 2)).tolist()) == (["car", "pedestrian"], [2, 1])
    assert kept.track_ids is not None
    assert second.track_ids is not None
    assert (kept.track_ids.tolist(), second.track_ids.tolist()) == ([1001, 2005], [1001])


def test_what_is_to_be_ignored_is_a_crowd_of_each_class_and_void_in_class_maps(tmp_path: Path) -> None:
    data = read(maps(tmp_path, IDS))
    truth = data[0].truth
    assert [name for name, is_crowd in zip(truth.names, truth.is_crowd, strict=True) if is_crowd] == ["car", "pedestrian"]
    painted = data.semantic()[0].truth
    names = np.array([*painted.labels.names, *["void"] * 256])
    assert names[painted.class_map()].tolist() == [["background", "car", "car"], ["pedestrian", "background", "void"]]


def test_classes_are_named_by_the_file_beside_the_maps(tmp_path: Path) -> None:
    maps(tmp_path, np.array([[0, 3002, 0], [0, 0, 0]], np.uint16))
    (tmp_path / "train" / "instances" / "labels.txt").write_text("cat\ndog\nbird\n")
    data = read(tmp_path)
    assert (data.labels.names, data[0].truth.names) == (("cat", "dog", "bird"), ["bird"])


def test_frames_know_their_video(tmp_path: Path) -> None:
    assert dict(read(maps(tmp_path, IDS))[0].meta) == {"sequence": "0002", "frame": 0}


def test_lines_of_a_text_are_objects_of_a_frame(tmp_path: Path) -> None:
    path = lines(tmp_path, "1 2001 2 2 3 123\n2 2001 2 2 3 024\n2 1007 1 2 3 411\n")
    assert recognise(path)[0] == "mots"
    first, second = (one.truth for one in read(path))
    assert first.names == ["pedestrian"]
    assert first.masks.dense().tolist() == [[[False, True, False], [True, False, False]]]  # 1, 2, 3 down the columns
    assert (second.names, second.masks.areas().tolist()) == (["pedestrian", "car"], [2, 1])
    assert second.track_ids is not None
    assert second.track_ids.tolist() == [2001, 1007]


@pytest.mark.parametrize("form", ["instances", "instances_txt"])
def test_labels_of_kitti_lie_beside_the_folder_they_are_of(form: str, tmp_path: Path) -> None:
    for part in ("training", "testing"):
        picture(tmp_path / part / "image_02" / "0000" / "000000.png")
    (tmp_path / form).mkdir()
    if form == "instances":
        (tmp_path / form / "0000").mkdir()
        PIL.Image.fromarray(np.where(IDS == 2005, IDS, 0).astype(np.uint16)).save(tmp_path / form / "0000" / "000000.png")
    else:
        (tmp_path / form / "0000.txt").write_text("0 2005 2 2 3 114\n")
    assert recognise(tmp_path)[0] == "mots"
    data = read(tmp_path)
    train, test = data.split("train"), data.split("test") if "test" in data.splits else []
    assert train[0].truth.masks.dense().tolist() == [[[False, False, False], [True, False, False]]]
    assert not any(one.truths for one in test)


@pytest.mark.parametrize("place", ["train/MOTS20-02/gt/gt.txt", "train/instances_txt/MOTS20-02.txt"])
def test_lines_are_read_without_their_pictures(place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("7 2001 2 2 3 123\n2 1007 1 2 3 411\n")
    assert recognise(tmp_path)[0] == "mots"
    data = read(tmp_path, split="train")
    assert [one.meta for one in data] == [{"sequence": "MOTS20-02", "frame": number} for number in (2, 7)]
    assert [(one.size, one.truth.names) for one in data] == [((2, 3), ["car"]), ((2, 3), ["pedestrian"])]
    with pytest.raises(MissingFile, match=r"000002\.jpg"):
        _ = data[0].image


def test_maps_with_their_classes_are_read_without_their_pictures(tmp_path: Path) -> None:
    """As CVAT exports them where it is not told to save images."""
    shutil.rmtree(maps(tmp_path, IDS) / "train" / "images")
    assert FORMATS["mots"].sniff(tmp_path) is None  # folders of that name are common
    (tmp_path / "train" / "instances" / "labels.txt").write_text("cat\ndog\n")
    assert recognise(tmp_path)[0] == "mots"
    [sample] = read(tmp_path, split="train")
    assert (sample.size, sample.truth.names[:2]) == ((2, 3), ["cat", "dog"])
    with pytest.raises(MissingFile, match=r"train/images/0002/000000\.jpg"):
        _ = sample.image


def test_a_wrong_line_spoils_itself_and_is_named(tmp_path: Path) -> None:
    data = read(lines(tmp_path, "1 2001 2 2 3 123\n1 2002 2 2 3 99\n1 2003 2 9 9 x1\nend\n"))
    with pytest.raises(DataError, match=r"gt\.txt: line 2: .*\(1 more"):
        _ = data[0].truth
    assert len(data[0].salvaged()[0][0]) == 1
    assert any("1 lines (4) are no lines" in note for note in data.notes)


def test_a_map_or_a_line_without_a_frame_is_told(tmp_path: Path) -> None:
    path = maps(tmp_path / "maps", IDS)
    PIL.Image.fromarray(IDS).save(path / "train" / "instances" / "0002" / "000009.png")
    for root, word in ((path, "000009.png"), (lines(tmp_path / "lines", "1 2001 2 2 3 123\n7 2001 2 2 3 123\n"), "such as 7")):
        assert any(isinstance(note, LostLabels) and word in note for note in read(root).notes)


def test_boxes_of_the_older_benchmark_are_not_taken_for_masks(tmp_path: Path) -> None:
    path = lines(tmp_path, "1,1,912,484,97,109,0,7,1\n2,1,912,484,97,109,0,7,1\n")
    assert FORMATS["mots"].sniff(path) is None


def test_a_map_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(SizeMismatch, match=r"000000\.png"):
        _ = read(maps(tmp_path, IDS.T.copy()))[0].truth


def test_a_text_without_a_line_of_mots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("nothing\n")
    with pytest.raises(DataError, match="expected lines of frame, id, class"):
        Lines.of(tmp_path / "gt.txt")


def test_more_lines_than_any_video_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.formats.mots.find._MOST_LINES", 2)
    (tmp_path / "gt.txt").write_text("1 2001 2 2 3 123\n" * 2)
    assert len(Lines.of(tmp_path / "gt.txt").by_frame[1]) == 2
    (tmp_path / "gt.txt").write_text("1 2001 2 2 3 123\n" * 3)
    with pytest.raises(DataError, match="more than 2 lines; divide"):
        Lines.of(tmp_path / "gt.txt")


@pytest.mark.shared_data
def test_a_real_folder_is_read_and_its_sizes_doubted(shared_data: Path) -> None:
    """Pillow gives (1, 5) as (width, height) of 1.jpg and (5, 1) of 1.png: the pictures stand, the maps lie.

    No rule says which pixel of the one is which of the other, so each image is refused by name and none is turned in silence;
    readers that never compare the two do not notice.
    """
    data = read(shared_data / "labeltools" / "small_fixtures" / "mots_dataset")
    assert (len(data), data.labels.names) == (3, ("a", "b", "c", "d"))
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 2, "val": 1}
    with pytest.raises(SizeMismatch, match="5 x 1, found 1 x 5"):
        _ = data[0].truth  # its pictures are 1 wide and 5 high, its maps the reverse
