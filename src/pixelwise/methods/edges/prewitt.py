"""Part an image into regions along its edges, found by Prewitt's kernels, a derivative smoothed by 1 1 1 [1].

The image is smoothed, an edge is where the length of the gradient passes Otsu's level of all lengths (or a stated one), and
edges are closed into regions (``closing``: narrow gaps are closed, and regions meet where an edge is strongest). Cost: one pass
over the pixels for each kernel and each width of gap, and the flood of the pixels near edges.

[1] Prewitt, Object enhancement and extraction, in Picture Processing and Psychopictorics, 1970.
"""

from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.closing import Show, check_closing, shown, strong
from pixelwise.methods.edges.strength import ALL_BANDS, edge_strength

KIND: Kind = "regions"
ABOUT = About(
    family="edge",
    good_for="what sobel is good for; a little less noise in, a little less exact in direction",
    bad_for="textures, which are edges all over; outlines of little contrast; things so narrow that their edges run together",
    cost="about pixels x log(width of the widest area without edges)",
    source="Prewitt: Object enhancement and extraction, in Picture Processing and Psychopictorics, 1970",
)


def segment(
    image: Image,
    *,
    sigma: float = 2.0,
    level: float | None = None,
    gap: float = 0.35,
    smallest: int | None = None,
    channel: str = ALL_BANDS,
    show: Show = "regions",
) -> Segmentation:
    """Part ``image`` into regions along its edges.

    Args:
        sigma: deviation of the Gaussian that smoothes first, in pixels; 0 for none.
        level: what an edge's strength passes, from 0 to 1; by itself Otsu's level of the strengths.
        gap: a gap in an edge is closed up to this share of the widest disc beside it; 0 closes none.
        smallest: pixels of a region's core, at least; by itself 1 of 8000 of the image.
        channel: ``bands``, the strongest edge of all; ``grey``, a band by name, or a channel of HSV or Lab.
        show: ``regions``; or ``edges``, two regions: first what is no edge, then the edge pixels.

    Raises:
        OptionError: an option is out of its range.
    """
    check_closing("prewitt", level, gap, smallest, show)
    strength = edge_strength(image, "prewitt", sigma, channel)
    return shown(strength, strong(strength, level), gap, smallest, show)
