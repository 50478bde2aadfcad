"""Charts of shares as inline SVG: reliability, recall by size, stacked parts, and values with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pixelwise.report.axes import across, bar, closed, count_bar, frame, up


def reliability_chart(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw the share right over confidence, with the even line and the pixels in each bin; nothing where there are none."""
    total = sum(one["pixels"] for one in bins)
    if not total:
        return Markup("")
    parts = frame("reliability diagram", [(place / 5, f"{place / 5:g}") for place in range(6)], "confidence", has_counts=True)
    for one in bins:
        x, width = across(one["low"]), across(one["high"]) - across(one["low"])
        if one["pixels"]:
            share, sure = one["accuracy"], one["confidence"]
            tip = f"{one['low']:.2f} to {one['high']:.2f}: {one['pixels']:,} pixels, sure {sure:.3f}, right {share:.3f}"
            parts.append(bar(x + 1, width - 2, 0, share, "bar", tip))
            parts.append(bar(x + 1, width - 2, min(share, sure), max(share, sure), "gap", tip))
            parts.append(count_bar(x + 1, width - 2, one["pixels"] / max(each["pixels"] for each in bins), tip))
    parts.append(Markup('<path class="even" d="M{} {}L{} {}"/>').format(across(0), up(0), across(1), up(1)))
    return closed(parts)


def size_chart(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw recall and the share of segments found by size, with the number of segments; nothing where there are none."""
    if not sum(one["segments"] for one in bins):
        return Markup("")
    names = [(index / len(bins), short(one["from"])) for index, one in enumerate(bins)]
    parts = frame("recall by size", names, "area from, pixels", has_counts=True)
    most = max(one["segments"] for one in bins)
    for index, one in enumerate(bins):
        x, width = across(index / len(bins)), across(1 / len(bins)) - across(0)
        if one["segments"]:
            found = f"{one['found']:.3f} of them at least half right"
            tip = f"{area_words(one)} pixels: {one['segments']:,} segments, recall {one['recall']:.3f}, {found}"
            parts.append(bar(x + 3, width - 6, 0, one["recall"], "bar", tip))
            parts.append(bar(x + 3, width - 6, one["found"] - 0.006, one["found"] + 0.006, "mark", tip))
            parts.append(count_bar(x + 3, width - 6, one["segments"] / most, tip))
    return closed(parts)


def forest_row(value: float, interval: tuple[float, float] | None, reach: float) -> Markup:
    """Draw one difference with its interval on a line from -reach to reach, 0 in the middle."""

    def place(number: float) -> float:
        return round(80 + 76 * max(-1.0, min(1.0, number / reach)), 1)

    line = Markup("")
    if interval is not None:
        line = Markup('<path class="span" d="M{} 9H{}"/>').format(place(interval[0]), place(interval[1]))
    is_sure = interval is not None and not interval[0] <= 0 <= interval[1]
    return Markup(
        '<svg viewBox="0 0 160 18" class="{}" aria-hidden="true"><path class="zero" d="M80 0V18"/>{}'
        '<circle class="spot" cx="{}" cy="9" r="4"/></svg>'
    ).format("sure" if is_sure else "unsure", line, place(value))


def stacked_row(parts: Sequence[tuple[float, str, str]]) -> Markup:
    """Draw shares of a whole end to end, each with the class of the style sheet and the words it is told with.

    >>> stacked_row([(0.25, "hit", "a quarter")]).count("<rect")
    1
    """
    drawn, start = [], 0.0
    for share, role, tip in parts:
        if share > 0:
            shape = Markup('<rect class="{}" x="{}" y="1" width="{}" height="16"><title>{}</title></rect>')
            drawn.append(shape.format(role, round(200 * start, 2), round(200 * share, 2), tip))
        start += share
    opened = Markup('<svg viewBox="0 0 200 18" preserveAspectRatio="none" class="stack" aria-hidden="true">')
    return Markup("").join([opened, *drawn, Markup("</svg>")])


def spot_row(
    value: float, interval: tuple[float, float] | None, scale: tuple[float, float], whole: float | None = None
) -> Markup:
    """Draw a value with its interval on a line between the ends of ``scale``, across the line of the ``whole``."""
    low, high = scale

    def place(number: float) -> float:
        return round(5 + 150 * max(0.0, min(1.0, (number - low) / (high - low))), 1)

    parts = [Markup('<svg viewBox="0 0 160 18" aria-hidden="true">')]
    if whole is not None:
        parts.append(Markup('<path class="zero" d="M{} 0V18"/>').format(place(whole)))
    if interval is not None:
        parts.append(Markup('<path class="span" d="M{} 9H{}"/>').format(place(interval[0]), place(interval[1])))
    return Markup("").join([*parts, Markup('<circle class="spot" cx="{}" cy="9" r="4"/></svg>').format(place(value))])


def gap_row(first: float | None, second: float | None) -> Markup:
    """Draw two shares as a full and an open dot on a line from 0 to 1, with what lies between them."""
    places = [None if share is None else round(5 + 150 * max(0.0, min(1.0, share)), 1) for share in (first, second)]
    parts = [Markup('<svg viewBox="0 0 160 18" aria-hidden="true"><path class="grid" d="M5 9H155"/>')]
    if None not in places:
        parts.append(Markup('<path class="span" d="M{} 9H{}"/>').format(*places))
    roles = zip(places, ("spot", "ring"), strict=True)
    parts += [Markup('<circle class="{}" cx="{}" cy="9" r="4"/>').format(role, x) for x, role in roles if x is not None]
    return Markup("").join([*parts, Markup("</svg>")])


def area_words(one: Mapping[str, Any]) -> str:
    """Say which areas a bin holds.

    >>> area_words({"from": 16, "below": 64}), area_words({"from": 9216, "below": None})
    ('16 to 63', '9,216 and more')
    """
    return f"{one['from']:,} " + ("and more" if one["below"] is None else f"to {one['below'] - 1:,}")


def short(number: int) -> str:
    """Write an area so that it fits below its bar.

    >>> short(1024), short(36864)
    ('1,024', '37k')
    """
    return f"{number / 1000:.0f}k" if number >= 10_000 else f"{number:,}"
