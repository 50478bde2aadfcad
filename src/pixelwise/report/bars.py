"""Charts of shares as inline SVG: reliability, recall by size, and differences with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

_WIDTH, _LEFT, _RIGHT, _TOP = 420, 44, 10, 10
_TALL, _SHORT = 200, 44  # heights of the shares and of the counts below them


def reliability_chart(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw the share right over confidence, with the even line and the pixels in each bin; nothing where there are none."""
    total = sum(one["pixels"] for one in bins)
    if not total:
        return Markup("")
    parts = _frame("reliability diagram", [(place / 5, f"{place / 5:g}") for place in range(6)], "confidence")
    for one in bins:
        x, width = _across(one["low"]), _across(one["high"]) - _across(one["low"])
        if one["pixels"]:
            share, sure = one["accuracy"], one["confidence"]
            tip = f"{one['low']:.2f} to {one['high']:.2f}: {one['pixels']:,} pixels, sure {sure:.3f}, right {share:.3f}"
            parts.append(_bar(x + 1, width - 2, 0, share, "bar", tip))
            parts.append(_bar(x + 1, width - 2, min(share, sure), max(share, sure), "gap", tip))
            parts.append(_below(x + 1, width - 2, one["pixels"] / max(each["pixels"] for each in bins), tip))
    parts.append(Markup('<path class="even" d="M{} {}L{} {}"/>').format(_across(0), _up(0), _across(1), _up(1)))
    return Markup("").join([*parts, Markup("</svg>")])


def size_chart(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw recall and the share of segments found by size, with the number of segments; nothing where there are none."""
    if not sum(one["segments"] for one in bins):
        return Markup("")
    names = [(index / len(bins), _short(one["from"])) for index, one in enumerate(bins)]
    parts = _frame("recall by size", names, "area from, pixels")
    most = max(one["segments"] for one in bins)
    for index, one in enumerate(bins):
        x, width = _across(index / len(bins)), _across(1 / len(bins)) - _across(0)
        if one["segments"]:
            upper = "and more" if one["below"] is None else f"to {one['below'] - 1:,}"
            found = f"{one['found']:.3f} of them at least half right"
            tip = f"{one['from']:,} {upper} pixels: {one['segments']:,} segments, recall {one['recall']:.3f}, {found}"
            parts.append(_bar(x + 3, width - 6, 0, one["recall"], "bar", tip))
            parts.append(_bar(x + 3, width - 6, one["found"] - 0.006, one["found"] + 0.006, "mark", tip))
            parts.append(_below(x + 3, width - 6, one["segments"] / most, tip))
    return Markup("").join([*parts, Markup("</svg>")])


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


def _across(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _up(share: float) -> float:
    return round(_TOP + (1 - max(0.0, min(1.0, share))) * _TALL, 1)


def _frame(title: str, names: Sequence[tuple[float, str]], below: str) -> list[Markup]:
    height = _TOP + _TALL + 24 + _SHORT + 20
    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, height, title)]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, _up(tick), _WIDTH - _RIGHT))
        text = Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(text.format(_LEFT - 6, _up(tick) + 4, f"{tick:g}"))
    anchor = "middle"
    for share, name in names:
        text = Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>')
        is_last = share == 1
        parts.append(text.format(_across(share), _TOP + _TALL + 16, "end" if is_last else anchor, name))
    parts.append(
        Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(_WIDTH - _RIGHT, height - 4, below)
    )
    return parts


def _bar(x: float, width: float, low: float, high: float, role: str, tip: str) -> Markup:
    shape = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
    return shape.format(role, round(x, 1), _up(high), round(width, 1), round(max(0.5, _up(low) - _up(high)), 1), tip)


def _below(x: float, width: float, share: float, tip: str) -> Markup:
    top = _TOP + _TALL + 24
    shape = Markup('<rect class="faintbar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
    return shape.format(round(x, 1), top, round(width, 1), round(max(1.0, share * _SHORT), 1), tip)


def _short(number: int) -> str:
    return f"{number / 1000:.0f}k" if number >= 10_000 else f"{number:,}"
