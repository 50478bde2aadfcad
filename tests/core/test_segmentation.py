"""The one result type: its views, selection, equality and what it refuses."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks, as_overlapping
from pixelwise.core.segmentation import KINDS, Segmentation

LABELS = LabelSet.of(["sky", "road", "car"], things=["car"])
CLASSES = np.array([[0, 0, 255], [1, 2, 2]], np.uint8)

BIG = np.array([[1, 1, 1], [1, 1, 1]], bool)
SMALL = np.array([[0, 0, 0], [0, 1, 1]], bool)


def cars(**rows: Any) -> Segmentation:
    return Segmentation.from_masks("instance", [SMALL, BIG], [2, 2], LABELS, **rows)


def panoptic(**rows: Any) -> Segmentation:
    ids = np.array([[1, 1, 0], [2, 3, 4]], np.uint8)
    return Segmentation("panoptic", DisjointMasks(ids, 4), np.array([0, 1, 2, 2]), LABELS, **rows)


def test_a_class_map_has_one_segment_a_class_present() -> None:
    one = Segmentation.from_class_map(CLASSES, LABELS)
    assert one.kind == "semantic"
    assert one.class_ids.tolist() == [0, 1, 2]
    assert one.names == ["sky", "road", "car"]
    assert one.masks.areas().tolist() == [2, 1, 2]
    assert one.class_map().tolist() == CLASSES.tolist()
    assert one.class_map().dtype == np.uint8
    assert one.panoptic_ids().tolist() == [[1, 1, 0], [2, 3, 3]]
    assert one.size == (2, 3)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
        elements=st.sampled_from([0, 1, 2]),
    )
)
def test_any_class_map_is_given_back(classes: IntArray) -> None:
    assert Segmentation.from_class_map(classes, LABELS).class_map().tolist() == classes.tolist()


def test_a_class_map_of_bools_is_two_classes() -> None:
    one = Segmentation.from_class_map(np.array([[True, False]]), LABELS)
    assert one.class_map().tolist() == [[1, 0]]


def test_a_class_map_of_many_classes_is_of_16_bits() -> None:
    many = LabelSet.of(str(index) for index in range(300))
    one = Segmentation.from_class_map(np.array([[299, 65535]], np.uint16), many)
    assert one.class_map().tolist() == [[299, 65535]]
    assert one.class_ids.tolist() == [299]


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (np.array([[3]]), "class 3 is not one of the 3 classes"),
        (np.array([[-1]]), "class -1 is not one of the 3 classes"),
        (np.array([[0.0]]), "of integers, got .* float64"),
        (np.array([0, 1]), r"\(H, W\) of integers, got \(2,\)"),
    ],
)
def test_a_class_map_that_does_not_fit_is_refused(classes: IntArray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Segmentation.from_class_map(classes, LABELS)


def test_scores_of_a_class_map_are_those_of_the_classes_present() -> None:
    one = Segmentation.from_class_map(np.array([[2, 0]]), LABELS, scores=np.array([0.5, 0.25, 1.0]))
    assert one.scores is not None
    assert one.scores.tolist() == [0.5, 1.0]


def test_where_instances_overlap_the_smaller_is_on_top() -> None:
    assert isinstance(cars().masks, OverlappingMasks)
    assert cars().panoptic_ids().tolist() == [[2, 2, 2], [2, 1, 1]]
    assert cars()[::-1].panoptic_ids().tolist() == [[1, 1, 1], [1, 2, 2]]
    assert cars().masks.areas().tolist() == [2, 6]


def test_crowds_are_void_in_the_class_map_but_keep_their_class() -> None:
    one = panoptic(crowd=np.array([False, False, True, False]))
    assert one.class_map().tolist() == [[0, 0, 255], [1, 255, 2]]
    assert one.class_ids.tolist() == [0, 1, 2, 2]
    assert one.is_crowd.tolist() == [False, False, True, False]


def test_the_things_of_a_panoptic_segmentation_are_its_instances() -> None:
    things = panoptic(source_ids=[10, 11, 12, 13], scores=[0.1, 0.2, 0.3, 0.4]).instances()
    assert things.kind == "instance"
    assert things.names == ["car", "car"]
    assert things.source_ids is not None
    assert things.source_ids.tolist() == [12, 13]
    assert things.scores is not None
    assert things.scores.tolist() == [0.3, 0.4]
    assert things.masks.dense().astype(int).tolist() == [[[0, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, 1]]]


def test_the_semantic_view_joins_objects_of_a_class() -> None:
    assert panoptic().semantic() == Segmentation.from_class_map(CLASSES, LABELS)
    assert cars().semantic().names == ["car"]
    assert cars().semantic().masks.areas().tolist() == [6]


PAINTED = LabelSet.of(["cat", "dog"], things=["cat", "dog"])


def painted(rows: list[list[str]], classes: list[int], crowd: list[bool] | None = None) -> list[str]:
    """Paint instances drawn as rows of a text each; give the classes as a text: . background, c cat, d dog, x void."""
    masks = [np.array([[sign == "#" for sign in row] for row in one]) for one in rows]
    rows_of = {} if crowd is None else {"crowd": np.array(crowd)}
    one = Segmentation.from_masks("instance", np.array(masks), classes, PAINTED, **rows_of).semantic()
    assert one.kind == "semantic"
    assert one.labels.names == ("background", "cat", "dog")
    return ["".join({0: ".", 1: "c", 2: "d", 255: "x"}[int(value)] for value in row) for row in one.class_map()]


def test_pixels_under_no_object_are_background() -> None:
    assert painted([["#..", "..."]], [1]) == ["d..", "..."]


def test_the_smaller_object_is_on_top_whatever_the_order() -> None:
    large, small = ["###", "###"], [".#.", ".#."]
    assert painted([large, small], [0, 1]) == ["cdc", "cdc"]
    assert painted([small, large], [1, 0]) == ["cdc", "cdc"]


def test_of_equal_objects_the_later_is_on_top() -> None:
    assert painted([["##."], [".##"]], [0, 1]) == ["cdd"]
    assert painted([[".##"], ["##."]], [1, 0]) == ["ccd"]


def test_a_crowd_is_void_but_where_an_object_lies_on_it_be_it_ever_so_small() -> None:
    crowd, object_ = ["#..."], ["####"]
    assert painted([crowd], [0], [True]) == ["x..."]
    assert painted([crowd, object_], [0, 1], [True, False]) == ["dddd"]
    assert painted([["###."], ["..##"]], [0, 1], [True, False]) == ["xxdd"]


def test_a_class_called_background_is_not_added_twice() -> None:
    labels = LabelSet.of(["thing", "Background"])
    one = Segmentation.from_masks("instance", np.array([[[True, False]]]), [0], labels).semantic()
    assert one.labels == labels
    assert one.class_map().tolist() == [[0, 1]]


def test_an_image_without_objects_is_background_all_over() -> None:
    one = Segmentation("instance", OverlappingMasks((), (2, 2)), np.zeros(0, np.int64), PAINTED).semantic()
    assert one.class_map().tolist() == [[0, 0], [0, 0]]


def test_multilabel_segments_may_overlap_and_have_one_a_class() -> None:
    one = Segmentation.from_masks("multilabel", [SMALL, BIG], [2, 0], LABELS)
    assert one.masks.areas().tolist() == [2, 6]
    assert one.class_map().tolist() == [[0, 0, 0], [0, 2, 2]]
    with pytest.raises(DataError, match="one segment a class"):
        Segmentation.from_masks("multilabel", [SMALL, BIG], [2, 2], LABELS)


def test_regions_are_numbered_not_named() -> None:
    one = Segmentation("regions", DisjointMasks(np.array([[1, 2]]), 2), np.zeros(2, int), LabelSet(()))
    assert one.names == ["region", "region"]
    assert one.panoptic_ids().tolist() == [[1, 2]]
    assert one == one[[0, 1]]
    with pytest.raises(DataError, match="regions have no classes"):
        Segmentation("regions", DisjointMasks(np.array([[1, 2]]), 2), np.array([0, 1]), LABELS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_segments_are_a_segmentation_of_every_kind(kind: Any) -> None:
    none = Segmentation(kind, DisjointMasks(np.zeros((2, 2), np.uint8), 0), [], LABELS)  # type: ignore[arg-type]
    assert len(none) == 0
    assert none.names == []
    assert none.class_map().tolist() == [[255, 255], [255, 255]]
    assert none.stated_boxes().shape == (0, 4)
    assert none == none[[]]
    assert none == none[:]


ROWS = {
    "scores": [0.1, 0.2, 0.3, 0.4],
    "crowd": [False, True, False, False],
    "boxes": [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3], [0, 0, 4, 4]],
    "areas": [1.5, 2.5, 3.5, 4.5],
    "source_ids": [9, 8, 7, 6],
    "track_ids": [1, 2, 3, 4],
    "attributes": ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}),
}


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (1, [1]),
        (-1, [3]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([3, 0], [3, 0]),
        ([-1, 0], [3, 0]),
        ((2, 1), [2, 1]),
        ([], []),
        (np.array([True, False, False, True]), [0, 3]),
        ([True, False, False, True], [0, 3]),
        (np.zeros(4, bool), []),
    ],
)
def test_indexing_keeps_every_row_of_the_segments_asked_for(key: Any, kept: list[int]) -> None:
    whole = panoptic(**ROWS)
    part = whole[key]
    assert part.class_ids.tolist() == whole.class_ids[kept].tolist()
    for name, rows in ROWS.items():
        assert list(np.asarray(getattr(part, name)).tolist()) == [rows[index] for index in kept], name
    assert part.masks.areas().tolist() == whole.masks.areas()[kept].tolist()
    assert part.labels is LABELS


@pytest.mark.parametrize("key", [4, -5, [0, 9], [True, False]])
def test_an_index_that_is_not_there_is_an_index_error(key: Any) -> None:
    with pytest.raises(IndexError):
        panoptic()[key]


def test_going_through_a_segmentation_gives_its_segments_one_by_one() -> None:
    assert [segment.names for segment in panoptic()] == [["sky"], ["road"], ["car"], ["car"]]


def test_equality_is_kind_size_names_crowds_masks_and_order() -> None:
    assert panoptic() == panoptic(scores=[0.1] * 4, boxes=np.zeros((4, 4)))
    assert panoptic() != panoptic()[::-1]
    assert panoptic() != panoptic(crowd=[True, False, False, False])
    assert cars() != cars()[:1]
    assert panoptic() != Segmentation("instance", panoptic().masks, panoptic().class_ids, LABELS)
    assert panoptic() != "panoptic"


def test_equality_goes_by_name_and_not_by_holding() -> None:
    renumbered = LabelSet.of(["car", "road", "sky"], things=["car"])
    one = Segmentation("instance", panoptic().masks, panoptic().class_ids, LABELS)
    other = Segmentation("instance", as_overlapping(panoptic().masks), np.array([2, 1, 0, 0]), renumbered)
    assert one == other
    assert one != Segmentation("instance", one.masks, one.class_ids, renumbered)


def test_disjoint_kinds_refuse_masks_that_overlap_and_take_run_lengths_that_do_not() -> None:
    held = Segmentation("panoptic", as_overlapping(panoptic().masks), [0, 1, 2, 2], LABELS)  # type: ignore[arg-type]
    assert isinstance(held.masks, DisjointMasks)
    assert held == panoptic()
    with pytest.raises(DataError, match="share a pixel"):
        Segmentation.from_masks("panoptic", [SMALL, BIG], [2, 0], LABELS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "instances"}, "expected a kind of semantic, multilabel, instance, panoptic, regions, got 'instances'"),
        ({"class_ids": [2]}, "class_ids has 1 rows, expected one for each of 2"),
        ({"class_ids": [[2, 2]]}, r"expected class_ids \(S,\), got \(1, 2\)"),
        ({"class_ids": [2, 3]}, r"class ids must lie in 0\.\.2, found \[2, 3\]"),
        ({"class_ids": [-1, 0]}, r"class ids must lie in 0\.\.2, found \[-1, 0\]"),
        ({"kind": "semantic", "class_ids": [2, 2]}, "one segment a class"),
        ({"scores": [0.5]}, "scores has 1 rows"),
        ({"crowd": [True] * 3}, "crowd has 3 rows"),
        ({"boxes": [[0, 0, 1], [0, 0, 1]]}, r"expected boxes \(S, 4\)"),
        ({"boxes": [[0, 0, 1, 1]]}, "boxes has 1 rows"),
        ({"attributes": ({},)}, "attributes has 1 rows"),
        ({"probabilities": np.zeros((3, 4, 4))}, r"expected probabilities \(L, 2, 3\), got \(3, 4, 4\)"),
        ({"probabilities": np.zeros((2, 3))}, "expected probabilities"),
    ],
)
def test_rows_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    fields = {"kind": "instance", "masks": cars().masks, "class_ids": [2, 2], "labels": LABELS, **change}
    with pytest.raises(DataError, match=said):
        Segmentation(**fields)


def test_stated_boxes_and_areas_come_before_those_of_the_masks() -> None:
    assert cars().stated_boxes().tolist() == [[1, 1, 3, 2], [0, 0, 3, 2]]
    assert cars().stated_areas().tolist() == [2, 6]
    stated = cars(boxes=[[0, 0, 1, 1], [0, 0, 9, 9]], areas=[1.5, 80])
    assert stated.stated_boxes().tolist() == [[0, 0, 1, 1], [0, 0, 9, 9]]
    assert stated.stated_areas().tolist() == [1.5, 80]


def test_who_changes_stated_boxes_does_not_change_the_segmentation() -> None:
    stated = cars(boxes=np.array([[0.5, 0.5, 1, 1], [2, 3, 9, 9]]))
    boxes = stated.stated_boxes()
    boxes[:, 2:] -= boxes[:, :2]
    assert stated.stated_boxes().tolist() == [[0.5, 0.5, 1, 1], [2, 3, 9, 9]]


def test_a_segmentation_pickles() -> None:
    for one in (panoptic(**ROWS), cars()):
        assert pickle.loads(pickle.dumps(one)) == one
