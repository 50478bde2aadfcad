"""Label sets: joining by name, the value -> class map, and their JSON."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.labels import VOID, Label, LabelSet, colour_of, pack_colour, unpack_colour

ROAD = LabelSet.of(["sky", "road", "car"], things=["car"])


def test_things_are_the_classes_named_as_such() -> None:
    assert ROAD.things == (2,)
    assert [label.is_thing for label in ROAD.labels] == [False, False, True]
    assert len(ROAD) == 3


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="used twice: car"):
        LabelSet.of(["car", "sky", "car"])


def test_a_value_map_to_a_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"outside the 1 classes: \{7: 1\}"):
        LabelSet((Label("a"),), {0: 0, 7: 1})


def test_a_value_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(DataError, match="no mask file can store"):
        LabelSet((Label("a"),), {2**70: 0})


def test_values_are_kept_in_order_and_cannot_be_changed() -> None:
    labels = LabelSet((Label("a"),), {9: 0, 2: VOID})
    assert list(labels.values) == [2, 9]
    with pytest.raises(TypeError):
        labels.values[3] = 0  # type: ignore[index]


def test_an_index_is_found_by_name_and_a_miss_names_the_nearest() -> None:
    assert ROAD.index("road") == 1
    with pytest.raises(OptionError, match="no class is called 'roda'; did you mean 'road'"):
        ROAD.index("roda")


def test_void_is_the_highest_value_of_the_type_that_holds_all_classes() -> None:
    assert LabelSet.of(str(index) for index in range(255)).void == 255
    assert LabelSet.of(str(index) for index in range(256)).void == 65535


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64])
def test_stored_values_become_classes_and_void(dtype: type[np.generic]) -> None:
    labels = ROAD.with_values({0: VOID, 10: 0, 20: 1, 100: 2})
    stored = np.array([[0, 10], [20, 100]], dtype)
    assert labels.to_classes(stored).tolist() == [[255, 0], [1, 2]]
    assert labels.to_classes(stored).dtype == np.uint8
    assert labels.void_values == (0,)


def test_negative_stored_values_can_be_classes() -> None:
    labels = ROAD.with_values({-1: VOID, 0: 0, 1: 1})
    assert labels.to_classes(np.array([[-1, 0, 1]], np.int32)).tolist() == [[255, 0, 1]]


def test_rgb_values_become_classes() -> None:
    labels = LabelSet((Label("a"), Label("b")), {pack_colour((255, 0, 0)): 0, pack_colour((0, 0, 255)): 1}, "rgb")
    assert labels.to_classes(np.array([[0xFF0000, 0x0000FF]], np.int32)).tolist() == [[0, 1]]
    with pytest.raises(DataError, match=r"m\.png: value #00ff00 \(1 pixels\) is outside the label set \(#0000ff, #ff0000\)"):
        labels.to_classes(np.array([[0x00FF00, 0x0000FF]], np.int32), "m.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_a_value_outside_the_map_is_an_error_with_value_count_file_and_flags(dtype: type[np.generic]) -> None:
    with pytest.raises(DataError, match=r"a/m 1\.png: value 3, 9 \(3 pixels\) is outside .*\(0, 1, 2\).*--classes or --void"):
        ROAD.to_classes(np.array([[0, 9], [3, 9]], dtype), "a/m 1.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_an_empty_map_knows_no_value(dtype: type[np.generic]) -> None:
    with pytest.raises(DataError, match=r"value 0, 1 \(2 pixels\)"):
        LabelSet((Label("a"),)).to_classes(np.array([[0, 1]], dtype))


def test_many_strange_values_are_cut_short() -> None:
    with pytest.raises(DataError, match="value 3, 4, 5, 6, 7 … "):
        ROAD.to_classes(np.arange(3, 12, dtype=np.uint8)[None])


def test_more_than_255_classes_use_sixteen_bits() -> None:
    labels = LabelSet.of(f"c{index}" for index in range(300))
    classes = labels.with_values({**labels.values, 999: VOID}).to_classes(np.array([[299, 999]], np.uint16))
    assert classes.tolist() == [[299, 65535]]
    assert classes.dtype == np.uint16


@given(st.dictionaries(st.integers(0, 255), st.integers(-1, 2), min_size=1))
def test_every_integer_type_gives_the_same_classes(values: dict[int, int]) -> None:
    labels = ROAD.with_values(values)
    stored = np.array([list(values)])
    expected = [255 if index == VOID else index for index in values.values()]
    for dtype in (np.uint8, np.uint16, np.int64):
        assert labels.to_classes(stored.astype(dtype)).tolist() == [expected]


def test_classes_go_back_to_the_first_value_that_means_them() -> None:
    labels = ROAD.with_values({0: VOID, 5: 0, 6: 0, 7: 1, 8: VOID})
    assert labels.to_values(np.array([[0, 1, 255]], np.uint8)).tolist() == [[5, 7, 0]]
    assert ROAD.to_values(np.array([[2, 255]], np.uint8)).tolist() == [[2, 255]]


def test_joining_goes_by_name_whatever_the_order() -> None:
    assert ROAD.map_to(LabelSet.of(["car", "tree", "sky"])).tolist() == [2, VOID, 0]


def test_joining_ignores_case_but_prefers_the_very_same_name() -> None:
    both = LabelSet.of(["Car", "car"])
    assert both.map_to(both).tolist() == [0, 1]
    assert LabelSet.of(["CAR"]).map_to(both).tolist() == [0]
    assert LabelSet.of(["Straße"]).map_to(LabelSet.of(["STRASSE"])).tolist() == [0]


def test_same_classes_means_names_and_order() -> None:
    assert ROAD.same_classes(LabelSet.of(["sky", "road", "car"]))
    assert not ROAD.same_classes(LabelSet.of(["road", "sky", "car"]))


def test_colours_are_an_array_even_of_none() -> None:
    assert LabelSet(()).colours.shape == (0, 3)
    assert ROAD.colours.dtype == np.uint8
    assert ROAD.colours[1].tolist() == list(colour_of(1))


def test_the_first_forty_colours_all_differ() -> None:
    assert len({colour_of(index) for index in range(40)}) == 40


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_packing_a_colour_is_undone_by_unpacking(colour: tuple[int, int, int]) -> None:
    assert unpack_colour(pack_colour(colour)) == colour


def _through_json(labels: LabelSet) -> LabelSet:
    return LabelSet.from_json(json.loads(json.dumps(labels.to_json())))


@pytest.mark.parametrize(
    "labels",
    [
        ROAD,
        LabelSet(()),
        ROAD.with_values({11: VOID, 3: 2}, settled=False),
        LabelSet((Label("Straße 🛣", True, (1, 2, 3)),), {0xFF00FF: 0}, "rgb"),
    ],
)
def test_json_and_pickle_give_the_same_label_set(labels: LabelSet) -> None:
    assert _through_json(labels) == labels
    assert pickle.loads(pickle.dumps(labels)) == labels
    assert hash(pickle.loads(pickle.dumps(labels))) == hash(labels)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": None},
        {"classes": 3},
        {"classes": [3]},
        {"classes": [{"name": "a"}]},
        {"classes": [{"name": 5, "thing": False, "colour": [0, 0, 0]}]},
        {"classes": [{"name": "a", "thing": "no", "colour": [0, 0, 0]}]},
        {"classes": [{"name": "a", "thing": False, "colour": [0, 0]}]},
        {"classes": [{"name": "a", "thing": False, "colour": [0, 0, 300]}]},
        {"classes": [{"name": "a", "thing": False, "colour": [0, 0, float("inf")]}]},
        {"values": [1, 2]},
        {"values": {"x": 0}},
        {"values": {"0": 9}},
        {"values": {"0": float("inf")}},
        {"values": {"9" * 40: 0}},
        {"encoding": "bgr"},
        {"encoding": ["id"]},
        {"settled": "false"},
    ],
)
def test_json_of_the_wrong_type_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError):
        LabelSet.from_json({**ROAD.to_json(), **change})


@pytest.mark.parametrize("missing", ["classes", "values", "encoding", "settled"])
def test_json_with_a_part_missing_is_refused(missing: str) -> None:
    data = ROAD.to_json()
    del data[missing]
    with pytest.raises(DataError, match=missing):
        LabelSet.from_json(data)
