"""Line charts as inline SVG: they scale with the page, and their colours follow its light or dark theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pixelwise.draw.curves import Points, Row, points, smoothed, validation_scores

_WIDTH, _HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 30
_MOST_POINTS = 400  # more are not seen at this width, and would swell the page


@dataclass(frozen=True)
class Line:
    """One line of a chart; ``role`` is a class of the page's style sheet: first, second, third or faint."""

    name: str
    points: Points
    role: str


@dataclass(frozen=True)
class Chart:
    """A chart with its title, key and drawing."""

    title: str
    lines: tuple[Line, ...]
    drawing: Markup


def training_charts(rows: Sequence[Row]) -> list[Chart]:
    """Draw what there is of loss, validation scores and learning rate; nothing for an empty history."""
    loss = points(rows, "loss")
    window = max(3, len(loss) // 25)
    if len(loss) > 20:
        average = f"mean of {window // 2 * 2 + 1} steps"
        losses = [Line("each step", loss, "faint"), Line(average, smoothed(loss, window), "first")]
    else:
        losses = [Line("loss", loss, "first")]
    named = zip(validation_scores(rows), ("first", "second"), strict=False)
    scores = [Line(name, points(rows, column), role) for (column, name), role in named]
    drawn = [
        ("Loss", [*losses, Line("validation", points(rows, "val_loss"), "second")]),
        ("Validation scores", scores),
        ("Learning rate", [Line("learning rate", points(rows, "lr"), "third")]),
    ]
    charts, last = [], max((step for _, lines in drawn for line in lines for step, _ in line.points), default=1.0)
    for title, lines in drawn:
        kept = tuple(line for line in lines if line.points)
        if kept:
            charts.append(Chart(title, kept, _draw(title, kept, last, top=1.0 if lines is scores else None)))
    return charts


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Choose about ``count`` round numbers from ``low`` to ``high``.

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= count + 0.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _draw(title: str, lines: Sequence[Line], last: float, top: float | None) -> Markup:
    values = [value for line in lines for _, value in line.points]
    left, right = 0.0, max(last, 1.0)  # one scale for all charts, so that they are read together
    low, high = min(0.0, *values), top if top is not None else max(values)
    high = high if high > low else low + 1

    def place(step: float, value: float) -> tuple[float, float]:
        x = _LEFT + (step - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return round(x, 1), round(y, 1)

    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, _HEIGHT, title)]
    for value in ticks(low, high):
        _, y = place(left, value)
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, y, _WIDTH - _RIGHT))
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(_LEFT - 6, y + 4, f"{value:g}")
        )
    for step in ticks(left, right):
        if step == round(step):
            x, _ = place(step, low)
            name = f"{step:,.0f}"
            is_cut = x + 3.5 * len(name) > _WIDTH  # a long last number would leave the picture
            text = Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>')
            parts.append(text.format(_WIDTH if is_cut else x, _HEIGHT - _BOTTOM + 18, "end" if is_cut else "middle", name))
    for line in lines:
        shown = [place(step, value) for step, value in _thinned(line.points)]
        path = "M" + "L".join(f"{x} {y}" for x, y in shown)
        parts.append(Markup('<path class="line {}" d="{}"/>').format(line.role, path))
        if len(shown) <= 20:
            parts += [Markup('<circle class="dot {}" cx="{}" cy="{}" r="3"/>').format(line.role, x, y) for x, y in shown]
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _thinned(series: Points) -> Points:
    """Keep at most ``_MOST_POINTS`` points, the last among them."""
    step = -(-len(series) // _MOST_POINTS)
    kept = series[::step]
    return kept if kept[-1] == series[-1] else [*kept, series[-1]]
