"""The page of a comparison: one file, the verdict, every figure, and pictures of where the two differ."""

import json
import re

import numpy as np
import pytest

from pixelwise.core.errors import UnreadableFile
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics.comparison import compare
from pixelwise.metrics.interval import Bootstrap
from pixelwise.metrics.tally import families_of, tally
from pixelwise.metrics.truths import Truths
from pixelwise.report.comparison import render_comparison
from pixelwise.scenes import scenes

SCENES = scenes(7, (48, 64), seed=1)


def moved(by):
    def segment(sample):
        classes = sample.truth.class_map()
        return Segmentation.from_class_map(np.roll(classes, by, axis=1), sample.labels)

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


def test_an_image_that_can_no_longer_be_read_is_told(found):
    def broken(sample):
        raise UnreadableFile(f"{sample.name}.png: the image is truncated")

    page = render_comparison(found, SCENES, broken, moved(1))
    assert f"{found.images[0]['name']} cannot be shown: " in page
    assert "<figure>" not in page
