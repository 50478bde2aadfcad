"""What every refiner of the table must do with every kind of segmentation, without a line of its own here."""

import warnings

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import KINDS, Segmentation
from pixelwise.refine import REFINERS
from pixelwise.refine.refiner import Refiner

LABELS = LabelSet.of(["ground", "car", "tree"], things=["car", "tree"])
RNG = np.random.default_rng(0)
GREY = np.clip(np.where(np.hypot(*np.mgrid[-20:20, -26:26]) < 14, 190, 60) + RNG.normal(0, 4, (40, 52)), 0, 255).astype(
    np.uint8
)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
HOLED = (COLOUR / 255).astype(np.float32)
HOLED[:, :, 1] = np.nan
PICTURES = {
    "grey": GREY,
    "colour": COLOUR,
    "uint16": COLOUR.astype(np.uint16) * 257,
    "float": (GREY / 255).astype(np.float32),
    "five bands": np.concatenate([COLOUR, COLOUR[:, :, :2]], axis=2),
    "a band of NaN": HOLED,
    "constant": np.full((30, 31, 3), 77, np.uint8),
    "one row": COLOUR[20:21],
    "one column": COLOUR[:, 25:26],
    "two pixels": COLOUR[:1, :2],
    "2 x 2": COLOUR[:2, :2],
    "1 x 1": COLOUR[:1, :1],
}
PAIRS = [(name, kind) for name in sorted(REFINERS) for kind in KINDS if kind in REFINERS[name].ABOUT.rules]


def found_in(size, kind, probabilities=False):
    """A segmentation with a disc, a speck, a hole and, where the kind has void, some of that."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    classes = (np.hypot(rows - height / 2, columns - width / 2) < min(size) / 3).astype(np.uint8)
    classes[(np.abs(rows - height / 2) < 2) & (np.abs(columns - width / 2) < 2)] = 0
    classes[2:3, 3:5] = 2
    if kind == "regions":
        return Segmentation(kind, DisjointMasks(classes + np.uint8(1), 3), np.zeros(3, int), LabelSet.of(["region"]))
    if kind in ("instance", "multilabel"):
        masks = np.stack([classes == 1, (classes == 2) | (rows < height / 2)])
        return Segmentation.from_masks(kind, masks, [1, 2], LABELS, scores=np.array([0.9, 0.6]))
    classes[-2:, -3:] = 255
    if kind == "panoptic":
        return Segmentation(
            kind, DisjointMasks(np.where(classes < 3, classes + 1, 0).astype(np.uint8), 3), np.arange(3), LABELS
        )
    volume = np.stack([np.where(classes == row, 0.8, 0.1) for row in range(3)]).astype(np.float32)
    return Segmentation.from_class_map(classes, LABELS, probabilities=volume if probabilities else None)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
class TestEveryRefiner:
    @pytest.mark.parametrize("what", sorted(PICTURES))
    def test_takes_any_picture_twice_alike_and_without_a_warning(self, name, kind, what):
        image = as_image(PICTURES[what])
        found = found_in(image.size, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy")  # pycocotools on NumPy 2
            one, other = Refiner(name)(image, found), Refiner(name)(image, found)
        assert one == other
        assert (one.size, one.kind) == (image.size, Refiner(name).gives(kind))
        assert set(one.names) <= set(found.names)
        assert (one.masks.areas() > 0).all()
        if kind == "regions":
            assert (one.panoptic_ids() > 0).all()

    def test_leaves_what_it_was_given(self, name, kind):
        image, found = as_image(COLOUR), found_in((40, 52), kind, probabilities=True)
        before, pixels = found.masks.dense().copy(), image.pixels.copy()
        volume = None if found.probabilities is None else found.probabilities.copy()
        Refiner(name)(image, found)
        assert (found.masks.dense() == before).all()
        assert (image.pixels == pixels).all()
        assert volume is None or (found.probabilities == volume).all()

    def test_leaves_nothing_and_everything_as_it_is(self, name, kind):
        image = as_image(COLOUR)
        whole = Segmentation.from_masks(kind, np.ones((1, 40, 52), bool), [0 if kind == "regions" else 1], LABELS)
        assert Refiner(name)(image, whole).masks == whole.masks
        assert len(Refiner(name)(image, whole[[]])) == 0

    def test_keeps_scores_and_classes_together(self, name, kind):
        found = found_in((40, 52), kind)
        refined = Refiner(name)(as_image(COLOUR), found)
        if found.scores is not None:
            own = dict(zip(found.class_ids.tolist(), found.scores.tolist(), strict=True))
            assert all(own[row] == score for row, score in zip(refined.class_ids.tolist(), refined.scores, strict=True))


@pytest.mark.parametrize("name", sorted(REFINERS))
def test_every_kind_is_told_or_refused_in_a_sentence(name):
    about = REFINERS[name].ABOUT
    assert set(about.rules) | set(about.refused) == set(KINDS)
    assert not set(about.rules) & set(about.refused)
    assert about.cost
    assert about.source
    for kind in about.refused:
        with pytest.raises(OptionError, match=f"'{name}' does not refine {kind} segmentations: "):
            Refiner(name)(as_image(COLOUR), found_in((40, 52), kind))


@pytest.mark.parametrize("name", [name for name in sorted(REFINERS) if REFINERS[name].ABOUT.uses_probabilities])
def test_refined_probabilities_add_up_and_agree_with_the_classes(name):
    refined = Refiner(name)(as_image(COLOUR), found_in((40, 52), "semantic", probabilities=True))
    assert refined.probabilities.shape == (3, 40, 52)
    np.testing.assert_allclose(refined.probabilities.sum(axis=0), 1, atol=1e-4)
    known = refined.class_map() != LABELS.void
    assert (refined.probabilities.argmax(axis=0) == refined.class_map())[known].all()
    assert (~known).sum() == 6  # void stays void
