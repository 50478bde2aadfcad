"""One thing that is wrong with a data set, and how bad it is.

An ``error`` spoils training or scores (a file that cannot be read, one image in two splits); a ``warning`` is an item that
very likely is not meant (a copy, a swapped mask); a ``note`` is worth knowing and makes no data set bad.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]
Fault: TypeAlias = Literal[
    "image",
    "mask",
    "size",
    "values",
    "partner",
    "name",
    "split",
    "leak",
    "duplicate",
    "near duplicate",
    "swapped mask",
    "blurred mask",
    "resized mask",
    "one value",
    "tiny",
    "blank",
    "odd image",
    "absent class",
    "rare class",
]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Problem:
    """Something wrong with one item, or with the whole set.

    Attributes:
        kind: what is wrong.
        file: the item it is wrong with; the data set's name where it is wrong with no single one.
        text: a sentence: where, what was found, what to do.
        fatal: the item cannot be used and is left out of ``Audit.good``; always an error.
        severity: how bad it is.
        others: further files that belong to it: the original of a copy, the mask that fits.
        rows: the samples it is about, by their place in the data set, the item first.
    """

    kind: Fault
    file: str
    text: str
    fatal: bool = False
    severity: Severity = "warning"
    others: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.fatal:
            object.__setattr__(self, "severity", "error")

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "file": self.file,
            "others": list(self.others),
            "text": self.text,
            "fatal": self.fatal,
        }


def divided(problems: Iterable[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Divide into what is wrong, errors first, and notes; each else in the order it was found."""
    found = sorted(problems, key=lambda problem: SEVERITIES.index(problem.severity))
    wrong = tuple(problem for problem in found if problem.severity != "note")
    return wrong, tuple(found[len(wrong) :])


def splits_of(splits: Mapping[str, Sequence[int]], count: int) -> list[frozenset[str]]:
    """Give the splits each of ``count`` samples is in; ``trainval`` and ``all`` are unions of others and do not count.

    >>> splits_of({"train": [0], "val": [1], "all": [0, 1]}, 3)
    [frozenset({'train'}), frozenset({'val'}), frozenset()]
    """
    found: list[set[str]] = [set() for _ in range(count)]
    for name, rows in splits.items():
        if name not in ("trainval", "all"):
            for row in rows:
                found[row].add(name)
    return [frozenset(names) for names in found]
