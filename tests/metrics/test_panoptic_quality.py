"""Panoptic quality: known answers by hand, equality with a slow oracle and with hotcoco, and each rule for what is odd."""

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noisy import noisy
from panoptic_oracle import quality, segments_of

from pixelwise.core.errors import DataError, SizeMismatch
from pixelwise.core.labels import LabelSet
from pixelwise.core.masks import DisjointMasks
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import panoptic_quality
from pixelwise.metrics.segment_pairs import joint
from pixelwise.scenes import scenes

LABELS = LabelSet.of(["sky", "road", "car", "person"], things=["car", "person"])
SKY, ROAD, CAR, PERSON = range(4)


def seg(ids, classes, labels=LABELS, **rows):
    return Segmentation("panoptic", DisjointMasks(np.array(ids, np.uint8), len(classes)), classes, labels, **rows)


def drawn(rng, size=(12, 14), labels=LABELS, crowds=True):
    """Draw a panoptic segmentation of blots; some pixels are void, and some segments hidden by others."""
    count = int(rng.integers(0, 8))
    ids = np.zeros(size, np.uint8)
    for number in range(1, count + 1):
        (top, left), (down, across) = rng.integers(0, size), rng.integers(1, 8, 2)
        ids[top : top + down, left : left + across] = number
    crowd = rng.random(count) < 0.25 if crowds else None
    return Segmentation("panoptic", DisjointMasks(ids, count), rng.integers(0, len(labels), count), labels, crowd=crowd)


def near(truth, rng):
    """Draw a prediction that resembles a truth."""
    ids = np.roll(truth.masks.ids, rng.integers(-1, 2, 2), (0, 1))
    worn = np.where(rng.random(ids.shape) < 0.9, ids, 0).astype(np.uint8)
    return replace(truth, masks=DisjointMasks(worn, len(truth)), crowd=None)


def scores(prediction, truth):
    return panoptic_quality.score(panoptic_quality.count(prediction, truth))


def counted(prediction, truth, name):
    found = panoptic_quality.per_class(panoptic_quality.count(prediction, truth))[name]
    return found["tp"], found["fp"], found["fn"]


def require_equal_to_the_oracle(pairs):
    """Compare scores, and those and the counts of every class, with the slow implementation."""
    counts = sum(panoptic_quality.count(*pair) for pair in pairs)
    found, by_class = panoptic_quality.score(counts), panoptic_quality.per_class(counts)
    labels = pairs[0][1].labels
    images = [(segments_of(one, labels.names), segments_of(truth), truth.size) for one, truth in pairs]
    things = set(labels.things)
    for suffix, own in (("", range(len(labels))), ("_things", things), ("_stuff", set(range(len(labels))) - things)):
        means, of_classes = quality(images, own)
        for key, value in means.items():
            assert found[key + suffix] == pytest.approx(value, rel=0, abs=1e-12, nan_ok=True), key + suffix
        for index in own:
            expected = of_classes.get(index, dict.fromkeys(("pq", "sq", "rq"), math.nan) | {"tp": 0, "fp": 0, "fn": 0})
            assert by_class[labels.names[index]] == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)
    return counts


def test_scores_by_hand():
    truth = seg([[1, 1, 1, 1], [2, 2, 3, 3]], [SKY, CAR, CAR])
    prediction = seg([[1, 1, 1, 0], [2, 2, 2, 0]], [SKY, CAR])
    found = scores(prediction, truth)
    assert found["pq_stuff"] == found["sq_stuff"] == 3 / 4
    assert found["rq_stuff"] == 1
    assert found["sq_things"] == 2 / 3
    assert found["rq_things"] == 1 / (1 + 1 / 2)
    assert found["pq_things"] == pytest.approx(2 / 3 / 1.5)
    assert found["pq"] == pytest.approx((3 / 4 + 2 / 3 / 1.5) / 2)
    assert counted(prediction, truth, "car") == (1, 0, 1)


def test_an_iou_of_exactly_one_half_is_no_match():
    assert counted(seg([[1, 1, 0, 0]], [CAR]), seg([[1, 1, 1, 1]], [CAR]), "car") == (0, 1, 1)
    assert counted(seg([[1, 1, 1, 0]], [CAR]), seg([[1, 1, 1, 1]], [CAR]), "car") == (1, 0, 0)


def test_void_pixels_are_taken_out_of_the_union():
    truth = seg([[1, 1, 0, 0, 0]], [CAR])
    assert scores(seg([[1, 1, 1, 1, 1]], [CAR]), truth)["pq"] == 1


def test_an_extra_segment_counts_unless_more_than_half_of_it_is_void():
    truth = seg([[1, 1, 0, 0, 0, 0]], [SKY])
    assert counted(seg([[0, 1, 1, 0, 0, 0]], [CAR]), truth, "car") == (0, 1, 0)
    assert counted(seg([[0, 1, 1, 1, 0, 0]], [CAR]), truth, "car") == (0, 0, 0)


