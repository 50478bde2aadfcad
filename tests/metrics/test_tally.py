"""Counting: what each family is handed, of films, of several truths and of several levels."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError, UnsettledLabels
from pixelwise.core.image import as_image
from pixelwise.core.labels import VOID, LabelSet
from pixelwise.core.sample import Dataset, Sample, TruthArray
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.context import Context
from pixelwise.metrics.tally import Counter, families_of, report_of, tally
from pixelwise.metrics.truths import Truths, require_kind, usual
from pixelwise.scenes import scenes, video


class Recorder(SimpleNamespace):
    """A family that keeps what it was handed."""

    def __init__(self, kind, **traits):
        super().__init__(KIND=kind, **traits)

    def count(self, *handed):
        return handed


def handed(dataset, family, results, rows=None):
    families = {"recorder": family}
    counter = Counter(Truths.of(dataset, families), families)
    return [counter.count(row, result)["recorder"] for row, result in zip(rows or range(len(results)), results, strict=True)]


def test_truth_and_prediction_are_handed_as_the_kind_a_family_is_for():
    data = scenes(1, (32, 48), "panoptic")
    truth = data[0].truth
    for kind in ("panoptic", "semantic", "instance", "regions"):
        prediction, true = handed(data, Recorder(kind), [truth])[0]
        assert (prediction.kind, true.kind) == (kind, kind)


def test_the_frame_before_is_known_within_a_film_alone():
    data = video(3, (32, 48), clips=2)
    truths = [sample.truth for sample in data]
    contexts = [each[2] for each in handed(data, Recorder("instance", WANTS_CONTEXT=True), truths)]
    first = {context.clip: number for number, context in reversed(list(enumerate(contexts)))}
    for number, context in enumerate(contexts):
        if number == first[context.clip]:
            assert context.before is None
        else:
            assert context.before.truth == truths[number - 1]


def test_the_frame_after_one_that_failed_stands_alone():
    data = video(3, (32, 48), clips=1)
    families = {"recorder": Recorder("instance", WANTS_CONTEXT=True)}
    counter = Counter(Truths.of(data, families), families)
    counter.count(0, data[0].truth)
    with pytest.raises(DataError, match="broken"):
        counter.count(1, DataError("broken"))
    assert counter.count(2, data[2].truth)["recorder"][2].before is None


def test_classes_alone_are_handed_as_tracks_to_families_of_films():
    data = scenes(1, (32, 48), "semantic")
    prediction, true, _ = handed(data, Recorder("instance", UNIT="clip", WANTS_CONTEXT=True), [data[0].truth])[0]
    assert (prediction.kind, true.kind) == ("instance", "instance")
    assert true.track_ids.tolist() == [index + 1 for index in true.class_ids.tolist()]


def test_several_truths_go_to_families_that_take_them_and_no_others():
    one = scenes(1, (32, 48), "regions")
    truth = one[0].truth
    twice = Dataset([replace(one[0], truth_source=TruthArray((truth, truth)))], one.labels, "regions")
    assert handed(twice, Recorder("regions", SEVERAL_TRUTHS=True), [truth])[0][1] == (truth, truth)
    with pytest.raises(DataError, match="expected one truth to score against, found 2"):
        handed(twice, Recorder("regions"), [truth])


def test_several_levels_go_to_families_that_take_them_and_no_others():
    data = scenes(1, (32, 48), "regions")
    truth = data[0].truth
    assert handed(data, Recorder("regions", SEVERAL_LEVELS=True), [(truth, truth)])[0][0] == (truth, truth)
    with pytest.raises(DataError, match="only partitions"):
        handed(data, Recorder("regions"), [(truth, truth)])


def test_images_without_a_labelled_pixel_are_counted():
    labels = LabelSet.of(["sky"])
    image = as_image(np.zeros((2, 2), np.uint8))
    full, void = (Segmentation.from_class_map(np.full((2, 2), value, np.uint8), labels) for value in (0, 255))
    data = Dataset([Sample.of(name, image, one) for name, one in (("full", full), ("void", void))], labels, "semantic")
    families = families_of(["overlap"])
    found = tally(enumerate([full, full]), Truths.of(data, families), families, [])
    assert (
        report_of(found, families, ["miou"]).notes[0]
        == "nothing is labelled in 1 of 2 images (all void): they add nothing to the scores"
    )


def test_images_are_ordered_by_their_number_then_by_name():
    by_number, by_name = Sample.of("b", None, image_id=12), Sample.of("a", None)
    keys = [Context.of(one).key for one in (by_number, Sample.of("c", None, image_id=9), by_name, Sample.of("b", None))]
    assert sorted(keys) == [keys[1], keys[0], keys[2], keys[3]]


@pytest.mark.parametrize("spacing", [0.5, (1.0,), (1.0, -1.0), (1.0, float("nan")), "wide"])
def test_a_spacing_that_is_no_pair_of_lengths_is_refused(spacing):
    with pytest.raises(DataError, match="expected a spacing of two positive lengths"):
        Context.of(Sample.of("scan", None, spacing=spacing))


def test_metrics_that_cannot_score_a_truth_name_those_that_can():
    with pytest.raises(OptionError, match=r"semantic truth, which recorder cannot score; metrics that can: .*overlap"):
        Truths.of(scenes(1), {"recorder": Recorder("instance")})
    with pytest.raises(OptionError, match="gives semantic segments, which recorder cannot score"):
        require_kind("semantic", {"recorder": Recorder("instance")}, "unet")


def test_values_in_doubt_are_refused_where_no_model_says_them():
    labels = LabelSet.of(["sky"]).with_values({0: 0, 255: VOID}, settled=False)
    truth = Segmentation.from_class_map(np.zeros((2, 2), np.uint8), labels)
    data = Dataset([Sample.of("one", None, truth)], labels, "semantic", name="data")
    with pytest.raises(UnsettledLabels):
        Truths.of(data, {"recorder": Recorder("semantic")})


@pytest.mark.parametrize(
    ("truth", "predicted", "family"),
    [
        ("semantic", "semantic", "overlap"),
        ("instance", "instance", "average_precision"),
        ("instance", "semantic", "overlap"),
        ("panoptic", "panoptic", "panoptic_quality"),
        ("panoptic", "instance", "overlap"),
        ("panoptic", "semantic", "overlap"),
        ("regions", "regions", "partition"),
        ("regions", "semantic", "partition"),
        ("semantic", "regions", "partition"),
    ],
)
def test_the_usual_metrics_are_those_of_the_truth_if_the_prediction_can_be_read_so(truth, predicted, family):
    assert usual(truth, predicted)[0] == family


def test_objects_followed_through_films_are_scored_as_films():
    assert usual("instance", "instance", is_film=True) == ("video",)
