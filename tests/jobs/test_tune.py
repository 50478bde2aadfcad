"""A search of options gains what it says, on images it has not seen, and never touches more than it may."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from cells import cells

from pixelwise.core.errors import DataError, MissingExtra, OptionError, OutOfTime
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import Predictor
from pixelwise.core.sample import Dataset, ImageFile, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.jobs.judge import Judge, first_image
from pixelwise.jobs.search_spaces import OneOf, Real, Whole, space_of
from pixelwise.jobs.tune import tune
from pixelwise.load import load
from pixelwise.methods import METHODS
from pixelwise.methods.predictor import Method
from pixelwise.methods.stored import write_method


@pytest.fixture(scope="module")
def found():
    pytest.importorskip("optuna")
    return tune(Method("threshold"), cells(), trials=12)


def test_a_bad_default_is_found_out_and_the_gain_has_an_interval(found):
    assert 0.1 < found.method.options["level"] < 0.32
    assert found.gain.a < 0.5 < 0.95 < found.gain.b
    low, high = found.gain.interval
    assert 0 < low <= found.gain.value <= high
    assert found.gained.count == 4


def test_what_was_found_is_a_file_that_load_takes(found, tmp_path):
    write_method(found.method, tmp_path / "cells.toml")
    again = load(tmp_path / "cells.toml")
    assert isinstance(again, Predictor)
    assert again.card == found.method.card
    assert again.card.training["tuned"]["metric"] == "miou"
    image = cells()[0].image
    assert again([image]) == found.method([image])


def test_the_same_seed_finds_the_same(found):
    assert tune(Method("threshold"), cells(), trials=12).method.options == found.method.options


def test_the_start_is_kept_where_nothing_is_better():
    pytest.importorskip("optuna")
    found = tune(Method("threshold", level=0.2), cells(), trials=3)
    assert found.method.options["level"] == 0.2
    assert found.gain.value == 0


def test_a_gain_within_its_error_does_not_win(monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setattr("pixelwise.jobs.tune._Search._error", lambda self, counted: 1.0)
    found = tune(Method("threshold"), cells(), trials=4)
    assert not found.method.options
    assert found.gain.value == 0


def test_a_method_that_learns_is_tuned_and_trained():
    pytest.importorskip("optuna")
    found = tune(Method("randomforest", sample=500), cells(), trials=2)
    assert found.method.is_ready
    assert found.gain.b > 0.9


def test_trials_that_fail_are_told_and_do_not_win(monkeypatch):
    pytest.importorskip("optuna")
    whole = METHODS["otsu"].segment

    def segment(image, *, foreground="auto"):
        if foreground == "dark":
            raise OutOfTime("the time limit is over")
        return whole(image, foreground=foreground)

    monkeypatch.setattr(METHODS["otsu"], "segment", segment)
    found = tune(Method("otsu"), cells(), trials=10)
    count, reason = found.failed
    assert count > 0
    assert "the time limit is over" in reason
    assert found.trials == 10 - count
    assert found.method.options.get("foreground") != "dark"


@pytest.mark.parametrize("limits", [{"minutes": 0}, {"trials": 0}])
def test_a_search_of_no_length_is_refused(limits):
    with pytest.raises(OptionError, match="trials must be 1 or more and minutes above 0"):
        tune(Method("otsu"), cells(), **limits)


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"tune needs optuna: pip install 'pixelwise\[tune\]'"):
        tune(Method("threshold"), cells())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_takes_the_ends_of_its_search(name):
    image = cells(1)[0].image
    space = space_of(name, ("red", "green", "blue"))
    assert space, "there is nothing to tune"
    for end in (0, -1):
        options = {key: _end(one, end) for key, one in space.items() if key not in ("channel", "foreground")}
        method = Method(name, **options)
        if not method.is_trained:
            method([image])


def _end(space, end):
    if isinstance(space, OneOf):
        return space.values[end]
    assert isinstance(space, Whole | Real)
    return (space.low, space.high)[end]


@pytest.mark.parametrize(
    ("kind", "metric", "message"),
    [
        ("semantic", "overlap", "choose one of miou"),
        ("semantic", "object_f1", "cannot be scored|no method can be scored so"),
        ("semantic", "pq", "no method can be scored so"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(kind, metric, message):
    with pytest.raises(OptionError, match=message):
        Judge.of(cells(kind=kind), metric)


def test_touching_parts_of_two_classes_are_scored_as_objects():
    judge = Judge.of(cells(kind="instance"))
    for name in ("otsu", "watershed", "kmeans"):
        found = judge.ready(Method(name))
        assert found.card.kind == "instance"
        assert judge.metric == "object_f1"
    assert judge.score(judge.tally(judge.ready(Method("otsu")))) == pytest.approx(1)


def test_several_truths_of_regions_are_scored_as_they_are():
    labels = LabelSet.of(["region"])
    image = cells(1)[0].image
    halves = Segmentation.from_masks("regions", np.stack([np.arange(30) < 15, np.arange(30) >= 15])[:, None].repeat(24, 1),
                                     [0, 0], labels)  # fmt: skip
    data = Dataset([Sample.of(f"{index}", image, halves) for index in range(2)], labels, "regions")
    judge = Judge.of(data)
    assert judge.metric == "covering_ods"
    assert 0 < judge.score(judge.tally(judge.ready(Method("otsu")))) < 1


def test_a_method_that_learned_before_is_tuned_anew(monkeypatch):
    pytest.importorskip("optuna")
    before = Method("randomforest", sample=500, trees=3).fit(cells())
    sizes = []
    whole = METHODS["randomforest"].fit

    def fit(dataset, **options):
        sizes.append(options["trees"])
        return whole(dataset, **{**options, "trees": 2})

    monkeypatch.setattr(Method, "_learning", property(lambda self: {"sample", "trees", "depth", "scales"}))
    monkeypatch.setattr(METHODS["randomforest"], "fit", fit)
    tune(before, cells(), trials=3)
    assert sizes[0] == 3  # the start
    assert len(set(sizes)) > 1  # what was drawn is what was learned with


def test_progress_reaches_its_end():
    pytest.importorskip("optuna")
    told = []
    tune(Method("threshold"), cells(), trials=3, progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_trials_without_a_score_count_as_failed(monkeypatch):
    pytest.importorskip("optuna")
    scores = iter([0.5, float("-inf"), 0.7])
    monkeypatch.setattr(Judge, "score", lambda self, found: next(scores))
    found = tune(Method("threshold"), cells(), trials=3)
    assert (found.trials, found.failed) == (2, (1, "miou is undefined on these images"))


def test_a_first_image_that_is_broken_does_not_stop_the_search(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    data = cells(3)
    broken = replace(data[0], pixels=ImageFile(tmp_path / "broken.png"))
    assert first_image(Dataset([broken, data[1]], data.labels, data.kind)) == data[1].image
    with pytest.raises(DataError, match=r"not one of 1 images can be read: .*broken\.png"):
        first_image(Dataset([broken], data.labels, data.kind))
