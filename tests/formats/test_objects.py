"""Drawn objects as a truth: classes, crowds, stated numbers, and what is wrong named with file and object."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.formats.objects import Drawn, ObjectTruth, joined, left_out, things
from pixelwise.formats.shapes import Box

LABELS = things(["cat", "dog"])


@dataclass(frozen=True)
class Listed:
    """A drawing that is a list."""

    objects: Sequence[Drawn | str]
    size: Size | None = None
    path: Path = field(default=Path("labels.abc"))

    def stated(self) -> Size | None:
        return self.size

    def drawn(self, size: Size) -> Sequence[Drawn | str]:
        return self.objects


def truth(*objects: Drawn | str, size: Size | None = None, image: Path = Path("a.png")) -> ObjectTruth:
    return ObjectTruth(Listed(objects, size), image, LABELS)


def cat(left: int = 0, **more: object) -> Drawn:
    return Drawn("cat", Box(left, 0, left + 2, 1), f"shape {left}", **more)  # type: ignore[arg-type]


def dog() -> Drawn:
    return Drawn("dog", Box(1, 0, 4, 2), "shape 9")


def test_objects_keep_their_order_and_may_overlap() -> None:
    one = truth(cat(), dog()).read(LABELS, (2, 5))[0]
    assert (one.kind, one.names) == ("instance", ["cat", "dog"])
    assert one.masks.areas().tolist() == [2, 6]


def test_no_objects_are_an_empty_truth() -> None:
    one = truth().read(LABELS, (2, 5))[0]
    assert (len(one), one.size, one.crowd) == (0, (2, 5), None)


def test_crowds_are_marked() -> None:
    assert truth(cat(crowd=True), dog()).read(LABELS, (2, 5))[0].is_crowd.tolist() == [True, False]


def test_classes_are_joined_by_name_and_others_left_out() -> None:
    one = truth(cat(), dog()).read(LabelSet.of(["bird", "dog"]), (2, 5))[0]
    assert (one.class_ids.tolist(), one.names) == ([1], ["dog"])


def test_a_wrong_object_is_named_and_spoils_itself_alone() -> None:
    bad = truth(cat(), Drawn("dog", Box(0, 0, float("nan"), 1), "shape 2"), "shape 3: it has no points", dog())
    (one,), problems = bad.salvage(LABELS, (2, 5))
    assert one.names == ["cat", "dog"]
    assert problems == ("labels.abc: shape 2: a side of the box is no finite number", "labels.abc: shape 3: it has no points")
    with pytest.raises(DataError, match=r"shape 2.*1 more objects of this image are wrong"):
        bad.read(LABELS, (2, 5))


def test_an_unknown_class_is_told_with_the_known_ones() -> None:
    problems = truth(Drawn("bird", Box(0, 0, 1, 1), "shape 1")).salvage(LABELS, (2, 5))[1]
    assert problems == ("labels.abc: shape 1: the class 'bird' is none of the data set's (cat, dog)",)


def test_another_size_than_the_pictures_spoils_the_image() -> None:
    with pytest.raises(SizeMismatch, match="turned by 90 degrees"):
        truth(cat(), size=(5, 2)).salvage(LABELS, (2, 5))


def test_stated_numbers_are_kept_and_missing_ones_measured() -> None:
    one = truth(cat(id=7, track=3, area=1.5, box=(0, 0, 2.5, 1)), dog()).read(LABELS, (2, 5))[0]
    assert one.source_ids is not None
    assert one.track_ids is not None
    assert (one.source_ids.tolist(), one.track_ids.tolist()) == ([7, -1], [3, -1])
    assert one.stated_areas().tolist() == [1.5, 6]
    assert one.stated_boxes().tolist() == [[0, 0, 2.5, 1], [1, 0, 4, 2]]


@pytest.mark.parametrize("area", [float("nan"), float("inf"), 10**400])
def test_a_stated_area_that_is_no_number_is_measured(area: float) -> None:
    assert truth(cat(area=area)).read(LABELS, (2, 5))[0].stated_areas().tolist() == [2]


def test_numbers_beyond_all_ids_are_none() -> None:
    one = truth(cat(id=2**70), cat(1, id=5)).read(LABELS, (2, 5))[0]
    assert one.source_ids is not None
    assert one.source_ids.tolist() == [-1, 5]


def test_attributes_are_kept() -> None:
    assert truth(cat(attributes={"age": 3}), dog()).read(LABELS, (2, 5))[0].attributes == ({"age": 3}, {})


def test_the_parts_of_a_group_are_one_object_that_the_first_names() -> None:
    parts = [cat(id=1, attributes={"age": 3}), cat(3, id=2, crowd=True, attributes={"age": 4, "coat": "red"})]
    one = joined(parts)
    assert isinstance(one, Drawn)
    assert (one.id, one.crowd, one.attributes) == (1, True, {"age": 3, "coat": "red"})
    assert one.where == "shape 0 and the rest of its group"
    assert one.shape.runs((2, 5)).area == 4
    assert joined(parts[:1]) is parts[0]
    assert joined([parts[0], "shape 7: it has no points"]) == "shape 7: it has no points"


def test_raw_values_paint_smaller_objects_on_top(tmp_path: Path) -> None:
    PIL.Image.new("L", (5, 2)).save(tmp_path / "a.png")
    (stored,) = truth(cat(), dog(), image=tmp_path / "a.png").raw()
    values = LABELS.with_background().values
    names = ("background", "cat", "dog")
    back = {value: names[index] for value, index in values.items() if index >= 0}
    assert [[back[int(one)] for one in row] for row in stored] == [
        ["cat", "cat", "dog", "dog", "background"],
        ["background", "dog", "dog", "dog", "background"],
    ]


def test_a_truth_can_be_sent_to_another_process() -> None:
    one = truth(cat(), dog())
    assert pickle.loads(pickle.dumps(one)).read(LABELS, (2, 5)) == one.read(LABELS, (2, 5))


def test_classes_of_a_tool_are_things_with_the_colours_it_states() -> None:
    labels = things(["b", "a", "b"], {"a": (1, 2, 3)})
    assert (labels.names, labels.things, labels.labels[1].colour) == (("b", "a"), (0, 1), (1, 2, 3))
    assert len(np.unique(labels.colours, axis=0)) == 2


def test_nothing_left_out_is_not_told() -> None:
    assert left_out(Path("a.json"), {}) == []
