"""The report: scores, classes, confusion, curves and pictures as one HTML file that needs nothing beside it.

What the page shows is rounded to four decimals; the same numbers in full stand in its element ``#scores`` as JSON.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pixelwise.core.arrays import IntArray
from pixelwise.core.errors import DataError
from pixelwise.core.files import write_text
from pixelwise.core.labels import LabelSet
from pixelwise.draw.colours import class_colours
from pixelwise.draw.compare import RIGHT, VOIDED, WRONG
from pixelwise.draw.curves import Row
from pixelwise.metrics import overlap
from pixelwise.report.charts import training_charts
from pixelwise.report.examples import Example, best_middle_worst, pictures

__all__ = ["Example", "Page", "render", "write_page"]

MOST_CELLS = 60  # classes a side of the confusion matrix; beyond, only its largest mistakes are listed
_TITLES = {
    "miou": "mIoU",
    "pixel_accuracy": "Pixel accuracy",
    "mean_accuracy": "Mean accuracy",
    "fw_iou": "Frequency-weighted IoU",
    "dice": "Dice",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "iou": "IoU",
    "pixels": "Pixels",
    "accuracy": "Accuracy",
}
_HEADLINES = (
    "miou",
    "miou_per_image",
    "pixel_accuracy",
    "mean_accuracy",
    "fw_iou",
    "dice",
    "f1",
    "precision",
    "recall",
)
_COLUMNS = ("iou", "dice", "precision", "recall", "accuracy", "pixels")


@dataclass(frozen=True, eq=False)
class Page:
    """What a report says; any part but title, scores and labels may be empty.

    Attributes:
        scores: by name, as ``evaluate --json`` has them; None or NaN where undefined; ``<name>_interval`` is (low, high).
        per_class: scores by class name.
        confusion: (L, L) or (L, L + 1) pixels, truth by prediction; the last of L + 1 columns is void or unknown.
        history: the rows of ``history.csv``.
        examples: images to show; of more than nine, the three best, middle and worst.
        facts: what was trained on what and how long, in words.
        notes: sentences the reader must know: what was left out, how classes were matched.
        rules: what a score means, in words, by name; those of the overlap scores are known.
        others: scores by name of other predictors on the same images, to compare with.
        per_image_score: the name of the score of one image, by which examples are ordered.
    """

    title: str
    scores: Mapping[str, Any]
    labels: LabelSet
    per_class: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    confusion: IntArray | None = None
    history: Sequence[Row] = ()
    examples: Sequence[Example] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    per_image_score: str = "mIoU"


def write_page(path: Path, page: Page) -> None:
    """Write ``page`` to ``path`` as one HTML file, whole or not at all.

    Raises:
        DataError: the confusion matrix does not fit the classes.
        SizeMismatch: an example's image, truth and prediction differ in size.
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render(page))


def render(page: Page) -> str:
    """Give the page as HTML."""
    import jinja2

    source = resources.files("pixelwise.report").joinpath("page.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(page.labels)]
    right, wrong, void = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (RIGHT, WRONG, VOIDED))
    return environment.from_string(source).render(
        page=page,
        cards=_cards(page),
        others=_others(page),
        classes=_class_table(page, colours),
        confusion=_confusion(page),
        charts=training_charts(page.history),
        groups=_groups(page),
        swatches=list(zip(page.labels.names, colours, strict=True)),
        key={"right": right, "wrong": wrong, "void": void},
        facts={str(name): str(value) for name, value in page.facts.items()},
        data=embedded_json({**page.scores, "per_class": page.per_class}),
    )


def embedded_json(value: Any) -> Markup:
    r"""Write JSON that can stand in a script element: nothing in it can end the element; NaN becomes null.

    >>> embedded_json({"</script>": float("nan")})
    Markup('{"\\u003c/script\\u003e": null}')
    """
    text = json.dumps(_plain(value), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def shown(value: Any) -> str:
    """Write a number as the page shows it: a count with its thousands apart, a score with four decimals.

    >>> shown(0.5), shown(12345), shown(None)
    ('0.5000', '12,345', '–')
    """
    value = _plain(value)
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def title_of(name: str) -> str:
    """Write a score's name for people."""
    whole = name.removesuffix("_per_image")
    title = _TITLES.get(whole) or (whole.replace("_", " ").capitalize() if len(whole) > 3 else whole.upper())
    return title if whole == name else f"{title} per image"


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | np.number) and not isinstance(value, bool))


