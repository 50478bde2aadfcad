"""Swapped masks: found in pairs, rings and shifts; nothing is said of masks that are right, or where none can tell."""

import numpy as np
import pytest

from pixelwise.core.image import Image
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.curate.partners import agreement, assigned, border_map, edge_map, find_swapped
from pixelwise.scenes import LABELS, scenes

SCENES = [(sample.image, sample.truth) for sample in scenes(48, (96, 128), seed=9)]


def data(order: list[int]) -> Dataset:
    """The drawn scenes, image i under the mask of scene ``order[i]``."""
    samples = [Sample.of(str(place), SCENES[place][0], SCENES[mask][1]) for place, mask in enumerate(order)]
    return Dataset(samples, LABELS, "semantic")


def found(order: list[int]) -> dict[int, int | None]:
    return {one.row: one.better for one in find_swapped(data(order), range(len(order)))}


def test_right_masks_are_left_alone() -> None:
    assert found(list(range(24))) == {}


def test_two_swapped_masks_are_found_with_each_other() -> None:
    order = list(range(24))
    order[3], order[17] = 17, 3
    assert found(order) == {3: 17, 17: 3}


def test_a_ring_of_masks_is_untangled() -> None:
    order = list(range(24))
    order[4], order[9], order[15] = 9, 15, 4
    assert found(order) == {4: 15, 9: 4, 15: 9}


def test_a_list_shifted_by_one_is_found_whole() -> None:
    order = [*range(1, 24), 0]
    assert found(order) == {place: (place - 1) % 24 for place in range(24)}


def test_a_mask_of_an_image_that_has_its_own_is_found() -> None:
    order = list(range(24))
    order[5] = 20
    assert found(order) == {5: None}


def test_masks_that_follow_no_edges_are_not_judged() -> None:
    rng = np.random.default_rng(0)
    samples = []
    for place, (image, _) in enumerate(SCENES[:24]):
        halves = np.zeros(image.size, np.uint8)
        halves[:, int(rng.integers(20, 108)) :] = 1
        samples.append(Sample.of(str(place), image, Segmentation.from_class_map(halves, LABELS)))
    assert find_swapped(Dataset(samples, LABELS, "semantic"), range(24)) == []


def test_a_handful_of_images_is_not_judged() -> None:
    assert found([1, 0, 2, 3]) == {}


def test_flat_images_and_masks_have_no_map() -> None:
    assert edge_map(np.full((40, 40), 0.5, np.float32)) is None
    assert border_map(np.zeros((40, 40), np.uint8)) is None


def test_agreement_is_highest_where_borders_are_edges() -> None:
    rng = np.random.default_rng(1)
    edges, borders = [], []
    for _ in range(10):
        mask = np.zeros((80, 80), np.uint8)
        top, left = rng.integers(5, 45, 2)
        mask[top : top + 30, left : left + 30] = 1
        edges.append(edge_map(mask * np.float32(0.5) + 0.2))
        borders.append(border_map(mask))
    fits = agreement(np.stack(edges), np.stack(borders))
    assert (fits.argmax(axis=1) == np.arange(10)).all()


def test_the_own_mask_keeps_its_place_on_a_tie() -> None:
    assert assigned(np.array([[5.0, 5.1], [5.1, 5.0]], np.float32)).tolist() == [0, 1]


def test_grey_images_of_16_bits_are_judged_as_well() -> None:
    order = list(range(24))
    order[3], order[17] = 17, 3
    deep = [
        Sample.of(one.name, Image(one.image.pixels[:, :, :1].astype(np.uint16) * 16, ("grey",)), one.truth)
        for one in data(order)
    ]
    assert {one.row for one in find_swapped(Dataset(deep, LABELS, "semantic"), range(24))} == {3, 17}


def test_a_large_set_is_judged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.curate.partners._PART", 24)
    order = list(range(48))
    order[2], order[7] = 7, 2  # within a part
    order[5], order[40] = 40, 5  # across parts
    assert found(order) == {2: 7, 7: 2, 5: None, 40: None}
