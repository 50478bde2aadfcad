"""What every metric of the table must do, without a line of its own here."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.core.masks import DisjointMasks, from_dense
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import METRICS
from pixelwise.metrics.context import Before, Context
from pixelwise.metrics.interval import Bootstrap, resample, score_draws
from pixelwise.scenes import scenes


def perfect(module, name):
    return 0.0 if name in module.LOWER_IS_BETTER else 1.0


@pytest.fixture
def truths(name):
    kind = METRICS[name].KIND
    return [sample.truth for sample in scenes(4, size=(32, 48), kind=kind, seed=5)]


def shifted(truth):
    """Move all masks five columns to the right, the last five to the front."""
    moved = [np.roll(mask, 5, axis=1) for mask in truth.masks.dense()]
    return replace(truth, masks=from_dense(np.array(moved)))


def nothing(kind, labels, size):
    """Give a segmentation without segments."""
    return Segmentation(kind, DisjointMasks(np.zeros(size, np.uint8), 0), np.zeros(0, np.int64), labels)


def counted(module, predictions, truths, clip="film"):
    """Count images as the frames of one film, or each alone."""
    counts, before = [], None
    for frame, (prediction, truth) in enumerate(zip(predictions, truths, strict=True)):
        context = Context((0, frame, ""), clip=clip, frame=None if clip is None else frame, before=before)
        handed = [prediction, truth, *([context] if getattr(module, "WANTS_CONTEXT", False) else [])]
        counts.append(module.count(*handed))
        before = None if clip is None else Before(prediction, truth, None)
    return counts


@pytest.mark.parametrize("name", sorted(METRICS))
class TestEveryMetric:
    def test_truth_scores_perfect_against_itself(self, name, truths):
        module = METRICS[name]
        found = module.score(sum(counted(module, truths, truths)))
        few = getattr(module, "LIMITED", ())  # they count so few objects an image that truth itself may miss some
        known = {key: value for key, value in found.items() if not (math.isnan(value) or key in few)}
        assert known
        assert known == pytest.approx({key: perfect(module, key) for key in known}, abs=1e-9)

    def test_a_wrong_prediction_scores_worse(self, name, truths):
        module = METRICS[name]
        found = module.score(sum(counted(module, map(shifted, truths), truths)))
        lost = {key: abs(value - perfect(module, key)) for key, value in found.items() if not math.isnan(value)}
        assert max(lost.values()) > 1e-6
        assert all(found[key] >= 0 if key in module.LOWER_IS_BETTER else found[key] < 1 for key in lost)

    def test_halves_added_equal_the_whole(self, name, truths):
        module = METRICS[name]
        counts = counted(module, map(shifted, truths), truths)
        whole = module.score(sum(counts))
        assert module.score(sum(counts[2:]) + sum(counts[:2])) == pytest.approx(whole, rel=0, abs=0, nan_ok=True)

    def test_empty_images_survive(self, name, truths):
        module = METRICS[name]
        labels = truths[0].labels
        empty = nothing(module.KIND, labels, (3, 4))
        for one in (empty, nothing(module.KIND, labels, (0, 0))):
            assert all(math.isnan(value) or 0 <= value <= 1 for value in module.score(module.count(one, one)).values())
        module.score(module.count(nothing(module.KIND, labels, truths[0].size), truths[0]))  # nothing found
        module.score(module.count(truths[0], nothing(module.KIND, labels, truths[0].size)))
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

    def test_every_image_once_is_the_score_itself(self, name, truths):
        module = METRICS[name]
        counts = counted(module, map(shifted, truths), truths)
        found = score_draws(module, sum(counts), counts, np.ones((1, 4), np.int64))
        assert {key: values[0] for key, values in found.scores.items()} == pytest.approx(module.score(sum(counts)), nan_ok=True)
        for label, scores in module.per_class(sum(counts)).items():
            mine = {key: values[0] for key, values in found.per_class[label].items()}
            assert mine == pytest.approx({key: scores[key] for key in mine}, nan_ok=True)

    def test_drawing_at_once_equals_adding_draw_by_draw(self, name, truths):
        module = METRICS[name]
        plain = SimpleNamespace(score=module.score, per_class=module.per_class)  # a family that only has counts that add
        counts = counted(module, map(shifted, truths), truths, clip=None)  # of a film no single frames are drawn
        few = Bootstrap(resamples=100)
        fast, slow = (resample(each, sum(counts), counts, range(4), range(4), few) for each in (module, plain))
        for key, values in fast.scores.items():
            assert np.allclose(values, slow.scores[key], rtol=1e-12, equal_nan=True), key
        for label, scores in fast.per_class.items():
            for key, values in scores.items():
                assert np.allclose(values, slow.per_class[label][key], rtol=1e-12, equal_nan=True), (label, key)


def test_a_note_of_one_name_says_the_same_in_every_family():
    said = {}
    for name in sorted(METRICS):
        for key, text in METRICS[name].NOTES.items():
            assert said.setdefault(key, text) == text, (name, key)


def test_no_two_families_have_a_score_of_one_name():
    names = [score for name in METRICS for score in METRICS[name].RULES]
    assert len(names) == len(set(names))
