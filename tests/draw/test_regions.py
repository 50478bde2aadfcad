"""Pictures of partitions and of kinds of errors."""

import cv2
import numpy as np
import pytest

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.compare import EXTRA, RIGHT, VOIDED, WRONG
from pixelwise.draw.kinds import KIND_COLOURS, kind_map
from pixelwise.draw.objects import CONFUSED, SHARED
from pixelwise.draw.regions import border_differences, border_errors, outlined

PAPER = np.full((100, 100, 3), 200, np.uint8)


def cut_at(*columns):
    """A partition of 100 x 100 pixels by upright borders."""
    ids = np.searchsorted(np.array(columns), np.arange(100), side="right")
    masks = np.stack([np.broadcast_to(ids == index, (100, 100)) for index in range(len(columns) + 1)])
    return Segmentation.from_masks("regions", masks, [0] * len(masks), LabelSet.of(["region"]))


def test_borders_are_drawn_and_regions_are_left_as_they_are():
    drawn = outlined(PAPER, cut_at(50), 100)
    assert (drawn[:, 49:51] != 200).any(axis=2).all()
    assert (drawn[:, :45] == 200).all()


def test_borders_of_both_of_the_truth_alone_and_of_the_prediction_alone():
    drawn = border_errors(PAPER, cut_at(21, 80), cut_at(20, 50), 100)
    assert [tuple(drawn[50, column]) for column in (20, 50, 80)] == [RIGHT, WRONG, EXTRA]


def test_borders_of_a_alone_of_b_alone_and_of_both():
    drawn = border_differences(PAPER, cut_at(20, 50), cut_at(20, 80), 100)
    assert [tuple(drawn[50, column]) for column in (20, 50, 80)] == [SHARED, WRONG, RIGHT]


def test_each_kind_of_error_has_its_colour_and_void_is_hatched():
    kinds = np.repeat(np.array([[0, 1, 2, 3, 4, 5, 255]], np.uint8), 20, axis=1).repeat(140, axis=0)
    drawn = kind_map(kinds, np.full((140, 140, 3), 128, np.uint8), 140)
    assert [tuple(drawn[70, 10 + 20 * number]) for number in range(1, 6)] == list(KIND_COLOURS.values())
    assert {tuple(pixel) for pixel in drawn[:, 120:].reshape(-1, 3).tolist()} == {VOIDED, (95, 95, 95)}
    assert len(np.unique(drawn[:, :20].reshape(-1, 3), axis=0)) == 1


SEEN_BY = {  # linear RGB as people see it who lack one kind of cones (Machado et al. 2009)
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
PALETTES = {"kinds": tuple(KIND_COLOURS.values()), "objects": (RIGHT, WRONG, EXTRA, CONFUSED), "pairs": (WRONG, RIGHT, SHARED)}


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("palette", PALETTES)
def test_colour_blind_readers_tell_the_colours_of_a_picture_apart(who, palette):
    linear = (np.array(PALETTES[palette]) / 255) ** 2.2
    seen = np.clip(linear @ np.array(SEEN_BY[who]).T, 0, 1) ** (1 / 2.2)
    lab = cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(lab), 1)]
    assert apart.min() > 20  # 2 is just seen when the two lie side by side


@pytest.mark.parametrize(
    "draw", [lambda: outlined(PAPER[:9], cut_at(5)), lambda: border_errors(PAPER[:9], cut_at(5), cut_at(5))]
)
def test_sizes_that_differ_are_refused(draw):
    with pytest.raises(SizeMismatch):
        draw()
