"""What is chosen of tiles, overlap and join, and the sentence that says why."""

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN, Request
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.predict.tiled import Tiled
from pixelwise.predict.tiles.choice import choose, reach_of, size_text, stride_of

LABELS = LabelSet.of([str(index) for index in range(23)])
WANTED = Request(probabilities=True)


def card(view=None, crop=(512, 512), stride=32, scale=1.0, kind="semantic"):
    training = {"crop": list(crop)} if crop else {}
    return Card(
        "net", kind, LABELS, stride=stride, scale=scale, field_of_view=view, gives_probabilities=True, training=training
    )


class Given:
    """Segment nothing: it has a card."""

    def __init__(self, card):
        self.card = card

    def __call__(self, images, request=PLAIN):
        return [Segmentation.from_class_map(np.zeros(image.size, np.uint8), LABELS) for image in images]


def test_without_a_field_of_view_tiles_are_chosen_by_the_crop_and_cut():
    plan = Tiled(Given(card(crop=(1200, 1500)))).plan((4000, 6000))
    assert (plan.tile, plan.overlap, plan.join, plan.tiles) == ((1216, 1504), 128, "cut", 4 * 5)
    assert "by the training crop of 1500 x 1200" in str(plan)
    assert "the field of view is not known" in str(plan)


def test_an_overlap_that_covers_the_field_of_view_is_taken_and_cut_whatever_is_requested():
    tiled = Tiled(Given(card(view=(201, 201))))
    plan = tiled.plan((4000, 6000), WANTED)
    assert (tiled.tile, plan.tile, plan.overlap, plan.join) == ((1024, 1024), (992, 960), 200, "cut")
    assert "which cover the field of view of 201 pixels" in plan.reason
    assert tiled.tiling().margin == 100


def test_a_field_of_view_that_no_tile_covers_is_said():
    tiled = Tiled(Given(card(view=(3001, 3001))))
    assert (tiled.tile, tiled.overlap) == ((2048, 2048), 128)
    assert "the field of view is larger than the overlap" in tiled.plan((4000, 6000)).reason


def test_probabilities_are_blended_unless_a_cut_is_exact():
    tiled = Tiled(Given(card()))
    assert (tiled.tiling().join, tiled.tiling(WANTED).join) == ("cut", "hann")
    assert "as probabilities are asked for" in tiled.plan((4000, 6000), WANTED).reason
    assert Tiled(Given(card()), join="gaussian").tiling().join == "gaussian"


def test_tiles_that_are_chosen_are_made_even_and_those_given_stay():
    image = (4000, 6000)
    even, given = Tiled(Given(card())), Tiled(Given(card()), (1024, 1024))
    assert (even.plan(image).tile, given.plan(image).tile) == ((928, 992), (1024, 1024))
    assert even.plan(image).tiles == given.plan(image).tiles
    assert even.tiling(size=image).tile == even.plan(image).tile


def test_an_image_that_fits_is_not_cut():
    assert str(Tiled(Given(card())).plan((1000, 800))).startswith("in one piece")


def test_smaller_limits_take_smaller_tiles_and_then_panels_and_plans_keep_to_them():
    sizes, panels = [], []
    for memory in (2 * 2**30, 400_000_000, 100_000_000, 25_000_000):
        tiled = Tiled(Given(card()), memory=memory)
        plan = tiled.plan((20_000, 20_000), WANTED)
        assert plan.memory <= memory
        sizes.append(plan.tile[0])
        panels.append(len(tiled.tiling(WANTED).panels((20_000, 20_000), 23, WANTED)))
        assert f"{panels[-1]} panels" in plan.reason
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 992
    assert sizes[-1] < 256
    plain = Tiled(Given(card()), memory=2 * 2**30).plan((20_000, 20_000))
    assert "panels" not in plain.reason


@pytest.mark.parametrize(
    ("tile", "memory", "words"),
    [(None, 1_000_000, "the memory limit is 1 MB; give a higher limit$"), ((2048, 2048), 10**9, "or smaller tiles")],
)
def test_a_limit_that_no_tile_keeps_to_is_refused_in_a_sentence(tile, memory, words):
    with pytest.raises(OptionError, match=words):
        Tiled(Given(card()), tile, memory=memory)


def test_strides_and_reaches_are_those_of_the_image_and_not_of_the_reduced_one():
    assert [stride_of(card(scale=scale)) for scale in (1.0, 0.5, 0.25, 0.3)] == [32, 64, 128, 320]
    assert [reach_of(card(view=(17, 17), scale=scale)) for scale in (1.0, 0.5, 0.25)] == [8, 17, 35]
    assert reach_of(card()) is None


def test_an_overlap_that_is_given_stays_and_a_stride_that_does_not_fit_is_let_go():
    choice = choose(card(), (40, 40), 20)
    assert (choice.overlap, choice.stride, choose(card(), (64, 64), 20).stride) == (20, 1, 32)


def test_sizes_are_written_as_people_do():
    assert [size_text(size) for size in (2_000_000_000, 512_300_000, 300_000)] == ["2.0 GB", "512 MB", "0.3 MB"]


def test_objects_are_matched_and_not_blended():
    assert Tiled(Given(card(kind="instance"))).plan((4000, 6000)).join == "matched"
    with pytest.raises(OptionError, match="joined by their masks"):
        Tiled(Given(card(kind="instance")), join="hann")


def test_what_gives_no_probabilities_is_not_blended():
    with pytest.raises(OptionError, match="no probabilities that could be blended"):
        Tiled(Method("otsu"), 64, join="hann")
    assert Tiled(Method("otsu"), 64).tiling().join == "cut"
    with pytest.raises(OptionError, match="one of auto, gaussian, hann, cut, got 'mean'"):
        Tiled(Given(card()), join="mean")


def test_arrays_stream_through_tiles():
    images = [Image(np.zeros((20, 30, 3), np.uint8))] * 3
    assert [found.size for found in Tiled(Given(card()), 16, 4).stream(images)] == [(20, 30)] * 3
