"""Voting: which objects of several opinions are one, what shape it has, and what score."""

import numpy as np

from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.opinions.voted import voted

LABELS = LabelSet.of(["cell", "rod"])
SIZE = (12, 12)


def found(*objects):
    """Take objects as (top, left, bottom, right, class, score)."""
    masks = np.zeros((len(objects), *SIZE), bool)
    for mask, (top, left, bottom, right, _, _) in zip(masks, objects, strict=True):
        mask[top:bottom, left:right] = True
    rows = [one[4] for one in objects], LABELS
    return Segmentation.from_masks("instance", masks, *rows, scores=np.array([one[5] for one in objects], float))


def boxes(one):
    return [tuple(row) for row in one.masks.boxes().tolist()]


def test_the_majority_draws_the_mask():
    three = [found((0, 0, 4, 4, 0, 0.9)), found((0, 0, 4, 5, 0, 0.9)), found((0, 0, 4, 5, 0, 0.9))]
    one = voted(three, (1 / 3,) * 3)
    assert boxes(one) == [(0, 0, 5, 4)]
    np.testing.assert_allclose(one.scores, [0.9])


def test_the_surest_of_two_draws_the_mask():
    one = voted([found((0, 0, 4, 4, 0, 0.6)), found((0, 0, 4, 5, 0, 0.9))], (0.5, 0.5))
    assert boxes(one) == [(0, 0, 5, 4)]
    np.testing.assert_allclose(one.scores, [0.75])


def test_classes_are_not_mixed():
    one = voted([found((0, 0, 4, 4, 0, 0.9)), found((0, 0, 4, 4, 1, 0.7))], (0.5, 0.5))
    assert sorted(zip(one.class_ids.tolist(), one.scores.round(3).tolist(), strict=True)) == [(0, 0.45), (1, 0.35)]


def test_two_objects_of_one_opinion_stay_two():
    touching = found((0, 0, 4, 4, 0, 0.9), (0, 4, 4, 8, 0, 0.8))
    one = voted([touching, found((0, 0, 4, 4, 0, 0.7), (0, 4, 4, 8, 0, 0.6))], (0.5, 0.5))
    assert len(one) == 2
    near = found((0, 0, 4, 6, 0, 0.9), (0, 1, 4, 7, 0, 0.8))  # they overlap, and the network says they are two
    assert len(voted([near, near], (0.5, 0.5))) == 2


def test_the_surest_comes_first_and_the_unsure_go():
    given = [found((0, 0, 2, 2, 0, 0.4), (6, 6, 9, 9, 1, 0.9))]
    assert voted(given, (1.0,)).scores.tolist() == [0.9, 0.4]
    assert voted(given, (1.0,), threshold=0.5).scores.tolist() == [0.9]


def test_nothing_found_is_nothing():
    one = voted([found(), found()], (0.5, 0.5))
    assert len(one) == 0
    assert one.size == SIZE
