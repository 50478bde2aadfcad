"""Merging: classes are joined by the map and by equal names alone, and nothing of the sets changes."""

import json
from pathlib import Path

import numpy as np
import pytest

from pixelwise.core.errors import MissingFile, OptionError, UnreadableFile
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.merge import merge
from pixelwise.curate.merge_map import ClassMap, class_map

STREET = LabelSet.of(["road", "car", "bus"], things=["car", "bus"])
TOWN = LabelSet.of(["bg", "auto", "road"], things=["auto"])


def semantic(labels: LabelSet, *rows: list[int], name: str = "0001", **splits: list[int]) -> Dataset:
    """Class maps of one row each."""
    image = Image(np.zeros((1, len(rows[0]), 3), np.uint8))
    samples = [
        Sample.of(name if not row else f"{name}_{row}", image, Segmentation.from_class_map(np.array([values]), labels))
        for row, values in enumerate(rows)
    ]
    return Dataset(samples, labels, "semantic", splits)


def instances(labels: LabelSet, classes: list[int], name: str) -> Dataset:
    masks = np.zeros((len(classes), 1, 4), bool)
    masks[:, 0, 1] = True
    truth = Segmentation.from_masks("instance", masks, classes, labels)
    return Dataset([Sample.of(name, Image(np.zeros((1, 4, 3), np.uint8)), truth)], labels, "instance")


def both() -> dict[str, Dataset]:
    return {"a": semantic(STREET, [0, 1, 2], train=[0]), "b": semantic(TOWN, [0, 1, 2], name="x", train=[0])}


def test_mapped_classes_are_joined_and_others_keep_their_names() -> None:
    merged = merge(both(), class_map("a:car=vehicle,a:bus=vehicle,b:auto=vehicle,b:bg=void", ["a", "b"]))
    assert merged.dataset.labels.names == ("road", "vehicle")
    assert merged.dataset[0].truth.class_map().tolist() == [[0, 1, 1]]
    assert merged.dataset[1].truth.class_map().tolist() == [[255, 1, 0]]


def test_without_a_map_only_equal_names_are_joined() -> None:
    merged = merge(both())
    assert merged.dataset.labels.names == ("road", "car", "bus", "bg", "auto")
    assert merged.only == {"car": "a", "bus": "a", "bg": "b", "auto": "b"}
    assert merged.origins["road"] == (("a", "road"), ("b", "road"))


def test_names_that_look_alike_are_kept_apart_and_told() -> None:
    sets = {"a": semantic(LabelSet.of(["Car"]), [0]), "b": semantic(LabelSet.of(["cars"]), [0], name="x")}
    merged = merge(sets)
    assert merged.alike == (("Car", "cars"),)
    assert merged.dataset.labels.names == ("Car", "cars")


def test_splits_are_joined_by_name() -> None:
    first = semantic(STREET, [0], [1], train=[0], val=[1])
    second = semantic(STREET, [0], [1], name="x", val=[0], test=[1])
    assert merge({"a": first, "b": second}).dataset.splits == {"train": (0,), "val": (1, 2), "test": (3,)}


def test_samples_of_one_name_get_their_sets_name_in_front() -> None:
    merged = merge({"a": semantic(STREET, [0], name="IMG"), "b": semantic(STREET, [1], name="img")})
    assert [one.name for one in merged.dataset] == ["a_IMG", "b_img"]
    assert merged.renamed == {"a_IMG": "IMG", "b_img": "img"}


def test_dropped_objects_are_gone_and_the_rest_stays() -> None:
    sets = {"a": instances(STREET, [1, 2], "x"), "b": instances(TOWN, [1], "y")}
    merged = merge(sets, class_map("bus=drop", ["a", "b"]))
    assert merged.dataset[0].truth.names == ["car"]
    assert merged.left_out == (("a", "bus", "drop"),)


def test_the_sets_are_not_changed() -> None:
    sets = both()
    _ = merge(sets, class_map("a:car=vehicle", ["a", "b"])).dataset[0].truth
    assert sets["a"][0].truth.names == ["road", "car", "bus"]
    assert sets["a"][0].name == "0001"


def test_two_kinds_are_refused_unless_one_is_said() -> None:
    sets = {"a": semantic(STREET, [0, 1, 2, 2]), "b": instances(STREET, [1], "y")}
    with pytest.raises(OptionError, match="--as semantic"):
        merge(sets)
    merged = merge(sets, kind="semantic")
    assert merged.dataset[1].truth.names == ["car", "background"]


def test_a_thing_that_is_stuff_elsewhere_is_told() -> None:
    merged = merge({"a": semantic(STREET, [0]), "b": semantic(LabelSet.of(["car"]), [0], name="x")})
    assert merged.notes == ("'car' is a thing, though 'car' of b is stuff",)


def test_no_two_classes_share_a_colour() -> None:
    merged = merge(both())
    assert len({one.colour for one in merged.dataset.labels.labels}) == len(merged.dataset.labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c:car=x", "no class is called 'c:car'"),
        ("a:cart=x", "did you mean 'car'"),
        ("a:car", "expected"),
        ("a:car=", "expected set:class=new"),
        ("a:car=x,a:car=y", "say one of the two"),
        ("a:car=drop", "say 'car=void'"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        merge(both(), class_map(text, ["a", "b"]))


def test_instances_have_no_void() -> None:
    sets = {"a": instances(STREET, [1], "x"), "b": instances(STREET, [1], "y")}
    with pytest.raises(OptionError, match="'bus=drop'"):
        merge(sets, class_map("bus=void", ["a", "b"]))


def test_a_map_longer_than_a_file_name_can_be_is_a_map() -> None:
    wanted = {f"a class of the city {number}": "thing" for number in range(40)}
    assert class_map(",".join(f"{old}={new}" for old, new in wanted.items()), ["a"]) == ClassMap({}, wanted)


def test_one_set_is_nothing_to_merge() -> None:
    with pytest.raises(OptionError, match="two or more"):
        merge({"a": semantic(STREET, [0])})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.toml", 'bg = "void"\n[a]\ncar = "vehicle"\n'),
        ("map.json", json.dumps({"bg": "void", "a": {"car": "vehicle"}})),
        ("map.toml", 'void = ["bg"]\n[a]\nvehicle = ["car"]\n'),
    ],
)
def test_a_file_says_the_same_as_the_option(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert class_map(str(tmp_path / name), ["a"]) == ClassMap({"a": {"car": "vehicle"}}, {"bg": "void"})


@pytest.mark.parametrize("text", ["[a\n", "a = 3\n", "[a]\ncar = [1]\n", '[a]\ncar = ""\n'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(UnreadableFile, match=r"map\.toml"):
        class_map(str(tmp_path / "map.toml"), ["a"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"gone\.json"):
        class_map(str(tmp_path / "gone.json"), ["a"])
