"""Smoothing takes out what flickers, follows what moves, and forgets at a cut."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.refined import Refined
from pixelwise.predict.smoothed import Smoothed

LABELS = LabelSet.of(["ground", "thing"])
SIZE = (48, 96)
GROUND = np.random.default_rng(1).integers(60, 120, SIZE)


class Told:
    """Give what was told, with or without probabilities."""

    def __init__(self, chances, probabilities=True):
        self.chances = [np.asarray(one, np.float32) for one in chances]
        self.card = Card("told", "semantic", LABELS, gives_probabilities=probabilities)
        self._next = 0

    def __call__(self, images, request=PLAIN):
        first, self._next = self._next, self._next + len(images)
        return [self._made(one, request) for one in self.chances[first : self._next]]

    def _made(self, chance, request):
        volume = np.stack([1 - chance, chance]) if request.probabilities else None
        classes = (chance > 0.5).astype(np.uint8)
        return Segmentation.from_class_map(classes, LABELS, np.array([0.9, 0.8]), probabilities=volume)


def film(count=12, step=0, width=20):
    """A bright textured square on textured ground, moving ``step`` a frame, and where it is."""
    texture = np.random.default_rng(0).integers(150, 255, (20, width))
    images, masks = [], []
    for index in range(count):
        pixels, mask = GROUND.astype(np.uint8), np.zeros(SIZE, bool)
        place = slice(14, 34), slice(8 + step * index, 8 + step * index + width)
        pixels = pixels.copy()
        pixels[place], mask[place] = texture, True
        images.append(Image(pixels[:, :, None], ("grey",)))
        masks.append(mask)
    return images, masks


def iou(found, mask):
    own = found.class_map() == 1
    return (own & mask).sum() / (own | mask).sum()


@pytest.mark.parametrize("form", ["exponential", "flow"])
@pytest.mark.parametrize("probabilities", [True, False])
def test_what_flickers_is_taken_out(form, probabilities):
    images, masks = film()
    chances = [0.8 * mask + 0.1 for mask in masks]
    for index in range(4, 12, 3):  # lost in one frame of three
        chances[index][:, 15:25] = 0.2
    found = Smoothed(Told(chances, probabilities), form, 0.7)(images)
    assert all(iou(one, mask) == 1 for one, mask in zip(found, masks, strict=True))
    assert any(iou(one, mask) < 0.8 for one, mask in zip(Told(chances)(images), masks, strict=True))


def test_flow_leaves_no_trail_behind_what_moves():
    images, masks = film(step=5)
    chances = [0.9 * mask + 0.05 for mask in masks]
    chances[6][14:34, 45:50] = 0.3  # a hole for one frame
    by_flow = Smoothed(Told(chances), "flow", 0.7)(images)
    as_it_lies = Smoothed(Told(chances), "exponential", 0.7)(images)
    assert min(iou(one, mask) for one, mask in zip(by_flow, masks, strict=True)) > 0.9
    assert iou(as_it_lies[-1], masks[-1]) < 0.8
    assert iou(by_flow[6], masks[6]) > iou(Told(chances[6:])(images[:1])[0], masks[6])


def test_another_scene_and_another_size_begin_anew():
    images, masks = film(2)
    dark, small = Image(np.full((*SIZE, 1), 250, np.uint8), ("grey",)), Image(images[0].pixels[:24], ("grey",))
    other = np.zeros(SIZE)
    chances = [masks[0] * 0.98, other, np.ones((24, 96)) * 0.6]
    found = Smoothed(Told(chances), "exponential", 0.95)([images[0], dark, small])
    assert (found[1].class_map() == 0).all()
    assert (found[2].class_map() == 1).all()


def test_a_weight_of_0_changes_nothing():
    images, masks = film(3, step=4)
    chances = [0.9 * mask for mask in masks]
    found = Smoothed(Told(chances), "flow", 0)(images)
    assert all(one == plain for one, plain in zip(found, Told(chances)(images), strict=True))


def test_probabilities_and_thresholds_are_of_the_mean():
    images, masks = film(2)
    found = Smoothed(Told([masks[0] * 1.0, masks[1] * 0.0]), "exponential", 0.5)(images, Request(probabilities=True))
    assert np.allclose(found[1].probabilities[1], masks[0] * 0.5)
    low = Smoothed(Told([masks[0] * 1.0, masks[1] * 0.0]), "exponential", 0.5)(images, Request(threshold=0.4))
    assert iou(low[1], masks[0]) == 1


def test_what_cannot_be_smoothed_is_refused():
    with pytest.raises(OptionError, match="exponential, flow"):
        Smoothed(Method("otsu"), "median")
    with pytest.raises(OptionError, match="below 1"):
        Smoothed(Method("otsu"), weight=1)
    with pytest.raises(OptionError, match="--track"):
        Smoothed(Refined(Method("otsu"), "split"))
    with pytest.raises(OptionError, match="gives no probabilities"):
        Smoothed(Method("otsu"))([], Request(probabilities=True))
