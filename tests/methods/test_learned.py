"""Methods that learn: trees as arrays, strokes on an image, and files without code."""

import numpy as np
import pytest

from pixelwise.core.errors import CheckpointError, MissingFile, OptionError, PlaceTaken
from pixelwise.core.image import as_image
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Request
from pixelwise.core.prompt import Prompt
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.load import load
from pixelwise.methods.learned import pixel_features, randomforest
from pixelwise.methods.learned.trees import grown
from pixelwise.methods.predictor import Method
from pixelwise.methods.stored import check_place, read_method, write_method
from pixelwise.scenes import scenes

SMALL = {"trees": 4, "depth": 5, "scales": (0.0, 1.0)}


def drawn(classes, count=600, seed=0):
    """Random features (count, 5) and classes that depend on some of them."""
    rng = np.random.default_rng(seed)
    features = rng.random((count, 5)).astype(np.float32)
    noisy = features[:, 0] + features[:, 1] * features[:, 2] + rng.normal(0, 0.1, count)
    return features, np.minimum((noisy / 1.5 * classes).astype(int).clip(0), classes - 1)


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_a_forest_of_arrays_equals_scikit_learns(classes):
    from sklearn.ensemble import RandomForestClassifier

    features, truth = drawn(classes)
    found = grown(features, truth, "forest", 5, 8, 2, 3, 1)
    peer = RandomForestClassifier(5, max_depth=8, min_samples_leaf=2, random_state=3).fit(features, truth)
    new, _ = drawn(classes, seed=1)
    assert (found(new.T) == peer.predict_proba(new)).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_of_arrays_equal_scikit_learns(classes):
    from sklearn.ensemble import GradientBoostingClassifier

    features, truth = drawn(classes)
    found = grown(features, truth, "boosting", 6, 3, 2, 3, 1)
    peer = GradientBoostingClassifier(n_estimators=6, max_depth=3, min_samples_leaf=2, init="zero", random_state=3)
    peer.fit(features, truth)
    new, _ = drawn(classes, seed=1)
    assert found(new.T) == pytest.approx(peer.predict_proba(new), abs=1e-12)


def test_strips_of_features_equal_the_whole(monkeypatch):
    image = as_image(np.random.default_rng(4).random((70, 11, 3)))
    monkeypatch.setattr(pixel_features, "_STRIP", 50)
    found = list(pixel_features.strips(image, (0, 1, 3)))
    assert (len(found), found[1].first) == (18, 4)
    whole = pixel_features.features_of(image, (0, 1, 3)).reshape(-1, 770)
    assert np.concatenate([one.features for one in found], axis=1) == pytest.approx(whole, abs=1e-5)


def test_curvature_tells_a_bright_line_from_a_bright_blob():
    pixels = np.zeros((41, 41), np.float32)
    pixels[10, :] = 1
    pixels[28:33, 18:23] = 1
    low, high = pixel_features.features_of(as_image(pixels), (2,))[2:]
    assert low[10, 5] < -0.1 < -0.001 < high[10, 5]  # along the line nothing bends
    assert max(low[30, 20], high[30, 20]) < -0.1


def halves():
    pixels = np.full((24, 32, 3), 60, np.uint8)
    pixels[:, 16:] = 180
    return as_image(np.clip(pixels + np.random.default_rng(0).normal(0, 8, pixels.shape), 0, 255).astype(np.uint8))


STROKES = (Prompt(scribbles=((((24.0, 4.0), (26.0, 20.0)), True),), points=((4.0, 4.0, False), (6.0, 18.0, False))),)


def test_a_few_strokes_on_an_image_part_it():
    found = Method("randomforest", **SMALL)([halves()], Request(prompts=(STROKES,)))[0]
    assert found.labels.names == ("background", "foreground")
    assert (found.class_map() == (np.arange(32) >= 16)).mean() > 0.97


def test_strokes_of_named_classes_give_those_classes():
    method = Method("randomforest", classes=("soil", "leaf", "stone"), learner="boosting", **SMALL)
    marks = (Prompt(polygon=((20, 2), (30, 2), (30, 12), (20, 12)), class_id=2), Prompt(points=((3, 3, False),)))
    found = method([halves()], Request(prompts=(marks,)))[0]
    assert method.card.labels.names == found.labels.names == ("soil", "leaf", "stone")
    assert sorted(set(found.names)) == ["soil", "stone"]


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ((Prompt(points=((3, 3, True),)),), "found foreground; mark what is around it too"),
        ((Prompt(points=((300, 3, True),)),), "outside the image"),
        ((Prompt(box=(1, 1, 5, 5)),), "a box does not say"),
        ((Prompt(points=((3, 3, True),), class_id=7),), "class_id 7"),
        ((), "or be given strokes"),
    ],
)
def test_strokes_that_cannot_be_learned_from_are_refused(marks, message):
    with pytest.raises(OptionError, match=message):
        Method("randomforest", **SMALL)([halves()], Request(prompts=(marks,)))


