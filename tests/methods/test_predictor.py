"""Methods one by one: known answers, and what a request may ask of them."""

from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.errors import DataError, OptionError, UnknownName
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.methods.predictor import Method
from pixelwise.methods.thresholds.otsu import otsu_level
from pixelwise.metrics.evaluate import evaluate
from pixelwise.scenes import scenes

RAMP = np.array([[0, 100, 127, 128, 255]], np.uint8)


def run(name, pixels, request=None, **options):
    return Method(name, **options)([as_image(pixels)], request or Request())[0].class_map().tolist()


def test_threshold_splits_above_the_level():
    assert run("threshold", RAMP) == [[0, 0, 0, 1, 1]]
    assert run("threshold", RAMP, level=0.3) == [[0, 1, 1, 1, 1]]
    assert run("threshold", RAMP, foreground="dark") == [[1, 1, 1, 0, 0]]


def test_the_level_means_the_same_in_every_depth():
    deep = RAMP.astype(np.uint16) * 257
    assert run("threshold", deep) == run("threshold", RAMP / 255.0) == run("threshold", RAMP)


def test_a_requests_threshold_is_the_level():
    assert run("threshold", RAMP, Request(threshold=0.0)) == [[0, 1, 1, 1, 1]]


@pytest.mark.parametrize("options", [{"level": 1.5}, {"level": -0.1}, {"foreground": "brigth"}])
def test_threshold_refuses_what_is_out_of_range(options):
    with pytest.raises(OptionError):
        run("threshold", RAMP, **options)


def test_otsu_parts_pixels_as_scikit_image_does():
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(1)
    for seed in range(5):
        part = rng.normal(90 + 5 * seed, 25, 3000), rng.normal(180, 20, 1500)
        grey = np.clip(np.concatenate(part), 0, 255).astype(np.uint8).reshape(50, 90)
        assert otsu_level(np.bincount(grey.ravel(), minlength=256)) == threshold_otsu(grey)


@pytest.mark.parametrize("invert", [False, True])
def test_otsu_finds_a_thing_bright_or_dark(invert):
    grey = np.full((20, 20), 50, np.uint8)
    grey[5:12, 6:15] = 200
    found = run("otsu", 255 - grey if invert else grey)
    assert (np.array(found, bool) == (grey == 200)).all()


def test_otsu_can_be_told_which_side_is_the_foreground():
    grey = np.full((8, 8), 50, np.uint8)
    grey[2:4, 2:4] = 200
    assert np.sum(run("otsu", grey, foreground="dark")) == 60


def test_kmeans_finds_plain_colours_and_orders_them_from_dark_to_bright():
    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[:, 3:6], pixels[:, 6:] = (200, 30, 30), (240, 240, 240)
    found = Method("kmeans", clusters=3)([as_image(pixels[:, ::-1])])[0]
    assert (found.panoptic_ids() == np.repeat([3, 2, 1], 3)).all()


def test_kmeans_gives_no_more_regions_than_colours():
    assert len(Method("kmeans", clusters=8)([as_image(RAMP[:, :2])])[0]) == 2


def test_kmeans_on_a_sample_agrees_with_all_pixels():
    rng = np.random.default_rng(2)
    grey = np.where(rng.random((80, 80)) < 0.5, 60, 190) + rng.normal(0, 5, (80, 80))
    image = as_image(np.clip(grey, 0, 255).astype(np.uint8))
    few, all_ = (Method("kmeans", clusters=2, sample=count)([image])[0] for count in (500, 6400))
    assert few == all_


@pytest.mark.parametrize("options", [{"clusters": 0}, {"sample": 0}, {"space": "rgb"}])
def test_kmeans_refuses_what_is_out_of_range(options):
    with pytest.raises(OptionError, match="kmeans"):
        Method("kmeans", **options)([as_image(RAMP)])


def halves(count=3, void=False):
    """Images whose left half is dark and called water, the right half bright and called sand."""
    labels = LabelSet.of(["water", "sand"])
    rng = np.random.default_rng(0)
    rows = []
    for index in range(count):
        classes = np.repeat([[0] * 10 + [1] * 10], 12, axis=0).astype(np.uint8)
        grey = np.clip(np.where(classes, 180, 70) + rng.normal(0, 10, classes.shape), 0, 255).astype(np.uint8)
        truth = np.full_like(classes, labels.void) if void else classes
        rows.append(Sample.of(f"{index}", as_image(grey), Segmentation.from_class_map(truth, labels)))
    return Dataset(rows, labels, "semantic")


@pytest.fixture(scope="module")
def forest():
    return Method("randomforest", trees=10, scales=(0, 1)).fit(halves())


def test_a_forest_learns_what_colour_tells(forest):
    sample = halves(5)[4]
    assert (forest([sample.image])[0].class_map() == sample.truth.class_map()).mean() > 0.98


def test_a_forests_probabilities_add_up_to_one_and_obey_the_threshold(forest):
    image = halves()[0].image
    volume = forest([image], Request(probabilities=True))[0].probabilities
    assert volume.shape == (2, 12, 20)
    assert volume.sum(axis=0) == pytest.approx(1, abs=1e-5)
    strict = forest([image], Request(threshold=1.0))[0]
    assert strict.class_map().max() == 0


def test_a_forest_must_be_trained_first():
    with pytest.raises(OptionError, match="trained first"):
        Method("randomforest")([as_image(RAMP)])


def test_a_forest_wants_a_labelled_pixel():
    with pytest.raises(DataError, match="no labelled pixel"):
        Method("randomforest").fit(halves(void=True))


def test_training_twice_gives_the_same_forest(forest):
    again = Method("randomforest", trees=10, scales=(0, 1)).fit(halves())
    image = as_image(np.random.default_rng(5).integers(0, 255, (30, 30)).astype(np.uint8))
    assert forest([image])[0] == again([image])[0]


def test_otsu_refuses_a_threshold_and_probabilities():
    with pytest.raises(OptionError, match="takes no threshold"):
        Method("otsu")([as_image(RAMP)], Request(threshold=0.5))
    with pytest.raises(OptionError, match="no probabilities"):
        Method("otsu")([as_image(RAMP)], Request(probabilities=True))


def test_a_misspelt_method_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'kmeans'"):
        Method("kmean")


def test_a_colour_forest_is_scored_on_scenes_as_a_baseline():
    train, val = scenes(12, seed=1), scenes(4, seed=2)
    report = evaluate(Method("randomforest", scales=(0,), trees=10).fit(train), val)
    assert 0.1 < report["miou"] < 0.55


def test_a_forests_threshold_is_of_the_class_that_is_not_background(monkeypatch):
    labels = LabelSet.of(["leaf", "background"])
    truth = Segmentation.from_class_map(np.array([[0, 1]], np.uint8), labels)
    image = as_image(np.array([[200, 50]], np.uint8))
    trained = Method("randomforest", trees=3, scales=(0,)).fit(Dataset([Sample.of("one", image, truth)], labels, "semantic"))
    told = trained.module.segment

    def segment(*given, **options):
        return replace(told(*given, **options), notes=("told",))

    monkeypatch.setattr(trained.module, "segment", segment)
    front = told(image, model=trained.options["model"], probabilities=True).probabilities[0]
    for threshold in (0.0, 0.5, 1.0):
        (found,) = trained([image], Request(threshold=threshold))
        assert (found.class_map() == np.where(front > threshold, 0, 1)).all()
        assert found.notes == ("told",)


def test_an_option_called_name_is_refused_as_any_other():
    with pytest.raises(OptionError, match="the method 'otsu' has no option 'name'"):
        Method("otsu", name="li")
