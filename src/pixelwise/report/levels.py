"""Scores of a partition over the levels it was predicted at, and what superpixels look like."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelwise.report.axes import closed, dot, frame, line
from pixelwise.report.charts import ticks
from pixelwise.report.figure import Figure, Key, Table
from pixelwise.report.names import title_of
from pixelwise.report.numbers import shown

_SHARES = (("covering", "first"), ("pri", "second"))
_BITS = (("vi", "first"), ("vi_over", "second"), ("vi_under", "third"))
_MOST_NAMES = 10


def level_figures(details: Mapping[str, Any]) -> list[Figure]:
    """Draw scores over levels, where there are several, and describe superpixels where there are any."""
    levels = details.get("by_level") or ()
    figures = []
    if len(levels) > 1 and all(level["pri"] == level["pri"] for level in levels):
        names = {
            key: ", ".join(str(one["level"]) for one in levels if key in one["best_for"]) for key in ("covering", "pri", "vi")
        }
        best = f"level {names['covering']} for covering, level {names['pri']} for the Rand index"
        shares = f"Each level over the whole set. ODS is the best of them, here {best}; OIS takes the best level of each image."
        figures.append(_over_levels("Agreement over levels", levels, _SHARES, 1.0, shares))
        most = max(level[name] for level in levels for name, _ in _BITS)
        bits = f"In bits, lower is better: what is split too much, what too little, and their sum, best at level {names['vi']}."
        figures.append(_over_levels("Variation of information over levels", levels, _BITS, most or 1.0, bits))
    superpixels = details.get("superpixels") or {}
    if superpixels.get("per_image") is not None:
        row = (f"{superpixels['per_image']:,.1f}", shown(superpixels["compactness"]))
        table = Table(("superpixels an image", "compactness"), [row])
        figures.append(
            Figure("Superpixels", words="Compactness is 1 for discs and falls as outlines grow ragged.", table=table)
        )
    return figures


def _over_levels(
    title: str, levels: Sequence[Mapping[str, Any]], lines: Sequence[tuple[str, str]], top: float, words: str
) -> Figure:
    last, every = len(levels) - 1, -(-len(levels) // _MOST_NAMES)
    names = [(place / last, str(level["level"])) for place, level in enumerate(levels) if place % every == 0]
    beside = [(value / top, f"{value:g}") for value in ticks(0, top)]
    parts = frame(title, names, "level", beside=beside)
    for name, role in lines:
        parts.append(line([(place / last, level[name] / top) for place, level in enumerate(levels)], role))
        for place, level in enumerate(levels):
            parts.append(
                dot(place / last, level[name] / top, role, f"level {level['level']}: {title_of(name)} {level[name]:.4f}")
            )
    return Figure(title, closed(parts), words, [Key(title_of(name), role, is_line=True) for name, role in lines])
