"""What the command line lays around a predictor, and when it cuts an image unasked."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict import automatic
from pixelwise.predict.automatic import arranged, automatic_tile
from pixelwise.predict.flipped import Flipped
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles import choice as tile_choice

LABELS = LabelSet.of(["a", "b"])


def card(crop=(352, 480), stride=32, scale=1.0):
    training = {"crop": list(crop)} if crop else {}
    return Card("net", "semantic", LABELS, stride=stride, scale=scale, gives_probabilities=True, training=training)


class Sizes:
    """Remember the sizes of the images it gets."""

    def __init__(self, card):
        self.card = card
        self.seen = []

    def __call__(self, images, request=PLAIN):
        self.seen += [image.size for image in images]
        return [Segmentation.from_class_map(np.zeros(image.size, np.uint8), LABELS) for image in images]


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (card(), (1024, 1024)),
        (card((1536, 2000)), (1536, 2016)),
        (card(stride=100), (1100, 1100)),
        (card(scale=0.25), (4096, 4096)),
        (card(crop=None), None),
        (Method("otsu").card, None),
    ],
)
def test_tiles_are_chosen_by_what_a_network_was_trained_on(of, wanted):
    assert automatic_tile(of) == wanted


def test_huge_images_alone_are_cut_and_it_is_said_once(monkeypatch):
    monkeypatch.setattr(automatic, "HUGE", 100 * 100)
    monkeypatch.setattr(tile_choice, "LEAST_SIDE", 64)
    predictor, said = Sizes(card((48, 64))), []
    whole = arranged(predictor, say=said.append)
    sizes = [(100, 100), (101, 100), (100, 200)]
    found = whole([Image(np.zeros((*size, 3), np.uint8)) for size in sizes])
    assert [one.size for one in found] == sizes
    assert (100, 100) in predictor.seen  # whole; the last tiles end at the image's end, and begin on the network's grid of 32
    assert {side for size in predictor.seen for side in size if size != (100, 100)} == {64, 100 - 64, 101 - 64, 200 - 160}
    assert len(said) == 1
    assert "100 x 101" in said[0]
    assert "64 x 64" in said[0]


def test_a_network_that_reads_images_small_may_have_large_ones(monkeypatch):
    monkeypatch.setattr(automatic, "HUGE", 100 * 100)
    predictor = Sizes(card(scale=0.5))
    arranged(predictor)([Image(np.zeros((200, 200, 3), np.uint8))])
    assert predictor.seen == [(200, 200)]


def test_without_tiles_nothing_is_cut(monkeypatch):
    monkeypatch.setattr(automatic, "HUGE", 10)
    predictor = Sizes(card())
    assert arranged(predictor, tile=None) is predictor
    assert arranged(method := Method("otsu")) is method


def test_flips_go_inside_tiles():
    found = arranged(Sizes(card()), (32, 48), 8, flips=True)
    assert isinstance(found, Tiled)
    assert isinstance(found.predictor, Flipped)
    assert (found.tile, found.overlap, len(found.predictor.views)) == ((32, 48), 8, 2)
    assert len(arranged(Sizes(card()), None, turns=True).views) == 8


def test_an_overlap_without_tiles_is_refused():
    with pytest.raises(OptionError, match="give their size too"):
        arranged(Sizes(card()), overlap=8)


def test_fingerprints_tell_arrangements_apart():
    from pixelwise.predict.fingerprint import fingerprint

    ways = [{"tile": None}, {}, {"tile": (32, 32)}, {"flips": True}, {"turns": True}, {"tile": (32, 32), "flips": True}]
    assert len({fingerprint(arranged(Sizes(card()), **way)) for way in ways}) == len(ways)