@pytest.mark.parametrize(
    "options", [{"learner": "bosting"}, {"trees": 0}, {"scales": ()}, {"scales": (-1.0,)}, {"seed": -1}, {"classes": ("a",)}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="randomforest"):
        Method("randomforest", **options)([halves()], Request(prompts=(STROKES,)))


def test_a_large_image_is_classified_on_a_grid_and_the_result_says_so(monkeypatch):
    image = halves()
    method = Method("randomforest", **SMALL)
    whole = method([image], Request(prompts=(STROKES,)))[0]
    monkeypatch.setattr(randomforest, "_MOST", 200)
    found = method([image], Request(prompts=(STROKES,), probabilities=True))[0]
    assert "classified on 12 x 16 of 24 x 32 pixels" in found.notes[0]
    assert found.probabilities.shape == (2, 24, 32)
    assert (found.class_map() == whole.class_map()).mean() > 0.95


@pytest.fixture(scope="module")
def trained():
    return Method("randomforest", **SMALL).fit(scenes(2, (32, 40), seed=1)).known_to({"data": "scenes"})


def test_a_trained_method_is_the_same_from_its_folder(trained, tmp_path):
    write_method(trained, tmp_path / "rf")
    image = scenes(1, (32, 40), seed=2)[0].image
    found = load(tmp_path / "rf")
    assert found.card == trained.card
    kept, again = (one([image], Request(probabilities=True))[0] for one in (trained, found))
    assert kept == again
    assert (kept.probabilities == again.probabilities).all()


def test_what_other_methods_learn_is_kept_too(tmp_path):
    labels = LabelSet.of(["a", "b"])
    halved = Segmentation.from_class_map(np.repeat([[0] * 16 + [1] * 16], 24, axis=0).astype(np.uint8), labels)
    data = Dataset([Sample.of("one", halves(), halved)], labels, "semantic")
    method = Method("ragmerge", superpixels=50, sample=100).fit(data)
    write_method(method, tmp_path / "merge")
    assert load(tmp_path / "merge")([halves()]) == method([halves()])


def test_nothing_in_the_folder_is_a_pickle(trained, tmp_path):
    write_method(trained, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["method.safetensors", "method.toml"]
    assert (tmp_path / "method.safetensors").read_bytes()[8:9] == b"{"


def test_options_in_a_file_are_those_of_the_method(tmp_path):
    path = tmp_path / "few.toml"
    path.write_text('method = "kmeans"\n[options]\nclusters = 3\nplace = 1\n')
    found = read_method(path)
    assert (found.name, found.options) == ("kmeans", {"clusters": 3, "place": 1.0})
    write_method(found, tmp_path / "again.toml")
    assert load(tmp_path / "again.toml").card == found.card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[options]\nclusters = 3\n", "expected a method file"),
        ('method = "kmeans"\n[options]\nclusters = "three"\n', "clusters: expected int or None, got 'three'"),
        ('method = "kmeans"\n[options]\nclustres = 3\n', "no option 'clustres'; did you mean 'clusters'"),
        ('method = "kmeans"\nclusters = 3\n', "tables .options. and .about. beside the method, found clusters"),
        ("method = ", "expected TOML"),
    ],
)
def test_a_wrong_method_file_says_what_is_wrong(tmp_path, text, message):
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(OptionError, match=message):
        load(tmp_path / "wrong.toml")


def test_a_model_cut_off_or_missing_is_told(trained, tmp_path):
    write_method(trained, tmp_path)
    model = tmp_path / "method.safetensors"
    model.write_bytes(model.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="train it again"):
        load(tmp_path)
    with pytest.raises(MissingFile):
        read_method(tmp_path / "none.toml")


def test_a_methods_file_in_its_folder_is_the_method_with_what_it_learned(trained, tmp_path):
    write_method(trained, tmp_path)
    assert load(tmp_path / "method.toml").is_ready


def test_a_model_that_is_gone_is_told_and_never_left_out(tmp_path):
    labels = LabelSet.of(["a", "b"])
    halved = Segmentation.from_class_map(np.repeat([[0] * 16 + [1] * 16], 24, axis=0).astype(np.uint8), labels)
    data = Dataset([Sample.of("one", halves(), halved)], labels, "semantic")
    write_method(Method("ragmerge", superpixels=50, sample=100).fit(data), tmp_path)
    (tmp_path / "method.safetensors").unlink()  # without it, the method would work too, and otherwise
    with pytest.raises(MissingFile, match="expected what the method learned"):
        load(tmp_path)


def test_a_model_is_only_of_a_method_that_learns(tmp_path):
    (tmp_path / "otsu.toml").write_text('method = "otsu"\nmodel = "method.safetensors"\n')
    with pytest.raises(OptionError, match="only one that learned has one"):
        load(tmp_path / "otsu.toml")


def test_a_place_for_a_method_is_looked_at_before_the_work(trained, tmp_path):
    (tmp_path / "notes.toml").write_text('title = "mine"\n')
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / "folder.toml").mkdir()
    for method, name in ((Method("otsu"), "notes.toml"), (Method("otsu"), "data.json"), (Method("otsu"), "folder.toml")):
        with pytest.raises(PlaceTaken):
            check_place(method, tmp_path / name)
    for method in (Method("randomforest"), trained):
        with pytest.raises(OptionError, match="wants a folder"):
            check_place(method, tmp_path / "new.toml")
    write_method(Method("otsu"), tmp_path / "otsu.toml")
    for name in ("otsu.toml", "new.toml", "new"):
        check_place(Method("li"), tmp_path / name)
