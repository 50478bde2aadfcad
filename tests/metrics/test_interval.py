"""Intervals: equal to SciPy's bootstrap, drawn by image or group, honest where they cannot be told."""

from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.core.errors import OptionError
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import overlap
from pixelwise.metrics.interval import Bootstrap, draws, group_of, interval
from pixelwise.metrics.tally import families_of, report_of, tally
from pixelwise.metrics.truths import Truths

LABELS = LabelSet.of(["sky", "road", "car"])
FEW = Bootstrap(resamples=400)


def seg(rows, labels=LABELS):
    return Segmentation.from_class_map(np.asarray(rows, np.uint8), labels)


def random_pairs(count, classes=3, size=(9, 11), seed=0):
    """Give predictions that are right in a share of pixels that differs from image to image, with their truths."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        truth = rng.integers(0, classes, size)
        wrong = rng.random(size) < rng.random()
        yield seg(np.where(wrong, rng.integers(0, classes, size), truth)), seg(truth)


def counted(pairs):
    return sum(overlap.count(*pair) for pair in pairs)


def report(pairs, metrics=("overlap",), bootstrap=FEW, names=None):
    pairs = list(pairs)
    samples = [
        Sample.of(names[row] if names else f"s{row}", as_image(np.zeros(truth.size, np.uint8)), truth)
        for row, (_, truth) in enumerate(pairs)
    ]
    families = families_of(metrics)
    truths = Truths.of(Dataset(samples, LABELS, "semantic"), families)
    found = tally(enumerate(pair[0] for pair in pairs), truths, families, [], bootstrap.group)
    return report_of(found, families, metrics, bootstrap)


def test_the_interval_of_a_ratio_of_sums_is_scipys():
    from scipy.stats import bootstrap

    counts = counted(random_pairs(25))
    right = np.array([image.sums[0].sum() for image in counts.images])
    total = np.array([image.sums[1].sum() for image in counts.images])
    peer = bootstrap(
        (right, total),
        lambda top, bottom, axis: top.sum(axis) / bottom.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = report(random_pairs(25), bootstrap=Bootstrap(resamples=20_000)).intervals["pixel_accuracy"]
    assert found == pytest.approx((peer.low, peer.high), abs=0.02 * (peer.high - peer.low))


def test_the_score_of_the_data_set_is_resampled_not_the_mean_of_images():
    # one image in ten is a hundred times as large and all wrong: the score of the sums is low, the mean of images is high
    small, large = np.zeros((2, 2)), np.zeros((20, 20))
    pairs = [(seg(small), seg(small))] * 9 + [(seg(large + 1), seg(large))]
    found = report(pairs, bootstrap=Bootstrap(resamples=2000))
    assert found["pixel_accuracy"] == pytest.approx(36 / 436)
    low, high = found.intervals["pixel_accuracy"]
    assert low < 0.03 < 36 / 436 < high == 1
    assert found.intervals["pixel_accuracy_per_image"][0] >= 0.6


def test_draws_hold_as_many_images_and_repeat_with_their_seed():
    first, again, other = (np.concatenate(list(draws(range(7), Bootstrap(200, seed=seed)))) for seed in (3, 3, 4))
    assert first.shape == (200, 7)
    assert (first.sum(axis=1) == 7).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_many_images_are_drawn_in_blocks():
    blocks = list(draws(range(30_000), Bootstrap(200)))
    assert len(blocks) > 1
    assert sum(len(block) for block in blocks) == 200
    assert max(block.size for block in blocks) <= 2**21


def test_groups_are_drawn_whole():
    weights = np.concatenate(list(draws(["a", "b", "a", "c", "b"], Bootstrap(100))))
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_frames_that_resemble_each_other_have_a_wider_interval_as_groups():
    films = [pair for pair in random_pairs(8) for _ in range(10)]
    names = [f"film{film}_{frame}" for film in range(8) for frame in range(10)]
    alone, together = (
        report(films, bootstrap=Bootstrap(500, group=group), names=names).intervals["miou"] for group in (None, "name")
    )
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_a_group_the_data_does_not_tell_is_refused():
    sample = SimpleNamespace(name="a_1", meta={"sequence": "x"})
    assert group_of(sample, "sequence") == "x"
    with pytest.raises(OptionError, match=r"a_1 does not say its 'sequnce'; did you mean 'sequence'"):
        group_of(sample, "sequnce")


def test_one_image_has_no_interval_and_a_sentence():
    found = report(random_pairs(1))
    assert found.intervals["miou"] is None
    assert found.to_json()["miou_interval"] is None
    assert "no intervals: they need at least two images, and 1 could be scored" in found.notes


def test_no_image_has_no_interval_either():
    found = report([])
    assert (found.count, found.intervals["miou"]) == (0, None)


def test_every_score_and_every_class_has_its_interval_in_the_json():
    found = report(random_pairs(12)).to_json()
    for name in overlap.RULES:
        low, high = found[f"{name}_interval"]
        assert low <= found[name] <= high
    low, high = found["per_class"]["car"]["iou_interval"]
    assert low < found["per_class"]["car"]["iou"] < high
    assert "pixels_interval" not in found["per_class"]["car"]
    assert "percentile bootstrap" in found["rules"]["interval"]


def test_a_class_in_one_image_has_no_interval_and_is_told():
    pairs = [*random_pairs(12, classes=2), (seg([[2, 2, 0]]), seg([[2, 0, 0]]))]
    found = report(pairs)
    assert found.class_intervals["car"]["iou"] is None
    assert found.class_intervals["sky"]["iou"] is not None
    assert any("too few images" in note and "car" in note for note in found.notes)


def test_the_table_shows_intervals():
    found = report(random_pairs(12))
    low, high = found.intervals["miou"]
    assert f"miou                      {found['miou']:.4f}  [{low:.4f}, {high:.4f}]" in str(found)


def test_interval_of_scores_mostly_undefined_is_none():
    values = np.full(100, 0.5)
    values[:6] = np.nan
    assert interval(values) is None
    assert interval(values[1:]) is None
    values[:2] = 0.5
    assert interval(values) == (0.5, 0.5)


@pytest.mark.parametrize(("options", "message"), [({"resamples": 10}, "at least 100"), ({"level": 95}, "between 0 and 1")])
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Bootstrap(**options)


def test_what_is_kept_of_an_image_does_not_grow_with_the_square_of_the_classes():
    labels = LabelSet.of([f"c{index}" for index in range(200)])
    one = overlap.count(seg([[7, 7, 9]], labels), seg([[7, 8, 8]], labels)).images[0]
    assert one.classes.tolist() == [7, 8, 9]
    assert one.sums.tolist() == [[1, 0, 0], [1, 2, 0], [2, 0, 1]]
