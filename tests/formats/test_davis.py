"""The format davis: objects followed through videos, by hand as DAVIS and YouTube-VOS lay them out."""

import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError, SizeMismatch, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read, recognise
from pixelwise.formats.davis import write
from pixelwise.formats.masks import sniff as sniff_masks

BEAR = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)
LATER = np.array([[0, 0, 2], [255, 2, 0]], np.uint8)


def frame(root: Path, place: str, sequence: str, number: int, ids: np.ndarray | None) -> None:
    picture = root / "JPEGImages" / place / sequence / f"{number:05d}.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (3, 2)).save(picture)
    if ids is not None:
        annotation = root / "Annotations" / place / sequence / f"{number:05d}.png"
        annotation.parent.mkdir(parents=True, exist_ok=True)
        stored = PIL.Image.fromarray(ids, "P")
        stored.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [7] * 759)
        stored.save(annotation)


def videos(root: Path) -> Path:
    frame(root, "480p", "bear", 0, BEAR)
    frame(root, "480p", "bear", 1, LATER)
    frame(root, "480p", "bear", 2, None)
    frame(root, "480p", "swan", 0, BEAR * 0 + 255)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "train.txt").write_text("bear\n")
    (root / "ImageSets" / "2017" / "val.txt").write_text("swan\nghost\n")
    return root


def test_frames_are_read_with_sequence_number_and_tracks(tmp_path: Path) -> None:
    data = read(videos(tmp_path / "DAVIS"))
    assert [one.name for one in data] == ["bear_00000", "bear_00001", "bear_00002", "swan_00000"]
    assert data[1].meta == {"sequence": "bear", "frame": 1}
    truth = data[0].truth
    assert truth.track_ids is not None
    assert truth.track_ids.tolist() == [1, 2]
    assert truth.masks.areas().tolist() == [2, 2]


def test_255_is_void_beside_lower_numbers_and_an_object_alone(tmp_path: Path) -> None:
    data = read(videos(tmp_path / "DAVIS"))
    assert data[1].truth.is_crowd.tolist() == [False, True]
    assert data[3].truth.is_crowd.tolist() == [False]


def test_a_frame_without_annotation_has_no_truth(tmp_path: Path) -> None:
    assert read(videos(tmp_path / "DAVIS"))[2].truths == ()


def test_lists_of_sequences_are_splits_and_unknown_ones_are_told(tmp_path: Path) -> None:
    data = read(videos(tmp_path / "DAVIS"))
    assert data.splits == {"train": (0, 1, 2), "val": (3,)}
    assert data.notes == ("ImageSets/2017/val.txt: 1 of 2 entries name no sequence here, the first: 'ghost'",)


def test_lists_of_frames_as_davis_2016_has_them_are_splits(tmp_path: Path) -> None:
    root = videos(tmp_path / "DAVIS")
    line = "/JPEGImages/480p/bear/00001.jpg /Annotations/480p/bear/00001.png 1\n"
    (root / "ImageSets" / "2017" / "train.txt").write_text(line)
    assert read(root).splits["train"] == (1,)


def test_lists_name_frames_of_videos_with_spaces(tmp_path: Path) -> None:
    frame(tmp_path, "480p", "my  bear", 0, BEAR)
    frame(tmp_path, "480p", "my  bear", 1, BEAR)
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets" / "val.txt").write_text("JPEGImages/480p/my  bear/00001.jpg\n")
    (tmp_path / "ImageSets" / "all.txt").write_text(" my  bear\n")
    assert read(tmp_path).splits == {"val": (1,), "all": (0, 1)}


def test_exactly_davis_claims_it_also_with_one_sequence(tmp_path: Path) -> None:
    frame(tmp_path, "480p", "bear", 0, BEAR)
    assert recognise(tmp_path)[1].dialect == "DAVIS, objects followed through videos"
    assert sniff_masks(tmp_path) is None


def test_frames_in_two_sizes_are_read_once(tmp_path: Path) -> None:
    root = videos(tmp_path / "DAVIS")
    frame(root, "Full-Resolution", "bear", 0, BEAR)
    data = read(root)
    assert len(data) == 4
    assert "Full-Resolution: 1 frames of sequences that are read in another size" in "".join(data.notes)


def youtube(root: Path, objects: dict[str, object]) -> Path:
    for folder in ("JPEGImages", "Annotations"):
        (root / "train" / folder / "00ab").mkdir(parents=True)
    PIL.Image.new("RGB", (3, 2)).save(root / "train" / "JPEGImages" / "00ab" / "00005.jpg")
    PIL.Image.fromarray(BEAR).save(root / "train" / "Annotations" / "00ab" / "00005.png")
    (root / "train" / "meta.json").write_text(json.dumps({"videos": {"00ab": {"objects": objects}}}))
    return root


def test_categories_of_youtube_vos_are_classes(tmp_path: Path) -> None:
    data = read(youtube(tmp_path / "yt", {"1": {"category": "ape", "frames": ["00005"]}, "2": {"category": "owl"}}))
    assert data.labels.names == ("ape", "owl")
    assert data[0].truth.names == ["ape", "owl"]
    assert (data.splits, data[0].meta["frame"]) == ({"train": (0,)}, 5)


