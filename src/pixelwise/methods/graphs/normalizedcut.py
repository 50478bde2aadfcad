"""Cut a graph of superpixels in two, again and again, where the cut is small beside what it parts [1].

Superpixels (SLIC) are joined with those near them by weights that fall with the distance of colour and of place. Of each part,
the second smallest generalised eigenvector of (D - W) y = lambda D y orders the superpixels; the best of the splits along it is
made, if its normalised cut is at most ``cut``, and both sides are split further. The most separable part is split first.

Cost: the superpixels of at most 1 megapixel; then eigenvectors of a sparse matrix of as many rows.

[1] Shi and Malik, Normalized cuts and image segmentation, IEEE Trans. Pattern Analysis and Machine Intelligence, 2000.
"""

import heapq
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from pixelwise.core.arrays import BoolArray, FloatArray, IntArray
from pixelwise.core.errors import OptionError
from pixelwise.core.image import Image
from pixelwise.core.segmentation import Kind, Segmentation
from pixelwise.methods.about import About
from pixelwise.methods.effort import advance
from pixelwise.methods.graphs.slic import superpixels_of
from pixelwise.methods.growing.alike import means_of
from pixelwise.methods.growing.changes import check_range, colours, is_plain
from pixelwise.methods.partition import as_regions, numbered_from_1
from pixelwise.methods.reduced import enlarged, reduced

if TYPE_CHECKING:
    from scipy import sparse

KIND: Kind = "regions"
ABOUT = About(
    family="graph",
    good_for="few large regions, balanced in size, where colours change softly",
    bad_for="small things; plain areas are cut in two rather than left uneven",
    cost="grows with the pixels, on at most 1 megapixel, and with the superpixels",
    source="Shi and Malik, Normalized cuts and image segmentation, IEEE TPAMI 2000",
)
_PIXELS = 1_000_000
_DENSE = 64  # superpixels below which a dense solve is the faster one
_SPLITS = 32  # places along the eigenvector that are tried
_FAINT = 1e-6  # weight added between all neighbours, so that no part of the graph is loose


def segment(
    image: Image,
    *,
    cut: float = 0.3,
    regions: int = 64,
    superpixels: int = 500,
    colour: float = 0.1,
    place: float = 0.15,
) -> Segmentation:
    """Cut ``image`` into at most so many regions.

    Args:
        cut: the largest normalised cut that is made, from 0 to 2; more gives more regions.
        regions: the most there may be.
        superpixels: about how many the image is laid out in.
        colour: distance of colour at which a weight falls to 0.61, from 0.001; 0.01 is a step of Lab.
        place: the same for distance, as a fraction of the image's diagonal; pairs beyond twice as far are not joined.

    Raises:
        OptionError: an option is out of range.
    """
    check_range("normalizedcut", "cut", cut, 0, 2)
    check_range("normalizedcut", "colour", colour, 1e-3, 1000)
    check_range("normalizedcut", "place", place, 1e-3, 1)
    if not 1 <= regions <= 65535:
        raise OptionError(f"normalizedcut: regions must be from 1 to 65535, got {regions}")
    if not 1 <= superpixels <= 5000:
        raise OptionError(f"normalizedcut: superpixels must be from 1 to 5000, got {superpixels}")
    if is_plain(image):
        return as_regions(np.zeros(image.size, np.uint8))
    small, notes = reduced(image, _PIXELS)
    ids, count = numbered_from_1(superpixels_of(small, superpixels))
    weights = similarity(ids, colours(small), count, colour, place)
    parts = parted(weights, cut, regions)
    return as_regions(enlarged(np.append(0, parts)[ids], small, image), (*notes, f"cut on {count} superpixels"))


def similarity(ids: IntArray, values: FloatArray, count: int, colour: float, place: float) -> "sparse.csr_array":
    """Weigh pairs (K, K) of superpixels 1 to K of a map (H, W): exp(-d^2 / 2 s^2) of colour, times that of place."""
    from scipy import sparse
    from scipy.spatial import cKDTree

    height, width = ids.shape
    diagonal = float(np.hypot(height, width))
    rows, columns = np.indices(ids.shape, np.float32)
    means, _ = means_of(ids, values)
    centres, _ = means_of(ids, np.stack([rows, columns], axis=2) / np.float32(diagonal))
    pairs = cKDTree(centres[1:]).query_pairs(2 * place + 1.0 / max(count, 1) ** 0.5, output_type="ndarray")
    gaps = ((means[1:][pairs[:, 0]] - means[1:][pairs[:, 1]]) ** 2).sum(axis=1) / (2 * colour**2)
    ways = ((centres[1:][pairs[:, 0]] - centres[1:][pairs[:, 1]]) ** 2).sum(axis=1) / (2 * place**2)
    half = sparse.coo_array((np.exp(-gaps - ways) + _FAINT, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return sparse.csr_array(half + half.T + sparse.eye_array(count))


def parted(weights: "sparse.csr_array", cut: float, regions: int) -> IntArray:
    """Cut a graph of weights (K, K) into at most so many parts, numbered (K,) from 1."""
    labels = np.ones(weights.shape[0], np.int64)
    waiting: list[tuple[float, int, BoolArray]] = []

    def consider(label: int) -> None:
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            value, side = best_split(weights[members][:, members])
            if value <= cut:
                heapq.heappush(waiting, (value, label, side))

    consider(1)
    count = 1
    while waiting and count < regions:
        advance(count / regions)
        _, label, side = heapq.heappop(waiting)
        members = np.flatnonzero(labels == label)
        count += 1
        labels[members[side]] = count
        consider(label)
        consider(count)
    return labels


def best_split(weights: "sparse.csr_array") -> tuple[float, BoolArray]:
    """Find the least normalised cut of a graph (K, K) along its second eigenvector: its value, and one side (K,)."""
    vector = second_eigenvector(weights)
    degrees = np.asarray(weights.sum(axis=1)).ravel()
    ordered = np.sort(vector)
    places = np.unique(np.linspace(0, len(ordered) - 2, min(_SPLITS, len(ordered) - 1)).astype(int))
    best, chosen = np.inf, np.zeros(len(vector), bool)
    for level in np.unique(ordered[places]):
        side = vector > level
        if not side.any() or side.all():
            continue
        crossing = float(weights[side][:, ~side].sum())
        value = crossing / degrees[side].sum() + crossing / degrees[~side].sum()
        if value < best:
            best, chosen = value, side
    return best, chosen


def second_eigenvector(weights: "sparse.csr_array") -> FloatArray:
    """Solve (D - W) y = lambda D y for the second smallest lambda: y (K,) of length 1, its largest entry positive.

    It is D^(-1/2) times the second largest eigenvector of D^(-1/2) W D^(-1/2), which Lanczos steps find; where they do not
    settle, as with many equal eigenvalues, a dense solve does.
    """
    from scipy import sparse
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    scale = 1 / np.sqrt(np.asarray(weights.sum(axis=1)).ravel())
    normal = sparse.csr_array(weights.multiply(scale[:, None]).multiply(scale[None, :]))
    vector = None
    if normal.shape[0] > _DENSE:
        start = np.random.default_rng(0).random(normal.shape[0])  # a start of its own would be drawn anew each time
        with suppress(ArpackNoConvergence):
            found, vectors = eigsh(normal, k=2, which="LA", v0=start, tol=1e-9)
            vector = vectors[:, np.argsort(found)[0]]
    if vector is None:
        vector = np.linalg.eigh(normal.toarray())[1][:, -2]
    vector = scale * vector
    vector /= np.linalg.norm(vector)
    return np.asarray(vector * np.sign(vector[np.abs(vector).argmax()]))
