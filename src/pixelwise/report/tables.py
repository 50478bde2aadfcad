"""Scores as tables in files: Markdown for people, CSV for other programs.

CSV holds every number as it is, so that reading it back gives the same one; what is undefined is an empty cell. Markdown has
four decimals, as the page has. Names of classes and images come from strangers: in Markdown they are text and nothing else, and
in CSV a name that a spreadsheet would run as a formula has an apostrophe put before it.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.files import write_csv, write_text
from pixelwise.metrics.comparison import Comparison, Difference
from pixelwise.metrics.result import Report, Slice
from pixelwise.report.names import title_of
from pixelwise.report.numbers import bounds, shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_SIGNS = str.maketrans({sign: "\\" + sign for sign in "\\`*_[]<>|~#$&"})
_MOST_IMAGES = 20  # of a comparison in Markdown; CSV has none left out
_TEXTS = ("score", "name", "class", "image")
_UNDEFINED = "–"


def write_tables(folder: Path, report: Report, title: str) -> None:
    """Write ``scores.md``, ``scores.csv``, ``per_class.csv`` and ``per_image.csv`` into a folder; tables without rows not.

    Raises:
        StorageError: a file cannot be written.
    """
    folder = Path(folder)
    write_text(folder / "scores.md", report_markdown(report, title))
    write_csv(folder / "scores.csv", *score_table(report))
    if report.per_class:
        write_csv(folder / "per_class.csv", *class_table(report))
    if report.per_image:
        write_csv(folder / "per_image.csv", *image_table(report))


def write_comparison_tables(folder: Path, found: Comparison) -> None:
    """Write ``comparison.md`` and ``comparison.csv`` into a folder.

    Raises:
        StorageError: a file cannot be written.
    """
    folder = Path(folder)
    write_text(folder / "comparison.md", comparison_markdown(found))
    write_csv(folder / "comparison.csv", *difference_table(found))


Table = tuple[list[str], list[list[Any]]]  # the header, and the rows


def score_table(report: Report) -> Table:
    """Lay out every score of the whole, then of each slice, with the ends of its interval and its rule."""
    rows = [["", "", report.count, name, value, *_ends(report.intervals.get(name)), report.rules.get(name, "")]
            for name, value in report.scores.items()]  # fmt: skip
    for one in report.slices:
        rows += [
            [one.column, one.value, one.count, name, value, *_ends(one.intervals.get(name)), report.rules.get(name, "")]
            for name, value in one.scores.items()
        ]
    return ["column", "slice", "images", "score", "value", "low", "high", "rule"], _cells(rows)


def class_table(report: Report) -> Table:
    """Lay out the scores of each class, each with the ends of its interval where it has one."""
    columns = list(dict.fromkeys(name for scores in report.per_class.values() for name in scores))
    with_interval = {name for intervals in report.class_intervals.values() for name in intervals}
    header = ["class"]
    for name in columns:
        header += [name, f"{name}_low", f"{name}_high"] if name in with_interval else [name]
    rows = []
    for who, scores in report.per_class.items():
        row: list[Any] = [who]
        for name in columns:
            row.append(scores.get(name))
            if name in with_interval:
                row += _ends(report.class_intervals.get(who, {}).get(name))
        rows.append(row)
    return header, _cells(rows)


def image_table(report: Report) -> Table:
    """Lay out the scores of each image."""
    columns = list(dict.fromkeys(name for row in report.per_image for name in row if name != "name"))
    return ["image", *columns], _cells([row["name"], *(row.get(name) for name in columns)] for row in report.per_image)


def difference_table(found: Comparison) -> Table:
    """Lay out every score of A and of B with what is known of the difference; the whole has no class."""
    header = ["class", "score", "a", "b", "difference", "low", "high", "b_better", "p"]
    every = [("", name, one) for name, one in found.scores.items()]
    every += [(who, name, one) for who, scores in found.per_class.items() for name, one in scores.items()]
    return header, _cells(
        [who, name, one.a, one.b, one.value, *_ends(one.interval), one.b_better, one.p] for who, name, one in every
    )


def report_markdown(report: Report, title: str) -> str:
    """Write a report as Markdown."""
    about = ", ".join(f"{name} {value}" for name, value in report.about.items() if isinstance(value, str | int))
    lines = [f"# {escaped(title)}", "", escaped(f"{report.count:,} images" + (f": {about}" if about else ""))]
    lines += _listed("Notes", (escaped(note) for note in report.notes))
    rows = [
        [title_of(name), f"`{name}`", shown(value), bounds(report.intervals.get(name)) or _UNDEFINED]
        for name, value in report.scores.items()
    ]
    lines += _section("Scores", ["score", "name", "value", "95 % interval"], rows)
    if report.per_class:
        lines += _section("Classes", *_class_rows(report))
    for column in dict.fromkeys(one.column for one in report.slices):
        lines += _section(f"By {column}", *_slice_rows([one for one in report.slices if one.column == column]))
    lines += _listed("Rules", (f"`{name}`: {escaped(text)}" for name, text in report.rules.items()))
    lines += _listed("Not scored", (escaped(f"{name}: {error}") for name, error in report.failures))
    return "\n".join(lines) + "\n"


def comparison_markdown(found: Comparison) -> str:
    """Write a comparison as Markdown."""
    a, b, data = (str(found.about.get(key, other)) for key, other in (("a", "A"), ("b", "B"), ("data", "")))
    lines = [
        f"# {escaped(f'{a} against {b}')}",
        "",
        escaped(f"A is {a}, B is {b}; {found.count:,} images of {data} both could score."),
    ]
    lines += ["", f"**{escaped(found.verdict)}** {escaped(found.tally_of_images)}".rstrip()]
    lines += _listed("Notes", (escaped(note) for note in found.notes))
    header = ["A", "B", "B less A", "95 % interval", "B better in", "p"]
    lines += _section("Scores", ["score", *header], [[title_of(name), *_told(one)] for name, one in found.scores.items()])
    first = next((next(iter(each)) for each in found.per_class.values() if each), "")
    rows = [[who, *_told(each[first])] for who, each in found.per_class.items() if first in each]
    lines += _section(f"{title_of(first)} by class", ["class", *header], rows) if rows else []
    images = [
        [image["name"], shown(image["a"]), shown(image["b"]), _signed(image["difference"])]
        for image in found.images[:_MOST_IMAGES]
        if image["difference"] and not math.isnan(image["difference"])
    ]
    if images:
        lines += _section(f"Images that differ most in {title_of(found.main)}", ["image", "A", "B", "B less A"], images)
    lines += _listed("Rules", (f"`{name}`: {escaped(text)}" for name, text in found.rules.items()))
    lines += _listed("Not scored", (escaped(f"{name}: {error}") for name, error in found.failures))
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    >>> print(escaped("a|b\n<i>_c_"))
    a\|b \<i\>\_c\_
    """
    return " ".join(text.split()).translate(_SIGNS)


