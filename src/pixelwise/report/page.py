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
from pixelwise.core.files import write_text
from pixelwise.core.labels import LabelSet
from pixelwise.core.percent import percent
from pixelwise.draw.colours import class_colours
from pixelwise.draw.compare import EXTRA, RIGHT, VOIDED, WRONG
from pixelwise.draw.curves import Row
from pixelwise.metrics import overlap
from pixelwise.report.bars import reliability_chart, size_chart
from pixelwise.report.charts import training_charts
from pixelwise.report.examples import ClassExample, Example, best_middle_worst, pictures
from pixelwise.report.matrix import matrix

__all__ = ["Example", "Page", "render", "write_page"]

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
    "ece": "ECE",
    "adaptive_ece": "Adaptive ECE",
    "brier": "Brier score",
    "nll": "NLL",
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
        reliability: bins of the reliability diagram, as ``metrics.calibration.details`` gives them.
        by_size: bins of recall by size of segment, as ``metrics.sizes.details`` gives them.
        class_examples: for each class shown, the images it is told best and worst in.
        classes_left_out: how many classes have examples that are not shown.
        per_image_score: the name of the score of one image, by which examples are ordered.
    """

    title: str
    scores: Mapping[str, Any]
    labels: LabelSet
    per_class: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    confusion: IntArray | None = None
    history: Sequence[Row] = ()
    examples: Sequence[Example] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    per_image_score: str = "mIoU"
    reliability: Sequence[Mapping[str, Any]] = ()
    by_size: Sequence[Mapping[str, Any]] = ()
    class_examples: Sequence[ClassExample] = ()
    classes_left_out: int = 0


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
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(page.labels)]
    right, wrong, void, extra = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (RIGHT, WRONG, VOIDED, EXTRA))
    return filled(
        "page.html.jinja",
        page=page,
        cards=_cards(page),
        others=_others(page),
        classes=_class_table(page, colours),
        confusion=matrix(page.confusion, page.labels.names),
        charts=training_charts(page.history),
        groups=_groups(page),
        swatches=list(zip(page.labels.names, colours, strict=True)),
        reliability=reliability_chart(page.reliability),
        sizes=size_chart(page.by_size),
        key={"right": right, "wrong": wrong, "void": void, "extra": extra},
        facts={str(name): str(value) for name, value in page.facts.items()},
        data=embedded_json({**page.scores, "per_class": page.per_class}),
    )


def filled(template: str, **parts: Any) -> str:
    """Fill a template of this folder; ``style`` is the style sheet that all pages share."""
    import jinja2

    folder = resources.files("pixelwise.report")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    style = Markup(folder.joinpath("style.css").read_text("utf-8"))
    return environment.from_string(folder.joinpath(template).read_text("utf-8")).render(style=style, **parts)


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
    names = [name for name, value in page.scores.items() if _is_number(value) and not name.endswith("_interval")]
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
    scored = {name for scores in page.per_class.values() for name, value in scores.items() if _is_number(value)}
    found = {name for name in scored if not name.endswith("_interval")}
    columns = [name for name in _COLUMNS if name in found] + sorted(found - set(_COLUMNS))
    colour_by_name = dict(zip(page.labels.names, colours, strict=True))
    rows = []
    for name, scores in page.per_class.items():
        cells = []
        for column in columns:
            value = _plain(scores.get(column))
            bounds = scores.get(f"{column}_interval") if column == columns[0] else None
            cells.append(
                {
                    "text": shown(value),
                    "value": "" if value is None else repr(value),
                    "share": _share(column, value),
                    "interval": "" if bounds is None else f"{shown(bounds[0])} to {shown(bounds[1])}",
                }
            )
        rows.append({"name": name, "colour": colour_by_name.get(name, "#808080"), "cells": cells})
    return {"columns": [(name, title_of(name)) for name in columns], "rows": rows}


def _share(column: str, value: Any) -> float | None:
    """Give the length of the bar behind a score; counts have none."""
    return None if column == "pixels" or value is None or not 0 <= value <= 1 else round(float(value), 4)


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
