"""Cut the image in two between marks of inside and outside, at the least cost: the minimum of an energy, by max-flow [1].

A pixel costs what its colour says against its side (minus the logarithm of a Gaussian mixture of the colours marked there [2]);
neighbours of the eight on different sides cost ``smoothness`` times exp(-d^2 / 2 <d^2>), less where colours differ. The cut of
least cost is found exactly, by SciPy's maximum flow. Without prompts, the frame of the image (a twentieth of its shorter
side) is outside, and the tenth of the pixels whose colours are rarest there is what inside looks like.

Cost: the flow grows faster than the pixels; on at most 200,000 of them.

[1] Boykov and Jolly, Interactive graph cuts for optimal boundary and region segmentation of objects in N-D images, ICCV 2001.
[2] Blake et al., Interactive image segmentation using an adaptive GMMRF model, ECCV 2004.
"""

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.prompt import Prompt
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.graphs.frame import INSIDE, OUTSIDE, frame_of, marks_of, unlike_frame
from pixelwise.methods.grey import two_classes
from pixelwise.methods.growing.changes import check_range, colours, is_plain
from pixelwise.methods.reduced import enlarged, reduced

KIND: Kind = "semantic"
ABOUT = About(
    family="graph",
    good_for="cutting out a thing with a stroke inside and a stroke outside; corrections by further strokes",
    bad_for="thin parts, which cost much border; things coloured as what is around them",
    cost="grows faster than the pixels, on at most 200,000",
    source="Boykov and Jolly, Interactive graph cuts, ICCV 2001",
)
_PIXELS = 200_000
_STEPS = 20  # a cost of 1 in the whole numbers that the flow is counted in
_MOST = 20.0  # the most that a colour may cost
_SAMPLE = 5000  # marked pixels that colours are learned on
_EIGHT = ((0, 1), (1, 0), (1, 1), (1, -1))


def segment(
    image: Image,
    *,
    smoothness: float = 4.0,
    mixtures: int = 5,
    seed: int = 0,
    prompts: tuple[Prompt, ...] = (),
) -> Segmentation:
    """Cut ``image`` into background and foreground; what was marked keeps its side.

    Args:
        smoothness: what a border between pixels alike costs, in natural logarithms of probability.
        mixtures: Gaussians of colour on each side; fewer are taken where few pixels are marked.
        seed: of the mixtures and of the sample they are learned on.
        prompts: what is inside and what is not; all objects are one foreground. Beyond boxes is outside.

    Raises:
        OptionError: an option is out of range, or a prompt is outside the image or marks no inside.
    """
    check_range("graphcut", "smoothness", smoothness, 0, 1000)
    check_range("graphcut", "mixtures", mixtures, 1, 50)
    if not 0 <= seed < 2**32:
        raise OptionError(f"graphcut: seed must be from 0 to 4294967295, got {seed}")
    small, notes = reduced(image, _PIXELS)
    stated = marks_of(prompts, image.size, small.size, "graphcut") if prompts else None
    if is_plain(image):
        return two_classes(np.zeros(image.size, bool), "bright")
    values = colours(small)
    marks, learned = _marks(values, stated)
    if not ((learned == INSIDE).any() and (learned == OUTSIDE).any()):
        return two_classes(enlarged((marks == INSIDE).astype(np.uint8), small, image) > 0, "bright", notes)
    gain = _costs(values, learned, OUTSIDE, mixtures, seed) - _costs(values, learned, INSIDE, mixtures, seed)
    advance(0.2)
    inside = least_cut(gain, border_costs(values, smoothness), marks)
    return two_classes(enlarged(inside.astype(np.uint8), small, image) > 0, "bright", notes)


def _marks(values: FloatArray, stated: IntArray | None) -> tuple[IntArray, IntArray]:
    """Give what keeps its side (H, W), and what colours are learned on; both 0 unknown, 1 outside, 2 inside."""
    frame = frame_of(values.shape[:2])
    if stated is None:
        marks = np.where(frame, OUTSIDE, 0)
        return marks, np.where(unlike_frame(values, frame), INSIDE, marks) if frame.any() else marks
    learned = stated.copy()
    if not (learned == OUTSIDE).any():  # a person who marks only the thing means that the frame is not it
        learned[frame & (learned == 0)] = OUTSIDE
    if not (learned == INSIDE).any():  # a box alone: what is in it is likely the thing
        learned[learned == 0] = INSIDE
    return stated, learned


