"""The page of ``data info``: its pictures, charts and heat maps, and that nothing in a name can break it."""

import json
import re

import numpy as np

from pixelwise.core.image import Image
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.report.info import HEATED, InfoPage, contact_picture, render_info
from pixelwise.report.info_charts import binned, heat_picture, histogram
from pixelwise.scenes import LABELS, scenes

SCENE = scenes(1, (48, 64))[0]
ROW = {
    "name": "sky",
    "pixels": 1234567,
    "share": 0.5,
    "images": 3,
    "objects": 1200,
    "crowds": 2,
    "mean_area": 99.6,
    "small": 700,
    "medium": 400,
    "large": 100,
}


def page(**parts: object) -> str:
    return render_info(InfoPage("set", LABELS, **parts))  # type: ignore[arg-type]


def test_classes_stand_with_their_figures() -> None:
    text = page(classes=[ROW], objects_are="connected areas")
    assert "1,234,567" in text
    assert "50.00 %" in text
    assert "+ 2 crowds" in text
    assert "Connected areas" in text


def test_the_contact_sheet_shows_each_sample_with_its_caption() -> None:
    text = page(samples=[("a (train)", SCENE), ("b (val)", SCENE)])
    assert text.count("<img") == 2
    assert "b (val)" in text


def test_a_sample_that_cannot_be_drawn_is_left_out_of_the_sheet() -> None:
    labels = LabelSet.of(["a", "b"])
    truth = Segmentation.from_class_map(np.eye(20, dtype=np.uint8), labels)
    assert contact_picture("odd", Sample.of("odd", Image(np.zeros((30, 40, 3), np.uint8)), truth)) is None


def test_heat_maps_are_shown_for_the_most_frequent_classes_and_the_rest_counted() -> None:
    grid = np.eye(32)
    text = page(heat={f"c{k}": grid for k in range(HEATED + 5)}, placed=7)
    assert text.count("heat map of") == HEATED
    assert "5 classes with fewer pixels are not shown" in text


def test_a_heat_map_has_the_proportions_of_the_usual_image() -> None:
    picture = heat_picture("sky", np.eye(32), (240, 480))
    assert abs(picture.width / picture.height - 2) < 0.05


def test_a_heat_map_says_how_often_at_most() -> None:
    grid = np.zeros((32, 32))
    grid[0, 0] = 0.45
    assert heat_picture("sky", grid, (3, 4)).caption == "sky: up to 45 %"


def test_bars_are_as_high_as_their_counts() -> None:
    heights = [
        float(one)
        for one in re.findall(r'class="bar"[^>]*height="([\d.]+)"', str(histogram("t", [("1", 4, ""), ("2", 1, "")], "x")))
    ]
    assert heights[0] == 4 * heights[1]


def test_no_counts_make_no_chart() -> None:
    assert histogram("t", [], "x") == ""


def test_many_numbers_are_gathered_into_few_bars() -> None:
    bars = binned([(number, 1) for number in range(371)], "objects", "images")
    assert len(bars) <= 24
    assert sum(count for _, count, _ in bars) == 371


def test_areas_are_drawn_from_the_first_octave_in_use() -> None:
    text = page(octaves=[0] * 10 + [5, 0, 2])
    assert "1,024 to 2,047 pixels: 5 objects" in text
    assert "512 to 1,023" not in text


def test_shares_by_split_stand_side_by_side() -> None:
    text = page(classes=[ROW], split_shares={"train": {"sky": 0.25}, "val": {"sky": 0.0}})
    assert "25.00 %" in text
    assert "<td>–</td>" in text


def test_problems_and_notes_are_listed() -> None:
    text = page(problems=["b.png: broken"], notes=["c.txt: left out"])
    assert "b.png: broken" in text
    assert "c.txt: left out" in text


def test_names_cannot_break_the_page() -> None:
    text = page(classes=[{**ROW, "name": "<script>alert(1)</script>"}], problems=["<img src=x>"])
    assert "<script>alert" not in text
    assert "<img src=x>" not in text


def test_the_figures_are_in_the_page_as_json() -> None:
    found = re.search(r'id="info">(.*?)</script>', page(data={"images": 3}))
    assert found is not None
    assert json.loads(found.group(1)) == {"images": 3}


def test_an_empty_page_is_a_page() -> None:
    assert "</html>" in page()
