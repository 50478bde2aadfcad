"""Names of scores: every one that a family gives has a title in people's words, and the headlines fit what was asked for."""

import pytest

from pixelwise.metrics import METRICS
from pixelwise.report.cards import cards_of
from pixelwise.report.names import FAMILIES, MOST_HEADLINES, families_with, headlines, is_lower_better, title_of


@pytest.mark.parametrize("family", METRICS)
def test_every_score_has_a_title_without_the_signs_of_code(family):
    titles = [title_of(name) for name in METRICS[family].RULES]
    assert not any("_" in title or title[0].islower() for title in titles if not title.startswith("mIoU"))
    assert len(set(titles)) == len(titles)
    assert family in FAMILIES


def test_no_two_scores_have_one_title():
    titles = [title_of(name) for family in METRICS for name in METRICS[family].RULES]
    assert len(set(titles)) == len(titles)


def test_headlines_are_those_of_the_families_asked_for_in_their_order():
    assert headlines(["pq_things", "pq", "miou", "rq"]) == ["pq", "rq", "pq_things", "miou"]
    assert headlines(["ap_small", "box_ap50", "ap", "box_ap"]) == ["ap", "ap_small", "box_ap"]
    assert len(headlines([name for family in METRICS for name in METRICS[family].RULES])) == MOST_HEADLINES


def test_a_score_without_a_headline_is_still_shown():
    assert headlines(["recall_small", "luck"]) == ["recall_small", "luck"]
    assert headlines([]) == []


def test_a_score_of_no_family_is_listed_with_the_others():
    assert families_with(["luck"]) == {"": ["luck"]}
    assert not is_lower_better("luck")
    _, groups = cards_of({"luck": 0.5}, {"luck": "how lucky"})
    assert [(group.title, group.cards[0].rule) for group in groups] == [("Other scores", "how lucky")]


def test_scores_stand_under_their_family_with_its_notes():
    rules = {"hd95": "far", "surfaces": "void does not count", "one-sided surfaces": "no distance"}
    cards, groups = cards_of({"hd95": 3.0, "hd95_interval": (2.0, 4.0)}, rules)
    assert [(card.title, card.value, card.interval, card.hint) for card in cards] == [
        ("Hausdorff 95", "3.0000", "2.0000 to 4.0000", "lower is better")
    ]
    assert groups[0].notes == ("Surfaces: void does not count", "One-sided surfaces: no distance")


def test_a_rule_that_families_share_is_told_once():
    rules = {"crowds": "count neither way", "boxes": "as stated"}
    _, groups = cards_of({"ap": 0.5, "box_ap": 0.4}, rules)
    assert [group.notes for group in groups] == [("Crowds: count neither way",), ("Boxes: as stated",)]
