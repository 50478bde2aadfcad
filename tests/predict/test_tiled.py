"""Tiles: what a predictor says of a pixel does not depend on how the image was cut, where it need not."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.grid import tiles
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.decision import Decided
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles import choice as tile_choice

LABELS = LabelSet.of(["background", "a", "b"])
TWO = LabelSet.of(["background", "a"])


class Pointwise:
    """Give each pixel probabilities that follow from its colour alone, and remember what it was asked."""

    def __init__(self, labels=LABELS, stride=1, card_threshold=None):
        self.card = Card("pointwise", "semantic", labels, stride=stride, gives_probabilities=True, threshold=card_threshold)
        self.sizes = []

    def __call__(self, images, request=PLAIN):
        self.sizes.append([image.size for image in images])
        threshold = request.threshold if request.threshold is not None else self.card.threshold
        return [self._one(image, request.probabilities, threshold) for image in images]

    def _one(self, image, keeps, threshold):
        values = image.pixels[:, :, : len(self.card.labels)].astype(np.float32).transpose(2, 0, 1) + 1
        probabilities = values / values.sum(axis=0)
        decided = Decided(image.size, self.card.labels, threshold)
        decided.add(0, probabilities)
        return decided.segmentation(probabilities if keeps else None)


def noise(size, seed=0):
    return Image(np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (40, 5), (16, 24), (17, 25), (33, 61), (64, 64)])
@pytest.mark.parametrize("overlap", [0, 3, 15])
@pytest.mark.parametrize("wants", [False, True])
def test_a_pixelwise_predictor_gives_the_same_in_tiles(size, overlap, wants):
    request = Request(probabilities=wants)
    (whole,), (cut,) = Pointwise()([noise(size)], request), Tiled(Pointwise(), (16, 24), overlap)([noise(size)], request)
    assert cut == whole
    if wants:
        np.testing.assert_allclose(cut.probabilities, whole.probabilities, atol=1e-6)
        np.testing.assert_allclose(cut.scores, whole.scores, atol=1e-6)
    else:
        assert cut.probabilities is None


def test_scores_are_weighted_by_pixels_and_exact_where_tiles_do_not_overlap():
    image = noise((32, 40))
    (whole,), (cut,) = Pointwise()([image]), Tiled(Pointwise(), (8, 10), 0)([image])
    np.testing.assert_allclose(cut.scores, whole.scores, atol=1e-6)


class Placed:
    """Call each pixel of an image by its distance to the image's nearest border: what tiles change most."""

    card = Card("placed", "semantic", LabelSet.of([str(value) for value in range(60)]))

    def __call__(self, images, request=PLAIN):
        return [Segmentation.from_class_map(_depth(image.size).astype(np.uint8), self.card.labels) for image in images]


def _depth(size):
    rows, columns = (np.minimum(np.arange(length), np.arange(length)[::-1]) for length in size)
    return np.minimum(rows[:, None], columns)


def test_each_pixel_is_taken_from_the_tile_in_which_it_lies_most_central():
    image, overlap = noise((50, 70)), 9
    (found,) = Tiled(Placed(), (20, 30), overlap)([image])
    for tile in tiles(image.size, (20, 30), overlap):
        top, left, bottom, right = tile.core
        own = _depth((tile.height, tile.width))[top - tile.top : bottom - tile.top, left - tile.left : right - tile.left]
        assert (found.class_map()[top:bottom, left:right] == own).all()
    inner = found.class_map()[5:-5, 5:-5]
    assert inner.min() >= overlap // 2  # nothing is taken from nearer to a cut than half the overlap


class Corner:
    """Give class a the probability 1 in tiles that hold the image's first pixel (it is white), and 0 in the others."""

    card = Card("corner", "semantic", TWO, gives_probabilities=True)

    def __call__(self, images, request=PLAIN):
        found = []
        for image in images:
            is_first = float(image.pixels[0, 0, 0] == 255)
            probabilities = np.stack([np.full(image.size, value, np.float32) for value in (1 - is_first, is_first)])
            classes = np.full(image.size, int(is_first), np.uint8)
            found.append(Segmentation.from_class_map(classes, TWO, probabilities=probabilities))
        return found


