"""Shadow, fog and cut-out: where they are and how strong, at every depth."""

import numpy as np
import pytest

from pixelwise.augment import cover
from pixelwise.core.masks import DisjointMasks, as_overlapping

LEFT_HALF = np.array([[-0.1, -0.1], [0.5, -0.1], [0.5, 1.1], [-0.1, 1.1]])


def test_a_shadow_takes_its_share_of_light_inside_and_nothing_outside() -> None:
    light = cover.shadow_light((40, 80), LEFT_HALF, 0.6)
    assert light.shape == (40, 80)
    assert np.allclose(light[:, :24], 0.4, atol=0.01)
    assert np.allclose(light[:, 56:], 1, atol=0.01)
    assert (np.diff(light[20]) >= -1e-6).all()  # a soft edge


def test_fog_is_no_denser_than_asked_for() -> None:
    density = cover.fog_density((30, 50), np.random.default_rng(0).random((4, 4)), 0.5)
    assert density.shape == (30, 50)
    assert 0 <= density.min() < density.max() <= 0.5


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_light_and_fog_are_the_same_at_every_depth(dtype: type[np.generic], top: float, bands: int) -> None:
    pixels = np.full((2, 3, bands), 0.5 * top).astype(dtype)
    shade, fog = np.full((2, 3), 0.6, np.float32), np.full((2, 3), 0.5, np.float32)
    assert cover.lit(pixels, shade, None).astype(float) / top == pytest.approx(0.3, abs=0.003)
    assert cover.lit(pixels, None, fog).astype(float) / top == pytest.approx(0.7, abs=0.003)  # half way to 0.9
    assert cover.lit(pixels, shade, fog).dtype == dtype


def test_a_hole_is_painted_and_nothing_else() -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    found = cover.painted_over(pixels, ((1, 2, 3, 4),), np.array([9.0, 8.0, 7.0]))
    assert found[1:3, 2:4].reshape(-1, 3).tolist() == [[9, 8, 7]] * 4
    kept = np.ones((4, 5), bool)
    kept[1:3, 2:4] = False
    assert (found[kept] == pixels[kept]).all()


def test_masks_lose_what_lies_under_a_hole_in_both_holdings() -> None:
    ids = np.array([[1, 1, 2], [1, 2, 2]], np.uint8)
    expected = np.array([[0, 0, 2], [1, 2, 2]], np.uint8)
    disjoint = DisjointMasks(ids, 2)
    assert cover.erased(disjoint, ((0, 0, 1, 2),)) == DisjointMasks(expected, 2)
    assert cover.erased(as_overlapping(disjoint), ((0, 0, 1, 2),)) == DisjointMasks(expected, 2)
    assert disjoint.ids[0, 0] == 1
