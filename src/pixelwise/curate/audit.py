"""What an audit found: the value -> class map it proposes, what the masks hold, and what is wrong."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelwise.core.arrays import Size
from pixelwise.core.errors import DataError, UnsettledLabels
from pixelwise.core.labels import LabelSet
from pixelwise.core.sample import Dataset
from pixelwise.curate.problem import SEVERITIES, Problem, Severity
from pixelwise.formats.masks.reasons import Reason


@dataclass(frozen=True)
class ValueRow:
    """A stored value: the class it is mapped to (None for void), its pixels, their share, and in how many masks it occurs."""

    value: int
    shown: str
    name: str | None
    pixels: int
    share: float
    images: int


@dataclass(frozen=True, eq=False)
class Audit:
    """What the audit found.

    Attributes:
        dataset: under the proposed or settled label set.
        good: the samples that can be used.
        reasons: why the map is not settled; empty where it is.
        rows: the stored values.
        problems: all that is wrong, errors first.
        sizes: how many images have which (height, width).
        notes: what is worth knowing and makes no data set bad.
    """

    dataset: Dataset
    good: Dataset
    reasons: tuple[Reason, ...]
    rows: tuple[ValueRow, ...]
    problems: tuple[Problem, ...]
    sizes: Mapping[Size, int] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    @property
    def labels(self) -> LabelSet:
        """The label set, settled or proposed."""
        return self.dataset.labels

    @property
    def settled(self) -> bool:
        """Tell whether the value -> class map is settled."""
        return not self.reasons

    @property
    def clean(self) -> bool:
        """Tell whether the map is settled and nothing is wrong."""
        return self.settled and not self.problems

    @property
    def counts(self) -> dict[Severity, int]:
        """Count problems and notes by severity."""
        found = Counter(problem.severity for problem in (*self.problems, *self.notes))
        return {severity: found[severity] for severity in SEVERITIES}

    def message(self) -> str:
        """Say why the map is not settled, and which option settles it."""
        return " ".join(f"{_sentence(reason.text)} Settle it with {reason.flag}." for reason in self.reasons)

    def require_settled(self) -> "Audit":
        """Give the audit itself, if the map is settled.

        Raises:
            UnsettledLabels: it is not; the message names the option that settles it.
        """
        if self.reasons:
            raise UnsettledLabels(f"{self.dataset.name}: which class each mask value means is not settled. {self.message()}")
        return self

    def require_good(self) -> Dataset:
        """Give the usable samples, if there are any.

        Raises:
            DataError: there is none; the message has the first problems.
        """
        if not len(self.good):
            first = "; ".join(problem.text for problem in self.problems[:3])
            raise DataError(f"{self.dataset.name}: none of {len(self.dataset)} images with masks can be used: {first}")
        return self.good

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values."""
        return {
            "name": self.dataset.name,
            "images": len(self.dataset),
            "usable": len(self.good),
            "settled": self.settled,
            "clean": self.clean,
            "reasons": [{"text": reason.text, "flag": reason.flag} for reason in self.reasons],
            "values": [
                {
                    "value": row.value,
                    "shown": row.shown,
                    "class": row.name,
                    "void": row.name is None,
                    "pixels": row.pixels,
                    "share": row.share,
                    "images": row.images,
                }
                for row in self.rows
            ],
            "labels": self.labels.to_json(),
            "splits": {name: len(rows) for name, rows in self.dataset.splits.items()},
            "sizes": [{"height": size[0], "width": size[1], "images": count} for size, count in self.sizes.items()],
            "counts": self.counts,
            "problems": [one.to_json() for one in self.problems],
            "notes": [one.to_json() for one in self.notes],
        }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