def inert(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    >>> inert("=1+1"), inert("sky")
    ("'=1+1", 'sky')
    """
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) else text


def _cells(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: Any) -> Any:
    """Give a number in full: ``csv`` takes the shortest text that reads back as the same. What is undefined is nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return inert(value) if isinstance(value, str) else float(value) if isinstance(value, float) else value


def _ends(interval: tuple[float, float] | None) -> list[float | None]:
    return [None, None] if interval is None else [interval[0], interval[1]]


def _class_rows(report: Report) -> tuple[list[str], list[list[str]]]:
    columns = list(dict.fromkeys(name for scores in report.per_class.values() for name in scores))
    header = ["class", *(title_of(name) for name in columns), f"95 % interval of {title_of(columns[0])}"]
    rows = [
        [
            who,
            *(shown(scores.get(name)) for name in columns),
            bounds(report.class_intervals.get(who, {}).get(columns[0])) or _UNDEFINED,
        ]
        for who, scores in report.per_class.items()
    ]
    return header, rows


def _slice_rows(slices: Sequence[Slice]) -> tuple[list[str], list[list[str]]]:
    """Lay out one column's slices beside each other, a score a line: names of slices are few, and scores may be many."""
    rows = [["images", *(f"{one.count:,}" for one in slices)]]
    for name in slices[0].scores:
        cells = []
        for one in slices:
            interval = bounds(one.intervals.get(name))
            cells.append(shown(one.scores[name]) + (f" ({interval})" if interval else ""))
        rows.append([title_of(name), *cells])
    return ["score", *(one.value for one in slices)], rows


def _told(one: Difference) -> list[str]:
    interval = _UNDEFINED if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}"
    better, p = ("" if one.b_better is None else f"{one.b_better:.1%}"), ("" if one.p is None else f"{one.p:.3f}")
    return [shown(one.a), shown(one.b), _signed(one.value), interval, better, p]


def _signed(value: float) -> str:
    return _UNDEFINED if math.isnan(value) else f"{value:+.4f}"


def _section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a heading and a table: numbers stand to the right, names do not."""
    ruler = ["---" if name in _TEXTS else "---:" for name in header]
    lines = ["", f"## {escaped(title)}", "", _line(map(escaped, header)), _line(ruler)]
    return lines + [
        _line(cell if cell.startswith("`") and cell.endswith("`") else escaped(cell) for cell in row) for row in rows
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _listed(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return ["", f"## {title}", "", *lines] if lines else []
