"""Two predictions of one image beside each other, and the curves of both in one drawing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from pixelwise.core.arrays import ByteArray
from pixelwise.core.image import Image
from pixelwise.core.sample import Sample
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.draw.colours import rgb_bytes
from pixelwise.draw.compare import EXTRA, RIGHT, WRONG, differences
from pixelwise.draw.objects import CONFUSED, SHARED, object_differences, object_errors
from pixelwise.draw.regions import border_differences
from pixelwise.metrics.comparison import Difference
from pixelwise.metrics.error_kinds import ERROR_KINDS
from pixelwise.report.axes import closed, frame, line
from pixelwise.report.bars import stacked_row
from pixelwise.report.examples import SIDE, Picture, Swatch, drawing, embedded, like_truth, plain_style, striped_style
from pixelwise.report.numbers import shown
from pixelwise.report.outcomes import is_found, outcome, words

_CURVES = {"": "Masks", "box_": "Boxes", "boundary_": "Borders"}
_LINES = {"precision50": "IoU 0.50", "precision": "mean over IoU 0.50 to 0.95"}
_TICKS = tuple((place / 5, f"{place / 5:g}") for place in range(6))


@dataclass(frozen=True)
class Pair:
    """The pictures of one image and the names of the classes in them."""

    pictures: tuple[Picture, ...]
    classes: frozenset[str]


class Curves(NamedTuple):
    """Curves of A and B under one title."""

    title: str
    drawing: Markup


def pair_of(sample: Sample, a: Callable[[Sample], Segmentation], b: Callable[[Sample], Segmentation]) -> Pair:
    """Draw the truth, A and B, the image and where A and B differ; of several truths the first is shown.

    Raises:
        PixelwiseError: the image, its truth or a prediction cannot be read, or their sizes differ.
    """
    truths = sample.truths
    image, truth = sample.image, truths[0] if truths else sample.truth
    left, right = like_truth(a(sample), truth), like_truth(b(sample), truth)
    true = "truth" if len(truths) < 2 else f"truth, the first of {len(truths)}"
    if truth.kind in ("instance", "panoptic") and left.kind == right.kind == truth.kind:
        drawn = {true: drawing(image, truth), **_objects(image, truth, left, right)}
    else:
        drawn = {true: drawing(image, truth), "A": drawing(image, left), "B": drawing(image, right), "image": rgb_bytes(image)}
        drawn["where they differ"] = (
            border_differences(image, left, right, SIDE)
            if left.kind == right.kind == "regions"
            else differences(left, right, truth, image)
        )
    classes = frozenset(name for one in (truth, left, right) for name in one.names)
    return Pair(tuple(embedded(caption, picture) for caption, picture in drawn.items()), classes)


def difference_key(kind: Kind) -> tuple[Swatch, ...]:
    """Say what the colours of the picture of differences mean for truth of a kind."""
    if kind == "regions":
        return (
            Swatch("border of A alone", plain_style(WRONG)),
            Swatch("of B alone", plain_style(RIGHT)),
            Swatch("of both", plain_style(SHARED)),
        )
    if kind in ("instance", "panoptic"):
        return (
            Swatch("A alone finds it", plain_style(WRONG)),
            Swatch("B alone finds it", plain_style(RIGHT)),
            Swatch("neither does", striped_style(CONFUSED, (255, 255, 255))),
            Swatch("both do", plain_style(SHARED)),
        )
    return (
        Swatch("A alone is right", plain_style(WRONG)),
        Swatch("B alone is right", plain_style(RIGHT)),
        Swatch("both are wrong, differently", plain_style(EXTRA)),
    )


def curves_of_both(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Curves]:
    """Draw the curves of precision over recall that both have, A and B in one drawing each."""
    found = []
    for prefix, what in _CURVES.items():
        left, right = (each.get(f"{prefix}precision_recall") or {} for each in (a, b))
        if not (left.get("mean") and right.get("mean")):
            continue
        for name, where in _LINES.items():
            title = f"{what}, {where}"
            lines = [
                line(list(zip(one["recall"], one["mean"][name], strict=True)), role)
                for one, role in ((left, "first"), (right, "second"))
            ]
            found.append(Curves(title, closed([*frame(f"Precision over recall: {title}", _TICKS, "recall"), *lines])))
    return found


def losses_of_both(scores: Mapping[str, Difference]) -> list[tuple[str, Markup, list[str]]]:
    """Draw what IoU A and B got, and what they lost it to, as one bar each with its numbers; nothing where it is not known."""
    kinds = {kind: found for kind in ERROR_KINDS.values() if (found := scores.get(f"iou_lost_to_{kind}")) is not None}
    if len(kinds) < len(ERROR_KINDS) or any(math.isnan(one.a + one.b) for one in kinds.values()):
        return []
    rows = []
    for who in ("a", "b"):
        losses = {kind: float(getattr(one, who)) for kind, one in kinds.items()}
        got = max(0.0, 1 - sum(losses.values()))
        parts = [(got, "got", f"IoU {got:.4f}")]
        parts += [(lost, f"kind-{kind}", f"lost to {kind}: {lost:.4f}") for kind, lost in losses.items()]
        rows.append((who.upper(), stacked_row(parts), [shown(value) for value in (got, *losses.values())]))
    return rows


def _objects(image: Image, truth: Segmentation, left: Segmentation, right: Segmentation) -> dict[str, ByteArray]:
    by_a, by_b = outcome(left, truth), outcome(right, truth)
    found = is_found(by_a, truth), is_found(by_b, truth)
    only_a, only_b = int((found[0] & ~found[1]).sum()), int((found[1] & ~found[0]).sum())
    return {
        f"A: {words(by_a)}": object_errors(image, left, truth, by_a, SIDE),
        f"B: {words(by_b)}": object_errors(image, right, truth, by_b, SIDE),
        "image": rgb_bytes(image),
        f"where they differ: A alone finds {only_a}, B alone {only_b}": object_differences(
            image, truth, found, by_a.crowds, SIDE
        ),
    }
