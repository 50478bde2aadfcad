"""Cards: JSON and back, and nothing else taken for one."""

import json
from typing import Any

import pytest

from pixelwise.core.card import Card
from pixelwise.core.errors import CheckpointError
from pixelwise.core.labels import VOID, LabelSet

LABELS = LabelSet.of(["sky", "road"]).with_values({0: 0, 4: 1, 11: VOID})
CARD = Card(
    "unet",
    "semantic",
    LABELS,
    bands=("grey",),
    mean=(0.4,),
    deviation=(0.2,),
    stride=32,
    field_of_view=(572, 572),
    gives_probabilities=True,
    threshold=0.5,
    options={"encoder": "plain", "depth": 5},
    training={"data": "Größe/大小", "steps": 100},
)


@pytest.mark.parametrize("card", [CARD, Card("otsu", "regions", LabelSet(()))])
def test_json_gives_the_same_card(card: Card) -> None:
    assert Card.from_json(json.loads(json.dumps(card.to_json()))) == card


def test_the_value_map_travels_with_the_card() -> None:
    assert Card.from_json(json.loads(json.dumps(CARD.to_json()))).labels.void_values == (11,)


def test_a_later_field_is_no_obstacle() -> None:
    assert Card.from_json({**CARD.to_json(), "colour_of_the_box": 3}) == CARD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "pixelwise card 99"),
        ("name", 3),
        ("kind", "instances"),
        ("kind", ["semantic"]),
        ("labels", None),
        ("labels", {"classes": []}),
        ("bands", "grey"),
        ("bands", []),
        ("bands", [1]),
        ("mean", [0.1, 0.2]),
        ("mean", ["a"]),
        ("mean", [float("nan")]),
        ("mean", [10**400]),
        ("deviation", [0]),
        ("deviation", [float("inf")]),
        ("deviation", [float("nan")]),
        ("stride", 0),
        ("stride", -4),
        ("stride", 2.5),
        ("stride", float("inf")),
        ("stride", True),
        ("field_of_view", [1]),
        ("field_of_view", [0, 5]),
        ("field_of_view", "all"),
        ("gives_probabilities", "no"),
        ("temperature", 0),
        ("temperature", float("inf")),
        ("threshold", 1.5),
        ("threshold", float("nan")),
        ("threshold", [0.5]),
        ("options", [1]),
        ("training", None),
    ],
)
def test_a_hostile_value_is_refused_by_where_it_stands(field: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^runs/a/card\.json: expected a model card, but "):
        Card.from_json({**CARD.to_json(), field: value}, "runs/a/card.json")


@pytest.mark.parametrize("field", ["scale", "temperature"])
def test_a_card_from_before_there_was_a_field_is_read_as_one(field: str) -> None:
    data = CARD.to_json()
    del data[field]
    assert getattr(Card.from_json(data), field) == 1


@pytest.mark.parametrize("missing", sorted(set(CARD.to_json()) - {"scale", "temperature"}))
def test_a_missing_part_is_refused(missing: str) -> None:
    data = CARD.to_json()
    del data[missing]
    with pytest.raises(CheckpointError, match="expected a model card"):
        Card.from_json(data)


@pytest.mark.parametrize("junk", [None, 3, "card", [], [1], {}, {"format": None}])
def test_junk_is_no_card(junk: Any) -> None:
    with pytest.raises(CheckpointError, match="expected a model card"):
        Card.from_json(junk)