def test_probabilities_are_blended_over_the_overlap_by_squared_sines():
    pixels = np.zeros((4, 12, 3), np.uint8)
    pixels[0, 0] = 255
    (found,) = Tiled(Corner(), (4, 8), 3)([Image(pixels)], Request(probabilities=True))
    shared = np.cos(np.pi / 2 * (np.arange(3) + 0.5) / 3) ** 2  # the last tile was moved: of four columns three are blended
    np.testing.assert_allclose(found.probabilities[1, 0], [1, 1, 1, 1, 1, *shared, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1, atol=1e-6)
    assert (found.class_map()[0] == [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]).all()


@pytest.mark.parametrize("wants", [False, True])
@pytest.mark.parametrize("of_card", [False, True])
def test_thresholds_hold_in_tiles(wants, of_card):
    image = noise((30, 50))
    predictor = Pointwise(TWO, card_threshold=0.8 if of_card else None)
    request = Request(probabilities=wants, threshold=None if of_card else 0.8)
    (whole,), (cut,) = predictor([image], request), Tiled(predictor, (16, 16), 4)([image], request)
    assert cut == whole
    assert (whole.class_map() == 1).sum() < (Pointwise(TWO)([image])[0].class_map() == 1).sum()


def test_tiles_are_never_padded_and_go_to_the_predictor_in_batches(monkeypatch):
    monkeypatch.setattr(tile_choice, "CALL", 2 * 16 * 24)
    predictor = Pointwise()
    Tiled(predictor, (16, 24), 4)([noise((40, 60)), noise((10, 60))])
    assert {size for sizes in predictor.sizes for size in sizes} == {(16, 24), (10, 24)}
    assert max(map(len, predictor.sizes)) == 2


def test_images_that_fit_into_a_tile_go_through_together_and_whole():
    predictor = Pointwise()
    images = [noise((16, 24)), noise((40, 60)), noise((3, 5))]
    found = Tiled(predictor, (16, 24), 4)(images)
    assert predictor.sizes[0] == [(16, 24), (3, 5)]
    assert [one.size for one in found] == [image.size for image in images]
    assert found == Pointwise()(images)


def test_tiles_start_at_multiples_of_the_stride_where_there_is_room():
    starts = []

    class Watching(Pointwise):
        def _one(self, image, keeps, threshold):
            starts.append((int(image.pixels[0, 0, 0]), int(image.pixels[0, 0, 1])))
            return super()._one(image, keeps, threshold)

    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 1] = np.arange(100)[:, None], np.arange(100)
    Tiled(Watching(stride=16), (40, 40), 7)([Image(pixels)])
    assert {top for top, _ in starts} == {0, 32, 64}  # 33 would fit the overlap; a last one at 60 would leave the grid
    starts.clear()
    Tiled(Watching(stride=64), (40, 40), 7)([Image(pixels)])
    assert {top for top, _ in starts} == {0, 33, 60}


def test_one_number_is_a_square_and_a_quarter_the_usual_overlap():
    tiled = Tiled(Pointwise(), 32)
    assert (tiled.tile, tiled.overlap) == ((32, 32), 8)


@pytest.mark.parametrize(("tile", "overlap"), [((8, 16), 8), ((8, 16), 20), ((8, 16), -1), ((0, 16), 0), ((8, -3), 0)])
def test_tiles_that_cannot_be_laid_are_refused_when_they_are_chosen(tile, overlap):
    with pytest.raises(OptionError, match="overlap"):
        Tiled(Pointwise(), tile, overlap)


def test_segments_that_are_not_semantic_are_refused():
    with pytest.raises(OptionError, match="gives regions segments"):
        Tiled(Method("kmeans"), (16, 16), 4)


def test_what_a_predictor_cannot_do_is_said():
    large = noise((40, 60))
    with pytest.raises(OptionError, match="gives no probabilities"):
        Tiled(Method("otsu"), (16, 16), 4)([large], Request(probabilities=True))
    with pytest.raises(OptionError, match="prompts"):
        Tiled(Pointwise(), (16, 16), 4)([large], Request(prompts=((Prompt(points=((3, 3, True),)),),)))
    with pytest.raises(OptionError, match="two classes"):
        Tiled(Pointwise(), (16, 16), 4)([large], Request(probabilities=True, threshold=0.5))


def test_predictors_without_scores_stay_without():
    (found,) = Tiled(Method("otsu"), (16, 16), 4)([noise((40, 60))])
    assert found.scores is None


def test_the_card_is_the_predictors_and_says_how_far_a_pixel_is_seen():
    card = Tiled(Pointwise(), (16, 24), 4).card
    assert (card.name, card.labels, card.gives_probabilities, card.field_of_view) == ("pointwise", LABELS, True, (31, 47))


def test_fingerprints_tell_tiles_apart():
    prints = {Tiled(Pointwise(), tile, overlap).fingerprint() for tile, overlap in [(16, 4), (16, 5), ((16, 17), 4)]}
    assert len(prints | {Tiled(Flipped(Pointwise()), 16, 4).fingerprint()}) == 4
    assert Tiled(Pointwise(), 16, 4).fingerprint() == Tiled(Pointwise(), (16, 16)).fingerprint()


def test_arrays_are_images_in_every_arrangement():
    """As for a network, to which the caller of one it is wrapped in may not look."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    method = Method("otsu")
    wanted = method([Image(pixels)])
    assert method([pixels]) == wanted
    assert Tiled(method, (20, 20))([pixels]) == wanted
    assert Tiled(Pointwise(), (4, 5), 2)([pixels]) == Pointwise()([Image(pixels)])
    assert Flipped(Pointwise())([pixels]) == Pointwise()([Image(pixels)])