def _cards(page: Page) -> list[dict[str, Any]]:
    """List the scores, the known first, each with its rule and its interval; the headlines become cards, the rest a table."""
    rules = {**overlap.RULES, **page.rules}
    names = [name for name, value in page.scores.items() if _is_number(value)]
    headlines = [name for name in _HEADLINES if name in names] or names[:8]
    cards = []
    for name in [*headlines, *(name for name in names if name not in headlines)]:
        interval = page.scores.get(f"{name}_interval")
        cards.append(
            {
                "name": name,
                "title": title_of(name),
                "value": shown(page.scores[name]),
                "rule": rules.get(name, ""),
                "interval": "" if interval is None else f"{shown(interval[0])} to {shown(interval[1])}",
                "is_headline": name in headlines,
            }
        )
    return cards


def _others(page: Page) -> dict[str, Any] | None:
    """Lay out the scores of other predictors under those of this one."""
    if not page.others:
        return None
    names = [name for name in _HEADLINES[:6] if any(name in scores for scores in page.others.values())]
    rows = {"this model": page.scores, **page.others}
    return {
        "titles": [title_of(name) for name in names],
        "rows": [(who, [shown(scores.get(name)) for name in names]) for who, scores in rows.items()],
    }


def _class_table(page: Page, colours: Sequence[str]) -> dict[str, Any] | None:
    """Lay out scores by class: each cell its text and the number to sort by."""
    if not page.per_class:
        return None
    found = {name for scores in page.per_class.values() for name, value in scores.items() if _is_number(value)}
    columns = [name for name in _COLUMNS if name in found] + sorted(found - set(_COLUMNS))
    colour_by_name = dict(zip(page.labels.names, colours, strict=True))
    rows = []
    for name, scores in page.per_class.items():
        cells = []
        for column in columns:
            value = _plain(scores.get(column))
            cells.append({"text": shown(value), "value": "" if value is None else repr(value), "share": _share(column, value)})
        rows.append({"name": name, "colour": colour_by_name.get(name, "#808080"), "cells": cells})
    return {"columns": [(name, title_of(name)) for name in columns], "rows": rows}


def _share(column: str, value: Any) -> float | None:
    """Give the length of the bar behind a score; counts have none."""
    return None if column == "pixels" or value is None or not 0 <= value <= 1 else round(float(value), 4)


def _confusion(page: Page) -> dict[str, Any] | None:
    """Lay out the confusion matrix by shares of each true class, and list its largest mistakes."""
    if page.confusion is None or not np.asarray(page.confusion).any():
        return None
    counts, names = np.asarray(page.confusion), page.labels.names
    if counts.ndim != 2 or counts.shape[0] != len(names) or counts.shape[1] not in (len(names), len(names) + 1):
        raise DataError(f"expected a confusion matrix of {len(names)} classes, truth by prediction, got shape {counts.shape}")
    if counts.shape[1] > len(names) and not counts[:, -1].any():
        counts = counts[:, :-1]
    columns = [*names, "no class"][: counts.shape[1]]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    off = counts.copy()
    np.fill_diagonal(off, 0)
    places = [divmod(int(place), counts.shape[1]) for place in np.argsort(-off, axis=None, kind="stable")[:8]]
    mistakes = [
        {"truth": names[row], "told": columns[column], "pixels": f"{off[row, column]:,}", "share": f"{shares[row, column]:.1%}"}
        for row, column in places
        if off[row, column]
    ]
    rows = []
    if len(names) <= MOST_CELLS:
        for row, name in enumerate(names):
            cells = [
                {
                    "share": round(float(share), 3),
                    "text": _percent(float(share)),
                    "tip": f"truth {name}, predicted {columns[column]}: {counts[row, column]:,} pixels ({share:.2%} of {name})",
                    "right": row == column,
                }
                for column, share in enumerate(shares[row])
            ]
            rows.append({"name": name, "cells": cells, "empty": not totals[row, 0]})
    return {"columns": columns, "rows": rows, "mistakes": mistakes, "small": len(names) > 12}


def _percent(share: float) -> str:
    return "" if share == 0 else "<1" if share < 0.005 else f"{share * 100:.0f}"


def _groups(page: Page) -> list[dict[str, Any]]:
    """Draw the examples, best first."""
    scores = [_plain(example.score) for example in page.examples]
    words = {"best": "Best", "middle": "Middle", "worst": "Worst", "unscored": "Images"}
    return [
        {
            "title": words[group],
            "examples": [
                {
                    "name": page.examples[row].name,
                    "score": "" if scores[row] is None else shown(float(scores[row])),
                    "pictures": pictures(page.examples[row]),
                }
                for row in rows
            ],
        }
        for group, rows in best_middle_worst(scores).items()
    ]
