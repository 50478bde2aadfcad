"""Axes that charts of shares are drawn on, as inline SVG: places are given as shares of the width and of the height."""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, LEFT, RIGHT, TOP = 420, 44, 10, 10
TALL, SHORT = 200, 44  # heights of the shares and of the counts below them
_GAP = 24  # between the two: room for the names


def across(share: float) -> float:
    """Give the place of a share of the width."""
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def up(share: float) -> float:
    """Give the place of a share of the height; what lies outside stays at the edge."""
    return round(TOP + (1 - max(0.0, min(1.0, share))) * TALL, 1)


def frame(
    title: str,
    names: Sequence[tuple[float, str]],
    below: str,
    has_counts: bool = False,
    beside: Sequence[tuple[float, str]] = ((0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1, "1")),
) -> list[Markup]:
    """Begin a drawing: grid, names beside and below it; ``closed`` ends it.

    Args:
        title: read out in the drawing's place.
        names: shares of the width, and what stands below them.
        below: what these are.
        has_counts: whether room is left for ``count_bar``.
        beside: shares of the height, and what stands beside them.
    """
    height = TOP + TALL + _GAP + (SHORT + 20 if has_counts else 16)
    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, height, title)]
    for tick, name in beside:
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(LEFT, up(tick), WIDTH - RIGHT))
        parts.append(text(LEFT - 6, up(tick) + 4, "end", name))
    parts += [text(across(share), TOP + TALL + 16, "end" if share == 1 else "middle", name) for share, name in names]
    return [*parts, text(WIDTH - RIGHT, height - 4, "end", below)]


def closed(parts: Sequence[Markup]) -> Markup:
    """End a drawing."""
    return Markup("").join([*parts, Markup("</svg>")])


def text(x: float, y: float, anchor: str, words: str) -> Markup:
    """Write ``words`` that start, end or have their middle at ``x``."""
    return Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, words)


def bar(x: float, width: float, low: float, high: float, role: str, tip: str) -> Markup:
    """Draw a bar between two shares of the height; ``tip`` is told when it is pointed at."""
    shape = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
    return shape.format(role, round(x, 1), up(high), round(width, 1), round(max(0.5, up(low) - up(high)), 1), tip)


def count_bar(x: float, width: float, share: float, tip: str) -> Markup:
    """Draw a bar that hangs below the axis: a count as a share of the largest."""
    shape = Markup('<rect class="faintbar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
    return shape.format(round(x, 1), TOP + TALL + _GAP, round(width, 1), round(max(1.0, share * SHORT), 1), tip)


def line(points: Sequence[tuple[float, float]], role: str) -> Markup:
    """Draw a line through shares of the width and of the height; nothing through none."""
    if not points:
        return Markup("")
    path = "M" + "L".join(f"{across(x)} {up(y)}" for x, y in points)
    return Markup('<path class="line {}" d="{}"/>').format(role, path)


def dot(x: float, y: float, role: str, tip: str) -> Markup:
    """Draw a dot at a share of the width and of the height."""
    shape = Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.5"><title>{}</title></circle>')
    return shape.format(role, across(x), up(y), tip)


def whisker(x: float, interval: Sequence[float] | None) -> Markup:
    """Draw an interval of shares of the height over a bar's middle; nothing where there is none."""
    if interval is None:
        return Markup("")
    low, high = up(interval[0]), up(interval[1])
    x = round(x, 1)
    shape = Markup('<path class="whisker" d="M{0} {1}V{2}M{3} {1}H{4}M{3} {2}H{4}"/>')
    return shape.format(x, low, high, round(x - 4, 1), round(x + 4, 1))
