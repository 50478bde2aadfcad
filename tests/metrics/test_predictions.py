"""Predictions made before or elsewhere: each finds its image, in whatever form it was kept."""

import json

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError, SizeMismatch, UnreadableFile, UnsettledLabels
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.runs import encode
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.evaluate import evaluate
from pixelwise.metrics.predictions import PredictedData, Scored, read_predictions

LABELS = LabelSet.of(["cat", "dog"], things=["cat", "dog"])
LEFT = np.array([[True, False, False], [True, False, False]])


def objects(*masks, classes=None, scores=None):
    classes = [0] * len(masks) if classes is None else classes
    stack = np.array(masks) if masks else np.zeros((0, 2, 3), bool)
    return Segmentation.from_masks("instance", stack, classes, LABELS, scores=scores)


def data(names=("a", "b"), truth=None):
    image = as_image(np.zeros((2, 3), np.uint8))
    samples = [Sample.of(name, image, truth or objects(LEFT)) for name in names]
    return Dataset(samples, LABELS, "instance", name="cats")


def written(folder, entries, kind="instance"):
    """Write what ``predict`` writes for objects."""
    for entry in entries:
        (folder / entry["mask"]).write_bytes(b"")
    (folder / "segments.json").write_text(json.dumps(entries))
    labels = LABELS.to_json()
    (folder / "labels.json").write_text(json.dumps({"model": "m", "kind": kind, "labels": labels, "stored": labels}))
    return folder


def read_first(folder, dataset=None):
    """Read what a folder predicts for the first sample."""
    dataset = data() if dataset is None else dataset
    return Scored.on(read_predictions(folder), dataset).read(dataset[0])


def entry(name, *masks, score=0.9, size=(2, 3)):
    segments = [
        {"class_id": 0, "score": score, "run_lengths": {"size": list(size), "counts": encode(mask).counts.decode()}}
        for mask in masks
    ]
    return {"file": f"/photos/{name}.jpg", "mask": f"{name}.png", "size": list(size), "segments": segments}


def test_objects_that_predict_wrote_come_back_with_classes_and_scores(tmp_path):
    found = read_predictions(written(tmp_path, [entry("a", LEFT, ~LEFT)]))
    one = read_first(tmp_path)
    assert (found.kind, found.labels.names) == ("instance", ("cat", "dog"))
    assert one == objects(LEFT, ~LEFT)
    assert one.scores.tolist() == [0.9, 0.9]


def test_an_image_without_segments_was_still_predicted(tmp_path):
    assert len(read_first(written(tmp_path, [entry("a")]))) == 0


def test_an_image_nothing_was_predicted_for_is_a_failure_and_the_rest_go_on(tmp_path):
    report = evaluate(written(tmp_path, [entry("a", LEFT)]), data(), ["overlap"], intervals=None)
    assert report["miou"] == 1
    assert [name for name, _ in report.failures] == ["b"]


def test_predictions_of_other_images_are_counted_in_a_note(tmp_path):
    found = written(tmp_path, [entry("a", LEFT), entry("b", LEFT), entry("z", LEFT)])
    notes = evaluate(found, data(), ["overlap"], intervals=None).notes
    assert "1 prediction is of images that are not scored: /photos/z; not counted" in notes


def test_a_size_that_only_the_file_states_is_refused_before_it_is_decoded(tmp_path):
    found = written(tmp_path, [{**entry("a"), "size": [10**9, 10**9]}])
    with pytest.raises(SizeMismatch, match=r"a.jpg: the prediction is \(1000000000, 1000000000\), the image \(2, 3\)"):
        read_first(found)


@pytest.mark.parametrize(
    ("segment", "error"),
    [
        ({"class_id": 0}, UnreadableFile),
        ({"class_id": 9, "run_lengths": {"size": [2, 3], "counts": "06"}}, DataError),
        ({"class_id": 0, "run_lengths": {"size": [2, 3], "counts": "x"}}, DataError),
    ],
)
def test_a_damaged_segment_names_file_and_image(tmp_path, segment, error):
    found = written(tmp_path, [{**entry("a"), "segments": [segment]}])
    with pytest.raises(error, match=r"segments.json: a.jpg: "):
        read_first(found)


def test_a_damaged_listing_says_what_was_expected(tmp_path):
    found = written(tmp_path, [entry("a")])
    (tmp_path / "segments.json").write_text('{"a": 1')
    with pytest.raises(UnreadableFile, match="expected a list of images with their segments"):
        read_first(found)


def test_labelled_images_serve_as_predictions_by_name():
    report = evaluate(data(["x/b", "x/a"], objects(~LEFT)), data(), ["overlap"], intervals=None)
    assert report["pixel_accuracy"] == 0
    assert report.count == 2
    assert report.about["model"] == "cats"


def test_what_was_noticed_in_predictions_is_told_with_the_scores():
    predicted = data()
    noisy = Dataset(predicted.samples, LABELS, "instance", name="theirs", notes=["2 scores are outside 0 to 1"])
    assert "in the predictions: 2 scores are outside 0 to 1" in evaluate(noisy, data(), ["overlap"], intervals=None).notes


@pytest.mark.parametrize("score", [np.nan, -0.1, 1.5])
@pytest.mark.parametrize("metric", ["overlap", "average_precision", "partition"])
def test_a_score_that_is_none_is_a_failure_of_its_image(score, metric):
    wrong = data(["a"], objects(LEFT, ~LEFT, scores=np.array([0.5, score])))
    report = evaluate(wrong, data(["a"]), [metric], intervals=None)
    assert report.count == 0
    assert f"segment 2 has the score {score}" in report.failures[0][1]


def test_probabilities_are_not_to_be_had_from_predictions():
    with pytest.raises(OptionError, match="cats holds no probabilities, which calibration needs"):
        evaluate(data(), data(), ["calibration"])


def test_masks_in_doubt_are_not_read_by_a_truth_of_objects():
    labels = LabelSet.of(["background", "cat"]).with_values({0: 0, 255: 1}, settled=False)
    masks = Dataset([], labels, "semantic", name="masks")
    with pytest.raises(UnsettledLabels, match=r"masks: what its mask values \(0, 255\) mean is not settled"):
        PredictedData.of(masks, "masks", data())


def test_a_path_that_holds_no_predictions_says_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of predictions, found nothing there"):
        evaluate(tmp_path / "nowhere", data())
