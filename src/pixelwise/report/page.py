"""The report: scores, classes, confusion, curves and pictures as one HTML file that needs nothing beside it.

What the page shows is rounded to four decimals; the same numbers in full stand in its element ``#scores`` as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pixelwise.core.arrays import IntArray
from pixelwise.core.files import write_text
from pixelwise.core.labels import LabelSet
from pixelwise.core.percent import percent
from pixelwise.core.segmentation import Kind
from pixelwise.draw.colours import class_colours
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG
from pixelwise.draw.curves import Row
from pixelwise.draw.kinds import KIND_COLOURS
from pixelwise.metrics.result import Slice
from pixelwise.report.cards import cards_of
from pixelwise.report.charts import training_charts
from pixelwise.report.class_table import class_table
from pixelwise.report.error_kinds import WORDS
from pixelwise.report.examples import KIND_KEY, ClassExample, Example, Picture, best_middle_worst, error_key, pictures
from pixelwise.report.films import Clip
from pixelwise.report.matrix import matrix
from pixelwise.report.names import headlines, title_of
from pixelwise.report.numbers import plain, shown
from pixelwise.report.sections import after_classes, after_confusion, before_classes

__all__ = ["Example", "KindExample", "Page", "embedded_json", "filled", "render", "shown", "title_of", "write_page"]

_MOST_SWATCHES = 60  # classes in the key to the pictures, of those that are in one
_COMPARED = 6  # scores told beside those of other predictors


@dataclass(frozen=True)
class KindExample:
    """An image with much of one kind of error: its name, what share of its pixels that is, and its pictures."""

    name: str
    share: float
    pictures: tuple[Picture, ...]


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
        per_image_score: the title of the score of one image, by which examples are ordered.
        details: tables by name, as the ``details`` of the metrics give them.
        slices: the scores of parts of the data.
        clips: the scores of films frame by frame.
        kind_examples: by kind of error, the images with most of it.
        class_examples: for each class shown, the images it is told best and worst in.
        classes_left_out: how many classes have examples that are not shown.
        is_lower_better: whether the best image is that of the lowest score.
        count: how many images were scored; None where it is not known.
        data: the JSON that stands in the page; None: the scores and those of the classes.
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
    details: Mapping[str, Any] = field(default_factory=dict)
    slices: Sequence[Slice] = ()
    clips: Sequence[Clip] = ()
    kind_examples: Mapping[str, Sequence[KindExample]] = field(default_factory=dict)
    class_examples: Sequence[ClassExample] = ()
    classes_left_out: int = 0
    is_lower_better: bool = False
    count: int | None = None
    data: Mapping[str, Any] | None = None


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
    colours = dict(zip(page.labels.names, map(_css, class_colours(page.labels)), strict=True))
    cards, groups = cards_of(page.scores, page.rules)
    parts: dict[str, Any] = {
        "others": _others(page),
        "before": before_classes(page.scores, page.per_class, page.details),
        "classes": class_table(page.per_class, colours),
        "after": after_classes(page.scores, page.per_class, page.details, page.clips),
        "last": after_confusion(page.scores, page.slices),
        "confusion": matrix(page.confusion, page.labels.names),
        "charts": training_charts(page.history),
        "groups": _groups(page),
    }
    return filled(
        "page.html.jinja",
        **parts,
        page=page,
        cards=cards,
        groups_of_scores=groups,
        contents=_contents(page, parts),
        swatches=_swatches(page, colours),
        error_key=error_key(_kind(page)),
        kind_key=KIND_KEY,
        kind_words=WORDS,
        kind_colours={name: _css(colour) for name, colour in KIND_COLOURS.items()},
        key={"right": _css(RIGHT), "wrong": _css(WRONG), "extra": _css(EXTRA)},
        facts={str(name): str(value) for name, value in page.facts.items()},
        data=embedded_json(page.data if page.data is not None else {**page.scores, "per_class": page.per_class}),
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
    text = json.dumps(plain(value), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _contents(page: Page, parts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the parts of the page, as the links at its top."""
    listed = [
        ("others", "Other methods", parts["others"]),
        *((section.anchor, section.title, True) for section in parts["before"]),
        ("classes-title", "Classes", parts["classes"]),
        *((section.anchor, section.title, True) for section in parts["after"]),
        ("confusion", "Confusion", parts["confusion"]),
        *((section.anchor, section.title, True) for section in parts["last"]),
        ("training", "Training", parts["charts"]),
        ("images", "Images", parts["groups"]),
        ("kinds", "Images by kind of error", page.kind_examples),
        ("ends", "Best and worst by class", page.class_examples),
        ("facts", "How it came about", page.facts),
    ]
    return [(anchor, title) for anchor, title, is_there in listed if is_there]


def _css(colour: Sequence[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _kind(page: Page) -> Kind:
    return page.examples[0].truth.kind if page.examples else "semantic"


def _swatches(page: Page, colours: Mapping[str, str]) -> list[tuple[str, str]]:
    """Choose the classes for the key to the pictures: those that are in one, where not all would be read."""
    if len(colours) <= _MOST_SWATCHES // 2:
        return list(colours.items())
    shown_classes = {
        one.labels.names[index]
        for example in page.examples
        for one in (example.truth, example.prediction)
        for index in set(one.class_ids.tolist())
        if index < len(one.labels)
    }
    return [(name, colour) for name, colour in colours.items() if name in shown_classes][:_MOST_SWATCHES]


def _others(page: Page) -> dict[str, Any] | None:
    """Lay out the scores of other predictors under those of this one."""
    if not page.others:
        return None
    told = dict.fromkeys(name for scores in page.others.values() for name in scores if not name.endswith("_interval"))
    names = headlines(told)[:_COMPARED]
    rows = {"this model": page.scores, **page.others}
    return {
        "titles": [title_of(name) for name in names],
        "rows": [(who, [shown(scores.get(name)) for name in names]) for who, scores in rows.items()],
    }


def _groups(page: Page) -> list[dict[str, Any]]:
    """Draw the examples, best first."""
    scores = [plain(example.score) for example in page.examples]
    order = [None if score is None else -score for score in scores] if page.is_lower_better else scores
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
        for group, rows in best_middle_worst(order).items()
    ]
