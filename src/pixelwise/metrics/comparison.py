"""Compare two predictors on the images both could score, draw by draw of one and the same bootstrap.

Images are harder or easier for both alike; scored on the same draws, what they share cancels, and the interval of the
difference is far narrower than those of the two scores suggest.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pixelwise.core.arrays import FloatArray
from pixelwise.core.errors import DataError, OptionError
from pixelwise.metrics.interval import PLAIN, Bootstrap, Interval, Resampled, caution, interval, joined, score_draws
from pixelwise.metrics.tally import Tally, chosen, resampled
from pixelwise.metrics.views import Families

LEAST = 6  # images or groups: of fewer even a sign test, all signs alike, cannot reach 5 %
_ROUNDING = 1e-12  # a difference below it is that of the order in which equal numbers were added
RULES = {
    "difference": "<name> of B less <name> of A, each computed on the images both could score; fractions, not percentages",
    "<name>_interval": "the middle 95 % of the differences over data sets drawn with replacement from those images, the same "
    "draws for A and B (paired percentile bootstrap)",
    "<name>_b_better": "the share of the draws in which B scores better than A",
    "<name>_p": "twice the smaller of the shares of draws with a difference of at most 0 and of at least 0, never below one "
    "draw's: what a two-sided test would call p. Of twenty true equals, one falls below 0.05 by chance",
    "images_won": "in how many images A is better, B is, and they are equal, by the first score of each image alone",
}


class Difference(NamedTuple):
    """One score of A and of B, and how surely they differ; None where one image or too many undefined draws tell nothing."""

    a: float
    b: float
    interval: Interval | None
    b_better: float | None
    p: float | None

    @property
    def value(self) -> float:
        """B less A."""
        return self.b - self.a

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Comparison:
    """What was found of A and B on the same images.

    Attributes:
        scores: by name.
        per_class: by class name, then by score name.
        images: one mapping an image, where A and B differ most first: ``name``, ``a``, ``b``, ``difference`` of ``main``.
        main: the score the verdict, the order of images and who won them are by.
        verdict: the answer in a sentence.
        count: the number of images both could score.
        failures: what A or B could not score, and why.
        about: what A and B are, the data and the split.
        notes: what the reader must know besides.
    """

    scores: Mapping[str, Difference]
    per_class: Mapping[str, Mapping[str, Difference]]
    images: tuple[Mapping[str, Any], ...]
    main: str
    verdict: str
    count: int
    failures: tuple[tuple[str, str], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    lower_is_better: bool = False  # of ``main``

    @property
    def won(self) -> dict[str, int]:
        """Count the images in which A is better, B is, and the two are equal by ``main``; where it is undefined none is."""
        known = [image["difference"] for image in self.images if not math.isnan(image["difference"])]
        gains = [-value if self.lower_is_better else value for value in known]
        return {
            "a": sum(value < -_ROUNDING for value in gains),
            "b": sum(value > _ROUNDING for value in gains),
            "equal": sum(abs(value) <= _ROUNDING for value in gains),
        }

    def to_json(self) -> dict[str, Any]:
        """Write as plain JSON values, None for what is undefined."""
        return {
            "a": {"model": self.about.get("a"), **{name: _plain(one.a) for name, one in self.scores.items()}},
            "b": {"model": self.about.get("b"), **{name: _plain(one.b) for name, one in self.scores.items()}},
            "difference": _written(self.scores),
            "per_class": {
                name: {
                    "a": {key: _plain(one.a) for key, one in each.items()},
                    "b": {key: _plain(one.b) for key, one in each.items()},
                    "difference": _written(each),
                }
                for name, each in self.per_class.items()
            },
            "verdict": self.verdict,
            "count": self.count,
            "images_won": self.won,
            **{key: value for key, value in self.about.items() if key not in ("a", "b")},
            "images": [{key: _plain(value) for key, value in image.items()} for image in self.images],
            "failures": [{"name": name, "error": error} for name, error in self.failures],
            "notes": list(self.notes),
            "rules": dict(self.rules),
        }

    def __str__(self) -> str:
        """Write as tables for the terminal."""
        lines = [f"A: {self.about.get('a', 'A')}", f"B: {self.about.get('b', 'B')}", f"{self.count} images both could score"]
        lines += ["", *_table("score", self.scores)]
        by_class = {name: next(iter(each.values())) for name, each in self.per_class.items() if each}
        if by_class:
            lines += ["", *_table(f"class, by {next(iter(next(iter(self.per_class.values()))))}", by_class)]
        if differing := [image for image in self.images if image["difference"]][:6]:
            title = f"image, by {self.main}"
            width = max(len(title), *(len(image["name"]) for image in differing))
            lines += ["", f"  {title:<{width}}  {'A':>6}  {'B':>6}  {'B - A':>7}"]
            lines += [
                f"  {image['name']:<{width}}  {_shown(image['a'])}  {_shown(image['b'])}  {image['difference']:+.4f}"
                for image in differing
            ]
        lines += ["", *(f"note: {note}" for note in self.notes)]
        lines += [f"failed: {name}: {error}" for name, error in self.failures]
        return "\n".join([*lines, *([self.tally_of_images] if self.count > 1 else []), self.verdict])

    @property
    def tally_of_images(self) -> str:
        """Say in how many images each is better; empty where the score is of no single image."""
        won = self.won
        total = sum(won.values())
        if not total:
            return ""
        return (
            f"By {words_for(self.main)} of each image, B is better in {won['b']} of {total} ({won['b'] / total:.0%}), "
            f"A in {won['a']} ({won['a'] / total:.0%}); they are equal in {won['equal']}."
        )


def compare(a: Tally, b: Tally, families: Families, metrics: Sequence[str], bootstrap: Bootstrap = PLAIN) -> Comparison:
    """Compare what was counted of two predictors on one data set.

    Raises:
        OptionError: the two were counted under different classes.
        DataError: there is no image both could score.
    """
    if not a.labels.same_classes(b.labels) or dict(a.labels.values) != dict(b.labels.values):
        raise OptionError(
            "A and B read the truth differently, each by its own value map; say with --void or --classes what the masks mean"
        )
    places = {name: row for row, name in enumerate(b.names)}
    rows_a = [row for row, name in enumerate(a.names) if name in places]
    rows_b = [places[a.names[row]] for row in rows_a]
    if not rows_a:
        told = a.failures or b.failures
        raise DataError(f"there is no image both A and B could score{f' ({told[0][0]}: {told[0][1]})' if told else ''}")
    lower = frozenset().union(*(module.LOWER_IS_BETTER for module in families.values()))
    groups = [a.groups[row] for row in rows_a]
    units = len(set(groups))
    points, draws = (
        [_scored(one, families, rows, how) for one, rows in ((a, rows_a), (b, rows_b))]
        for how in (None, bootstrap if units > 1 else None)
    )
    scores = _differences([each.scores for each in points], [each.scores for each in draws], lower, bootstrap)
    scores = chosen(scores, metrics, families)
    per_class = {
        name: _differences(
            [each.per_class[name] for each in points], [each.per_class[name] for each in draws], lower, bootstrap
        )
        for name in points[0].per_class
    }
    main = "miou" if "miou" in scores else next(iter(scores))
    note = caution(groups, bootstrap)
    return Comparison(
        scores=scores,
        per_class={name: each for name, each in per_class.items() if not all(math.isnan(one.value) for one in each.values())},
        images=_images(a, b, rows_a, rows_b, main),
        main=main,
        verdict=_verdict(main, scores[main], len(rows_a), units, main in lower),
        count=len(rows_a),
        failures=tuple(dict.fromkeys([*_of("A", a), *_of("B", b)])),
        notes=(note,) if note else (),
        rules={
            **RULES,
            **{name: text for module in families.values() for name, text in module.RULES.items() if name in scores},
        },
        lower_is_better=main in lower,
    )


def _scored(one: Tally, families: Families, rows: Sequence[int], bootstrap: Bootstrap | None) -> Resampled:
    """Score the images ``rows`` in every draw, or once as they are."""
    if bootstrap is not None:
        return resampled(one, families, bootstrap, rows)
    weights = np.zeros((1, len(one.names)), np.int64)
    weights[0, list(rows)] = 1
    return joined(
        [score_draws(families[name], counts, one.single.get(name, ()), weights) for name, counts in one.counts.items()]
    )


def _differences(
    points: Sequence[Mapping[str, FloatArray]],
    draws: Sequence[Mapping[str, FloatArray]],
    lower: frozenset[str],
    bootstrap: Bootstrap,
) -> dict[str, Difference]:
    """Take the scores of A and B, as they are and in the draws, together by name."""
    (a, b), (drawn_a, drawn_b) = points, draws
    return {name: _difference(a[name], b[name], drawn_a[name], drawn_b[name], name in lower, bootstrap) for name in a}


def _difference(
    a: FloatArray, b: FloatArray, drawn_a: FloatArray, drawn_b: FloatArray, is_lower_better: bool, bootstrap: Bootstrap
) -> Difference:
    differences = drawn_b - drawn_a
    differences[np.abs(differences) < _ROUNDING] = 0
    bounds = interval(differences, bootstrap.level) if len(differences) > 1 else None
    if bounds is None:
        return Difference(float(a[0]), float(b[0]), None, None, None)
    known = differences[~np.isnan(differences)]
    better = known < 0 if is_lower_better else known > 0
    side = min((known <= 0).sum(), (known >= 0).sum())
    p = min(1.0, 2 * (float(side) + 1) / (len(known) + 1))
    return Difference(float(a[0]), float(b[0]), bounds, float(better.mean()), p)


def _images(a: Tally, b: Tally, rows_a: Sequence[int], rows_b: Sequence[int], main: str) -> tuple[Mapping[str, Any], ...]:
    key = main.removesuffix("_per_image")
    found = []
    for row_a, row_b in zip(rows_a, rows_b, strict=True):
        left, right = a.rows[row_a].get(key, math.nan), b.rows[row_b].get(key, math.nan)
        found.append({"name": a.names[row_a], "a": left, "b": right, "difference": right - left})
    return tuple(sorted(found, key=lambda image: (math.isnan(image["difference"]), -abs(image["difference"]), image["name"])))


def words_for(name: str) -> str:
    """Write a score's name within a sentence.

    >>> words_for("miou_per_image"), words_for("ap50")
    ('mIoU per image', 'AP50')
    """
    whole = name.removesuffix("_per_image")
    words = {"miou": "mIoU", "dice": "Dice"}.get(whole) or (whole.upper() if len(whole) <= 4 else whole.replace("_", " "))
    return words if whole == name else f"{words} per image"


def _verdict(name: str, found: Difference, count: int, units: int, is_lower_better: bool) -> str:
    what = words_for(name)
    images = f"{count} image{'' if count == 1 else 's'}"
    if found.interval is None:
        return f"No difference can be told with {images}: B less A is {found.value:+.4f} {what}, without an interval."
    low, high = found.interval
    if low == high == 0:
        return f"A and B are equal in {what} on {images}."
    if not found.is_told or units < LEAST:
        return f"No difference can be told with {images}: B less A is {found.value:+.4f} {what} [{low:+.4f}, {high:+.4f}]."
    better, sign = ("B", 1) if (found.value > 0) != is_lower_better else ("A", -1)
    sign = -sign if is_lower_better else sign
    low, high = sorted((sign * low, sign * high))
    less = ", which is lower," if is_lower_better else ""
    return f"{better} is better by {abs(found.value):.4f} {what}{less} [{low:.4f}, {high:.4f}] on {images}."


def _of(who: str, one: Tally) -> list[tuple[str, str]]:
    return [(name, f"{who}: {error}") for name, error in one.failures]


def _written(differences: Mapping[str, Difference]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in differences.items():
        found[name] = _plain(one.value)
        found[f"{name}_interval"] = None if one.interval is None else list(one.interval)
        found |= {f"{name}_b_better": one.b_better, f"{name}_p": one.p}
    return found


def _table(title: str, differences: Mapping[str, Difference]) -> list[str]:
    width = max(len(title), *(len(name) for name in differences))
    lines = [f"  {title:<{width}}  {'A':>7}  {'B':>7}  {'B - A':>7}  {'95 % interval':^18}  {'B better in':>11}  {'p':>6}"]
    for name, one in differences.items():
        bounds = "" if one.interval is None else f"[{one.interval[0]:+.4f}, {one.interval[1]:+.4f}]"
        shares = "" if one.b_better is None else f"  {one.b_better:>11.1%}  {one.p:>6.3f}"
        value = f"{one.value:+.4f}" if not math.isnan(one.value) else "–"
        lines.append(f"  {name:<{width}}  {_shown(one.a):>7}  {_shown(one.b):>7}  {value:>7}  {bounds:^18}{shares}".rstrip())
    return lines


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
