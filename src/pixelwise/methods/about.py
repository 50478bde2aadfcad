"""What each method of the table is: its family, cost, strengths, and source."""

from typing import Literal, NamedTuple, TypeAlias

Family: TypeAlias = Literal["threshold", "edge", "region", "clustering", "graph", "learned"]


class About(NamedTuple):
    """The module constant ``ABOUT`` of a method: a line each.

    Attributes:
        family: which page of the documentation it is on.
        good_for: when to choose it.
        bad_for: when not to.
        cost: how time grows with the image, and at how many pixels it stops growing (``reduced``), if it does.
        source: authors, title, place and year.
    """

    family: Family
    good_for: str
    bad_for: str
    cost: str
    source: str
