"""What the parts of a page are made of: sections of figures, each a drawing with its key, its words and its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Key:
    """An entry of a figure's key: what a mark is called and stands for.

    Attributes:
        name: what it is called.
        role: the class of the style sheet the mark is drawn with.
        words: what it means.
        is_line: the mark is a line, not an area.
    """

    name: str
    role: str
    words: str = ""
    is_line: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text, or of drawings; the first column names the row.

    Attributes:
        head: the names of the columns.
        rows: as long as the head each.
        strong: how many rows at the top stand out.
        drawn: the column that holds drawings; None for none.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    strong: int = 0
    drawn: int | None = None


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        title: what is shown.
        drawing: as inline SVG; None where the table says it all.
        words: how to read it.
        key: what its marks mean.
        table: its numbers.
        is_wide: whether it needs the width of the page.
    """

    title: str
    drawing: Markup | None = None
    words: str = ""
    key: Sequence[Key] = ()
    table: Table | None = None
    is_wide: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page; ``anchor`` is where its link leads."""

    anchor: str
    title: str
    figures: Sequence[Figure]
    words: str = ""
