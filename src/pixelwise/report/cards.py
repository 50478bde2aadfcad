"""The scores at the top of a page, and all others under their families with the rules they follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixelwise.metrics import overlap
from pixelwise.report.names import FAMILIES, families_with, headlines, is_lower_better, module_of, title_of
from pixelwise.report.numbers import bounds, is_number, shown


@dataclass(frozen=True)
class Card:
    """One score; ``hint`` says which way is better, where that is not upwards."""

    name: str
    title: str
    value: str
    rule: str
    interval: str
    hint: str


@dataclass(frozen=True)
class Group:
    """The scores of one family, and the rules that hold for all of them, less those told before."""

    title: str
    cards: tuple[Card, ...]
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many scores there are."""
        return len(self.cards)


def cards_of(scores: Mapping[str, Any], rules: Mapping[str, str]) -> tuple[list[Card], list[Group]]:
    """Choose what stands at the top, and sort all scores into families."""
    rules = {**overlap.RULES, **rules}
    names = [name for name, value in scores.items() if is_number(value) and not name.endswith("_interval")]
    top = headlines(names)
    groups: list[Group] = []
    told: set[str] = set()
    for family, own in families_with(names).items():
        module = module_of(family)
        keys = [key for key in (() if module is None else module.NOTES) if key in rules and key not in told]
        told.update(keys)  # what several families share is told with the first
        notes = tuple(f"{key.capitalize()}: {rules[key]}" for key in keys)
        title = FAMILIES.get(family, family.replace("_", " ").capitalize() or "Other scores")
        groups.append(Group(title, tuple(_card(name, scores, rules) for name in own), notes))
    return [_card(name, scores, rules) for name in top], groups


def _card(name: str, scores: Mapping[str, Any], rules: Mapping[str, str]) -> Card:
    hint = "lower is better" if is_lower_better(name) else ""
    rule = rules.get(name, "")
    return Card(name, title_of(name), shown(scores[name]), rule, bounds(scores.get(f"{name}_interval")), hint)
