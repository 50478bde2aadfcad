"""The page of an evaluation: the very numbers of scores.json, whatever was scored, and images chosen by them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pixelwise.core.card import Card
from pixelwise.core.labels import LabelSet
from pixelwise.core.predictor import PLAIN
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.evaluate import evaluate
from pixelwise.metrics.interval import Bootstrap
from pixelwise.report import evaluation
from pixelwise.report.evaluation import page_of
from pixelwise.report.examples import best_middle_worst
from pixelwise.report.page import render
from pixelwise.scenes import scenes

FEW = Bootstrap(resamples=100)


class Shifted:
    """Predicts the truth moved to the right."""

    def __init__(self, drawn):
        self.truths = {sample.image.pixels.tobytes(): sample.truth for sample in drawn}
        self.card = Card("shifted", drawn.kind, drawn.labels)

    def __call__(self, images, request=PLAIN):
        return [moved(self.truths[image.pixels.tobytes()]) for image in images]


def moved(truth):
    if truth.kind == "semantic":
        return Segmentation.from_class_map(np.roll(truth.class_map(), 3, axis=1), truth.labels)
    masks = np.stack([np.roll(truth.masks.mask(row), 3, axis=1) for row in range(len(truth))])
    scores = np.linspace(0.6, 0.9, len(truth)) if truth.kind == "instance" else None
    return Segmentation.from_masks(truth.kind, masks, truth.class_ids, truth.labels, scores=scores)


def evaluated(kind, metrics=None, **options):
    drawn = scenes(5, (48, 64), kind, seed=4)
    predictor = Shifted(drawn)
    report = evaluate(predictor, drawn, metrics, intervals=FEW, **options)
    return report, page_of(report, drawn, lambda sample: predictor([sample.image])[0], "t")


def numbers_in(text):
    return json.loads(re.search(r'id="scores">(.*?)</script>', text, re.DOTALL)[1])


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        ("semantic", ["overlap", "boundary", "error_kinds", "sizes", "surface"]),
        ("instance", ["average_precision", "box_average_precision", "boundary_average_precision", "objects"]),
        ("panoptic", ["panoptic_quality", "parsing_covering", "overlap"]),
        ("regions", ["partition", "superpixels"]),
    ],
)
def test_the_numbers_in_the_page_are_those_of_scores_json(kind, metrics):
    report, page = evaluated(kind, metrics, slices=["brightness"])
    text = render(page)
    assert numbers_in(text) == json.loads(json.dumps(report.to_json()))
    shown = dict(re.findall(r'data-score="(\w+)">([^<]+)<', text))
    assert shown == {name: "–" if np.isnan(value) else f"{value:.4f}" for name, value in report.scores.items()}


def test_of_very_many_images_the_page_leaves_out_the_scores_of_each(monkeypatch):
    monkeypatch.setattr(evaluation, "MOST_ROWS", 3)
    report, page = evaluated("semantic", ["miou"])
    assert page.data == {**report.to_json(), "per_image": []}


def test_a_part_is_there_only_if_its_family_was_asked_for():
    titles = {
        "overlap": {"Confusion", "Best and worst by class"},
        "error_kinds": {"Where the score is lost", "Images with most of each kind of error"},
        "boundary,overlap": {"Confusion", "Best and worst by class", "Borders"},
        "sizes": {"Where it can be trusted"},
    }
    always = {"Classes", "Images", "How it came about"}
    for metrics, parts in titles.items():
        found = set(re.findall(r"<h2[^>]*>([^<]+)<", render(evaluated("semantic", metrics.split(","))[1])))
        assert found - always == parts


def test_images_worst_by_each_kind_of_error_are_drawn():
    report, page = evaluated("semantic", ["error_kinds"])
    worst = report.details["worst_by_kind"]
    assert {kind: [one.name for one in images] for kind, images in page.kind_examples.items()} == {
        kind: [one["name"] for one in images[: evaluation.EACH_KIND]] for kind, images in worst.items() if images
    }
    first = next(iter(page.kind_examples.values()))[0]
    assert [picture.caption.split(":")[0] for picture in first.pictures] == ["image", "truth", "prediction", "kinds of errors"]


def test_the_best_image_is_the_one_of_the_least_distance_where_lower_is_better():
    drawn = scenes(3, (48, 64), seed=4)
    by_name = {sample.name: sample.truth for sample in drawn}
    report = evaluate(Shifted(drawn), drawn, ["hd95"], intervals=None)
    rows = tuple({"name": row["name"], "hd95": value} for row, value in zip(report.per_image, (1.0, 9.0, 4.0), strict=True))
    page = page_of(replace(report, per_image=rows), drawn, lambda sample: by_name[sample.name], "t")
    assert [example.score for example in page.examples] == [1.0, 4.0, 9.0]
    text = render(page)
    assert text.index("Hausdorff 95 1.0000") < text.index("Hausdorff 95 4.0000") < text.index("Hausdorff 95 9.0000")


def test_regions_are_shown_without_classes():
    _, page = evaluated("regions", ["partition"])
    assert page.labels == LabelSet(())
    assert "1 class" not in render(page)


def test_an_evaluation_shows_each_class_at_its_best_and_worst():
    report, page = evaluated("semantic", ["overlap", "sizes"])
    ends = report.details["best_worst"]
    assert {one.name for one in page.class_examples} == set(ends)
    first = page.class_examples[0]
    assert first.name == min(ends, key=lambda name: report.per_class[name]["iou"])
    assert [picture.caption for picture in first.pictures] == [
        f"{end}: IoU {ends[first.name][end]['iou']:.4f}, {ends[first.name][end]['name']}" for end in ("best", "worst")
    ]
    assert all(ends[name]["worst"]["iou"] <= ends[name]["best"]["iou"] for name in ends)
    assert "recall by size" in render(page)


@pytest.mark.parametrize(
    ("scores", "each", "expected"),
    [
        ([], 3, {}),
        ([None, None], 3, {"unscored": [0, 1]}),
        ([0.5], 3, {"best": [0]}),
        ([0.1, 0.9], 3, {"best": [1], "worst": [0]}),
        ([0.1, 0.9, 0.5], 3, {"best": [1], "middle": [2], "worst": [0]}),
        ([0.1, float("nan"), 0.9, 0.5], 3, {"best": [2], "middle": [3], "worst": [0]}),
        ([0.5] * 4, 1, {"best": [0], "middle": [1], "worst": [3]}),
        ([i / 10 for i in range(11)], 2, {"best": [10, 9], "middle": [6, 5], "worst": [1, 0]}),
        ([i / 10 for i in range(9)], 3, {"best": [8, 7, 6], "middle": [5, 4, 3], "worst": [2, 1, 0]}),
    ],
)
def test_best_middle_and_worst_are_chosen_without_repeats(scores, each, expected):
    assert best_middle_worst(scores, each) == expected


@pytest.mark.parametrize("count", range(1, 30))
def test_no_image_is_in_two_groups(count):
    groups = best_middle_worst(list(np.linspace(0, 1, count)), 3)
    rows = [row for group in groups.values() for row in group]
    assert len(set(rows)) == len(rows) == min(count, 9)
