"""Panoptic and multilabel segments over tiles: one id map of the image, stuff by class, things once."""

from dataclasses import replace

import numpy as np
import pytest
from placed_objects import Places, blob

from pixelwise.core.card import Card
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks, OverlappingMasks
from pixelwise.core.predictor import PLAIN
from pixelwise.core.runs import encode
from pixelwise.core.segmentation import Segmentation
from pixelwise.predict.tiles.joined import Joined
from pixelwise.predict.tiles.tiling import Tiling

LABELS = LabelSet.of(["sky", "water", "ball", "tree"], things=["ball", "tree"])


def scene(size=(97, 131), count=25, seed=0):
    """Draw a panoptic truth: two stuff classes, void, and things that hide one another but hang together."""
    rng = np.random.default_rng(seed)
    ids, classes = np.zeros(size, np.int64), [0, 1]
    ids[: size[0] // 2], ids[size[0] // 2 :], ids[:9, :20] = 1, 2, 0
    for radius in np.geomspace(40, 3, count):
        patch = blob(radius, rng)
        y, x = (int(value) for value in rng.integers(0, size))
        rows, columns = np.nonzero(patch)
        rows, columns = rows + y - len(patch) // 2, columns + x - len(patch) // 2
        inside = (rows >= 0) & (columns >= 0) & (rows < size[0]) & (columns < size[1])
        classes.append(int(rng.integers(2, 4)))
        ids[rows[inside], columns[inside]] = len(classes)
    kept = _largest_parts(ids)
    present = np.unique(kept[kept > 0])
    table = np.zeros(len(classes) + 1, np.uint16)
    table[present] = np.arange(1, len(present) + 1)
    return Segmentation("panoptic", DisjointMasks(table[kept], len(present)), np.array(classes)[present - 1], LABELS)


def _largest_parts(ids):
    """Leave of each thing the part that hangs together: no tile could tell that parts far away are of one thing."""
    from scipy import ndimage

    kept = ids.copy()
    for number in range(3, int(ids.max()) + 1):
        parts, count = ndimage.label(ids == number, np.ones((3, 3)))
        if count > 1:
            largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
            kept[(parts > 0) & (parts != largest)] = 0
    return kept


class Knowing:
    """Give the truth of a window, with segments in an order of the tile's own, and scores where they are wanted."""

    def __init__(self, truth, score=None):
        self.truth, self._score = truth, score
        self.card = Card("knowing", truth.kind, truth.labels, gives_probabilities=truth.kind == "panoptic")

    def __call__(self, images, request=PLAIN):
        return [self._one(*(int(value) for value in image.pixels[0, 0]), image.size) for image in images]

    def _one(self, top, left, size):
        masks = self.truth.masks.dense()[:, top : top + size[0], left : left + size[1]]
        rows = np.random.default_rng((top, left)).permutation(np.flatnonzero(masks.any(axis=(1, 2))))
        scores = None if self._score is None else np.full(len(rows), self._score(top, left))
        return Segmentation.from_masks(
            self.truth.kind, masks[rows], self.truth.class_ids[rows], self.truth.labels, scores=scores, notes=("known",)
        )


def joined(predictor, tile=(40, 50), overlap=12):
    return Joined(predictor, Tiling(tile, overlap)).segment(Places(predictor.truth.size))


def as_set(found):
    return sorted((int(one), mask.counts) for one, mask in zip(found.class_ids, found.masks.run_lengths(), strict=True))


@pytest.mark.parametrize(("tile", "overlap"), [((40, 50), 12), ((97, 40), 20), ((32, 48), 2)])
@pytest.mark.parametrize("seed", range(3))
def test_the_map_is_that_of_the_whole_image(tile, overlap, seed):
    truth = scene(seed=seed)
    found = joined(Knowing(truth), tile, overlap)
    assert isinstance(found.masks, DisjointMasks)
    assert as_set(found) == as_set(truth)
    assert (found.scores, found.crowd, found.notes) == (None, None, ("known",))


def test_stuff_is_one_segment_a_class_though_it_lies_in_parts():
    ids = np.tile(np.array([1, 2], np.uint8).repeat(10), (20, 8))
    truth = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([0, 1]), LABELS)
    assert as_set(joined(Knowing(truth), (20, 30), 6)) == as_set(truth)


def test_two_tiles_that_differ_are_cut_where_each_is_most_central():
    class Torn(Knowing):
        def _one(self, top, left, size):
            return replace(super()._one(top, left, size), class_ids=np.array([left > 0]))

    truth = Segmentation("panoptic", DisjointMasks(np.ones((20, 88), np.uint8), 1), np.array([0]), LABELS)
    found = joined(Torn(truth), (20, 50), 12)
    assert (found.class_map()[:, :44] == 0).all()
    assert (found.class_map()[:, 44:] == 1).all()


def test_scores_are_weighted_by_pixels():
    ids = np.ones((20, 88), np.uint8)
    ids[5:15, 10:80] = 2
    truth = Segmentation("panoptic", DisjointMasks(ids, 2), np.array([0, 2]), LABELS)
    found = joined(Knowing(truth, lambda top, left: 0.8 if left else 0.4), (20, 50), 12)
    thing = 0.4 * 34 / 70 + 0.8 * 36 / 70
    np.testing.assert_allclose(found.scores[found.class_ids == 2], [thing])
    np.testing.assert_allclose(found.scores[found.class_ids == 0], [0.6 + (0.6 - thing) * 700 / 1060])


def test_more_things_than_16_bits_count_are_kept_apart():
    ids = np.zeros((520, 520), np.uint32)
    ids[::2, ::2] = np.arange(1, 67601).reshape(260, 260)

    class Numbered(Knowing):
        def _one(self, top, left, size):
            present, own = np.unique(ids[top : top + size[0], left : left + size[1]], return_inverse=True)
            masks = DisjointMasks(own.reshape(size).astype(np.uint32), len(present) - 1)
            return Segmentation("panoptic", masks, np.full(len(present) - 1, 2), LABELS)

    truth = Segmentation("panoptic", DisjointMasks(ids, 67600), np.full(67600, 2), LABELS)
    found = joined(Numbered(truth), (520, 300), 4)
    assert len(found) == 67600
    assert ((found.masks.ids > 0) == (ids > 0)).all()


def test_an_image_under_no_segment_is_void():
    truth = Segmentation("panoptic", DisjointMasks(np.zeros((20, 88), np.uint8), 0), np.zeros(0, np.int64), LABELS)
    found = joined(Knowing(truth, lambda *_: 0.5), (20, 50), 12)
    assert (len(found), found.size) == (0, (20, 88))
    assert (found.class_map() == LABELS.void).all()


@pytest.mark.parametrize("overlap", [0, 12])
def test_classes_that_may_overlap_are_cut_where_tiles_meet_and_lose_nothing(overlap):
    dense = np.random.default_rng(0).random((3, 41, 77)) < 0.4
    masks = OverlappingMasks(tuple(encode(mask) for mask in dense), (41, 77))
    truth = Segmentation("multilabel", masks, np.array([0, 2, 3]), LABELS)
    found = joined(Knowing(truth, lambda top, left: 0.7), (20, 30), overlap)
    assert found == truth
    np.testing.assert_allclose(found.scores, 0.7)
