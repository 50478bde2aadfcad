"""Weights of tiles fall towards a tile's inner borders, and leave out what lies too near to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from pixelwise.predict.tiles.blending import FLOOR, Blend, weights
from pixelwise.predict.tiles.tiling import Tiling


@st.composite
def tilings(draw):
    tile = draw(st.integers(1, 20))
    overlap = draw(st.integers(0, tile - 1))
    stride, margin = draw(st.integers(1, tile - overlap)), draw(st.integers(0, overlap // 2))
    join = draw(st.sampled_from(["gaussian", "hann"]))
    return Tiling((tile, tile), overlap, join, stride, margin=margin), draw(st.integers(1, 70))


@given(tilings())
def test_every_pixel_has_weight_and_tiles_weigh_within_their_margins(drawn):
    tiling, length = drawn
    laid = tiling.spans((length, 1))[0]
    total = np.zeros(length)
    for span, (begin, end), each in zip(laid, tiling.supports(laid), weights(tiling, laid), strict=True):
        assert span.start + (tiling.margin if span.start else 0) <= begin < end
        assert end <= span.stop - (tiling.margin if span.stop < length else 0)
        assert (each >= 0).all()
        total[begin:end] += each
    assert (total > 0).all()


@given(tilings())
def test_what_is_finished_partitions_a_side(drawn):
    tiling, length = drawn
    owned = tiling.owned(tiling.spans((length, 1))[0])
    assert [begin for begin, _ in owned] == [0, *(end for _, end in owned[:-1])]
    assert owned[-1][1] == length


def test_gaussian_weights_follow_the_formula_and_hann_weights_of_two_tiles_add_up_to_one():
    gaussian, hann = Tiling((16, 16), 8, "gaussian"), Tiling((16, 16), 8, "hann")
    for each in weights(gaussian, gaussian.spans((24, 24))[0]):
        np.testing.assert_allclose(each, np.exp(-((np.arange(16) - 7.5) ** 2) / (2 * 2.0**2)))  # sigma: an eighth of the tile
    first, second = weights(hann, hann.spans((24, 24))[0])
    np.testing.assert_allclose(first[8:] + second[:8], 1)
    assert (first[:8] == 1).all()


@pytest.mark.parametrize("size", [(23, 37), (9, 60), (40, 5)])
@pytest.mark.parametrize("join", ["gaussian", "hann"])
def test_blended_tiles_are_the_weighted_mean_of_all_tiles(size, join):
    """The mean is that of probabilities, and of a Gaussian that of logits."""
    tiling, rng = Tiling((10, 12), 4, join), np.random.default_rng(0)
    rows, columns = tiling.spans(size)
    blend = Blend(2, tiling, rows, columns, range(len(columns)))
    wanted, found, total = np.zeros((2, *size)), np.zeros((2, *size)), np.zeros(size)
    down, along = weights(tiling, rows), weights(tiling, columns)
    places, across = tiling.supports(rows), tiling.supports(columns)
    for row, high in enumerate(rows):
        for column, wide in enumerate(columns):
            logits = rng.normal(size=(2, high.stop - high.start, wide.stop - wide.start))
            tile = softmax(logits, axis=0).astype(np.float32)
            meant = logits if join == "gaussian" else tile
            (top, bottom), (left, right) = places[row], across[column]
            own = meant[:, top - high.start : bottom - high.start, left - wide.start : right - wide.start]
            weight = np.maximum(np.outer(down[row], along[column]), FLOOR if join == "gaussian" else 0)
            wanted[:, top:bottom, left:right] += weight * own
            total[top:bottom, left:right] += weight
            ready = blend.add(row, column, tile)
            found[:, top : top + ready.shape[1], left : left + ready.shape[2]] += ready
    mean = wanted / total
    np.testing.assert_allclose(found, softmax(mean, axis=0) if join == "gaussian" else mean, atol=1e-6)