def _costs(values: FloatArray, marks: IntArray, side: int, mixtures: int, seed: int) -> FloatArray:
    """Give minus the logarithm of the density (H, W) of each pixel's colour among those marked as ``side``, 20 at most."""
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    chosen = values[marks == side]
    if len(chosen) > _SAMPLE:
        chosen = chosen[np.sort(np.random.default_rng(seed).choice(len(chosen), _SAMPLE, replace=False))]
    if len(chosen) == 1:
        chosen = np.repeat(chosen, 2, axis=0)
    count = max(1, min(mixtures, len(chosen) // 20, len(np.unique(chosen, axis=0))))
    with threadpool_limits(1):  # sums in one order: the same mixtures every time
        mixture = GaussianMixture(count, reg_covar=1e-3, random_state=seed, max_iter=30, tol=1e-2, init_params="k-means++")
        _fit_quietly(mixture, chosen.astype(np.float64))
        found = mixture.score_samples(values.reshape(-1, values.shape[2]).astype(np.float64))
    return np.asarray(np.minimum(-found, _MOST).reshape(values.shape[:2]))


def _fit_quietly(mixture: object, chosen: FloatArray) -> None:
    """Fit; that thirty rounds may not be all is known, and no reason to warn."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(chosen)  # type: ignore[attr-defined]


def border_costs(values: FloatArray, smoothness: float) -> list[FloatArray]:
    """Give what a border costs between each pixel and its neighbour to the right, below, below right and below left.

    Each is an array over the pixels that have such a neighbour, in the order of ``neighbours``.
    """
    squares = [((values[one] - values[other]) ** 2).sum(axis=2) for one, other, _ in neighbours(values.shape[:2])]
    mean = float(np.mean([part.mean() for part in squares if part.size])) if any(part.size for part in squares) else 0.0
    return [
        smoothness / way * (np.exp(-part / (2 * mean)) if mean > 0 else np.ones(part.shape))
        for part, (_, _, way) in zip(squares, neighbours(values.shape[:2]), strict=True)
    ]


def neighbours(size: tuple[int, int]) -> list[tuple[tuple[slice, slice], tuple[slice, slice], float]]:
    """List the four ways to neighbours: the pixels that have one, where theirs are, and how far."""
    height, width = size
    found = []
    for down, across in _EIGHT:
        left, right = max(0, -across), max(0, across)
        one = (slice(0, max(height - down, 0)), slice(left, max(width - right, left)))
        other = (slice(down, max(height, down)), slice(right, max(width - left, right)))
        found.append((one, other, float(np.hypot(down, across))))
    return found


def least_cut(gain: FloatArray, borders: list[FloatArray], marks: IntArray) -> BoolArray:
    """Find the side (H, W) of each pixel, True for inside, of least cost in all.

    Args:
        gain: (H, W) what a pixel costs outside, less what it costs inside.
        borders: of ``border_costs``.
        marks: (H, W) 1 and 2 for pixels whose side is given.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    height, width = gain.shape
    places = np.arange(height * width, dtype=np.int32).reshape(height, width)
    source, sink = height * width, height * width + 1
    fixed = np.int64(_STEPS * (sum(float(part.max(initial=0)) for part in borders) * 2 + 2 * _MOST + 1))
    pull = np.rint(gain * _STEPS).astype(np.int64)
    pull = np.where(marks == INSIDE, fixed, np.where(marks == OUTSIDE, -fixed, pull)).ravel()
    starts, ends, costs = [], [], []
    for part, (one, other, _) in zip(borders, neighbours((height, width)), strict=True):
        first, second, cost = places[one].ravel(), places[other].ravel(), np.rint(part * _STEPS).astype(np.int64).ravel()
        starts += [first, second]
        ends += [second, first]
        costs += [cost, cost]
    to_inside, to_outside = np.flatnonzero(pull > 0), np.flatnonzero(pull < 0)
    starts += [np.full(len(to_inside), source), to_outside]
    ends += [to_inside, np.full(len(to_outside), sink)]
    costs += [pull[to_inside], -pull[to_outside]]
    graph = sparse.csr_array(
        (np.concatenate(costs).astype(np.int32), (np.concatenate(starts), np.concatenate(ends))), shape=(sink + 1, sink + 1)
    )
    left = graph - maximum_flow(graph, source, sink).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    found = np.zeros(sink + 1, bool)
    found[reached] = True  # what the source still reaches is its side of the cut
    return found[: height * width].reshape(height, width)