def test_crowds_are_neither_matched_nor_missed_and_swallow_segments_of_their_class_alone():
    truth = seg([[1, 1, 1, 2, 2, 2]], [CAR, SKY], crowd=[True, False])
    assert counted(seg([[1, 1, 1, 2, 2, 2]], [CAR, SKY]), truth, "car") == (0, 0, 0)
    assert counted(seg([[1, 1, 1, 2, 2, 2]], [PERSON, SKY]), truth, "person") == (0, 1, 0)
    assert counted(seg([[0, 0, 0, 2, 2, 2]], [CAR, SKY]), truth, "car") == (0, 0, 0)


def test_of_several_crowds_of_a_class_the_last_is_looked_at():
    truth = seg([[1, 1, 1, 2, 2, 2]], [CAR, CAR], crowd=[True, True])
    assert counted(seg([[1, 1, 1, 2, 2, 2]], [CAR, CAR]), truth, "car") == (0, 1, 0)


def test_a_class_on_neither_side_is_left_out_of_the_means():
    truth = seg([[1, 1]], [SKY])
    assert scores(truth, truth)["pq"] == 1
    assert math.isnan(scores(truth, truth)["pq_things"])
    assert math.isnan(panoptic_quality.per_class(panoptic_quality.count(truth, truth))["car"]["pq"])


def test_a_class_missed_altogether_has_quality_0():
    found = panoptic_quality.per_class(panoptic_quality.count(seg([[0, 0]], []), seg([[1, 1]], [CAR])))["car"]
    assert found == {"pq": 0, "sq": 0, "rq": 0, "tp": 0, "fp": 0, "fn": 1}


def test_segments_without_pixels_do_not_count():
    truth = seg([[1, 1]], [SKY, CAR])
    assert scores(seg([[1, 1]], [SKY, PERSON]), truth)["pq"] == 1
    assert counted(truth, truth, "car") == (0, 0, 0)


def test_classes_are_joined_by_name_and_unknown_ones_count_for_no_class():
    other = LabelSet.of(["Car", "boat", "sky"], things=["Car", "boat"])
    truth = seg([[1, 1, 2, 2, 3]], [SKY, CAR, PERSON])
    counts = panoptic_quality.count(seg([[1, 1, 2, 2, 3]], [2, 0, 1], other), truth)
    assert [panoptic_quality.per_class(counts)[name]["pq"] for name in ("sky", "car", "person")] == [1, 1, 0]
    assert panoptic_quality.details(counts, ["a"])["panoptic_unknown"] == 1


def test_images_without_segments_or_pixels_survive():
    nothing, all_void = seg(np.zeros((0, 0)), []), seg([[0, 0]], [])
    truth = seg([[1, 1]], [CAR])
    for one in (nothing, all_void):
        assert all(math.isnan(value) for value in scores(one, one).values())
    assert math.isnan(scores(truth, all_void)["pq"])  # in void, nothing is wrong
    assert scores(all_void, truth)["pq"] == 0
    counts = panoptic_quality.count(truth, truth) + panoptic_quality.count(all_void, all_void)
    assert panoptic_quality.score(counts)["pq"] == 1


def test_other_sizes_kinds_classes_and_scores_are_refused():
    truth = seg([[1, 1]], [CAR])
    with pytest.raises(SizeMismatch, match="full size"):
        scores(seg([[1]], [CAR]), truth)
    with pytest.raises(DataError, match="this prediction is of kind 'semantic'"):
        scores(replace(truth, kind="semantic"), truth)
    for value in (math.nan, 1.5, -0.1):
        with pytest.raises(DataError, match=rf"segment 0 is {value}"):
            scores(seg([[1, 1]], [CAR], scores=np.array([value])), truth)
    other = LabelSet.of(["car"])
    with pytest.raises(DataError, match="do not add"):
        panoptic_quality.count(truth, truth) + panoptic_quality.count(seg([[1]], [0], other), seg([[1]], [0], other))


def test_quality_equals_the_oracle_on_drawn_maps():
    rng = np.random.default_rng(0)
    truths = [drawn(rng) for _ in range(60)]
    require_equal_to_the_oracle([(drawn(rng, crowds=False) if rng.random() < 0.3 else near(one, rng), one) for one in truths])


def test_quality_equals_the_oracle_on_scenes():
    rng = np.random.default_rng(1)
    truths = [sample.truth for sample in scenes(6, kind="panoptic", seed=3)]
    require_equal_to_the_oracle([(noisy(one, rng), one) for one in truths])


