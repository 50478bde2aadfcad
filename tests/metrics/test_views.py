"""Views: what each kind becomes when another is scored, and what is refused."""

import numpy as np
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.views import as_kind, readable
from pixelwise.scenes import scenes

SKY, TREE, CAR = range(3)
LABELS = LabelSet.of(["sky", "tree", "car"], things=["car"])


def panoptic(rows, class_ids, crowd=None):
    ids = np.array(rows)
    masks = np.array([ids == index + 1 for index in range(len(class_ids))])
    return Segmentation.from_masks("panoptic", masks, class_ids, LABELS, crowd=crowd)


def test_the_things_of_panoptic_segments_are_instances():
    found = as_kind(panoptic([[1, 2, 3, 0]], [SKY, CAR, CAR]), "instance")
    assert found.kind == "instance"
    assert found.masks.dense().tolist() == [[[False, True, False, False]], [[False, False, True, False]]]


def test_touching_things_are_two_regions_and_torn_stuff_is_two():
    found = as_kind(panoptic([[1, 2, 3, 1, 0]], [SKY, CAR, CAR]), "regions")
    ids = found.panoptic_ids()[0].tolist()
    assert ids[4] == 0
    assert len(set(ids[:4])) == 4


def test_a_crowd_is_under_no_region():
    found = as_kind(panoptic([[1, 2]], [SKY, CAR], crowd=[False, True]), "regions")
    assert found.panoptic_ids().tolist() == [[1, 0]]


def test_what_is_around_instances_is_a_region():
    mask = np.array([[[False, True, False]]])
    found = as_kind(Segmentation.from_masks("instance", mask, [CAR], LABELS), "regions")
    assert sorted(found.panoptic_ids()[0].tolist()) == [1, 2, 3]


def test_a_hidden_object_is_no_region():
    masks = np.array([[[True, True]], [[True, True]]])
    found = as_kind(Segmentation.from_masks("instance", masks, [CAR, CAR], LABELS), "regions")
    assert len(found) == 1


def test_diagonal_neighbours_of_a_class_are_one_region():
    found = as_kind(Segmentation.from_class_map(np.array([[0, 1], [1, 0]]), LABELS), "regions")
    assert len(found) == 2


def test_unsure_objects_are_not_painted():
    masks = np.array([[[True, False]], [[False, True]]])
    one = Segmentation.from_masks("instance", masks, [CAR, CAR], LABELS, scores=np.array([0.4, 0.5]))
    painted = as_kind(one, "semantic")
    assert [painted.labels.names[index] for index in painted.class_map()[0]] == ["background", "car"]
    assert len(as_kind(one, "instance")) == 2


def test_stuff_alone_is_panoptic_and_a_thing_is_refused():
    stuff = Segmentation.from_class_map(np.array([[SKY, TREE]]), LABELS)
    assert as_kind(stuff, "panoptic").kind == "panoptic"
    with pytest.raises(DataError, match="do not tell the objects of car apart"):
        as_kind(Segmentation.from_class_map(np.array([[SKY, CAR]]), LABELS), "panoptic")


@pytest.mark.parametrize(
    ("kind", "wanted", "why"),
    [
        ("semantic", "instance", "do not tell objects apart"),
        ("instance", "panoptic", "objects may overlap"),
        ("regions", "semantic", "match them to classes"),
        ("multilabel", "semantic", "may overlap"),
    ],
)
def test_what_cannot_be_read_says_why(kind, wanted, why):
    truth = scenes(1, (32, 32), kind)[0].truth
    assert not readable(kind, wanted)
    with pytest.raises(DataError, match=why):
        as_kind(truth, wanted)
