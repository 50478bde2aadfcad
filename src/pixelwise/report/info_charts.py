"""Charts of a data set's figures as inline SVG, and heat maps as pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup

from pixelwise.core.arrays import FloatArray, Size
from pixelwise.report.charts import ticks
from pixelwise.report.examples import Picture, embedded

_WIDTH, _HEIGHT = 560, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 8, 26, 40
_SIDE = 200  # pixels of a heat map's longer side
_MOST_BARS = 24
Bar = tuple[str, int, str]  # the name below it, its height, and what it says when pointed at


def histogram(title: str, bars: Sequence[Bar], below: str, marks: Sequence[tuple[float, str]] = ()) -> Markup:
    """Draw counts as bars side by side; nothing where there are none.

    Args:
        title: read out in the drawing's place.
        bars: from left to right.
        below: what the names below the bars are.
        marks: dashed lines with a name, at a place counted in bars.
    """
    most = max((count for _, count, _ in bars), default=0)
    if not most:
        return Markup("")
    step = (_WIDTH - _LEFT - _RIGHT) / len(bars)
    tall = _HEIGHT - _TOP - _BOTTOM

    def up(count: float) -> float:
        return round(_HEIGHT - _BOTTOM - count / most * tall, 1)

    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, _HEIGHT, title)]
    for value in ticks(0, most, 4):
        if value == round(value):
            parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, up(value), _WIDTH - _RIGHT))
            parts.append(_text(_LEFT - 6, up(value) + 4, "end", f"{value:,.0f}"))
    every = -(-len(bars) // 12)
    for place, (name, count, tip) in enumerate(bars):
        x = _LEFT + place * step
        shape = Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>')
        parts.append(
            shape.format(round(x + step * 0.08, 1), up(count), round(step * 0.84, 1), round(up(0) - up(count), 1), tip)
        )
        if place % every == 0:
            parts.append(_text(round(x + step / 2, 1), _HEIGHT - _BOTTOM + 16, "middle", name))
    for mark_at, name in marks:
        if 0 < mark_at < len(bars):
            x = round(_LEFT + mark_at * step, 1)
            parts.append(Markup('<path class="even" d="M{} {}V{}"/>').format(x, _TOP - 20, _HEIGHT - _BOTTOM))
            parts.append(_text(x + 4, _TOP - 10, "start", name))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 4, "end", below))
    return Markup("").join([*parts, Markup("</svg>")])


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def binned(counts: Sequence[tuple[int, int]], what: str, of: str) -> list[Bar]:
    """Gather (number, how often) into at most 24 bars of equal width.

    >>> binned([(0, 2), (1, 5), (3, 1)], "objects", "images")[1]
    ('1', 5, '1 objects: 5 images')
    """
    if not counts:
        return []
    most = max(number for number, _ in counts)
    width = max(1, -(-(most + 1) // _MOST_BARS))
    heights = np.zeros(most // width + 1, np.int64)
    for number, count in counts:
        heights[number // width] += count
    bars = []
    for place, height in enumerate(heights.tolist()):
        low, high = place * width, place * width + width - 1
        name = f"{low:,}" if width == 1 else f"{low:,}–{high:,}"
        bars.append((f"{low:,}", height, f"{name} {what}: {height:,} {of}"))
    return bars


def heat_picture(name: str, grid: FloatArray, size: Size) -> Picture:
    """Draw where a class is: dark where it never is, bright where it is most often, in the proportions of an (H, W) image.

    Args:
        name: of the class.
        grid: the share of each cell that it covers in the mean image.
        size: of the usual image.
    """
    most = float(grid.max())
    scale = _SIDE / max(size)
    wide, tall = max(24, round(size[1] * scale)), max(24, round(size[0] * scale))
    smooth = cv2.resize((grid / max(most, 1e-12)).astype(np.float32), (wide, tall), interpolation=cv2.INTER_LINEAR)
    coloured = cv2.applyColorMap(np.rint(255 * smooth).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = f"{100 * most:.0f} %" if most >= 0.01 else f"{100 * most:.2g} %"
    return embedded(f"{name}: up to {share}", np.ascontiguousarray(coloured[:, :, ::-1]), max(wide, tall))
