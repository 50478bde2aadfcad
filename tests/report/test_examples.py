"""Pictures of examples: as suits the kind of the truth, with words for what the colours mean."""

import base64
import io

import numpy as np
import PIL.Image
import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import ImageArray, Sample, TruthArray
from pixelwise.core.segmentation import KINDS, Segmentation
from pixelwise.metrics.error_kinds import ERROR_KINDS
from pixelwise.report.examples import KIND_KEY, SIDE, Example, error_key, kind_pictures, like_truth, pictures
from pixelwise.scenes import scenes


def opened(picture):
    return np.array(PIL.Image.open(io.BytesIO(base64.b64decode(picture.address.split(",")[1]))))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_four_pictures_of_the_size_they_say(kind):
    sample = scenes(1, (48, 64), kind)[0]
    drawn = pictures(Example.of(sample, sample.truth))
    assert [picture.caption.split(":")[0] for picture in drawn] == ["image", "truth", "prediction", "errors"]
    assert all(opened(picture).shape == (picture.height, picture.width, 3) for picture in drawn)
    assert all(picture.width <= SIDE for picture in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_key_to_its_picture_of_errors(kind):
    swatches = error_key(kind)
    assert len({one.style for one in swatches}) == len(swatches) >= 3
    assert all(one.style.startswith("background:") for one in swatches)


def test_the_picture_of_objects_says_how_many_became_what():
    sample = scenes(1, (48, 64), "instance")[0]
    told = sample.truth[1:]
    assert pictures(Example.of(sample, told))[3].caption == f"errors: {len(told)} hits, 1 missed"


def test_of_several_truths_the_first_is_shown_and_said_to_be():
    sample = scenes(1, (48, 64), "regions")[0]
    several = Sample("twice", ImageArray(sample.image), TruthArray((sample.truth, sample.truth)), sample.labels)
    drawn = pictures(Example.of(several, sample.truth))
    assert drawn[1].caption == "truth, the first of 2"


def test_predicted_objects_of_a_low_score_are_not_shown():
    truth = scenes(1, (48, 64), "instance")[0].truth
    scores = np.where(np.arange(len(truth)) == 0, 0.9, 0.3)
    told = Segmentation("instance", truth.masks, truth.class_ids, truth.labels, scores)
    assert len(like_truth(told, truth)) == 1


def test_a_prediction_of_objects_is_shown_as_classes_beside_truth_of_classes():
    sample = scenes(1, (48, 64), "panoptic")[0]
    told = like_truth(sample.truth, sample.truth.semantic())
    assert told.kind == "semantic"


def test_classes_that_tell_no_objects_apart_are_shown_as_they_are():
    sample = scenes(1, (48, 64), "panoptic")[0]
    drawn = pictures(Example.of(sample, sample.truth.semantic()))
    assert [picture.caption for picture in drawn] == ["image", "truth", "prediction", "errors"]


def test_a_sample_without_truth_is_refused():
    image = scenes(1, (48, 64))[0].image
    with pytest.raises(DataError):
        Example.of(Sample("bare", ImageArray(image), None, LabelSet.of(["a"])), scenes(1, (48, 64))[0].truth)


def test_kinds_of_errors_have_a_picture_a_key_and_shares():
    sample = scenes(1, (48, 64))[0]
    classes = sample.truth.class_map()
    told = Segmentation.from_class_map(np.roll(classes, 3, axis=1), sample.labels)
    drawn = kind_pictures(sample, sample.truth, told)
    assert [picture.caption.split(":")[0] for picture in drawn] == ["image", "truth", "prediction", "kinds of errors"]
    assert "% of the pixels" in drawn[3].caption
    assert kind_pictures(sample, sample.truth, sample.truth)[3].caption == "kinds of errors: none"
    assert [one.words for one in KIND_KEY[:-1]] == list(ERROR_KINDS.values())
