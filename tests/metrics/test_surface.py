"""Surface distances: by hand, with spacing, and equal to all pairs of distances on noise and on CamVid."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import surface
from pixelwise.metrics.context import ALONE, Context
from pixelwise.metrics.interval import score_draws

LABELS = LabelSet.of(["body", "organ", "vessel"])
VOID = 255


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(rows, np.uint8), labels)


def scores(prediction, truth, context=ALONE):
    return surface.score(surface.count(seg(prediction), seg(truth), context))


def noisy(rng, size=(40, 56), classes=3):
    blocks = rng.integers(0, classes, (-(-size[0] // 8), -(-size[1] // 8)))
    truth = blocks.repeat(8, axis=0).repeat(8, axis=1)[: size[0], : size[1]].astype(np.uint8)
    prediction = np.roll(truth, rng.integers(-3, 4, 2), axis=(0, 1))
    prediction[rng.random(size) < 0.02] = rng.integers(0, classes)
    prediction[rng.random(size) < 0.01] = VOID
    truth[3:9, 10:30] = VOID
    return prediction, truth


# The rules, slowly: all pairs of distances.


def surface_points(mask, is_void, spacing):
    """List the pixels of a mask that have, above, below, left or right, neither the mask nor void, in units."""
    kept = np.pad(mask | is_void, 1)
    inside = kept[:-2, 1:-1] & kept[2:, 1:-1] & kept[1:-1, :-2] & kept[1:-1, 2:]
    return np.argwhere(mask & ~is_void & ~inside) * np.array(spacing)


def all_pairs(points, others):
    found = []
    for point in points:
        found.append(math.sqrt(min(sum((point - other) ** 2) for other in others)))
    return np.array(found)


def percentile(values, share):
    """Interpolate between the two values around a rank, as NumPy's default does."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


def plainly(prediction, truth, index, spacing=(1, 1), pairs=all_pairs):
    """Give hd95, assd and nsd of one class of one image, or None where neither has a surface."""
    is_void = truth == VOID
    ours, theirs = (surface_points(each == index, is_void, spacing) for each in (prediction, truth))
    if not len(ours) and not len(theirs):
        return None
    if not len(ours) or not len(theirs):
        return math.nan, math.nan, 0.0
    there, back = pairs(ours, theirs), pairs(theirs, ours)
    total = len(there) + len(back)
    near = sum(value <= 2 + 1e-9 for value in (*there, *back))
    return max(percentile(there, 0.95), percentile(back, 0.95)), math.fsum((*there, *back)) / total, near / total


def plain_scores(rows):
    columns = zip(*(row for row in rows if row is not None), strict=True)
    return dict(zip(surface.RULES, (float(np.nanmean(column)) for column in columns), strict=True))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 1.9), (3.0, 0.1)])
def test_scores_equal_all_pairs_on_noise(spacing):
    rng = np.random.default_rng(int(spacing[0] * 10))
    images = [noisy(rng, size) for size in ((24, 30), (17, 40))]
    counts = [surface.count(seg(prediction), seg(truth), Context(spacing=spacing)) for prediction, truth in images]
    rows = [plainly(*image, index, spacing) for image in images for index in range(3)]
    assert surface.score(sum(counts)) == pytest.approx(plain_scores(rows), rel=0, abs=1e-12)


