"""Kinds of error: each by hand, adding up to what is missing to an IoU of 1, and equal to a plain version of the rules."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.core.errors import SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import error_kinds, overlap
from pixelwise.metrics.interval import score_draws

LABELS = LabelSet.of(["ground", "cat", "dog"])
VOID = 255
RIGHT, BORDERS, EXTENT, CONFUSION, MISSED, INVENTED = range(6)
SIZE = (40, 60)


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(rows, np.uint8), labels)


def kinds(prediction, truth):
    return error_kinds.error_map(seg(prediction), seg(truth))


def with_square(index, left=20, side=16, top=10, on=None):
    found = np.zeros(SIZE, np.uint8) if on is None else on.copy()
    found[top : top + side, left : left + side] = index
    return found


def noisy(rng, size=(48, 64), classes=3):
    """Draw blocks of two sizes; predict them moved, with blocks of other classes and scattered pixels."""
    truth = rng.integers(0, classes, (-(-size[0] // 16), -(-size[1] // 16))).repeat(16, axis=0).repeat(16, axis=1)
    truth = truth[: size[0], : size[1]].astype(np.uint8)
    prediction = np.roll(truth, rng.integers(-4, 5, 2), axis=(0, 1))
    for target in (truth, truth, prediction, prediction, prediction):
        top, left = rng.integers(0, size[0] - 4), rng.integers(0, size[1] - 4)
        target[top : top + rng.integers(1, 12), left : left + rng.integers(1, 12)] = rng.integers(0, classes)
    prediction[rng.random(size) < 0.02] = rng.integers(0, classes)
    prediction[rng.random(size) < 0.01] = VOID
    truth[5:9, 8:30] = VOID
    return prediction, truth


# The rules, slowly: segment by segment, with SciPy where the family uses OpenCV.


def spread(mask):
    """Grow a mask by two pixels each way."""
    grown = np.pad(mask, 2)
    height, width = mask.shape
    return np.logical_or.reduce([grown[y : y + height, x : x + width] for y in range(5) for x in range(5)])


def plain_unmatched(classes, others):
    from scipy import ndimage

    found = np.zeros(classes.shape, bool)
    for index in np.unique(classes[classes != VOID]):
        ids, number = ndimage.label(classes == index, np.ones((3, 3)))
        near = spread(others == index)
        for segment in range(1, number + 1):
            pixels = ids == segment
            if 2 * (pixels & near).sum() < pixels.sum():
                found |= pixels
    return found


def plainly(prediction, truth):
    labelled = truth != VOID
    told = np.where(labelled, prediction, VOID)
    lost, false = plain_unmatched(truth, told), plain_unmatched(told, truth)
    at_border = np.zeros(truth.shape, bool)
    for index in np.unique(truth[labelled]):
        at_border |= (truth == index) & spread(labelled & (truth != index))
    found = np.where(at_border, BORDERS, EXTENT)
    found[lost & false], found[lost & ~false], found[~lost & false] = CONFUSION, MISSED, INVENTED
    found[told == truth] = RIGHT
    found[~labelled] = VOID
    return found


def plain_losses(pairs, classes):
    """Give the loss of each class to each kind (L, 5)."""
    lost = np.full((classes, 5), math.nan)
    maps = [(prediction, truth, plainly(prediction, truth)) for prediction, truth in pairs]
    for index in range(classes):
        either = [((told == index) | (true == index)) & (true != VOID) for told, true, _ in maps]
        total = sum(int(part.sum()) for part in either)
        for kind in range(1, 6) if total else ():
            lost[index, kind - 1] = sum(
                int((found[part] == kind).sum()) for (*_, found), part in zip(maps, either, strict=True)
            )
            lost[index, kind - 1] /= total
    return lost


@pytest.mark.parametrize("seed", range(5))
def test_kinds_and_losses_equal_the_plain_rules_on_noise(seed):
    rng = np.random.default_rng(seed)
    pairs = [noisy(rng, size) for size in ((48, 64), (33, 70))]
    for prediction, truth in pairs:
        assert (kinds(prediction, truth) == plainly(prediction, truth)).all()
    found = error_kinds.score(sum(error_kinds.count(seg(prediction), seg(truth)) for prediction, truth in pairs))
    expected = np.nanmean(plain_losses(pairs, 3), axis=0)
    assert list(found.values()) == pytest.approx(expected.tolist(), rel=0, abs=1e-12)


@pytest.mark.shared_data
def test_kinds_and_losses_equal_the_plain_rules_on_camvid(shared_data):
    import cv2

    labels, pairs = LabelSet.of([f"c{index}" for index in range(11)]), []
    for path in sorted((shared_data / "camvid" / "valannot").glob("*.png"))[::34]:
        truth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        truth[truth == 11] = VOID
        rng = np.random.default_rng(11)
        prediction = np.roll(np.where(truth == VOID, 0, truth), (2, -3), axis=(0, 1))
        for _ in range(30):
            top, left = rng.integers(0, 350), rng.integers(0, 470)
            prediction[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = rng.integers(0, 11)
        pairs.append((prediction, truth))
        assert (error_kinds.error_map(seg(prediction, labels), seg(truth, labels)) == plainly(prediction, truth)).all()
    counts = sum(error_kinds.count(seg(prediction, labels), seg(truth, labels)) for prediction, truth in pairs)
    found = [list(values.values()) for values in error_kinds.per_class(counts).values()]
    assert np.allclose(found, plain_losses(pairs, 11), rtol=0, atol=1e-12, equal_nan=True)
    assert (np.nan_to_num(found).max(axis=0) > 0).all()  # every kind is in it


def add_up(counts, reference):
    """Check that losses and IoU make 1 for every class and for the means."""
    missing = 1 - overlap.score(reference)["miou"]
    assert sum(error_kinds.score(counts).values()) == pytest.approx(missing, rel=0, abs=1e-12, nan_ok=True)
    ious = overlap.per_class(reference)
    for name, lost in error_kinds.per_class(counts).items():
        assert sum(lost.values()) == pytest.approx(1 - ious[name]["iou"], rel=0, abs=1e-12, nan_ok=True)


def test_a_border_a_little_off_its_place_is_a_border_error():
    found = kinds(with_square(1, left=21), with_square(1))
    assert set(np.unique(found)) == {RIGHT, BORDERS}


def test_further_from_a_border_it_is_an_error_of_extent():
    found = kinds(with_square(1, left=25), with_square(1))
    assert found[15, 20:25].tolist() == [BORDERS, BORDERS, EXTENT, EXTENT, EXTENT]  # the true border is left of column 20
    assert found[15, 36:41].tolist() == [BORDERS, BORDERS, EXTENT, EXTENT, EXTENT]  # and right of column 35


def test_a_segment_called_another_class_is_confusion():
    found = kinds(with_square(2), with_square(1))
    assert (found == CONFUSION).sum() == 16 * 16
    assert set(np.unique(found)) == {RIGHT, CONFUSION}


def test_a_segment_that_is_not_predicted_is_missed_whole():
    truth = with_square(1)
    found = kinds(np.zeros_like(truth), truth)
    assert (found[truth == 1] == MISSED).all()
    assert (found[truth == 0] == RIGHT).all()


def test_a_segment_where_there_is_none_is_invented():
    prediction = with_square(2)
    found = kinds(prediction, np.zeros_like(prediction))
    assert (found[prediction == 2] == INVENTED).all()
    assert (found[prediction == 0] == RIGHT).all()


def test_another_segment_of_the_class_does_not_excuse_a_missed_one():
    truth = with_square(1, left=40, on=with_square(1, left=5))
    found = kinds(with_square(1, left=5), truth)
    assert (found == MISSED).sum() == 16 * 16


def test_a_thin_segment_beside_its_place_is_found():
    truth, prediction = np.zeros((2, *SIZE), np.uint8)
    truth[:, 30], prediction[:, 32] = 1, 1
    assert set(np.unique(kinds(prediction, truth))) == {RIGHT, BORDERS}
    prediction = np.roll(prediction, 1, axis=1)
    found = kinds(prediction, truth)
    assert (found[:, 30] == MISSED).all()
    assert (found[:, 33] == INVENTED).all()


def test_half_of_a_segment_is_enough_to_find_it():
    truth = with_square(1)
    prediction = np.zeros_like(truth)
    prediction[10:16, 20:36] = 1  # six rows of sixteen, and two more near them
    assert set(np.unique(kinds(prediction, truth))) == {RIGHT, BORDERS, EXTENT}
    prediction[15] = 0
    assert set(np.unique(kinds(prediction, truth))) == {RIGHT, MISSED}


def test_a_found_segment_left_void_in_part_has_the_wrong_extent():
    truth = with_square(1)
    prediction = truth.copy()
    prediction[16:20, 26:30] = VOID
    assert set(np.unique(kinds(prediction, truth))) == {RIGHT, EXTENT}
    assert (kinds(np.full_like(truth, VOID), truth) == MISSED).all()


def test_void_is_255_and_nothing_predicted_there_matters():
    rng = np.random.default_rng(8)
    prediction, truth = noisy(rng)
    other = np.where(truth == VOID, rng.integers(0, 3, truth.shape), prediction)
    found = kinds(prediction, truth)
    assert (found[truth == VOID] == VOID).all()
    assert (found == kinds(other, truth)).all()


def test_classes_are_joined_by_name_and_unknown_ones_are_void():
    labels = LabelSet.of(["Cat", "Ground", "bird"])
    prediction = np.array([1, 0, 2], np.uint8)[with_square(1, left=25, on=with_square(2, left=2, side=4))]
    same = np.where(prediction == 2, VOID, np.array([1, 0, VOID])[prediction])
    truth = seg(with_square(1))
    assert (error_kinds.error_map(seg(prediction, labels), truth) == error_kinds.error_map(seg(same), truth)).all()


@pytest.mark.parametrize("seed", range(3))
def test_losses_add_up_to_what_is_missing_to_an_iou_of_1(seed):
    rng = np.random.default_rng(seed)
    pairs = [tuple(seg(each) for each in noisy(rng)) for _ in range(3)]
    add_up(sum(error_kinds.count(*pair) for pair in pairs), sum(overlap.count(*pair) for pair in pairs))


def test_details_name_the_images_worst_by_each_kind():
    truth = with_square(1)
    predictions = {"named": with_square(2), "missed": np.zeros_like(truth), "right": truth}
    counts = sum(error_kinds.count(seg(one), seg(truth)) for one in predictions.values())
    found = error_kinds.details(counts, list(predictions))
    share = 16 * 16 / truth.size
    assert found["worst_by_kind"]["confusion"] == [{"name": "named", "share": share}]
    assert found["worst_by_kind"]["missed"] == [{"name": "missed", "share": share}]
    assert found["worst_by_kind"]["borders"] == []
    assert found["wrong_by_kind"] == pytest.approx(
        {**dict.fromkeys(error_kinds.ERROR_KINDS.values(), 0), "confusion": share / 3, "missed": share / 3}
    )


def test_at_most_eight_images_are_named_the_worst_first():
    truth = np.zeros(SIZE, np.uint8)
    counts = sum(error_kinds.count(seg(with_square(1, side=side)), seg(truth)) for side in range(1, 12))
    worst = error_kinds.details(counts, [str(side) for side in range(1, 12)])["worst_by_kind"]["invented"]
    assert [one["name"] for one in worst] == [str(side) for side in range(11, 3, -1)]


def test_resampling_equals_adding():
    rng = np.random.default_rng(6)
    counts = [error_kinds.count(*(seg(each) for each in noisy(rng))) for _ in range(5)]
    counts.append(error_kinds.count(seg([[VOID]]), seg([[VOID]])))
    weights = rng.integers(0, 3, (4, 6))
    weights[:, 0] += 1  # no draw is empty
    found = score_draws(error_kinds, sum(counts), (), weights)
    for row, times in enumerate(weights):
        added = sum(counts[place] for place in np.repeat(np.arange(6), times))
        assert {name: values[row] for name, values in found.scores.items()} == pytest.approx(error_kinds.score(added))
        for name, expected in error_kinds.per_class(added).items():
            got = {key: values[row] for key, values in found.per_class[name].items()}
            assert got == pytest.approx(expected, nan_ok=True)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_losses_add_up_and_neither_order_nor_numbering_matters(seed, height, width):
    rng = np.random.default_rng(seed)
    maps = [rng.choice([0, 1, 2, VOID], (2, height, width)).astype(np.uint8) for _ in range(3)]
    for _, truth in maps:
        assert set(np.unique(kinds(truth, truth))) <= {RIGHT, VOID}
    counts = [error_kinds.count(seg(prediction), seg(truth)) for prediction, truth in maps]
    add_up(sum(counts), sum(overlap.count(seg(prediction), seg(truth)) for prediction, truth in maps))
    whole = error_kinds.score(sum(counts))
    assert error_kinds.score(sum(counts[1:]) + counts[0]) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)
    places = np.append(rng.permutation(3), np.full(253, VOID)).astype(np.uint8)
    labels = LabelSet.of([LABELS.names[index] for index in np.argsort(places[:3])])
    renumbered = [error_kinds.count(seg(places[prediction], labels), seg(places[truth], labels)) for prediction, truth in maps]
    assert error_kinds.score(sum(renumbered)) == pytest.approx(whole, abs=1e-12, nan_ok=True)


def test_two_sizes_are_refused():
    with pytest.raises(SizeMismatch, match="full size"):
        error_kinds.count(seg([[0]]), seg([[0, 1]]))
