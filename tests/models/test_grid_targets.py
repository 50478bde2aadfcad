"""Which cells are taught which object equals what a loop over all cells finds."""

import math

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.masks import OverlappingMasks, from_dense
from pixelwise.models.heads.grid_targets import Grids, Objects, counted_cells, objects_of, places_of

SIZE, PADDED = (50, 60), (64, 64)


def drawn(seed: int, count: int) -> Objects:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 40, (count, 2))
    high = np.minimum(low + rng.integers(1, 45, (count, 2)), SIZE[::-1])
    centres = low + (high - low) * rng.uniform(0.2, 0.8, (count, 2))
    return Objects(np.concatenate([low, high], axis=1), centres, np.arange(count, 0, -1))  # later ones are smaller


def by_loop(grids: Grids, objects: Objects) -> dict[int, int]:
    """Ask every cell of every grid whether the middle of each object touches it; the smallest that does has it."""
    found, first = {}, 0
    for count, (least, most) in zip(grids.counts, grids.ranges(SIZE), strict=True):
        height, width = PADDED[0] / count, PADDED[1] / count
        for row in range(count):
            for column in range(count):
                for index in np.argsort(-objects.areas):
                    left, top, right, bottom = objects.boxes[index]
                    x, y = objects.centres[index]
                    across, down = grids.centre / 2 * (right - left), grids.centre / 2 * (bottom - top)
                    fits = least <= math.sqrt((right - left) * (bottom - top)) <= most
                    near = abs(x // width - column) <= 1 and abs(y // height - row) <= 1
                    over = x - across < (column + 1) * width and x + across >= column * width
                    under = y - down < (row + 1) * height and y + down >= row * height
                    if fits and near and over and under:
                        found[first + row * count + column] = int(index)
        first += count**2
    return found


@pytest.mark.parametrize("scales", ["relative", ((0.0, 20.0), (10.0, 30.0), (25.0, math.inf))])
@pytest.mark.parametrize("centre", [0.0, 0.2, 1.0])
def test_cells_of_the_centre_region_are_those_a_loop_finds(centre, scales) -> None:
    grids = Grids((12, 7, 3), scales, centre)
    for seed in range(4):
        objects = drawn(seed, 9)
        places = places_of(grids, objects, SIZE, PADDED)
        assert dict(places.tolist()) == by_loop(grids, objects)
        assert len(places) == len(np.unique(places[:, 0]))


def test_relative_ranges_are_the_papers_on_images_of_its_size() -> None:
    found = Grids().ranges((1024, 1024))
    assert found == ((0, 96), (48, 192), (96, 384), (192, 768), (384, math.inf))
    assert Grids((40, 36, 24, 16, 12)).ranges((448, 768))[0][1] == pytest.approx(56, rel=0.03)  # the light one's


def test_mass_centres_are_those_of_the_pixels_and_not_of_the_box() -> None:
    mask = np.zeros((1, 6, 8), bool)
    mask[0, 2:5, 1] = mask[0, 4, 1:4] = True
    found = objects_of(from_dense(mask), np.array([0]))
    rows, columns = np.nonzero(mask[0])
    assert found.centres[0].tolist() == pytest.approx([(columns + 0.5).mean(), (rows + 0.5).mean()])
    assert (found.boxes[0].tolist(), found.areas[0]) == ([1, 2, 4, 5], 5)


def test_an_image_without_objects_teaches_no_cell() -> None:
    none = objects_of(OverlappingMasks((), SIZE), np.zeros(0, np.int64))
    assert places_of(Grids(), none, SIZE, PADDED).shape == (0, 2)


def test_cells_in_the_middle_of_ignored_pixels_do_not_count() -> None:
    ignored = np.zeros((4, 6), bool)
    ignored[:, 4:] = True
    found = counted_cells(Grids((4, 2)), ignored, (8, 8))
    assert found[:16].reshape(4, 4).tolist() == [[1, 1, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert found[16:].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"counts": ()}, "grids"),
        ({"centre": 2.0}, "centre"),
        ({"scales": ((0, 9),)}, "scales"),
        ({"scales": "large"}, "scales"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(options, named) -> None:
    with pytest.raises(OptionError, match=named):
        Grids(**options)
