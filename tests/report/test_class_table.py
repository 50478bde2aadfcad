"""The table of classes: columns by family, sortable cells, and a way to find a class among many."""

import re
from html.parser import HTMLParser

import pytest

from pixelwise.core.labels import LabelSet
from pixelwise.report.class_table import FILTERED, class_table
from pixelwise.report.page import Page, render

SCORES = {
    "ap": 0.5,
    "ap_interval": (0.4, 0.6),
    "objects": 12,
    "box_ap": 0.4,
    "box_ap_interval": None,
    "object_f1": 0.3,
    "hits": 4,
    "luck": 0.1,
}


def rows_of(page):
    """Give the cells of each row of the table of classes, as they are sorted by."""

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.rows = []

        def handle_starttag(self, tag, attributes):
            if tag == "tr":
                self.rows.append([])
            if "data-value" in dict(attributes):
                self.rows[-1].append(dict(attributes)["data-value"])

    reader = Reader()
    reader.feed(page)
    return [row for row in reader.rows if row]


def test_columns_stand_with_their_family_and_unknown_ones_last():
    table = class_table({"a": SCORES}, {})
    titles = [(column.title, table.families[column.group].title) for column in table.columns]
    assert titles == [
        ("AP", "Average precision of masks"),
        ("Objects", "Average precision of masks"),
        ("Box AP", "Average precision of boxes"),
        ("Object F1", "Objects one by one"),
        ("Hits", "Objects one by one"),
        ("Luck", "Other scores"),
    ]


def test_families_stand_in_the_order_they_were_asked_for():
    table = class_table({"a": {"pq": 0.1, "tp": 3, "iou": 0.2}}, {})
    assert [family.title for family in table.families] == ["Panoptic quality", "Overlap of classes"]


def test_only_the_first_families_are_shown_until_a_reader_asks_for_more():
    iou = dict.fromkeys(("iou", "dice", "precision", "recall", "accuracy"), 0.5)
    borders = dict.fromkeys(("boundary_iou", "boundary_f1", "boundary_precision", "boundary_recall"), 0.5)
    losses = {f"iou_lost_to_{kind}": 0.1 for kind in ("borders", "extent")}
    table = class_table({"a": {**iou, **borders, "hd95": 3.0, **losses}}, {})
    assert [family.is_shown for family in table.families] == [True, True, False, False]
    assert table.columns[-1].group != 0


def test_each_family_has_the_interval_of_its_first_score():
    page = render(Page("t", {}, LabelSet.of(["a"]), {"a": SCORES}))
    assert page.count('class="interval"') == 1
    assert "0.4000 to 0.6000" in page


def test_cells_are_sorted_by_the_whole_number():
    page = render(Page("t", {}, LabelSet.of(["a", "b"]), {"a": {"iou": 0.123456789}, "b": {"iou": None}}))
    assert rows_of(page) == [["a", "0.123456789"], ["b", ""]]


def test_what_is_better_the_lower_it_is_has_no_bar():
    page = render(Page("t", {}, LabelSet.of(["a"]), {"a": {"split_rate": 0.5, "object_f1": 0.5}}))
    assert page.count('class="bar" style=') == 1


@pytest.mark.parametrize(("count", "is_long"), [(FILTERED, False), (FILTERED + 1, True)])
def test_many_classes_can_be_filtered(count, is_long):
    names = [f"class {index}" for index in range(count)]
    page = render(Page("t", {}, LabelSet.of(names), {name: {"iou": 0.5} for name in names}))
    assert bool(re.search(r'<input type="search"', page)) == is_long
    assert ('class="sheet wide tall"' in page) == is_long


def test_no_scores_by_class_are_no_table():
    assert class_table({}, {}) is None
    assert class_table({"a": {}}, {}) is None
