"""Regions become polygons without losing a pixel, however the raster is cut into bands, and stay valid when made simpler."""

import numpy as np
import pytest

from pixelwise.predict.vectors.simplified import simplified
from pixelwise.predict.vectors.traced import regions


def traced(ids, void=0, band=None):
    return list(regions(lambda first, last: ids[first:last], ids.shape, void, band))


def filled(rings, size):
    """Fill rings of pixel corners by the even-odd rule: pixels whose middle lies right of an odd number of sides."""
    mask = np.zeros(size, bool)
    for ring in rings:
        for (x, y), (_, after) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
            mask[min(y, after) : max(y, after), x:] ^= True
    return mask


def shapes(seed, size=(40, 50), values=3):
    """Random regions with holes, islands and pixels that meet at corners alone."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, values, (size[0] // 2, size[1] // 2))
    fine = rng.integers(0, values, size)
    return np.where(rng.random(size) < 0.3, fine, np.kron(coarse, np.ones((2, 2), int))).astype(np.uint8)


@pytest.mark.parametrize("band", [1, 7, 40])
def test_every_pixel_is_in_the_polygon_of_its_id_and_in_no_other(band):
    ids = shapes(1)
    seen = np.zeros(ids.shape, int)
    for one in traced(ids, void=0, band=band):
        mask = filled(one.rings, ids.shape)
        assert (ids[mask] == one.value).all()
        assert mask.sum() == one.area
        seen += mask
    assert (seen == (ids != 0)).all()


def test_regions_do_not_depend_on_the_bands():
    ids = shapes(2)

    def summed(band):
        return sorted((one.value, one.area, sorted(map(len, one.rings))) for one in traced(ids, band=band))

    assert summed(1) == summed(9) == summed(40)


def test_a_region_has_the_pixels_connected_by_sides():
    from scipy import ndimage

    ids = shapes(3)
    for value in (1, 2):
        labelled, count = ndimage.label(ids == value)
        assert sorted(one.area for one in traced(ids, band=5) if one.value == value) == sorted(
            np.bincount(labelled.ravel())[1:].tolist()
        )
        assert count == sum(one.value == value for one in traced(ids, band=5))


def test_without_void_the_polygons_cover_all():
    ids = shapes(4)
    assert sum(one.area for one in traced(ids, void=None)) == ids.size


def test_only_corners_are_kept():
    ids = np.ones((30, 30), np.uint8)
    (one,) = traced(ids, band=4)
    assert one.rings[0].tolist() == [[0, 0], [30, 0], [30, 30], [0, 30]]


def test_a_ring_never_touches_itself():
    ids = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], np.uint8)
    (one,) = traced(ids)
    assert [len(ring) for ring in one.rings] == [4, 4, 4]
    for seed in range(4):
        for one in traced(shapes(seed), band=3):
            assert all(len(np.unique(ring, axis=0)) == len(ring) for ring in one.rings)


def test_polygons_are_valid_by_the_rules_of_simple_features():
    shapely = pytest.importorskip("shapely")
    for seed in range(3):
        for one in traced(shapes(seed), band=6):
            polygon = shapely.Polygon(one.rings[0], one.rings[1:])
            assert polygon.is_valid, shapely.is_valid_reason(polygon)
            assert polygon.area == one.area


def blobs(seed, size=(160, 200), values=3):
    """Smooth regions, as networks give them, with a little noise."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.standard_normal(size), 6) for _ in range(values)]
    ids = np.argmax(fields, axis=0)
    return np.where(rng.random(size) < 0.0005, rng.integers(0, values, size), ids).astype(np.uint8)


@pytest.mark.parametrize("bound", [0.8, 0.95])
def test_simpler_polygons_keep_to_the_bound_are_valid_and_much_smaller(bound):
    shapely = pytest.importorskip("shapely")
    before = after = 0
    for one in traced(blobs(0), void=None):
        rings, iou = simplified(one.rings, one.area, bound)
        old, new = shapely.Polygon(one.rings[0], one.rings[1:]), shapely.Polygon(rings[0], rings[1:])
        assert new.is_valid, shapely.is_valid_reason(new)
        true = old.intersection(new).area / old.union(new).area
        assert true >= iou - 1e-9
        assert iou >= bound
        before, after = before + sum(map(len, one.rings)), after + sum(map(len, rings))
    assert after < 0.45 * before


def test_a_hole_stays_inside_and_is_not_swallowed():
    shapely = pytest.importorskip("shapely")
    ids = np.ones((60, 60), np.uint8)
    ids[np.tril_indices(60, -2)] = 0  # a stair, of which a straight line would cut off the holes beside it
    for step in range(4, 56, 4):
        ids[step, step] = 0
    for one in traced(ids):
        rings, _ = simplified(one.rings, one.area, 0.7)
        polygon = shapely.Polygon(rings[0], rings[1:])
        assert polygon.is_valid, shapely.is_valid_reason(polygon)


def test_a_bound_of_one_changes_nothing():
    for one in traced(blobs(1, (40, 50)), void=None):
        rings, iou = simplified(one.rings, one.area, 1.0)
        assert iou == 1
        assert all((a == b).all() for a, b in zip(rings, one.rings, strict=True))
