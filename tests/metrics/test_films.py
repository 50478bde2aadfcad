"""Films: which images are frames of one, and classes that are followed through it as objects."""

import numpy as np
import pytest
from davis_oracle import plain_f, plain_j

from pixelwise.core.image import as_image, read_ids, write_ids
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.formats import read
from pixelwise.metrics.evaluate import evaluate
from pixelwise.metrics.films import BY_NAME, in_films

LABELS = LabelSet.of(["background", "car", "boat"])


def named(*names, labels=LABELS, **meta):
    truth = Segmentation.from_class_map(np.zeros((4, 4), np.uint8), labels)
    image = as_image(np.zeros((4, 4), np.uint8))
    return Dataset([Sample.of(name, image, truth, **meta) for name in names], labels, "semantic", name="data")


def films(dataset):
    return [(sample.meta.get("sequence"), sample.meta.get("frame")) for sample in in_films(dataset)]


def test_names_that_differ_in_a_number_that_runs_on_are_frames_of_one_film():
    found = films(named("a_0001", "a_0002", "b/0010", "b/0020", "b/0040", "cover"))
    assert found == [("a", 1), ("a", 2), ("b", 10), ("b", 20), ("b", 40), (None, None)]


def test_numbers_alone_are_a_film_of_the_name_of_the_data():
    assert films(named("00000", "00001")) == [("data", 0), ("data", 1)]


@pytest.mark.parametrize("names", [("000000532481", "000000184324"), ("1", "2", "900"), ("cat", "dog"), ("a1",)])
def test_numbers_that_do_not_run_on_are_no_film(names):
    assert films(named(*names)) == [(None, None)] * len(names)


def test_what_the_data_says_of_its_films_stays():
    data = named("a_1", "a_2", sequence="all")
    assert in_films(data) is data


def moving(shift=0, labels=LABELS, car=1, boat=2):
    """Make a film of a car that moves to the right over a boat that stays."""
    samples = []
    for frame in range(5):
        classes = np.zeros((20, 20), np.uint8)
        classes[12:18, 2:8] = boat
        classes[3:9, frame + shift : frame + shift + 6] = car
        image = as_image(np.zeros((20, 20), np.uint8))
        samples.append(Sample.of(f"{frame:05d}", image, Segmentation.from_class_map(classes, labels)))
    return Dataset(samples, labels, "semantic", name="sea")


def test_classes_alone_are_followed_as_one_object_each_by_name():
    other = LabelSet.of(["boat", "background", "car"])
    predicted = moving(0, LabelSet.of(["background", "car", "boat"]))
    report = evaluate(moving(2), predicted, "video")
    assert report.per_class["boat"]["j"] == 1
    assert report.per_class["car"]["j"] == pytest.approx(4 / 8)
    assert report.per_class["car"]["objects"] == 1
    assert BY_NAME in report.notes
    assert "the truth is of classes alone: each is followed through a film as one object (car, boat)" in report.notes
    renamed = [
        Sample.of(one.name, one.image, Segmentation.from_class_map(np.array([1, 2, 0])[one.truth.class_map()], other))
        for one in moving(2)
    ]
    again = evaluate(Dataset(renamed, other, "semantic", name="other"), predicted, "video")
    assert again.scores == report.scores


def test_only_things_are_followed_where_some_classes_are_things():
    labels = LabelSet.of(["background", "car", "boat"], things=["boat"])
    found = evaluate(moving(2, labels), moving(0, labels), "video", intervals=None)
    assert found["j"] == 1
    assert found.details["film"]["objects"] == 1


def test_void_of_the_truth_does_not_count():
    labels = LabelSet.of(["background", "car", "boat"])
    void = moving(0, labels)
    samples = []
    for sample in void:
        classes = sample.truth.class_map().copy()
        classes[:, 10:] = 255
        samples.append(Sample.of(sample.name, sample.image, Segmentation.from_class_map(classes, labels)))
    assert evaluate(void, Dataset(samples, labels, "semantic", name="sea"), "video", intervals=None)["j"] == 1


def test_objects_against_classes_are_matched_frame_by_frame():
    labels = LabelSet.of(["object"], things=["object"])
    samples = [
        Sample.of(
            one.name,
            one.image,
            Segmentation.from_masks("instance", one.truth.class_map()[None] == 1, [0], labels, track_ids=[9]),
        )
        for one in moving()
    ]
    report = evaluate(Dataset(samples, labels, "instance", name="found"), moving(), "video", intervals=None)
    assert report.per_class["car"]["j"] == 1
    assert "objects are numbered in truth or prediction alone: each frame is matched by itself" in report.notes


@pytest.mark.shared_data
def test_a_film_of_masks_scores_as_the_plain_rule_says(shared_data, tmp_path):
    film = shared_data / "video" / "car-shadow"
    data = read(film, void="none").take(range(8))
    j, f = [], []
    for number, sample in enumerate(data):
        truth = read_ids(sample.source.truths[0])[0] > 0
        found = np.roll(truth, 2 * number, axis=1)
        write_ids(tmp_path / f"{sample.name}.png", found * np.uint8(255))
        if 0 < number < 7:  # the first and the last frame do not count
            j.append(plain_j(truth, found))
            f.append(plain_f(truth, found))
    report = evaluate(tmp_path, data, "video", intervals=None)
    assert report["j"] == pytest.approx(np.mean(j), abs=1e-12)
    assert report["f"] == pytest.approx(np.mean(f), abs=1e-12)
