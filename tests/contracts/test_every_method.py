"""What every classical method of the table must do, without a line of its own here."""

import typing
import warnings

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError
from pixelwise.core.image import as_image
from pixelwise.core.predictor import Predictor
from pixelwise.methods import METHODS, TRAINED
from pixelwise.methods.about import About, Family
from pixelwise.methods.predictor import Method
from pixelwise.scenes import scenes


def disc(dark=False):
    """A disc on a plain ground with a little noise, (60, 80) uint8."""
    rows, columns = np.mgrid[:60, :80]
    inside = (rows - 30) ** 2 + (columns - 40) ** 2 < 18**2
    grey = np.where(inside, 190, 60) + np.random.default_rng(0).normal(0, 4, inside.shape)
    return np.clip(255 - grey if dark else grey, 0, 255).astype(np.uint8)


GREY = disc()
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
IMAGES = {
    "grey": GREY,
    "colour": COLOUR,
    "uint16": GREY.astype(np.uint16) * 257,
    "uint16 colour": COLOUR.astype(np.uint16) * 257,
    "float": GREY / 255.0,
    "one row": GREY[30:31],
    "one column": GREY[:, 40:41],
    "odd": GREY[:59, :77],
    "two pixels": GREY[30:31, 20:22],
    "2 x 2": COLOUR[29:31, 20:22],
    "five bands": np.concatenate([COLOUR, COLOUR[:, :, :2] // 3], axis=2),
}


def check_large(method, size):
    """Segment a drawn scene of (H, W); the large one is made from the small one, whose drawing takes long."""
    pixels = cv2.resize(scenes(1, size=(300, 400), seed=3)[0].image.pixels, size[::-1], interpolation=cv2.INTER_CUBIC)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = method([as_image(pixels)])[0]
    assert found.masks.areas().sum() == size[0] * size[1]


@pytest.fixture(scope="module")
def ready():
    made = {}

    def make(name):
        if name not in made:
            method = Method(name)
            made[name] = method.fit(scenes(3, size=(48, 64), seed=1)) if name in TRAINED else method
        return made[name]

    return make


@pytest.mark.parametrize("name", sorted(METHODS))
class TestEveryMethod:
    def test_is_a_predictor_whose_card_tells_kind_and_labels(self, name, ready):
        method = ready(name)
        assert isinstance(method, Predictor)
        found = method([as_image(COLOUR)])[0]
        assert (method.card.name, method.card.kind) == (name, found.kind)
        assert method.card.labels.names == found.labels.names

    @pytest.mark.parametrize("what", sorted(IMAGES))
    def test_takes_any_size_depth_and_bands(self, name, what, ready):
        method, image = ready(name), as_image(IMAGES[what])
        if name in TRAINED and what == "five bands":
            with pytest.raises(DataError, match="the model wants bands red, green, blue"):  # those it was trained on
                method([image])
            return
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = method([image])[0]
        assert found.size == image.size
        assert found.masks.areas().sum() == image.size[0] * image.size[1]
        assert found.masks.areas().min() > 0

    def test_says_what_it_is(self, name):
        about = METHODS[name].ABOUT
        assert isinstance(about, About)
        assert about.family in typing.get_args(Family)
        assert all(about)

    def test_takes_a_photograph_sized_image_without_a_warning(self, name, ready):
        check_large(ready(name), (300, 400))

    @pytest.mark.slow
    def test_takes_a_large_photograph(self, name, ready):
        check_large(ready(name), (2000, 3000))

    @pytest.mark.parametrize("value", [0, 128, 255])
    @pytest.mark.parametrize("size", [(1, 1), (1, 1, 3), (9, 13), (9, 13, 3)])
    def test_an_image_without_contrast_is_one_segment(self, name, value, size, ready):
        assert len(ready(name)([as_image(np.full(size, value, np.uint8))])[0]) == 1

    def test_gives_the_same_twice(self, name, ready):
        first, second = ready(name)([as_image(COLOUR), as_image(COLOUR)])
        assert first == second

    def test_does_not_touch_its_input(self, name, ready):
        pixels = COLOUR.copy()
        ready(name)([as_image(pixels)])
        assert (pixels == COLOUR).all()

    def test_16_bits_segment_as_8_bits_do(self, name, ready):
        small, deep = ready(name)([as_image(GREY), as_image(GREY.astype(np.uint16) * 257)])
        differing = np.count_nonzero(small.panoptic_ids() != deep.panoptic_ids())
        assert differing <= 0.01 * GREY.size

    def test_survives_values_that_are_no_numbers(self, name, ready):
        pixels = (GREY / 255.0).astype(np.float32)
        pixels[3, 4], pixels[5, 6] = np.nan, np.inf
        assert ready(name)([as_image(pixels)])[0].size == (60, 80)

    @pytest.mark.parametrize("band", [0, 2])
    def test_a_band_without_numbers_does_not_hide_the_others(self, name, band, ready):
        pixels = (COLOUR / 255.0).astype(np.float32)
        pixels[:, :, band] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = ready(name)([as_image(pixels)])[0]
        assert found.masks.areas().sum() == GREY.size

    def test_no_images_give_no_segmentations(self, name, ready):
        assert ready(name)([]) == []

    def test_an_unknown_option_names_the_nearest(self, name, ready):
        with pytest.raises(OptionError, match=f"'{name}' has no option 'seeed'"):
            Method(name, seeed=1)
