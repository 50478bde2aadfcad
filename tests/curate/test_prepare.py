"""Preparing: classes chosen and merged, objects left out and counted, images cut and resized with their labels."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.arrays import BoolArray
from pixelwise.core.errors import DataError, MissingFile, OptionError, UnreadableFile, UnsettledLabels
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.curate.prepare import Prepared, prepare
from pixelwise.curate.prepare_options import PrepareOptions, merge_of
from pixelwise.formats import masks, read
from pixelwise.formats.writing import Writing

LABELS = LabelSet.of(["car", "truck", "sky", "cat"], things=["car", "truck", "cat"])


def mask(*rows: str) -> BoolArray:
    return np.array([[sign == "#" for sign in row] for row in rows])


CAR, TRUCK, SKY, CAT = (
    mask("#...", "#...", "....", "...."),
    mask(".#..", ".#..", "....", "...."),
    mask("..##", "....", "....", "...."),
    mask("....", "....", "####", "####"),
)


def data_of(kind: Kind, parts: list[BoolArray], classes: list[int], labels: LabelSet = LABELS, **rows: object) -> Dataset:
    truth = Segmentation.from_masks(kind, np.array(parts), classes, labels, **rows)
    image = Image(np.arange(truth.size[0] * truth.size[1] * 3, dtype=np.uint8).reshape(*truth.size, 3))
    return Dataset([Sample.of("a", image, truth)], labels, kind, {"train": [0]}, "set")


def done(data: Dataset, tmp_path: Path, options: PrepareOptions) -> tuple[Prepared, Dataset]:
    result = prepare(data, tmp_path / "out", options)
    return result, read(tmp_path / "out")


def street(kind: Kind = "instance") -> Dataset:
    return data_of(kind, [CAR, TRUCK, SKY, CAT], [0, 1, 2, 3])


def test_merged_classes_are_one_class_of_as_many_objects(tmp_path: Path) -> None:
    merge = {"car": "vehicle", "truck": "vehicle"}
    _, back = done(street(), tmp_path, PrepareOptions(merge=merge))
    assert back.labels.names == ("vehicle", "sky", "cat")
    assert back.labels.things == (0, 2)
    assert back[0].truth.names == ["vehicle", "vehicle", "sky", "cat"]
    assert back[0].truth.masks == street()[0].truth.masks


def test_objects_of_other_classes_become_background(tmp_path: Path) -> None:
    result, back = done(street(), tmp_path, PrepareOptions(classes=("cat", "car")))
    assert result.classes == ("car", "cat")
    assert back[0].truth.names == ["car", "cat"]
    assert back.semantic()[0].truth.class_map().tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [2] * 4, [2] * 4]


def test_pixels_of_other_classes_become_background_and_void_stays(tmp_path: Path) -> None:
    _, back = done(street("semantic"), tmp_path, PrepareOptions(classes=("cat",)))
    assert back.labels.names == ("background", "cat")
    assert back[0].truth.class_map().tolist() == [[0] * 4, [0, 0, 255, 255], [1] * 4, [1] * 4]


def test_merged_stuff_is_one_segment_and_merged_things_stay_apart(tmp_path: Path) -> None:
    labels = LabelSet.of(["car", "sky", "road", "van"], things=["car", "van"])
    data = data_of("panoptic", [CAR, SKY, CAT, TRUCK], [0, 1, 2, 3], labels)
    _, back = done(data, tmp_path, PrepareOptions(merge={"sky": "ground", "road": "ground", "van": "car"}))
    assert back[0].truth.names == ["car", "ground", "car"]
    assert back[0].truth.masks.areas().tolist() == [2, 10, 2]


def test_left_out_segments_of_panoptic_truth_become_one_of_background(tmp_path: Path) -> None:
    labels = LabelSet.of(["car", "sky", "road", "van"], things=["car", "van"])
    data = data_of("panoptic", [CAR, SKY, CAT, TRUCK], [0, 1, 2, 3], labels)
    _, back = done(data, tmp_path, PrepareOptions(classes=("car",)))
    assert back.labels.names == ("background", "car")
    assert back[0].truth.names == ["car", "background"]
    assert back[0].truth.class_map().tolist() == [[1, 0, 0, 0], [1, 0, 255, 255], [0] * 4, [0] * 4]


def test_a_class_merged_into_void_does_not_count(tmp_path: Path) -> None:
    _, back = done(street("semantic"), tmp_path, PrepareOptions(merge={"sky": "void"}))
    assert back.labels.names == ("car", "truck", "cat")
    assert back[0].truth.class_map().tolist() == [[0, 1, 255, 255], [0, 1, 255, 255], [2] * 4, [2] * 4]


def test_classes_that_may_overlap_are_united(tmp_path: Path) -> None:
    data = data_of("multilabel", [CAR, CAR | TRUCK, SKY], [0, 1, 2])
    _, back = done(data, tmp_path, PrepareOptions(merge={"car": "vehicle", "truck": "vehicle"}))
    assert back[0].truth.names == ["vehicle", "sky"]
    assert back[0].truth.masks.mask(0).tolist() == (CAR | TRUCK).tolist()


def test_small_objects_are_left_out_and_counted_and_crowds_stay(tmp_path: Path) -> None:
    data = data_of("instance", [CAR, TRUCK, CAT], [0, 1, 3], crowd=np.array([False, True, False]))
    result, back = done(data, tmp_path, PrepareOptions(min_area=3))
    assert result.written.counts == {"objects smaller than 3 pixels": 1}
    assert back[0].truth.names == ["truck", "cat"]
    assert result.clean


def test_small_objects_are_left_out_before_objects_become_foreground(tmp_path: Path) -> None:
    data = data_of("instance", [CAR, CAT], [0, 3])
    result, back = done(data, tmp_path, PrepareOptions(min_area=3, binary=True))
    assert result.written.counts == {"objects smaller than 3 pixels": 1}
    assert back[0].truth.class_map().tolist() == CAT.astype(int).tolist()


def test_a_crowd_of_a_class_that_becomes_stuff_stays_a_crowd(tmp_path: Path) -> None:
    data = data_of("panoptic", [CAR, TRUCK, SKY], [0, 1, 2], crowd=np.array([False, True, False]))
    _, back = done(data, tmp_path, PrepareOptions(merge={"car": "sky", "truck": "sky"}))
    assert back[0].truth.masks.mask(0).tolist() == (CAR | SKY).tolist()
    assert back[0].truth.is_crowd.tolist() == [False, True]


def test_binary_is_one_channel_of_background_foreground_and_void(tmp_path: Path) -> None:
    data = data_of("instance", [CAR, TRUCK], [0, 1], crowd=np.array([False, True]))
    result, back = done(data, tmp_path, PrepareOptions(binary=True))
    assert (result.kind, back.labels.names) == ("semantic", ("background", "foreground"))
    stored = PIL.Image.open(tmp_path / "out" / "semantic" / "a.png")
    assert stored.mode == "L"
    assert np.array(stored).tolist() == [[1, 255, 0, 0], [1, 255, 0, 0], [0] * 4, [0] * 4]


def test_binary_of_chosen_classes_of_a_class_map(tmp_path: Path) -> None:
    _, back = done(street("semantic"), tmp_path, PrepareOptions(binary=True, classes=("car", "cat")))
    assert back[0].truth.class_map().tolist() == [[1, 0, 0, 0], [1, 0, 255, 255], [1] * 4, [1] * 4]


def test_resizing_takes_the_pixel_under_each_new_centre(tmp_path: Path) -> None:
    checks = np.arange(16).reshape(4, 4) % 3
    truth = Segmentation.from_class_map(checks, LABELS)
    data = Dataset([Sample.of("a", Image(np.zeros((4, 4, 3), np.uint8)), truth)], LABELS, "semantic")
    _, back = done(data, tmp_path, PrepareOptions(size=(2, 4)))
    assert back[0].truth.class_map().tolist() == checks[[1, 3]].tolist()
    assert back[0].image.size == (2, 4)


def test_overlapping_objects_are_resized_one_by_one_and_lost_ones_counted(tmp_path: Path) -> None:
    tiny = mask("#...", "....", "....", "....")
    data = data_of("instance", [CAT, CAT | SKY, tiny], [3, 0, 1])
    result, back = done(data, tmp_path, PrepareOptions(max_side=2))
    assert [one.tolist() for one in back[0].truth.masks.dense()] == [
        [[False, False], [True, True]],
        [[False, False], [True, True]],
    ]
    assert result.written.counts == {"objects of which resizing leaves no pixel": 1}


def test_small_images_are_not_enlarged_by_a_longest_side(tmp_path: Path) -> None:
    _, back = done(street(), tmp_path, PrepareOptions(max_side=100))
    assert back[0].image.pixels.tolist() == street()[0].image.pixels.tolist()
    assert back[0].truth == street()[0].truth


def tiles(kind: Kind, tmp_path: Path) -> tuple[Dataset, Dataset]:
    rng = np.random.default_rng(0)
    big = rng.random((3, 9, 7)) < 0.4
    truth = (
        Segmentation.from_class_map(rng.integers(0, 4, (9, 7)), LABELS)
        if kind == "semantic"
        else Segmentation.from_masks(kind, big, [0, 0, 3], LABELS)
    )
    image = Image(rng.integers(0, 256, (9, 7, 3)).astype(np.uint8))
    source = Dataset([Sample.of("scene", image, truth)], LABELS, kind, {"train": [0]}, "air")
    _, back = done(source, tmp_path, PrepareOptions(tile=(4, 5), overlap=1))
    return source, back


@pytest.mark.parametrize("kind", ["instance", "semantic"])
def test_tiles_hold_the_pixels_and_labels_of_their_place(kind: Kind, tmp_path: Path) -> None:
    source, back = tiles(kind, tmp_path)
    whole, photo = source[0].truth, source[0].image.pixels
    assert len(back) == 6
    for tile in back:
        top, left = tile.meta["origin"]
        window = slice(top, top + 4), slice(left, left + 5)
        assert tile.image.pixels.tolist() == photo[window].tolist()
        if kind == "semantic":
            assert tile.truth.class_map().tolist() == whole.class_map()[window].tolist()
        else:
            there = [one[window] for one in whole.masks.dense() if one[window].any()]
            assert tile.truth.masks.dense().tolist() == np.array(there).tolist()


def test_tiles_remember_their_scene_and_stay_in_its_split(tmp_path: Path) -> None:
    _, back = tiles("instance", tmp_path)
    assert {tile.meta["scene"] for tile in back} == {"scene"}
    assert {tile.meta["tile_of"] for tile in back} == {"scene"}
    assert [tile.name for tile in back][:2] == ["scene_0_0", "scene_0_2"]
    assert back.splits == {"train": (0, 1, 2, 3, 4, 5)}


def test_an_image_that_one_tile_covers_stays_the_file_it_is(tmp_path: Path) -> None:
    _, back = done(street(), tmp_path, PrepareOptions(tile=(64, 64)))
    assert [one.name for one in back] == ["a"]
    assert back[0].truth == street()[0].truth


def test_the_marker_tells_source_options_and_rule(tmp_path: Path) -> None:
    prepare(street(), tmp_path / "out", PrepareOptions(min_area=2), sources=[tmp_path / "set"])
    marker = json.loads((tmp_path / "out" / "prepared.json").read_text())
    assert marker["options"]["min_area"] == 2
    assert marker["source"] == [str(tmp_path / "set")]
    assert marker["rule"].startswith("objects are painted as classes")


def test_bad_labels_are_left_out_and_listed_and_strict_stops(tmp_path: Path) -> None:
    data = street()
    nowhere = masks.MaskFile(tmp_path / "gone.png", tmp_path / "b.jpg", tmp_path)
    bad = Sample("b", data[0].pixels, nowhere, LABELS)
    both = Dataset([data.semantic()[0].under(LABELS), bad], LABELS, "semantic")
    result = prepare(both, tmp_path / "out")
    assert (result.clean, len(result.written.failed), len(read(tmp_path / "out"))) == (False, 1, 1)
    assert "gone.png" in result.written.failed[0]
    with pytest.raises(Exception, match=r"gone\.png"):
        prepare(both, tmp_path / "strict", writing=Writing(strict=True))
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (street(), {"classes": ("catt",)}, "did you mean 'cat'"),
        (street(), {"merge": {"catt": "x"}}, "did you mean 'cat'"),
        (street(), {"merge": {"cat": "void"}}, "no void to merge a class into"),
        (street("semantic"), {"min_area": 3}, "where there are objects"),
        (street("semantic"), {"binary": True}, "all would be foreground"),
    ],
)
def test_options_that_do_not_fit_the_data_are_refused(
    data: Dataset, options: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=words):
        prepare(data, tmp_path / "out", PrepareOptions(**options))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"overlap": 3}, "only tiles overlap"),
        ({"tile": (4, 9), "overlap": 4}, "less than the tile's shorter side"),
        ({"size": (0, 4)}, "a height and a width from 1"),
        ({"size": (4, 4), "max_side": 9}, "give one of them"),
        ({"max_side": 0}, "pixels from 1"),
        ({"min_area": -1}, "from 0 up"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        PrepareOptions(**options)  # type: ignore[arg-type]


def test_a_map_of_classes_is_read_from_words_toml_and_json(tmp_path: Path) -> None:
    wanted = {"car": "vehicle", "truck": "vehicle", "sky": "void"}
    (tmp_path / "map.toml").write_text('[merge]\nvehicle = ["car", "truck"]\nsky = "void"\n')
    (tmp_path / "map.json").write_text('{"car": "vehicle", "truck": "vehicle", "sky": "void"}')
    assert merge_of("car=vehicle, truck=vehicle,sky=void") == wanted
    assert merge_of(str(tmp_path / "map.toml")) == wanted
    assert merge_of(str(tmp_path / "map.json")) == wanted


@pytest.mark.parametrize("text", ["car", "car=", "=x", "car=a,car=b"])
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--merge"):
        merge_of(text)


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 1}', '{"a": [1]}'])
def test_a_map_file_that_is_broken_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"--merge .*map\.json"):
        merge_of(str(tmp_path / "map.json"))


def test_a_map_file_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingFile, match=r"--merge nowhere\.toml"):
        merge_of("nowhere.toml")


def test_a_map_longer_than_a_file_name_can_be_is_a_map() -> None:
    wanted = {f"a class of the city {number}": "thing" for number in range(40)}
    assert merge_of(",".join(f"{old}={new}" for old, new in wanted.items())) == wanted


def test_the_data_is_never_written_into(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="outside the data"):
        prepare(street(), tmp_path / "set" / "out", sources=[tmp_path / "set"])


def test_unsettled_values_are_refused(tmp_path: Path) -> None:
    data = street("semantic")
    with pytest.raises(UnsettledLabels):
        prepare(data.under(LABELS.with_values(LABELS.values, settled=False)), tmp_path / "out")


def test_nothing_to_prepare_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        prepare(Dataset([], LABELS, "instance"), tmp_path / "out")
