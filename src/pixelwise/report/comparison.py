"""The page of ``pixelwise compare``: the verdict, every difference with its interval, and the two side by side."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pixelwise.core.errors import PixelwiseError
from pixelwise.core.files import write_text
from pixelwise.core.sample import Dataset, Sample
from pixelwise.core.segmentation import Segmentation
from pixelwise.draw.colours import class_colours, rgb_bytes
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG, differences
from pixelwise.draw.overlay import overlay
from pixelwise.metrics.comparison import Comparison, Difference
from pixelwise.report.bars import forest_row
from pixelwise.report.examples import Picture, embedded
from pixelwise.report.page import embedded_json, filled, shown, title_of

EACH = 4  # images shown where A is better, and where B is

Segment = Callable[[Sample], Segmentation]


def write_comparison(path: Path, found: Comparison, dataset: Dataset, a: Segment, b: Segment) -> None:
    """Write the page of ``found`` as one HTML file, whole or not at all.

    Args:
        a, b: give the prediction of a sample, as it was compared; those of the images shown are made once more.

    Raises:
        StorageError: the file cannot be written.
    """
    write_text(Path(path), render_comparison(found, dataset, a, b))


def render_comparison(found: Comparison, dataset: Dataset, a: Segment, b: Segment) -> str:
    """Give the page as HTML."""
    groups, notes = _groups(found, dataset, a, b)
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(dataset.labels)]
    only_a, only_b, neither = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (WRONG, RIGHT, EXTRA))
    key = next(iter(next(iter(found.per_class.values()), {})), "")
    return filled(
        "comparison.html.jinja",
        found=found,
        about={"a": "A", "b": "B", "data": dataset.name, **{name: str(value) for name, value in found.about.items()}},
        notes=[*found.notes, *(f"{name} could not be scored: {error}" for name, error in found.failures), *notes],
        scores=_rows(found.scores),
        classes=_rows({name: each[key] for name, each in found.per_class.items()}, is_class=True),
        class_score=title_of(key) if key else "",
        groups=groups,
        swatches=list(zip(dataset.labels.names, colours, strict=True)),
        key={"a": only_a, "b": only_b, "neither": neither},
        main=title_of(found.main),
        data=embedded_json(found.to_json()),
    )


def _rows(differences: Mapping[str, Difference], is_class: bool = False) -> list[dict[str, Any]]:
    """Lay out a table of differences, all on one scale."""
    ends = [abs(end) for one in differences.values() for end in (one.value, *(one.interval or ())) if end == end]
    reach = max([*ends, 1e-6])
    rows = []
    for name, one in differences.items():
        is_known = one.value == one.value
        rows.append(
            {
                "name": name if is_class else title_of(name),
                "a": shown(one.a),
                "b": shown(one.b),
                "difference": f"{one.value:+.4f}" if is_known else "–",
                "interval": "" if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}",
                "drawing": forest_row(one.value, one.interval, reach) if is_known else "",
                "better": "" if one.b_better is None else f"{one.b_better:.1%}",
                "p": "" if one.p is None else f"{one.p:.3f}",
                "is_told": one.is_told,
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
                pictures = _pictures(samples[image["name"]], a, b)
            except PixelwiseError as error:
                notes.append(f"{image['name']} cannot be shown: {error}")  # changed on the disk since it was scored
                continue
            words = f"A {shown(image['a'])}, B {shown(image['b'])}, {image['difference']:+.4f}"
            drawn.append({"name": image["name"], "words": words, "pictures": pictures})
        if drawn:
            groups.append({"title": title, "examples": drawn})
    return groups, notes


def _pictures(sample: Sample, a: Segment, b: Segment) -> list[Picture]:
    image, truth, left, right = sample.image, sample.truth, a(sample), b(sample)
    drawn = {
        "image": rgb_bytes(image),
        "truth": overlay(image, truth, 0.65),
        "A": overlay(image, left, 0.65),
        "B": overlay(image, right, 0.65),
        "where they differ": differences(left, right, truth, image),
    }
    return [embedded(caption, picture) for caption, picture in drawn.items()]
