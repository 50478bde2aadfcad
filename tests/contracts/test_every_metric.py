"""What every metric of the table must do, without a line of its own here."""

import math

import numpy as np
import pytest

from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import METRICS
from pixelwise.scenes import scenes


def perfect(module, name):
    return 0.0 if name in module.LOWER_IS_BETTER else 1.0


@pytest.fixture(scope="module")
def truths():
    return [sample.truth for sample in scenes(4, size=(32, 48), seed=5)]


def shifted(truth):
    return Segmentation.from_class_map(np.roll(truth.class_map(), 5, axis=1), truth.labels)


@pytest.mark.parametrize("name", sorted(METRICS))
class TestEveryMetric:
    def test_truth_scores_perfect_against_itself(self, name, truths):
        module = METRICS[name]
        found = module.score(sum(module.count(truth, truth) for truth in truths))
        known = {key: value for key, value in found.items() if not math.isnan(value)}  # a small scene has no large segment
        assert known
        assert known == pytest.approx({key: perfect(module, key) for key in known}, abs=1e-9)

    def test_a_wrong_prediction_scores_worse(self, name, truths):
        module = METRICS[name]
        found = module.score(sum(module.count(shifted(truth), truth) for truth in truths))
        for key, value in found.items():
            assert math.isnan(value) or abs(value - perfect(module, key)) > 1e-6, key

    def test_halves_added_equal_the_whole(self, name, truths):
        module = METRICS[name]
        counts = [module.count(shifted(truth), truth) for truth in truths]
        whole = module.score(sum(counts))
        assert module.score(sum(counts[2:]) + sum(counts[:2])) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)

    def test_empty_images_survive(self, name, truths):
        module = METRICS[name]
        labels = truths[0].labels
        empty = Segmentation.from_class_map(np.full((3, 4), labels.void, np.uint8), labels)
        nothing = Segmentation.from_class_map(np.zeros((0, 0), np.uint8), labels)
        for one in (empty, nothing):
            assert all(math.isnan(value) or 0 <= value <= 1 for value in module.score(module.count(one, one)).values())
        full = module.count(truths[0], truths[0])
        assert module.score(full + module.count(empty, empty)) == pytest.approx(module.score(full), rel=0, abs=0, nan_ok=True)

    def test_every_score_has_a_rule_in_words(self, name, truths):
        module = METRICS[name]
        assert set(module.score(module.count(truths[0], truths[0]))) == set(module.RULES)
        assert all(len(rule) > 10 for rule in module.RULES.values())
        assert set(module.RULES) >= module.LOWER_IS_BETTER

    def test_classes_are_named_as_in_the_labels(self, name, truths):
        module = METRICS[name]
        assert set(module.per_class(module.count(truths[0], truths[0]))) <= set(truths[0].labels.names)
