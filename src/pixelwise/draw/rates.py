"""The curve of a range test: the loss over the learning rate."""

import io
from collections.abc import Sequence


def rates(tried: Sequence[float], losses: Sequence[float], smooth: Sequence[float], suggested: float) -> bytes:
    """Draw losses (raw and smoothed) over the rates that were tried, on a logarithmic axis, as the bytes of a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.plot(tried, losses, color="#9AA5B1", linewidth=0.8, label="each step")
    axis.plot(tried, smooth, color="#0072B2", linewidth=1.8, label="smoothed")
    axis.axvline(suggested, color="#D55E00", linewidth=1.4, label=f"suggested: {suggested:.2g}")
    axis.set_xscale("log")
    low, first = min(smooth), smooth[0]
    axis.set_ylim(low - 0.1 * abs(first - low) - 1e-6, first + 0.6 * abs(first - low) + 1e-6)  # what follows is off the chart
    axis.set_xlabel("learning rate")
    axis.set_title("loss", loc="left", fontsize=11)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False, fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
