"""The page of ``pixelwise compare``: the verdict, every difference with its interval, and the two side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import write_text
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import class_colours
from pixelwise.draw.kinds import KIND_COLOURS
from pixelwise.metrics.comparison import Comparison, Difference
from pixelwise.report.bars import forest_row
from pixelwise.report.examples import css, error_key
from pixelwise.report.names import FAMILIES, families_with, is_lower_better, title_of
from pixelwise.report.numbers import shown
from pixelwise.report.page import embedded_json, filled
from pixelwise.report.pairs import Pair, curves_of_both, difference_key, losses_of_both, pair_of

EACH = 4  # images shown where A is better, and where B is
MOST_CLASSES = 24  # of more, those that are told apart and differ most come first, and the rest fold out

Segment = Callable[[Sample], Segmentation]
Details = Mapping[str, Any]


def write_comparison(
    path: Path, found: Comparison, dataset: Dataset, a: Segment, b: Segment, details: tuple[Details, Details] = ({}, {})
) -> None:
    """Write the page of ``found`` as one HTML file, whole or not at all.

    Args:
        a, b: give the prediction of a sample, as it was compared; those of the images shown are made once more.
        details: of A and of B, as the metrics' modules give them, counted on the same images.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render_comparison(found, dataset, a, b, details))


def render_comparison(
    found: Comparison, dataset: Dataset, a: Segment, b: Segment, details: tuple[Details, Details] = ({}, {})
) -> str:
    """Give the page as HTML."""
    groups, notes = _groups(found, dataset, a, b)
    about = {"a": "A", "b": "B", "data": dataset.name, **{name: str(value) for name, value in found.about.items()}}
    key = next(iter(next(iter(found.per_class.values()), {})), "")
    classes = _rows({name: each[key] for name, each in found.per_class.items()}, is_class=True)
    if len(classes) > MOST_CLASSES:
        classes = sorted(classes, key=lambda row: (not row["is_told"], -row["size"]))
    return filled(
        "comparison.html.jinja",
        found=found,
        about=about,
        short=short_names(about["a"], about["b"]),
        notes=[*found.notes, *(f"{name} could not be scored: {error}" for name, error in found.failures), *notes],
        scores=_by_family(found.scores),
        classes=classes[:MOST_CLASSES],
        more_classes=classes[MOST_CLASSES:],
        class_score=title_of(key) if key else "",
        curves=curves_of_both(*details),
        losses=losses_of_both(found.scores),
        kinds={name: css(colour) for name, colour in KIND_COLOURS.items()},
        groups=groups,
        swatches=_swatches(dataset, groups),
        keys=(error_key(dataset.kind) if dataset.kind in ("instance", "panoptic") else (), difference_key(dataset.kind)),
        main=title_of(found.main),
        data=embedded_json(found.to_json()),
    )


def short_names(a: str, b: str) -> tuple[str, str]:
    """Name two by the last parts of their paths that differ.

    >>> short_names("runs/one/best.json", "runs/two/best.json"), short_names("otsu", "runs/two")
    (('one', 'two'), ('otsu', 'two'))
    """
    pairs = zip(reversed(a.rstrip("/").split("/")), reversed(b.rstrip("/").split("/")), strict=False)
    return next(((one, other) for one, other in pairs if one != other), (a, b))


def _by_family(differences: Mapping[str, Difference]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Lay out the differences of each family: its name, nothing where it is the only one, and its rows.

    A score that neither has says nothing, and is in the JSON alone.
    """
    known = {name: one for name, one in differences.items() if one.a == one.a or one.b == one.b}
    rows = {row["key"]: row for row in _rows(known)}
    families = families_with(known)
    return [
        (FAMILIES.get(family, family) if len(families) > 1 else "", [rows[name] for name in names])
        for family, names in families.items()
    ]


def _rows(differences: Mapping[str, Difference], is_class: bool = False) -> list[dict[str, Any]]:
    """Lay out a table of differences, all on one scale."""
    ends = [abs(end) for one in differences.values() for end in (one.value, *(one.interval or ())) if end == end]
    reach = max([*ends, 1e-6])
    rows = []
    for name, one in differences.items():
        is_known = one.value == one.value
        rows.append(
            {
                "key": name,
                "name": name if is_class else title_of(name) + (" ↓" if is_lower_better(name) else ""),
                "a": shown(one.a),
                "b": shown(one.b),
                "difference": f"{one.value:+.4f}" if is_known else "–",
                "interval": "" if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}",
                "drawing": forest_row(one.value, one.interval, reach) if is_known else "",
                "better": "" if one.b_better is None else f"{one.b_better:.1%}",
                "p": "" if one.p is None else f"{one.p:.3f}",
                "is_told": one.is_told,
                "size": abs(one.value) if is_known else -1.0,
            }
        )
    return rows


def _groups(found: Comparison, dataset: Dataset, a: Segment, b: Segment) -> tuple[list[dict[str, Any]], list[str]]:
    """Draw the images that differ most, those with the larger score of B first; one image is held at a time."""
    samples = {sample.name: sample for sample in dataset}
    chosen = {
        f"{title_of(found.main)} of B is higher": [image for image in found.images if image["difference"] > 0][:EACH],
        f"{title_of(found.main)} of A is higher": [image for image in found.images if image["difference"] < 0][:EACH],
    }
    groups, notes = [], []
    for title, images in chosen.items():
        drawn = []
        for image in images:
            try:
                pair = pair_of(samples[image["name"]], a, b)
            except PixelwiseError as error:
                notes.append(f"{image['name']} cannot be shown: {error}")  # changed on the disk since it was scored
                continue
            words = f"A {shown(image['a'])}, B {shown(image['b'])}, {image['difference']:+.4f}"
            drawn.append({"name": image["name"], "words": words, "pair": pair})
        if drawn:
            groups.append({"title": title, "examples": drawn})
    return groups, notes


def _swatches(dataset: Dataset, groups: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List the classes that are in the pictures, with their colours; objects have their names written on them."""
    if dataset.kind not in ("semantic", "multilabel"):
        return []
    pairs: Iterable[Pair] = (example["pair"] for group in groups for example in group["examples"])
    there = frozenset().union(*(pair.classes for pair in pairs))
    colours = class_colours(dataset.labels)
    return [(name, css(colour)) for name, colour in zip(dataset.labels.names, colours, strict=True) if name in there]
