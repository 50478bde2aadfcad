"""Split an image into two parts of little variance with a short border between them, by level sets [1].

Without prompts, the contour starts at Otsu's level. It may split and join. An image of more than 2 Mpixel is worked on at
that size, and the result brought back along its edges. Cost: rounds x pixels, at most 2 Mpixel.

[1] Chan, Vese: Active contours without edges, IEEE Trans. Image Processing 10(2), 2001.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.edges.start import found, pointed_at, shrunk, stretched
from pixelwise.methods.effort import advance
from pixelwise.methods.grey import Foreground, check_foreground, levels_of, two_classes
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "semantic"
ABOUT = About(
    family="edge",
    good_for="noisy things without clear edges, if their mean differs from the ground's",
    bad_for="uneven light; more than two brightnesses",
    cost="rounds x pixels, at most 2 Mpixel",
    source="Chan, Vese: Active contours without edges, IEEE Trans. Image Processing 10(2), 2001",
)
_ROUNDS = 10  # between two looks at the clock


def segment(
    image: Image,
    *,
    mu: float = 0.1,
    inside: float = 1.0,
    outside: float = 1.0,
    rounds: int = 100,
    tolerance: float = 1e-3,
    channel: str = "grey",
    foreground: Foreground = "auto",
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Split ``image`` into foreground and background by the energy of Chan and Vese.

    Args:
        mu: what a pixel of border costs, from 0 to 10; more gives smoother and fewer parts.
        inside: what variance of the foreground costs, above 0 and at most 1000.
        outside: the same of the background.
        rounds: at most, from 1 to 10,000.
        tolerance: it stops when the level set changes by less a round, root mean square; from 0 to 1.
        channel: ``grey``, a band by name, or ``hue``, ``saturation``, ``value``, ``lightness``, ``a``, ``b``.
        foreground: the side that starts as foreground without prompts: ``bright``, ``dark``, or ``auto``, the one that holds
            less of the border.
        prompts: where the contour starts: boxes, polygons, points and scribbles.

    Raises:
        OptionError: an option is out of its range, or a prompt outside the image.
        OutOfTime: the time limit is over.
    """
    if not 0 <= mu <= 10:
        raise OptionError(f"chanvese: mu must be from 0 to 10, got {mu}")
    if not (0 < inside <= 1000 and 0 < outside <= 1000):
        raise OptionError(f"chanvese: inside and outside must be above 0 and at most 1000, got {inside} and {outside}")
    if not 0 <= tolerance <= 1:
        raise OptionError(f"chanvese: tolerance must be from 0 to 1, got {tolerance}")
    if not 1 <= rounds <= 10_000:
        raise OptionError(f"chanvese: rounds must be from 1 to 10,000, got {rounds}")
    check_foreground(foreground)
    small, notes = reduced(image)
    levels = levels_of(small, channel)
    start = shrunk(pointed_at("chanvese", prompts, image.size), small.size) if prompts else None
    if not levels.size or levels.min() == levels.max():
        return two_classes(np.zeros(image.size, bool), "bright")
    start = found(levels, foreground) if start is None else start
    mask = evolved(stretched(levels), start, mu, (inside, outside), rounds, tolerance)
    return two_classes(enlarged(mask.view(np.uint8), small, image) > 0, "bright", notes)


def evolved(
    levels: FloatArray, start: BoolArray, mu: float, weights: tuple[float, float], rounds: int, tolerance: float
) -> BoolArray:
    """Move the border of ``start`` (H, W) over levels (H, W) from 0 to 1, some rounds at a time."""
    from skimage.segmentation import chan_vese

    phi = np.where(start, 1.0, -1.0).astype(levels.dtype)
    for done in range(0, rounds, _ROUNDS):
        advance(done / rounds)
        some = min(_ROUNDS, rounds - done)
        _, phi, energies = chan_vese(
            levels, mu, *weights, tol=tolerance, max_num_iter=some, init_level_set=phi, extended_output=True
        )
        if len(energies) < some:
            break
    return np.asarray(phi > 0)
