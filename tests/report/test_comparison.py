"""The page of a comparison: one file, the verdict, every figure, and pictures of where the two differ."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from noisy import noisy

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.comparison import compare
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.tally import families_of, tally
from pixelwise.metrics.truths import Truths
from pixelwise.report.comparison import render_comparison
from pixelwise.report.pairs import losses_of_both
from pixelwise.scenes import scenes

SCENES = scenes(7, (48, 64), seed=1)


def moved(by):
    def segment(sample):
        classes = sample.truth.class_map()
        return Segmentation.from_class_map(np.roll(classes, by, axis=1), sample.labels)

    return segment


def noisy_maker(seed):
    def segment(sample):
        if sample.truth.kind == "regions":
            return Segmentation("regions", sample.truth[: 2 + seed].masks, np.zeros(2 + seed, np.int64), sample.labels)
        return noisy(sample.truth, np.random.default_rng([seed, len(sample.name)]))

    return segment


@pytest.fixture(scope="module")
def found():
    families = families_of(["overlap"])
    truths = Truths.of(SCENES, families)
    counts = [tally(enumerate(moved(by)(sample) for sample in SCENES), truths, families, []) for by in (4, 1)]
    return compare(*counts, families, ["overlap"], Bootstrap(resamples=200))


def test_the_page_has_the_verdict_the_figures_and_nothing_from_outside(found):
    page = render_comparison(found, SCENES, moved(4), moved(1))
    assert found.verdict in page
    assert f"{found.scores['miou'].value:+.4f}" in page
    assert f"{found.per_class['ring']['iou'].b:.4f}" in page
    assert all(address.startswith("data:image/webp;base64,") for address in re.findall(r'src="([^"]*)"', page))
    assert not re.findall(r"@import|url\(|https?://", page)
    data = re.search(r'id="scores">(.*)</script>', page)[1]
    assert json.loads(data)["difference"]["miou"] == pytest.approx(found.scores["miou"].value)


def test_the_four_images_that_differ_most_are_shown_five_ways(found):
    page = render_comparison(found, SCENES, moved(4), moved(1))
    shown = re.findall(r'alt="where they differ: ([^"]*)"', page)
    assert shown == [image["name"] for image in found.images if image["difference"] > 0][:4]
    assert page.count("<figure>") == 5 * len(shown)


def test_names_of_classes_and_models_cannot_break_the_page(found):
    hostile = replace(found, about={"a": "<script>x()</script>", "b": "b"}, per_class={"<img src=x>": found.per_class["ring"]})
    page = render_comparison(hostile, SCENES, moved(4), moved(1))
    assert "<script>x()" not in page
    assert "<img src=x>" not in page


NOISE = {"a": noisy_maker(0), "b": noisy_maker(1)}
USUAL = {"instance": ["average_precision", "objects"], "panoptic": ["panoptic_quality"], "regions": ["partition"]}


@pytest.fixture(scope="module", params=USUAL)
def both(request):
    data, families = scenes(5, (64, 80), request.param, seed=3), families_of(USUAL[request.param])
    counts = [tally(enumerate(map(told, data)), Truths.of(data, families), families, []) for told in NOISE.values()]
    found = compare(*counts, families, USUAL[request.param], Bootstrap(resamples=100))
    details = [
        {
            key: value
            for name, counted in one.counts.items()
            for key, value in families[name].details(counted, one.names).items()
        }
        for one in counts
    ]
    return found, data, render_comparison(found, data, *NOISE.values(), tuple(details))


def test_objects_segments_and_regions_are_shown_side_by_side(both):
    _, data, page = both
    captions = re.findall(r"<figcaption>([^<:]*)", page)
    assert captions[:5] == ["truth", "A", "B", "image", "where they differ"]
    assert len(captions) % 5 == 0
    assert "of both" in page if data.kind == "regions" else "A alone finds it" in page


def test_curves_of_both_are_drawn_where_both_have_them(both):
    _, data, page = both
    assert ("Precision over recall" in page) == (data.kind == "instance")


def test_what_a_and_b_lose_iou_to_adds_up_to_all_that_is_lost():
    families = families_of(["overlap", "error_kinds"])
    truths = Truths.of(SCENES, families)
    counts = [tally(enumerate(moved(by)(sample) for sample in SCENES), truths, families, []) for by in (4, 1)]
    scores = compare(*counts, families, list(families), Bootstrap(resamples=100)).scores
    for (_, drawing, values), miou in zip(losses_of_both(scores), (scores["miou"].a, scores["miou"].b), strict=True):
        assert float(values[0]) == pytest.approx(miou, abs=1e-4)
        assert drawing.count("<title>") == sum(float(value) > 0 for value in values)
    assert losses_of_both({"miou": scores["miou"]}) == []


def test_of_many_classes_those_told_apart_come_first_and_the_rest_fold_out(found):
    ring = found.per_class["ring"]["iou"]
    sure, unsure = ring._replace(a=0.4, b=0.5, interval=(0.05, 0.2)), ring._replace(a=0.1, b=0.9, interval=(-0.5, 0.9))
    many = {f"class {index}": {"iou": sure if index == 29 else unsure} for index in range(30)}
    page = render_comparison(replace(found, per_class=many), SCENES, moved(4), moved(1))
    assert "6 more classes" in page
    assert page.index("class 29") < page.index("class 0<")


def test_an_image_that_can_no_longer_be_read_is_told(found):
    def broken(sample):
        raise UnreadableFile(f"{sample.name}.png: the image is truncated")

    page = render_comparison(found, SCENES, broken, moved(1))
    assert f"{found.images[0]['name']} cannot be shown: " in page
    assert "<figure>" not in page
