"""The report: one file, nothing from outside, the numbers it was given, and safe with any name."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from pixelwise.core.errors import DataError, SizeMismatch, StorageError
from pixelwise.core.labels import LabelSet
from pixelwise.core.segmentation import Segmentation
from pixelwise.metrics import overlap
from pixelwise.metrics.result import Slice
from pixelwise.report.examples import ClassExample, embedded
from pixelwise.report.films import Clip
from pixelwise.report.page import Example, KindExample, Page, render, write_page
from pixelwise.scenes import LABELS, scenes

AB = LabelSet.of(["a", "b"])
LINES = dict.fromkeys(("precision", "precision50", "precision75"), (1.0, 0.5))
TEMPORAL = ("temporal_consistency", "temporal_stability", "video_consistency")
HISTORY = [{"step": step, "loss": 1 / step, "lr": 0.1, "val_miou": 0.5 if step % 2 else None} for step in range(1, 31)]


class Reader(HTMLParser):
    """Collects the elements, the attributes that load something, and the JSON of a page."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.links, self.images, self.texts, self.json = [], [], [], [], [], ""
        self.every = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append((tag, dict(attributes)))
        self.every.append(self.open[-1])
        for name, value in attributes:
            if name in ("src", "href", "srcset", "action", "data"):
                self.links.append(value)
        if tag == "img":
            self.images.append(dict(attributes))

    def handle_data(self, data):
        if self.open and self.open[-1] == ("script", {"type": "application/json", "id": "scores"}):
            self.json += data
            return
        self.texts.append(data)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass


@pytest.fixture(scope="module")
def full():
    counts, examples = [], []
    for index, sample in enumerate(scenes(12, (48, 64))):
        shifted = Segmentation.from_class_map(np.roll(sample.truth.class_map(), index, axis=1), LABELS)
        counts.append(overlap.count(shifted, sample.truth))
        examples.append(Example(sample.name, sample.image, sample.truth, shifted, overlap.score(counts[-1])["miou"]))
    total = sum(counts)
    return Page(
        "A run",
        overlap.score(total),
        LABELS,
        overlap.per_class(total),
        total.confusion,
        HISTORY,
        examples,
        {"data": "12 drawn scenes", "model": "unet"},
        ["Classes were matched by majority."],
        others={"otsu": {"miou": 0.123456}},
    )


def test_the_page_loads_nothing_from_outside(full):
    page = render(full)
    assert all(link.startswith(("data:image/webp;base64,", "#")) for link in Reader(page).links)
    assert "default-src 'none'" in page
    assert not re.findall(r"@import|url\(|https?://", page)


def test_the_json_in_the_page_is_what_was_given_to_the_last_digit(full):
    found = json.loads(Reader(render(full)).json)
    per_class = found.pop("per_class")
    assert found == full.scores
    assert per_class["ring"] == full.per_class["ring"]


def test_the_scores_shown_are_those_given_to_four_decimals(full):
    page = render(full)
    shown = dict(re.findall(r'data-score="(\w+)">([^<]+)<', page))
    assert shown == {name: f"{value:.4f}" for name, value in full.scores.items()}
    assert overlap.RULES["miou"] in page
    assert f"{full.per_class['ring']['iou']:.4f}" in page
    assert f"{full.per_class['ring']['pixels']:,}" in page
    assert "0.1235" in page


def test_a_full_page_shows_nine_images_four_ways(full):
    reader = Reader(render(full))
    assert len(reader.images) == 36
    assert len({image["src"] for image in reader.images if image["alt"].startswith("prediction")}) == 9
    names = [image["alt"].split(": ")[1] for image in reader.images if image["alt"].startswith("image")]
    scores = {example.name: example.score for example in full.examples}
    assert [scores[name] for name in names] == sorted((scores[name] for name in names), reverse=True)
    assert names[0] == full.examples[0].name  # shifted by nothing


def test_the_confusion_matrix_is_shown_by_shares_of_the_truth(full):
    page = render(Page("t", {"miou": 0.5}, AB, confusion=np.array([[30, 10], [0, 5]])))
    cells = re.findall(r'<td title="([^"]*)" style="--p:([\d.]+)"', page)
    assert cells == [
        ("truth a, predicted a: 30 pixels (75.00% of a)", "0.75"),
        ("truth a, predicted b: 10 pixels (25.00% of a)", "0.25"),
        ("truth b, predicted a: 0 pixels (0.00% of b)", "0.0"),
        ("truth b, predicted b: 5 pixels (100.00% of b)", "1.0"),
    ]
    assert "a → b" in page
    assert "b → a" not in page


def test_pixels_predicted_as_no_class_have_a_column_if_there_are_any():
    assert "no class" in render(Page("t", {}, AB, confusion=np.array([[1, 0, 2], [0, 1, 0]])))
    assert "no class" not in render(Page("t", {}, AB, confusion=np.array([[1, 0, 0], [0, 1, 0]])))


@pytest.mark.parametrize("count", [1, 2, 40, 150])
def test_any_number_of_classes_can_be_shown(count):
    labels = LabelSet.of([f"class {index}" for index in range(count)])
    page = render(Page("t", {"miou": 0.5}, labels, confusion=np.full((count, count), 7)))
    assert len(re.findall(r"<td title=", page)) == (count**2 if count <= 60 else 0)
    assert len(page) < 2_000_000


def test_every_link_at_the_top_leads_to_a_part_of_the_page(full):
    reader = Reader(render(full))
    places = {attributes.get("id") for _, attributes in reader.every}
    links = [attributes["href"].removeprefix("#") for tag, attributes in reader.every if tag == "a"]
    assert len(links) == len(set(links)) > 4
    assert set(links) <= places