def as_files(folder, segmentations):
    """Write segmentations as the COCO panoptic task wants them; gives the path of the JSON file."""
    folder.mkdir()
    images, annotations = [], []
    for number, one in enumerate(segmentations, 1):
        ids = one.panoptic_ids().astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), np.stack([np.zeros_like(ids)] * 2 + [ids], axis=2))  # blue, green, red
        rows = zip(one.class_ids.tolist(), one.is_crowd.tolist(), one.masks.areas().tolist(), strict=True)
        segments = [
            {"id": row, "category_id": index, "iscrowd": int(crowd), "area": area, "bbox": [0, 0, 1, 1]}
            for row, (index, crowd, area) in enumerate(rows, 1)
            if area
        ]
        images.append({"id": number, "height": one.size[0], "width": one.size[1], "file_name": f"{number}.jpg"})
        annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
    labels = segmentations[0].labels
    categories = [{"id": row, "name": one.name, "isthing": int(one.is_thing)} for row, one in enumerate(labels.labels)]
    path = folder.with_suffix(".json")
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def require_equal_to_hotcoco(pairs, folder):
    panoptic = pytest.importorskip("hotcoco.panoptic")
    predictions, truths = zip(*pairs, strict=True)
    peer = panoptic.PanopticEval(as_files(folder / "truth", truths), as_files(folder / "prediction", predictions))
    peer.evaluate()
    theirs = peer.results()
    counts = sum(panoptic_quality.count(*pair) for pair in pairs)
    found = panoptic_quality.score(counts)
    for group, suffix in (("All", ""), ("Things", "_things"), ("Stuff", "_stuff")):
        for key in ("pq", "sq", "rq"):
            assert found[key + suffix] == pytest.approx(theirs[group][key], rel=0, abs=1e-12), key + suffix
    for index, values in enumerate(panoptic_quality.per_class(counts).values()):
        assert [values[key] for key in ("tp", "fp", "fn")] == [theirs["per_class"][index][key] for key in ("tp", "fp", "fn")]


def test_quality_equals_hotcoco_on_drawn_maps(tmp_path):
    rng = np.random.default_rng(2)
    truths = [drawn(rng) for _ in range(40)]
    require_equal_to_hotcoco([(near(one, rng), one) for one in truths], tmp_path)


@pytest.mark.shared_data
def test_quality_equals_the_oracle_and_hotcoco_on_coco(shared_data, tmp_path):
    import pixelwise as pw

    rng = np.random.default_rng(4)
    truths = [sample.truth for sample in pw.read(shared_data / "coco_panoptic" / "val20")]
    assert any(one.is_crowd.any() for one in truths)
    pairs = [(noisy(one, rng), one) for one in truths]
    require_equal_to_the_oracle(pairs)
    require_equal_to_hotcoco(pairs, tmp_path)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_truth_is_perfect_and_neither_order_nor_numbering_matters(seed):
    rng = np.random.default_rng(seed)
    truths = [drawn(rng, size=(7, 8), crowds=False) for _ in range(4)]
    perfect = panoptic_quality.score(sum(panoptic_quality.count(one, one) for one in truths))
    assert all(math.isnan(value) or value == 1 for value in perfect.values())
    pairs = [(near(one, rng), one) for one in truths]
    counts = [panoptic_quality.count(*pair) for pair in pairs]
    whole = panoptic_quality.score(sum(counts))
    mixed = [panoptic_quality.count(*(one[rng.permutation(len(one))] for one in pairs[row])) for row in rng.permutation(4)]
    assert panoptic_quality.score(sum(mixed[2:]) + sum(mixed[:2])) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)


def test_resampling_equals_adding_images_as_often_as_they_are_drawn():
    rng = np.random.default_rng(5)
    counts = [panoptic_quality.count(near(one, rng), one) for one in (drawn(rng) for _ in range(6))]
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 3, 0, 1, 0], [0, 0, 0, 0, 0, 6]])
    found = panoptic_quality.resampled(sum(counts), weights)
    for row, times in enumerate(weights.tolist()):
        whole = sum(one for one, often in zip(counts, times, strict=True) for _ in range(often))
        for name, value in panoptic_quality.score(whole).items():
            assert found.scores[name][row] == pytest.approx(value, rel=0, abs=1e-12, nan_ok=True), name
        for name, values in panoptic_quality.per_class(whole).items():
            for key in ("pq", "sq", "rq"):
                assert found.per_class[name][key][row] == pytest.approx(values[key], rel=0, abs=1e-12, nan_ok=True)


def test_details_add_up():
    rng = np.random.default_rng(6)
    counts = sum(panoptic_quality.count(near(one, rng), one) for one in (drawn(rng) for _ in range(6)))
    every, things, stuff = panoptic_quality.details(counts, [])["panoptic_groups"]
    for key in ("classes", "tp", "fp", "fn", "left_out"):
        assert every[key] == things[key] + stuff[key]
    assert every["pq"] == panoptic_quality.score(counts)["pq"]


@pytest.mark.parametrize(("highest", "dtype"), [((6, 9), np.uint8), ((6, 9), np.int64), ((700, 800), np.uint16)])
@pytest.mark.parametrize("cell", [1, 40])
def test_pairs_are_counted_exactly_however_they_are_counted(dtype, highest, cell):
    rng = np.random.default_rng(7)
    coarse = [rng.integers(0, most + 1, (900 // cell + 1, 800 // cell + 1)) for most in highest]
    maps = [np.kron(one, np.ones((cell, cell), np.int64))[:900, :800].astype(dtype) for one in coarse]  # more than a strip
    found = joint(*maps, highest)
    expected, pixels = np.unique(maps[0].ravel().astype(np.int64) * 1000 + maps[1].ravel(), return_counts=True)
    assert (found.first * 1000 + found.second == expected).all()
    assert (found.pixels == pixels).all()