@pytest.mark.shared_data
def test_scores_equal_all_pairs_on_camvid(shared_data):
    import cv2
    from scipy.spatial.distance import cdist

    def pairs(points, others):
        return np.concatenate([cdist(part, others).min(axis=1) for part in np.array_split(points, len(points) // 500 + 1)])

    labels = LabelSet.of([f"c{index}" for index in range(11)])
    for path in sorted((shared_data / "camvid" / "valannot").glob("*.png"))[::40]:
        truth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        truth[truth == 11] = VOID
        prediction = np.roll(np.where(truth == VOID, 0, truth), (2, -4), axis=(0, 1))
        prediction[np.random.default_rng(7).random(truth.shape) < 0.002] = 5
        found = surface.count(seg(prediction, labels), seg(truth, labels), Context(spacing=(0.5, 0.8)))
        rows = [plainly(prediction, truth, index, (0.5, 0.8), pairs) for index in range(11)]
        assert surface.score(found) == pytest.approx(plain_scores(rows), rel=0, abs=1e-12)


def square(top, left, side=4, size=(20, 20)):
    found = np.zeros(size, np.uint8)
    found[top : top + side, left : left + side] = 1
    return found


def test_a_moved_square_by_hand():
    found = surface.per_class(surface.count(seg(square(8, 8)), seg(square(8, 11))))["organ"]
    # Of 12 surface pixels each, the column the two share is at 0; the others are 1, 2 and 3 columns off it.
    assert found["hd95"] == 3
    assert found["assd"] == pytest.approx((4 * 0 + 2 * 1 + 2 * 2 + 4 * 3) / 12)
    assert found["nsd"] == pytest.approx(8 / 12)


def test_distances_are_in_units_of_the_spacing():
    plain = surface.per_class(surface.count(seg(square(8, 8)), seg(square(8, 11))))["organ"]
    wide = surface.per_class(surface.count(seg(square(8, 8)), seg(square(8, 11)), Context(spacing=(1.0, 0.5))))["organ"]
    assert wide["hd95"] == plain["hd95"] / 2
    assert wide["assd"] == plain["assd"] / 2
    assert wide["nsd"] == 1  # all within 2 units now


def test_the_image_border_is_part_of_the_surface():
    full = np.ones((5, 5), np.uint8)
    assert scores(full, full) == {"hd95": 0, "assd": 0, "nsd": 1}
    assert surface.count(seg(full), seg(full)).values.tolist() == [[0, 0, 1, 1, 1]]


def test_a_surface_on_one_side_alone_is_counted_and_leaves_distances_out():
    counts = surface.count(seg(square(8, 8)), seg(np.where(square(8, 8), 2, 0)))
    by_class = surface.per_class(counts)
    assert [by_class[name]["nsd"] for name in LABELS.names] == [1, 0, 0]
    assert math.isnan(by_class["organ"]["hd95"])
    assert surface.score(counts) == pytest.approx({"hd95": 0, "assd": 0, "nsd": 1 / 3})
    assert surface.details(counts, ["one"])["surfaces"] == {
        "body": {"both": 1, "truth_only": 0, "prediction_only": 0},
        "organ": {"both": 0, "truth_only": 0, "prediction_only": 1},
        "vessel": {"both": 0, "truth_only": 1, "prediction_only": 0},
    }


def test_void_changes_nothing_and_is_no_surface():
    rng = np.random.default_rng(5)
    prediction, truth = noisy(rng)
    other = np.where(truth == VOID, rng.integers(0, 3, truth.shape), prediction)
    assert scores(prediction, truth) == scores(other, truth)
    around = np.full((5, 5), VOID, np.uint8)
    around[2, 2] = 1
    assert all(math.isnan(value) for value in scores(around, around).values())


def test_predicted_classes_that_the_truth_does_not_know_are_outside_every_class():
    strange = seg(square(8, 8), LabelSet.of(["Body", "boat"]))
    left_void = np.where(square(8, 8), VOID, 0)
    truth = seg(np.zeros((20, 20), np.uint8))
    assert surface.score(surface.count(strange, truth)) == surface.score(surface.count(seg(left_void), truth))
    assert surface.score(surface.count(strange, truth))["hd95"] > 0


def test_resampling_equals_adding():
    rng = np.random.default_rng(6)
    counts = [surface.count(*(seg(each) for each in noisy(rng, (20, 24)))) for _ in range(4)]
    counts += [surface.count(seg(square(1, 1)), seg(square(1, 1) * 2)), surface.count(seg([[VOID]]), seg([[VOID]]))]
    weights = rng.integers(0, 3, (5, 6))
    weights[:, 0] += 1  # no draw is empty
    found = score_draws(surface, sum(counts), (), weights)
    for row, times in enumerate(weights):
        added = sum(counts[place] for place in np.repeat(np.arange(6), times))
        assert {name: values[row] for name, values in found.scores.items()} == pytest.approx(surface.score(added), nan_ok=True)
        for name, expected in surface.per_class(added).items():
            got = {key: values[row] for key, values in found.per_class[name].items()}
            assert got == pytest.approx(expected, nan_ok=True)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_truth_is_perfect_and_neither_order_nor_numbering_matters(seed, height, width):
    rng = np.random.default_rng(seed)
    maps = [rng.choice([0, 1, 2, VOID], (2, height, width)).astype(np.uint8) for _ in range(3)]
    for _, truth in maps:
        found = scores(truth, truth)
        assert math.isnan(found["nsd"]) or found == {"hd95": 0, "assd": 0, "nsd": 1}
    counts = [surface.count(seg(prediction), seg(truth)) for prediction, truth in maps]
    whole = surface.score(sum(counts))
    assert surface.score(sum(counts[1:]) + counts[0]) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)
    places = np.append(rng.permutation(3), np.full(253, VOID)).astype(np.uint8)
    labels = LabelSet.of([LABELS.names[index] for index in np.argsort(places[:3])])
    renumbered = [surface.count(seg(places[prediction], labels), seg(places[truth], labels)) for prediction, truth in maps]
    assert surface.score(sum(renumbered)) == pytest.approx(whole, abs=1e-12, nan_ok=True)


def test_two_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="full size"):
        surface.count(seg([[0]]), seg([[0, 1]]))