def test_a_page_of_nothing_but_a_title_is_whole():
    reader = Reader(render(Page("Nothing yet", {}, LabelSet(()))))
    assert "Nothing yet" in "".join(reader.texts)
    assert not reader.images
    assert "svg" not in reader.tags


def test_undefined_scores_are_a_dash_and_null():
    page = render(Page("t", {"miou": float("nan"), "dice": None}, AB, {"a": {"iou": float("nan"), "pixels": 0}}))
    assert json.loads(Reader(page).json) == {"miou": None, "dice": None, "per_class": {"a": {"iou": None, "pixels": 0}}}
    assert dict(re.findall(r'data-score="(\w+)">([^<]+)<', page)) == {"miou": "–", "dice": "–"}
    assert "nan" not in page.lower().replace("nunan", "")


def test_an_interval_is_shown_with_its_score():
    page = render(Page("t", {"miou": 0.5, "miou_interval": [0.41234, 0.6]}, AB))
    assert "0.4123 to 0.6000" in page
    assert json.loads(Reader(page).json)["miou_interval"] == [0.41234, 0.6]


def test_numbers_of_numpy_are_as_good_as_plain_ones():
    page = render(Page("t", {"miou": np.float32(0.5), "count": np.int64(4000)}, AB, rules={"count": "images scored"}))
    assert json.loads(Reader(page).json) == {"miou": 0.5, "count": 4000, "per_class": {}}
    assert "4,000" in page
    assert "images scored" in page


def test_no_name_can_break_out_of_the_page():
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    sample = scenes(1, (32, 32))[0]
    labels = LabelSet.of([evil, "b"])
    page = Page(
        evil,
        {evil: 0.5},
        labels,
        {evil: {evil: 0.5}},
        np.ones((2, 2), int),
        [{"step": 1, "loss": 1.0}],
        [Example(evil, sample.image, sample.truth, sample.truth, 1.0)],
        {evil: evil},
        [evil],
        {evil: evil},
        {evil: {"miou": 0.1}},
        evil,
        {
            "precision_recall": {"recall": [0.0, 1.0], "mean": LINES, "classes": {evil: LINES, "b": LINES}, "left_out": 0},
            "surfaces": {evil: {"both": 0, "truth_only": 1, "prediction_only": 0}},
            "steadiness": [{**dict.fromkeys(TEMPORAL), "clip": evil, "pairs": 1, "flow_trusted": None}],
        },
        [Slice(evil, evil, 1, {evil: 0.5}, {}, evil)],
        [Clip(evil, (1, 2), (0.5, 0.5), (0.5, 0.5))],
        {evil: [KindExample(evil, 0.5, ())]},
        [ClassExample(evil, ())],
    )
    reader = Reader(render(page))
    assert reader.tags.count("script") == 2
    assert not any(name.startswith("on") for _, attributes in reader.every for name in attributes)
    assert len(reader.images) == 4
    assert all(image["src"].startswith("data:") and "onerror" not in image for image in reader.images)
    assert json.loads(reader.json) == {evil: 0.5, "per_class": {evil: {evil: 0.5}}}


@pytest.mark.parametrize("kind", ["instance", "panoptic", "multilabel", "regions"])
def test_examples_of_other_kinds_are_shown(kind):
    sample = scenes(1, (32, 40), kind)[0]
    page = render(Page("t", {}, sample.truth.labels, examples=[Example("one", sample.image, sample.truth, sample.truth)]))
    assert len(Reader(page).images) == 4


def test_a_confusion_matrix_of_other_classes_is_refused():
    with pytest.raises(DataError, match="2 classes"):
        render(Page("t", {}, AB, confusion=np.ones((3, 3), int)))


def test_an_example_whose_parts_differ_in_size_is_refused(full):
    small = scenes(1, (32, 32))[0]
    with pytest.raises(SizeMismatch):
        render(replace(full, examples=[Example("one", small.image, full.examples[0].truth, full.examples[0].prediction, 1.0)]))


def test_the_file_is_written_whole_or_the_reason_is_given(tmp_path):
    path = tmp_path / "new" / "report.html"
    write_page(path, Page("t", {"miou": 0.5}, AB))
    assert path.read_text("utf-8") == render(Page("t", {"miou": 0.5}, AB))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="folder"):
        write_page(tmp_path / "file" / "report.html", Page("t", {}, AB))


def test_pictures_of_large_images_are_shrunk_so_that_nine_stay_small():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    picture = embedded("noise", noise)
    assert (picture.width, picture.height) == (480, 360)
    assert len(picture.address) * 36 < 15_000_000
    assert embedded("thin", np.zeros((9000, 1, 3), np.uint8)).width == 1


def test_no_interval_is_not_taken_for_a_score():
    page = render(Page("t", {"miou": 0.5, "miou_interval": None}, AB, {"a": {"iou": 0.5, "iou_interval": None}}))
    assert set(re.findall(r'data-score="(\w+)"', page)) == {"miou"}
    assert "interval" not in re.sub(r"<style>.*</style>|<script.*</script>", "", page, flags=re.DOTALL)


def test_a_class_has_its_interval_beside_its_first_score():
    scores = {"iou": 0.5, "iou_interval": (0.41, 0.61), "dice": 0.6, "dice_interval": (0.5, 0.7)}
    page = render(Page("t", {}, AB, {"a": scores}))
    assert "0.4100 to 0.6100" in page
    assert "0.5000 to 0.7000" not in page
