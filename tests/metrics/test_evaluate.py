"""Evaluation of predictors: joining classes, failures, order, and what a report says."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import DataError, OptionError, UnknownName, UnreadableFile, UnsettledLabels
from pixelwise.core.image import as_image
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.predictor import PLAIN, Predictor
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.metrics.evaluate import evaluate
from pixelwise.metrics.majority import match

LABELS = LabelSet.of(["sky", "road"])


class Bright:
    """Call bright pixels road, and remember the batches."""

    def __init__(self, labels=LABELS):
        self.card = Card("bright", "semantic", labels)
        self.batches = []

    def __call__(self, images, request=PLAIN):
        self.batches.append([image.size for image in images])
        if any(int(image.pixels.max()) == 13 for image in images):
            raise DataError("13 is not liked")
        return [
            Segmentation.from_class_map((image.pixels[:, :, 0] > 99).astype(np.uint8), self.card.labels) for image in images
        ]


def sample(name, grey, classes, labels=LABELS):
    truth = Segmentation.from_class_map(np.array(classes, np.uint8), labels)
    return Sample.of(name, as_image(np.array(grey, np.uint8)), truth)


def data(*samples, labels=LABELS):
    return Dataset(samples, labels, "semantic", name="tiny")


GOOD = sample("good", [[0, 200]], [[0, 1]])
HALF = sample("half", [[0, 0]], [[0, 1]])


@dataclass(frozen=True)
class Broken:
    """Pixels that cannot be read."""

    def read(self):
        raise UnreadableFile("broken.png: the image is truncated")

    def size(self):
        return 1, 2


@dataclass(frozen=True)
class Stored:
    """A truth kept as stored values, as files keep it."""

    values: tuple

    def read(self, labels, size):
        return (Segmentation.from_class_map(labels.to_classes(np.array(self.values, np.uint8)), labels),)

    def raw(self):
        return [np.array(self.values)]


def test_scores_images_and_the_data_set():
    report = evaluate(Bright(), data(GOOD, HALF))
    assert report["miou"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report["miou_per_image"] == pytest.approx((1 + 1 / 4) / 2)
    assert [(row["name"], row["miou"]) for row in report.per_image] == [("good", 1), ("half", 0.25)]
    assert (report.count, report.failures) == (2, ())
    assert report.confusion.tolist() == [[2, 0, 0], [1, 1, 0]]


def test_one_score_may_be_named_without_a_list():
    assert set(evaluate(Bright(), data(GOOD), "miou").scores) == {"miou"}


def test_single_scores_can_be_asked_for():
    report = evaluate(Bright(), data(GOOD), ["miou", "dice"])
    assert set(report.scores) == {"miou", "dice"}
    assert set(report.per_image[0]) == {"name", "miou", "dice"}


def test_a_misspelt_metric_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'miou'"):
        evaluate(Bright(), data(GOOD), ["miuo"])
    with pytest.raises(OptionError, match="no metric is asked for"):
        evaluate(Bright(), data(GOOD), [])


def test_a_broken_sample_is_listed_and_the_rest_go_on():
    broken = replace(GOOD, name="broken", pixels=Broken())
    untold = replace(GOOD, name="untold", truth_source=None)
    disliked = sample("disliked", [[13, 0]], [[0, 0]])
    report = evaluate(Bright(), data(GOOD, broken, disliked, untold, HALF))
    assert [row["name"] for row in report.per_image] == ["good", "half"]
    assert {name for name, _ in report.failures} == {"broken", "untold", "disliked"}
    assert dict(report.failures)["broken"] == "broken.png: the image is truncated"


def test_all_broken_gives_a_report_without_scores():
    report = evaluate(Bright(), data(replace(GOOD, pixels=Broken())))
    assert report.count == 0
    assert math.isnan(report["miou"])
    assert report.to_json()["miou"] is None


def test_images_of_different_sizes_are_batched_apart_and_reported_in_order():
    wide, tall = ([[0, 200]], [[0, 1]]), ([[0], [200]], [[0], [1]])
    samples = [sample(f"s{index}", *(wide if index % 2 else tall)) for index in range(5)]
    predictor = Bright()
    report = evaluate(predictor, data(*samples), batch=2)
    assert [row["name"] for row in report.per_image] == ["s0", "s1", "s2", "s3", "s4"]
    assert sorted(map(len, predictor.batches)) == [1, 2, 2]
    assert all(len(set(batch)) == 1 for batch in predictor.batches)


def test_progress_is_told_after_each_image():
    told = []
    evaluate(Bright(), data(GOOD, HALF), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_classes_the_model_does_not_know_are_noted():
    labels = LabelSet.of(["sky", "road", "car"])
    report = evaluate(Bright(), data(sample("one", [[0, 0]], [[0, 2]], labels), labels=labels), intervals=None)
    assert report.per_class["car"]["iou"] == 0
    assert report.notes == ("the model does not know car: it cannot be right there",)


def test_no_class_in_common_is_refused():
    labels = LabelSet.of(["cat", "dog"])
    with pytest.raises(OptionError, match="no name in common"):
        evaluate(Bright(), data(sample("one", [[0]], [[0]], labels), labels=labels))


def stored(values, labels):
    one = Sample("one", GOOD.pixels, Stored(values), labels)
    return Dataset([one], labels, "semantic", name="files")


def test_unsettled_masks_are_read_under_the_models_value_map():
    model = LABELS.with_values({0: 0, 1: 1, 2: VOID})
    unsettled = LabelSet.of(["class 0", "class 1"]).with_values({0: 0, 1: 1, 2: VOID}, settled=False)
    report = evaluate(Bright(model), stored([[2, 1]], unsettled), intervals=None)
    assert report.classes == ("sky", "road")
    assert report.confusion.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert report.notes == ("the masks were read under the model's value map: 0 sky, 1 road, 2 void",)


def test_a_void_that_a_person_states_holds_over_the_models_map():
    stated = LabelSet.of(["class 1"]).with_values({0: VOID, 1: 0})
    report = evaluate(Bright(), stored([[0, 1]], stated))
    assert report.confusion.tolist() == [[0, 0, 0], [0, 1, 0]]


def test_values_outside_the_models_map_are_refused():
    unsettled = LabelSet.of(["background", "foreground"]).with_values({0: 0, 255: 1}, settled=False)
    with pytest.raises(UnsettledLabels, match=r"files: the masks hold 255.*--void or --classes"):
        evaluate(Bright(), stored([[0, 255]], unsettled))


def test_regions_must_be_matched_first():
    with pytest.raises(OptionError, match="regions without classes"):
        evaluate(Method("kmeans"), data(GOOD), "overlap")


def test_json_is_flat_and_has_no_nan():
    labels = LabelSet.of(["sky", "road", "car"])
    report = evaluate(Bright(), data(sample("one", [[0, 200]], [[0, 1]], labels), labels=labels))
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["miou"] == 1.0
    scores = {"iou": 1.0, "dice": 1.0, "precision": 1.0, "recall": 1.0, "accuracy": 1.0, "pixels": 1}
    no_intervals = {"iou": None, "dice": None, "precision": None, "recall": None, "accuracy": None}
    assert found["per_class"]["road"] == scores | {f"{name}_interval": value for name, value in no_intervals.items()}
    assert found["per_class"]["car"]["iou"] is None
    assert found["count"] == 1


def test_the_table_shows_scores_classes_and_failures():
    text = str(evaluate(Bright(), data(GOOD, replace(GOOD, name="broken", pixels=Broken()))))
    assert "miou                      1.0000" in text
    assert "failed: broken: broken.png: the image is truncated" in text


def test_otsu_is_matched_by_majority_and_says_so():
    train = data(*(sample(f"t{index}", [[0, 0, 0, 200]] * 3, [[1, 1, 1, 0]] * 3) for index in range(2)))
    matched = match(Method("otsu"), train)
    assert isinstance(matched, Predictor)
    assert matched.card.name == "otsu, matched by majority on 2 training images"
    assert matched([GOOD.image])[0].class_map().tolist() == [[1, 0]]


def test_regions_are_matched_by_their_colour_not_by_their_number():
    train = data(sample("t", [[0, 120, 240]], [[0, 1, 0]]))
    matched = match(Method("kmeans", clusters=3), train)
    assert matched([as_image(np.array([[245, 118]], np.uint8))])[0].class_map().tolist() == [[0, 1]]


def test_a_colour_never_met_takes_the_nearest_ones_class():
    matched = match(Method("kmeans"), data(sample("t", [[0, 255]], [[0, 1]])))
    assert matched([as_image(np.array([[90, 170]], np.uint8))])[0].class_map().tolist() == [[0, 1]]


def test_matching_wants_settled_labels_and_a_labelled_pixel():
    with pytest.raises(UnsettledLabels, match="--void"):
        match(Method("otsu"), stored([[0, 1]], LABELS.with_values({0: 0, 1: 1}, settled=False)))
    with pytest.raises(DataError, match="no labelled pixel"):
        match(Method("otsu"), data(sample("t", [[0]], [[255]])))


def test_a_method_that_is_not_trained_is_refused():
    with pytest.raises(OptionError, match="train it first"):
        evaluate(Method("randomforest"), data(GOOD))
