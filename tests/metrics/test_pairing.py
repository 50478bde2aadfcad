"""Pairing: a prediction goes with its image by name, and by folder where a name occurs twice; never with two."""

from pathlib import Path

import pytest

from pixelwise.core.errors import DataError
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset, ImageFile, Sample, Source
from pixelwise.metrics.predictions.pairing import pairs

LABELS = LabelSet.of(["sky"])


def data(*images):
    """Make samples of image paths; a sample is named after the folder and the stem, as readers of films do."""
    samples = []
    for image in map(Path, images):
        name = "_".join([*image.parts[-2:-1], image.stem])
        samples.append(Sample(name, ImageFile(image), None, LABELS, Source(image)))
    return Dataset(samples, LABELS, "semantic")


def test_a_flat_folder_is_paired_by_the_names_of_images():
    found = pairs(["0001", "0002", "other"], data("/d/val/0001.jpg", "/d/val/0002.jpg"), "theirs")
    assert found.keys == {"val_0001": "0001", "val_0002": "0002"}
    assert found.strange == ("other",)
    assert found.notes == ()


def test_of_one_name_in_several_folders_the_nearest_is_taken():
    images = data("/d/JPEGImages/480p/car/0001.jpg", "/d/JPEGImages/480p/boat/0001.jpg")
    assert pairs(["boat/0001", "car/0001"], images, "theirs").keys == {"car_0001": "car/0001", "boat_0001": "boat/0001"}


def test_a_prediction_of_another_film_is_not_taken_for_a_missing_one():
    found = pairs(["car/0001"], data("/d/car/0001.jpg", "/d/boat/0001.jpg"), "theirs")
    assert found.keys == {"car_0001": "car/0001"}


def test_a_prediction_that_could_be_of_two_images_is_refused():
    with pytest.raises(DataError, match=r"theirs: 0001 could be the prediction of car_0001, boat_0001; put predictions into"):
        pairs(["0001"], data("/d/car/0001.jpg", "/d/boat/0001.jpg"), "theirs")


def test_two_predictions_of_one_image_are_in_doubt():
    found = pairs(["x/0001", "y/0001"], data("/d/car/0001.jpg"), "theirs")
    assert found.keys == {}
    assert found.doubtful == {"car_0001": ("x/0001", "y/0001")}


def test_other_folders_than_the_images_are_told():
    found = pairs(["epoch9/0001"], data("/d/val/0001.jpg"), "theirs")
    assert found.keys == {"val_0001": "epoch9/0001"}
    assert found.notes == (
        "1 predictions lie in other folders than their images, and go by their last name: epoch9/0001 for val_0001",
    )


def test_one_mark_behind_all_names_is_taken_off():
    found = pairs(["0001_pred", "0002_pred"], data("/d/val/0001.jpg", "/d/val/0002.jpg"), "theirs")
    assert found.keys == {"val_0001": "0001_pred", "val_0002": "0002_pred"}
    assert found.notes == ("'_pred' at the end of the predictions' names was taken off",)


@pytest.mark.parametrize("keys", [["x"], ["0001_ids", "0001_colours"], ["10001"], ["00011"]])
def test_predictions_of_none_of_the_images_are_an_error(keys):
    with pytest.raises(DataError, match=f"none of its {len(keys)} predictions .* is of one of the 1 images"):
        pairs(keys, data("/d/val/0001.jpg"), "theirs")


def test_images_of_one_name_and_two_endings_are_told_apart():
    images = Dataset([*data("/d/a/0001.jpg"), *data("/d/a/0001.png")][:1], LABELS, "semantic")
    assert pairs(["/d/a/0001.jpg", "/d/a/0001.png"], images, "theirs").keys == {"a_0001": "/d/a/0001.jpg"}