def test_each_split_of_youtube_vos_has_its_own_categories(tmp_path: Path) -> None:
    root = youtube(tmp_path / "yt", {"1": {"category": "ape"}, "2": {"category": "owl"}})
    shutil.copytree(root / "train", root / "valid")
    for folder in ("JPEGImages", "Annotations"):
        (root / "valid" / folder / "00ab").rename(root / "valid" / folder / "00cd")
    objects = {"1": {"category": "cat"}, "2": {"category": "ape"}}
    (root / "valid" / "meta.json").write_text(json.dumps({"videos": {"00cd": {"objects": objects}}}))
    data = read(root)
    assert {name: data[row].truth.names for name, [row] in data.splits.items()} == {
        "train": ["ape", "owl"],
        "val": ["cat", "ape"],
    }


def test_an_object_that_meta_json_leaves_out_is_named(tmp_path: Path) -> None:
    sample = read(youtube(tmp_path / "yt", {"1": {"category": "ape"}}))[0]
    assert len(sample.salvaged()[0][0]) == 1
    with pytest.raises(DataError, match=r"00005.png: object 2: meta.json names no such object of '00ab'"):
        _ = sample.truth


@pytest.mark.parametrize("objects", [{"one": {}}, {"1": 5}, [], {"1": {"category": None}, "x": {}}])
def test_a_meta_json_of_another_form_is_named(objects: object, tmp_path: Path) -> None:
    root = youtube(tmp_path / "yt", {})
    (root / "train" / "meta.json").write_text(json.dumps({"videos": {"00ab": {"objects": objects}}}))
    with pytest.raises(UnreadableFile, match=r"meta\.json: expected videos with objects"):
        read(root)


def test_an_annotation_of_another_size_spoils_its_frame_alone(tmp_path: Path) -> None:
    root = videos(tmp_path / "DAVIS")
    PIL.Image.fromarray(BEAR.T).save(root / "Annotations" / "480p" / "bear" / "00000.png")
    data = read(root)
    with pytest.raises(SizeMismatch, match=r"00000\.png"):
        _ = data[0].truth
    assert len(data[1].truth) == 2


def film(numbers: list[list[int]], labels: LabelSet) -> Dataset:
    """Frames of one sequence, of two pixels a frame, with one object a pixel and the tracks given."""
    samples = []
    for row, tracks in enumerate(numbers):
        masks = np.eye(2, dtype=bool)[: len(tracks), None]
        truth = Segmentation.from_masks("instance", masks, [0, 1][: len(tracks)], labels, track_ids=np.array(tracks))
        samples.append(Sample.of(f"shot {row}", Image(np.zeros((1, 2, 3), np.uint8)), truth, sequence="walk", frame=row))
    return Dataset(samples, labels, "instance", {"train": [0], "val": [1]})


def test_tracks_order_names_and_splits_come_back(tmp_path: Path) -> None:
    data = film([[9, 4], [4]], LabelSet.of(["ape", "owl"]))
    assert write(data, tmp_path / "out").dropped == ()
    back = read(tmp_path / "out")
    assert [one.name for one in back] == ["shot 0", "shot 1"]
    assert [one.truth for one in back] == [one.truth for one in data]
    assert [one.truth.track_ids.tolist() for one in back if one.truth.track_ids is not None] == [[9, 4], [4]]
    assert back.splits == {"train": (0,), "val": (1,)}
    with PIL.Image.open(tmp_path / "out" / "Annotations" / "Full-Resolution" / "walk" / "00000.png") as picture:
        assert (picture.mode, np.array(picture).tolist()) == ("P", [[9, 4]])


def test_tracks_that_no_palette_holds_are_told(tmp_path: Path) -> None:
    told = write(film([[900, 4], [4]], LabelSet.of(["ape", "owl"])), tmp_path / "out")
    assert told.dropped == ("shot 0: not kept, as the format has no place for them: track ids",)


def test_what_overlapping_objects_lose_is_told(tmp_path: Path) -> None:
    labels = LabelSet.of(["ape"])
    masks = np.array([[[True, True]], [[False, True]]])
    truth = Segmentation.from_masks("instance", masks, [0, 0], labels)
    sample = Sample.of("a", Image(np.zeros((1, 2, 3), np.uint8)), truth)
    told = write(Dataset([sample], labels, "instance"), tmp_path / "out").dropped
    assert told == ("a: objects overlap, and the file holds one a pixel, the smaller: object 1 loses 1 of 2 pixels",)
    assert read(tmp_path / "out")[0].truth.masks.areas().tolist() == [1, 1]


def test_two_frames_of_one_number_are_refused(tmp_path: Path) -> None:
    data = film([[1], [2]], LabelSet.of(["ape", "owl"]))
    twins = [Sample(one.name, one.pixels, one.truth_source, one.labels, meta={"sequence": "walk", "frame": 0}) for one in data]
    with pytest.raises(DataError, match="both are frame 00000 of 'walk'"):
        write(Dataset(twins, data.labels, "instance"), tmp_path / "out")
